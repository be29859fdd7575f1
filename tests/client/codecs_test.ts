import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { startMockServer } from "../../mock_server/mod.ts";
import { bytes, type Codec, connect, json, text } from "../../mod.ts";
import { test } from "../_harness.ts";
import { connected } from "./_client.ts";

test("the default codec takes text and bytes and gives bytes", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ port: server.port });
  await kt.set("k", "é");
  assertEquals(await kt.get("k"), Uint8Array.of(0xc3, 0xa9));
  await using same = await connect({ port: server.port, codec: bytes });
  assertEquals(await same.get("k"), Uint8Array.of(0xc3, 0xa9));
});

test("the text codec gives text, of any length and any characters", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ port: server.port, codec: text });
  const values = [
    "",
    "a",
    "é",
    "日本語",
    "😀",
    "\ufeffmark",
    "\0",
    "\ufffd",
    "x".repeat(63),
    "x".repeat(64),
    "x".repeat(65),
    "x".repeat(70) + "é",
    "é" + "x".repeat(70),
    "😀".repeat(1000),
    "x".repeat(300_000),
  ];
  for (const value of values) {
    await kt.set("k", value);
    assertEquals(await kt.get("k"), value);
  }
  // Half of a surrogate pair has no UTF-8.
  await kt.set("k", "a\ud800b");
  assertEquals(await kt.get("k"), "a\ufffdb");
});

test("bytes that are no text reject the call that asked for text, and no other", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ port: server.port });
  await kt.set("good", "fine");
  const wrong = [Uint8Array.of(0xff), Uint8Array.of(0x61, 0xc3), new Uint8Array(100).fill(0x80)];
  for (const value of wrong) {
    await kt.set("bad", value);
    const view = kt.withCodec(text);
    const [one, bad, two, entry] = await Promise.allSettled([
      view.get("good"),
      view.get("bad"),
      view.getEntry("good"),
      view.getEntry("bad"),
    ]);
    assertEquals(one, { status: "fulfilled", value: "fine" });
    assertEquals(two.status, "fulfilled");
    for (const outcome of [bad, entry]) {
      assert(outcome.status === "rejected");
      assertInstanceOf(outcome.reason, TypeError);
    }
    await assertRejects(() => view.getBulk(["good", "bad"]), TypeError);
    assertEquals((await view.getBulk(["good"])).length, 1);
  }
});

test("the JSON codec takes and gives what JSON can say", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ port: server.port, codec: json() });
  for (const value of [null, true, 0, -1.5, "text", "é", [], [1, [2]], { a: { b: "c" } }]) {
    await kt.set("k", value);
    assertEquals(await kt.get("k"), value);
  }
  assertEquals(await kt.get("missing"), null);
  for (const value of [undefined, () => {}, Symbol("s")]) {
    await assertRejects(
      () => kt.set("k", value),
      TypeError,
      `Cannot encode a value as JSON: it is of type "${typeof value}"`,
    );
  }
  const circular: unknown[] = [];
  circular.push(circular);
  await assertRejects(() => kt.set("k", circular), TypeError);
  await kt.withCodec(bytes).set("k", "{nonsense");
  await assertRejects(() => kt.get("k"), SyntaxError);
  assertEquals(await kt.set("k", 1), undefined);
});

test("a codec of one's own encodes and decodes, and may fail", async () => {
  const failure = new Error("no such number");
  const codec: Codec<number> = {
    encode(n) {
      if (n < 0) throw failure;
      return `${n}`;
    },
    decode(value) {
      const n = Number(new TextDecoder().decode(value));
      if (Number.isNaN(n)) throw failure;
      return n;
    },
  };
  await using setting = await connected({ codec });
  const { kt } = setting;
  const results = await Promise.allSettled([
    kt.set("a", 1),
    kt.set("b", -1),
    kt.set("c", 2),
    kt.get("missing"),
    kt.get("a"),
    kt.setBulk([["a", 1], ["b", -1]]),
    kt.playScript("p", { a: -1 }),
    kt.playScript("p", { a: 7 }),
    kt.getBulk(["missing", "a"]),
  ]);
  const rejected = [1, 4, 5, 6, 8];
  for (const [i, result] of results.entries()) {
    assertEquals(result.status, rejected.includes(i) ? "rejected" : "fulfilled", `call ${i}`);
    if (result.status === "rejected") assertStrictEquals(result.reason, failure);
  }
  assertEquals((results[7] as PromiseFulfilledResult<unknown>).value, new Map([["a", 7]]));
  assertEquals(await kt.set("d", 3), undefined);
});

test("a codec that gives no bytes is told so", async () => {
  await using setting = await connected({
    codec: { encode: () => 5 as never, decode: (value) => value },
  });
  await assertRejects(
    () => setting.kt.set("k", "v" as never),
    TypeError,
    "Cannot set: the value is 5, not a string or Uint8Array",
  );
});

test("a codec that throws nothing, or what is no error, is believed", async () => {
  await using setting = await connected<undefined, string>({
    codec: {
      encode: (value) => value,
      decode: () => {
        throw undefined;
      },
    },
  });
  assertEquals(await setting.kt.get("k").then(() => "resolved", (reason) => reason), undefined);
  assertEquals(await setting.kt.set("k", "v"), undefined);
});

test("a codec made from another one is used as it is", async () => {
  await using setting = await connected();
  const { kt } = setting;
  const shouting = (decode: (value: Uint8Array) => string): Codec<string, string>[] => [
    { ...text, decode },
    Object.assign(Object.create(text), { decode }),
    new class {
      encode = text.encode;
      decode = decode;
    }(),
  ];
  for (const codec of shouting((value) => text.decode(value).toUpperCase())) {
    assertEquals(await kt.withCodec(codec).get("k"), "VALUE OF K");
    assertEquals((await kt.withCodec(codec).getEntry("k"))?.value, "VALUE OF K");
    assertEquals((await kt.withCodec(codec).getBulk(["k"]))[0].value, "VALUE OF K");
  }
  assertEquals(await kt.withCodec({ ...text }).get("k"), "value of k");
});

test("a codec's methods are called as its methods", async () => {
  class Prefix implements Codec<string, string> {
    readonly prefix = "> ";
    encode(value: string): string {
      return this.prefix + value;
    }
    decode(value: Uint8Array): string {
      return this.prefix + new TextDecoder().decode(value);
    }
  }
  await using setting = await connected({ codec: new Prefix() });
  assertEquals(await setting.kt.get("k"), "> value of k");
  await setting.kt.set("k", "v");
  assertEquals(new TextDecoder().decode(setting.requests[1].records[0].value), "> v");
});
