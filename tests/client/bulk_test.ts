import { assertEquals, assertStrictEquals } from "@std/assert";
import { startMockServer } from "../../mock_server/mod.ts";
import { connect, text } from "../../mod.ts";
import { brief } from "../connection/_fake_socket.ts";
import { test } from "../_harness.ts";
import { connected } from "./_client.ts";

const encoder = new TextEncoder();

test("getBulk() gives what it finds, in the order asked for, duplicates included", async () => {
  await using server = await startMockServer({ databases: 2 });
  await using kt = await connect({ port: server.port, codec: text });
  await kt.setBulk({ a: "1", b: "2" });
  await kt.setBulk({ a: "of 1" }, { database: 1 });
  const bytes = encoder.encode("a");
  const entries = await kt.getBulk([
    "b",
    "missing",
    bytes,
    { key: "a", database: 1 },
    { key: "b", database: 1 },
    "a",
    { key: "b" },
    "b",
  ]);
  assertEquals(entries.map(({ key, value, database }) => [key, value, database]), [
    ["b", "2", 0],
    [bytes, "1", 0],
    ["a", "of 1", 1],
    ["a", "1", 0],
    ["b", "2", 0],
    ["b", "2", 0],
  ]);
  assertStrictEquals(entries[1].key, bytes);
  assertEquals(entries[0].expiresAt, null);
});

test("keys may come from any iterable", async () => {
  await using setting = await connected({ codec: text });
  const { kt } = setting;
  const keys = function* () {
    yield "a";
    yield "b";
  };
  for (
    const source of [["a", "b"], new Set(["a", "b"]), keys(), new Map([["a", 1], ["b", 2]]).keys()]
  ) {
    assertEquals((await kt.getBulk(source)).map(({ value }) => value), [
      "value of a",
      "value of b",
    ]);
  }
  assertEquals(await kt.removeBulk(keys()), 2);
});

test("records may be pairs, objects, a map, or the properties of an object", async () => {
  await using setting = await connected();
  const { kt, requests } = setting;
  const forms = [
    [["a", "1"], ["b", "2"]] as [string, string][],
    [{ key: "a", value: "1" }, { key: "b", value: "2" }],
    new Map([["a", "1"], ["b", "2"]]),
    new Map([["a", "1"], ["b", "2"]]).entries(),
    { a: "1", b: "2" },
    Object.assign(Object.create({ inherited: "no" }), { a: "1", b: "2" }),
    [{ key: "a", value: "1" }, ["b", "2"] as const],
  ];
  for (const records of forms) assertEquals(await kt.setBulk(records), 2);
  assertEquals(requests.map(brief), forms.map(() => "set 0:a=1 0:b=2"));
});

test("a source that throws rejects the call, and nothing is sent", async () => {
  await using setting = await connected();
  const { kt, requests } = setting;
  const failure = new Error("no more");
  const source = function* (): Generator<[string, string]> {
    yield ["a", "1"];
    throw failure;
  };
  assertStrictEquals(await kt.setBulk(source()).catch((error) => error), failure);
  const keys = function* (): Generator<string> {
    yield "a";
    throw failure;
  };
  assertStrictEquals(await kt.getBulk(keys()).catch((error) => error), failure);
  assertStrictEquals(await kt.removeBulk(keys()).catch((error) => error), failure);
  assertEquals(requests, []);
});

test("setBulk() tells how many were stored, removeBulk() how many there were", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ port: server.port });
  assertEquals(
    await kt.setBulk([["a", "1"], ["a", "2"], { key: "b", value: "3", database: 9 }, ["c", ""]]),
    3,
  );
  assertEquals(await kt.removeBulk(["a", "a", "missing", { key: "c", database: 9 }]), 1);
});

test("thousands of records come back as they went", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ port: server.port, codec: text });
  const records = Array.from({ length: 20_000 }, (_, i): [string, string] => [`key ${i}`, `${i}`]);
  assertEquals(await kt.setBulk(records), 20_000);
  const entries = await kt.getBulk(records.map(([key]) => key));
  assertEquals(entries.map(({ key, value }) => [key, value]), records);
  assertEquals(await kt.removeBulk(records.map(([key]) => key)), 20_000);
});

test("single calls and bulk calls of one tick keep their order", async () => {
  await using setting = await connected();
  const { kt, requests } = setting;
  await Promise.all([kt.set("a", "1"), kt.setBulk({ a: "2" }), kt.get("a"), kt.getBulk(["a"])]);
  assertEquals(requests.map(brief), ["set 0:a=1", "set 0:a=2", "get 0:a", "get 0:a"]);
});
