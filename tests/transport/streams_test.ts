/** Anybody's pair of streams as a connection, and this package's own connections as streams. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { equals } from "@std/bytes";
import { Buffer } from "node:buffer";
import { channelOf, transportOf } from "../../src/transport/channel.ts";
import { memoryPair } from "../../src/transport/memory.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { adapters, End, Pair, pattern, steady } from "./_sockets.ts";

/** A transport whose streams are the test's. */
function madeUp(sink: UnderlyingSink<Uint8Array> = {}) {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const cancelled: unknown[] = [];
  const transport: Transport = {
    readable: new ReadableStream({
      start: (given) => void (controller = given),
      cancel: (reason) => void cancelled.push(reason),
    }),
    writable: new WritableStream(sink),
  };
  return { transport, controller, cancelled };
}

test("a pair in memory carries bytes both ways, ends and closes", async () => {
  const [a, b] = memoryPair();
  const left = new End(a), right = new End(b);
  await left.write("ping");
  await right.until(() => right.size === 4);
  await right.write("pong");
  await left.until(() => left.size === 4);
  await left.channel.closeWrite();
  await right.over();
  assertEquals([left.text, right.text, right.events], ["pong", "ping", ["end"]]);
  await right.write("!");
  right.channel.close();
  await left.over();
  assertEquals([left.text, left.events], ["pong!", ["end"]]);
  left.channel.close();
});

test("a pair in memory slows the writer down when nobody reads", async () => {
  const [a, b] = memoryPair();
  const left = new End(a), right = new End(b);
  right.channel.pause();
  let written = 0;
  const writing = (async () => {
    for (let i = 0; i < 100; i++) {
      await left.channel.write(new Uint8Array(100_000));
      written += 100_000;
    }
  })();
  for (let i = 0; i < 50; i++) await turn();
  assertLess(written, 1_000_000);
  right.channel.resume();
  await writing;
  await right.until(() => right.size === 10_000_000);
  left.channel.close();
  right.channel.close();
});

test("chunks of any kind of Uint8Array arrive as plain ones", async () => {
  const { transport, controller } = madeUp();
  const channel = channelOf(transport);
  const chunks: Uint8Array[] = [];
  channel.start({ data: (chunk) => chunks.push(chunk), end() {}, error() {} });
  controller.enqueue(Buffer.from("abc"));
  controller.enqueue(new Uint8Array(0));
  controller.enqueue(Buffer.from("xdefx").subarray(1, 4));
  await turn();
  assertEquals(chunks.map((chunk) => new TextDecoder().decode(chunk)), ["abc", "def"]);
  for (const chunk of chunks) {
    assertStrictEquals(Object.getPrototypeOf(chunk), Uint8Array.prototype);
  }
  channel.close();
});

test("a chunk that is no Uint8Array is an error", async () => {
  for (const chunk of ["text", new ArrayBuffer(4), 5, null]) {
    const { transport, controller } = madeUp();
    const end = new End(transport);
    controller.enqueue(chunk as never);
    await end.over();
    assertEquals(end.events, ["error"]);
    assertInstanceOf(end.error_, TypeError);
    assertEquals(end.error_.message, "Cannot read from the transport: a chunk is no Uint8Array");
    end.channel.close();
  }
});

test("a stream may keep, and change, what was written to it", async () => {
  const kept: Uint8Array[] = [];
  const { transport } = madeUp({
    write(chunk) {
      chunk.fill(0x2e, 0, 1);
      kept.push(chunk);
    },
  });
  const channel = channelOf(transport);
  const buffer = new TextEncoder().encode("abc");
  await channel.write(buffer);
  buffer.set(new TextEncoder().encode("xyz"));
  await channel.write(buffer);
  assertEquals(kept.map((chunk) => new TextDecoder().decode(chunk)), [".bc", ".yz"]);
  assertEquals(new TextDecoder().decode(buffer), "xyz");
  channel.close();
});

test("the error of a stream is told, and writing to a broken one rejects", async () => {
  const reason = new Error("cable cut");
  const { transport, controller } = madeUp({
    write() {
      throw reason;
    },
  });
  const end = new End(transport);
  controller.error(reason);
  await end.over();
  assertEquals(end.events, ["error"]);
  assertStrictEquals(end.error_, reason);
  const error = await assertRejects(async () => await end.channel.write(Uint8Array.of(1)));
  assertStrictEquals(error, reason);
  end.channel.close();
});

test("closing ends both streams and calls the transport's own close()", async () => {
  let closed = 0, aborted = 0, ended = 0;
  const { transport, cancelled } = madeUp({
    close: () => void ended++,
    abort: () => void aborted++,
  });
  const end = new End({ ...transport, close: () => void closed++ });
  end.channel.close();
  end.channel.close();
  await turn();
  assertEquals([closed, cancelled.length, ended, aborted, end.events], [1, 1, 1, 0, []]);
});

test("closing while the stream does not take what was written aborts it", async () => {
  const stuck = Promise.withResolvers<void>();
  let aborted: unknown = "no";
  const { transport } = madeUp({
    write: () => stuck.promise,
    abort: (why) => void (aborted = why),
  });
  const end = new End(transport);
  const writing = assertRejects(async () => await end.channel.write(Uint8Array.of(1)));
  await turn();
  end.channel.close();
  stuck.resolve();
  await writing;
  await turn();
  assertEquals(aborted === "no", false);
});

test("ref() and unref() are passed on, and may be missing", () => {
  const calls: string[] = [];
  const { transport } = madeUp();
  const channel = channelOf({
    ...transport,
    ref: () => void calls.push("ref"),
    unref: () => void calls.push("unref"),
  });
  channel.unref();
  channel.ref();
  assertEquals(calls, ["unref", "ref"]);
  channel.close();
  const bare = channelOf(madeUp().transport);
  bare.ref();
  bare.unref();
  bare.close();
});

test("a transport without streams, or with streams in use, is refused", () => {
  for (const wrong of [undefined, null, {}, { readable: new ReadableStream() }]) {
    assertThrows(
      () => channelOf(wrong as never),
      TypeError,
      'Cannot use a transport: it has no streams "readable" and "writable"',
    );
  }
  const { transport } = madeUp();
  const channel = channelOf(transport);
  assertThrows(
    () => channelOf(transport),
    TypeError,
    "Cannot use a transport: its streams are in use already",
  );
  channel.close();
});

test("a channel that was made into a transport is that channel again", () => {
  const channel = channelOf(madeUp().transport);
  assertStrictEquals(channelOf(transportOf(channel)), channel);
  channel.close();
});

for (const adapter of adapters) {
  const { name } = adapter;

  test(`${name}: the streams of a connection carry bytes, both ends and the close`, async () => {
    await using pair = await Pair.open(adapter);
    const { clientTransport: client, serverTransport: server } = pair;
    const bytes = pattern(4 * 2 ** 20);
    const writing = (async () => {
      const writer = client.writable.getWriter();
      for (let at = 0; at < bytes.length; at += 300_000) {
        await writer.write(bytes.subarray(at, at + 300_000));
      }
      await writer.close();
    })();
    const received = new Uint8Array(await new Response(server.readable).arrayBuffer());
    await writing;
    assert(equals(received, bytes));
    const writer = server.writable.getWriter();
    await writer.write(Uint8Array.of(1, 2, 3));
    await writer.close();
    assertEquals(await new Response(client.readable).bytes(), Uint8Array.of(1, 2, 3));
  });

  test(`${name}: the readable stream of a connection slows the writer down`, async () => {
    await using pair = await Pair.open(adapter);
    const client = new End(pair.clientTransport);
    const reader = pair.serverTransport.readable.getReader();
    let written = 0;
    const writing = (async () => {
      for (let i = 0; i < 64; i++) {
        await client.channel.write(new Uint8Array(2 ** 20));
        written += 2 ** 20;
      }
    })();
    assertLess(await steady(() => written), 32 * 2 ** 20);
    let size = 0;
    while (size < 64 * 2 ** 20) size += (await reader.read()).value!.length;
    await writing;
  });

  test(`${name}: cancelling the readable stream closes the connection`, async () => {
    await using pair = await Pair.open(adapter);
    const server = new End(pair.serverTransport);
    await pair.clientTransport.readable.cancel();
    await server.over();
    const writer = pair.clientTransport.writable.getWriter();
    await assertRejects(async () => await writer.write(Uint8Array.of(1)));
    writer.closed.catch(() => {});
  });
}
