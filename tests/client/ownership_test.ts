/** Bytes that come back belong to the caller: nothing writes to them, and they hold nothing else. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { startMockServer } from "../../mock_server/mod.ts";
import { bytes, connect, type KyotoTycoon } from "../../mod.ts";
import { nodeConnector } from "../../src/transport/node.ts";
import { test } from "../_harness.ts";
import { replies, ScriptedServer } from "../scripted_server.ts";
import { connected } from "./_client.ts";

const SIZES = [0, 1, 7, 47, 48, 49, 1_000, 16_384, 100_000, 600_000];

function filled(size: number, seed: number): Uint8Array {
  return new Uint8Array(size).map((_, i) => seed + i * 31);
}

/** Stores values of all sizes, gets them in every way, and looks at what came. */
async function checkOwnership(kt: KyotoTycoon): Promise<void> {
  const held: { value: Uint8Array; copy: Uint8Array }[] = [];
  const hold = (value: Uint8Array | null | undefined, size: number) => {
    assert(value);
    assertStrictEquals(Object.getPrototypeOf(value), Uint8Array.prototype);
    assertEquals([value.length, value.byteOffset, value.buffer.byteLength], [size, 0, size]);
    held.push({ value, copy: value.slice() });
  };
  for (let round = 0; round < 3; round++) {
    await Promise.all(SIZES.map((size, i) => kt.set(`${i}`, filled(size, round * 7 + i))));
    const values = await Promise.all(SIZES.map((_, i) => kt.get(`${i}`)));
    values.forEach((value, i) => hold(value, SIZES[i]));
    const entries = await kt.getBulk(SIZES.map((_, i) => `${i}`));
    entries.forEach(({ value }, i) => hold(value, SIZES[i]));
    for (const [i, size] of SIZES.entries()) hold((await kt.getEntry(`${i}`))?.value, size);
    const output = await kt.playScript(
      "echo",
      SIZES.map((size, i) => [`${i}`, filled(size, i)] as const),
      { keys: "bytes" },
    );
    let i = 0;
    for (const [key, value] of output) {
      assertEquals(key.buffer.byteLength, 1);
      hold(value, SIZES[i++]);
    }
  }
  for (const { value, copy } of held) assertEquals(value, copy);
  // Whoever owns bytes may write to them, too.
  for (const { value } of held) value.fill(0xee);
  const value = await kt.get("3");
  assertEquals(value, filled(SIZES[3], 2 * 7 + 3));
}

test("over the runtime's sockets", async () => {
  await using server = await startMockServer({ procedures: { echo: (input) => input } });
  await using kt = await connect({ port: server.port });
  await checkOwnership(kt);
});

test("over sockets of node:net", async () => {
  await using server = await startMockServer({ procedures: { echo: (input) => input } });
  await using kt = await connect({
    connector: nodeConnector({ hostname: "127.0.0.1", port: server.port }),
  });
  await checkOwnership(kt);
});

test("in memory", async () => {
  await using server = await startMockServer({ procedures: { echo: (input) => input } });
  await using kt = await connect({ connector: () => server.connectInMemory() });
  await checkOwnership(kt);
});

test("over streams that deliver Buffers, which share memory", async () => {
  await using server = await startMockServer({ procedures: { echo: (input) => input } });
  await using kt = await connect({
    connector() {
      const { readable, writable } = server.connectInMemory();
      const toBuffers = new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => controller.enqueue(Buffer.from(chunk)),
      });
      return { readable: readable.pipeThrough(toBuffers), writable };
    },
  });
  await checkOwnership(kt);
});

test("a channel's memory that is used again does not change what was given out", async () => {
  const reply = (text: string) => replies.get({ key: "k", value: text });
  await using server = ScriptedServer.inMemory(async (connection) => {
    for (const text of ["first value", "other words", "a third one"]) {
      await connection.request();
      await connection.send(reply(text));
    }
  });
  await using kt = await connect({ connector: server.connector });
  const values = [await kt.get("k"), await kt.get("k"), await kt.get("k")];
  assertEquals(
    values.map((value) => new TextDecoder().decode(value!)),
    ["first value", "other words", "a third one"],
  );
  assertEquals(new Set(values.map((value) => value!.buffer)).size, 3);
});

test("a codec of one's own is given bytes of its own", async () => {
  const given: Uint8Array[] = [];
  const codec = {
    encode: bytes.encode,
    decode(value: Uint8Array) {
      given.push(value);
      value.fill(0x2e);
      return value;
    },
  };
  await using setting = await connected({ codec });
  const { kt } = setting;
  await Promise.all([
    kt.get("a"),
    kt.get("b"),
    kt.getBulk(["c", "d"]),
    kt.playScript("p", { k: "vvv" }),
  ]);
  assertEquals(given.length, 5);
  for (const value of given) {
    assertEquals(value.buffer.byteLength, value.length);
    assert(value.every((byte) => byte === 0x2e));
  }
  assertEquals(new Set(given.map(({ buffer }) => buffer)).size, 5);
});

test("keys and values that were given stay as they were", async () => {
  await using server = await startMockServer({ procedures: { echo: (input) => input } });
  for (
    const kt of [
      await connect({ port: server.port }),
      await connect({ connector: () => server.connectInMemory() }),
    ]
  ) {
    const key = filled(100, 1), value = filled(300_000, 2);
    await kt.set(key, value);
    await kt.get(key);
    await kt.setBulk([[key, value]]);
    await kt.getBulk([key]);
    await kt.playScript("echo", [[key, value]], { keys: "bytes" });
    await kt.remove(key);
    assertEquals([key, value], [filled(100, 1), filled(300_000, 2)]);
    assertEquals(value.buffer.byteLength, 300_000);
    await kt.close();
  }
});

test("a value may be changed as soon as its call has ended", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ port: server.port });
  const value = filled(200_000, 1);
  for (let i = 0; i < 5; i++) {
    value.fill(i);
    await kt.set(`${i}`, value);
    value.fill(i + 5);
    await kt.set(`${i + 5}`, value, { noReply: true });
  }
  for (let i = 0; i < 10; i++) {
    const stored = await kt.get(`${i}`);
    assert(stored!.every((byte) => byte === i), `value ${i}`);
  }
});
