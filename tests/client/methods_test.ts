import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { startMockServer } from "../../mock_server/mod.ts";
import { connect, ServerError, text } from "../../mod.ts";
import { test } from "../_harness.ts";
import { connected } from "./_client.ts";
import { brief } from "../connection/_fake_socket.ts";

const encoder = new TextEncoder();

test("set() stores, get() returns, remove() removes, and says whether there was something", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ port: server.port });
  assertEquals(await kt.get("k"), null);
  assertEquals(await kt.set("k", "v"), undefined);
  assertEquals(await kt.get("k"), encoder.encode("v"));
  await kt.set("k", Uint8Array.of(0, 255));
  assertEquals(await kt.get(encoder.encode("k")), Uint8Array.of(0, 255));
  assertEquals(await kt.remove("k"), true);
  assertEquals(await kt.remove("k"), false);
  assertEquals(await kt.get("k"), null);
});

test("empty, long, binary and non-ASCII keys and values come back as they were", async () => {
  await using server = await startMockServer({ databases: 7 });
  await using kt = await connect({ port: server.port });
  const pieces = ["", "a", "é", "日本", "😀", "x".repeat(100_000), "é".repeat(50_000)];
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (const key of pieces) {
    for (const value of pieces) await kt.set(key, value, { database: pieces.indexOf(value) });
  }
  for (const key of pieces) {
    for (const [database, value] of pieces.entries()) {
      assertEquals(await kt.get(key, { database }), encoder.encode(value));
    }
  }
  await kt.set(bytes, bytes);
  assertEquals(await kt.get(bytes), bytes);
  assertEquals(await kt.get(bytes.slice()), bytes);
  // A view of a larger buffer is a key like any other.
  assertEquals(await kt.get(new Uint8Array([9, ...bytes, 9]).subarray(1, 257)), bytes);
});

test("getEntry() tells key, value, database and expiration", async () => {
  await using server = await startMockServer({ databases: 3 });
  await using kt = await connect({ port: server.port, codec: text });
  assertEquals(await kt.getEntry("k"), null);
  await kt.set("k", "v", { database: 2 });
  assertEquals(await kt.getEntry("k", { database: 2 }), {
    key: "k",
    value: "v",
    database: 2,
    expiresAt: null,
  });
  const expireAt = new Date("2100-01-01T00:00:00Z");
  await kt.set("k", "v", { expireAt });
  const key = encoder.encode("k");
  const entry = await kt.getEntry(key);
  assertEquals(entry, { key, value: "v", database: 0, expiresAt: expireAt });
  assert(entry?.key === key, "the key comes back as it was given");
});

test("a database that does not exist: set() rejects, everything else finds nothing", async () => {
  await using server = await startMockServer({ databases: 2 });
  await using kt = await connect({ port: server.port });
  const missing = { database: 2 };
  const error = await assertRejects(() => kt.set("k", "v", missing), ServerError);
  assertEquals(error.message, "Cannot set: database 2 does not exist on the server");
  assertEquals([error.operation, error.code], ["set", "ERR_SERVER"]);
  assertEquals(await kt.get("k", missing), null);
  assertEquals(await kt.getEntry("k", missing), null);
  assertEquals(await kt.remove("k", missing), false);
  assertEquals(await kt.setBulk({ a: "1", b: "2" }, missing), 0);
  assertEquals(await kt.getBulk(["a"], missing), []);
  assertEquals(await kt.removeBulk(["a"], missing), 0);
});

test("sets of one tick into good and missing databases end each by itself", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ port: server.port });
  const results = await Promise.allSettled(
    [0, 1, 1, 0, 5].map((database, i) => kt.set(`${i}`, "v", { database })),
  );
  assertEquals(results.map(({ status }) => status), [
    ...["fulfilled", "rejected", "rejected", "fulfilled", "rejected"],
  ]);
  assertEquals((await kt.getBulk(["0", "1", "2", "3", "4"])).map(({ key }) => key), ["0", "3"]);
});

test("a server that is read-only refuses, and the client goes on", async () => {
  await using server = await startMockServer({
    readOnly: true,
    seed: [{ key: "k", value: "v" }],
  });
  await using kt = await connect({ port: server.port, codec: text });
  const calls: [string, () => Promise<unknown>][] = [
    ["set", () => kt.set("k", "new")],
    ["remove", () => kt.remove("k")],
    ["setBulk", () => kt.setBulk({ k: "new" })],
    ["removeBulk", () => kt.removeBulk(["k"])],
  ];
  for (const [operation, call] of calls) {
    const error = await assertRejects(call, ServerError);
    assertEquals(
      error.message,
      `Cannot ${operation}: the server refused (it is read-only, or storing failed)`,
    );
    assertEquals(error.operation, operation);
    assertEquals(await kt.get("k"), "v");
  }
});

test("ping() resolves to nothing and asks for nothing", async () => {
  await using setting = await connected();
  assertEquals(await setting.kt.ping(), undefined);
  assertEquals(setting.requests.map(brief), ["get"]);
});

test("get, set and get of one key in one tick see each other in order", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ port: server.port, codec: text });
  assertEquals(
    await Promise.all([kt.get("k"), kt.set("k", "1"), kt.get("k"), kt.remove("k"), kt.get("k")]),
    [null, undefined, "1", true, null],
  );
});

test("calls of one tick share requests, as many as there are kinds of neighbours", async () => {
  await using setting = await connected();
  const { kt, requests } = setting;
  await Promise.all([
    ...["a", "b"].map((key) => kt.get(key)),
    kt.getEntry("c", { database: 4 }),
    ...["a", "b"].map((key) => kt.set(key, "v")),
    kt.remove("a"),
    kt.get("a"),
  ]);
  assertEquals(requests.map(brief), [
    ...["get 0:a 0:b 4:c", "set 0:a=v 0:b=v", "remove 0:a", "get 0:a"],
  ]);
});

test("batching can be switched off, or limited", async () => {
  for (
    const [batching, expected] of [
      [false, ["get 0:a", "get 0:b", "get 0:c"]],
      [{ records: 2 }, ["get 0:a 0:b", "get 0:c"]],
      [{ bytes: 1 }, ["get 0:a", "get 0:b", "get 0:c"]],
      [true, ["get 0:a 0:b 0:c"]],
    ] as const
  ) {
    await using setting = await connected({ batching });
    await Promise.all(["a", "b", "c"].map((key) => setting.kt.get(key)));
    assertEquals(setting.requests.map(brief), [...expected]);
  }
});

test("`stats` counts what the client did", async () => {
  await using setting = await connected();
  const { kt } = setting;
  const calls = Promise.all([kt.get("a"), kt.get("b"), kt.set("c", "12345")]);
  const { pending, pendingBytes } = kt.stats;
  assertEquals([pending, pendingBytes], [3, 8]);
  await calls;
  const stats = kt.stats;
  assertEquals(
    [stats.calls, stats.requests, stats.pending, stats.pendingBytes, stats.connections],
    [3, 2, 0, 0, 1],
  );
  assertEquals(stats.bytesSent, 9 + 2 * 7 + 9 + 18 + 6);
});

test("a call on a closed client rejects", async () => {
  await using setting = await connected();
  const { kt } = setting;
  await kt.close();
  await kt.closed;
  for (const call of [() => kt.get("k"), () => kt.set("k", "v"), () => kt.getBulk(["k"])]) {
    const error = await assertRejects(call, Error);
    assertEquals(error.name, "ClosedError");
  }
  const error = await kt.database(1).playScript("p").catch((error) => error);
  assertEquals(error.message, "Cannot playScript: the client is closed");
});

test("`await using` closes the client at the end of the block, with what is pending", async () => {
  await using setting = await connected();
  let pending: Promise<unknown>;
  {
    await using kt = setting.kt;
    pending = kt.get("k");
  }
  assertInstanceOf(await pending, Uint8Array);
  await setting.kt.closed;
  assertEquals(setting.kt.stats.connections, 0);
});
