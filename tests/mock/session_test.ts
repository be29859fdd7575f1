import { assert, assertEquals, assertLess } from "@std/assert";
import { startMockServer } from "../../mock_server/mod.ts";
import { channelOf } from "../../src/transport/channel.ts";
import { runtimeConnector } from "../../src/transport/detect.ts";
import { test } from "../_harness.ts";
import { deadlineIn } from "../peer.ts";
import {
  bySocket,
  foundReply,
  getRequest,
  hex,
  inMemory,
  join,
  NOT_FOUND,
  REMOVED,
  removeRequest,
  setRequest,
  STORED,
  until,
} from "./_client.ts";

const MIB = 1024 * 1024;

test("requests that come together are answered in one write", async () => {
  await using server = await startMockServer();
  await using client = await bySocket(server);
  const requests = [], replies = [];
  for (let i = 0; i < 100; i++) {
    requests.push(setRequest({ [`k${i}`]: "v" }), getRequest(`k${i}`), removeRequest(`k${i}`));
    replies.push(STORED, foundReply(`k${i}`, "v"), REMOVED);
  }
  await client.send(...requests);
  if (client.peer.unread.length === 0) await client.peer.more(deadlineIn(5000));
  assertEquals(hex(client.peer.unread), replies.join(""));
});

test("a client that sends for ever and never reads is stopped by the socket", async () => {
  await using server = await startMockServer({
    seed: [{ key: "k", value: new Uint8Array(10_000) }],
    requestLogSize: 0,
  });
  const connector = await runtimeConnector({ hostname: server.hostname, port: server.port });
  const channel = channelOf(await connector(new AbortController().signal));
  channel.start({ data: () => {}, end: () => {}, error: () => {} });
  channel.pause();
  const chunk = join(...new Array(1000).fill(getRequest("k")));
  let sent = 0, stuck = false;
  while (!stuck && sent < 1000) {
    const written = Promise.resolve(channel.write(chunk)).catch(() => {});
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => resolve(void (stuck = true)), 300);
    });
    await Promise.race([written.then(() => void sent++), late]);
    clearTimeout(timer);
  }
  assert(stuck, "the server took 1000 chunks whose replies were not read");
  channel.close();
});

test("a client that does not read its reply in time is disconnected", async () => {
  await using server = await startMockServer({
    seed: [{ key: "k", value: new Uint8Array(64 * MIB) }],
    timeout: 200,
  });
  const connector = await runtimeConnector({ hostname: server.hostname, port: server.port });
  const channel = channelOf(await connector(new AbortController().signal));
  channel.start({ data: () => {}, end: () => {}, error: () => {} });
  channel.pause();
  await channel.write(getRequest("k"));
  await until(() => server.connections === 1);
  await until(() => server.connections === 0);
  channel.close();
});

test("a client that reads slowly, but reads, is not disconnected", async () => {
  await using server = await startMockServer({
    seed: [{ key: "k", value: new Uint8Array(24 * MIB) }],
    timeout: 400,
  });
  const connector = await runtimeConnector({ hostname: server.hostname, port: server.port });
  const channel = channelOf(await connector(new AbortController().signal));
  const done = Promise.withResolvers<void>();
  let received = 0, mark = 4 * MIB;
  channel.start({
    data(chunk) {
      received += chunk.length;
      if (received >= 24 * MIB) return done.resolve();
      if (received < mark) return;
      mark += 4 * MIB;
      channel.pause();
      setTimeout(() => channel.resume(), 150);
    },
    end: () => done.reject(new Error(`the stream ended after ${received} bytes`)),
    error: done.reject,
  });
  await channel.write(getRequest("k"));
  await done.promise;
  channel.close();
});

test("a 64 MiB value comes back as it was sent", async () => {
  await using server = await startMockServer();
  await using client = await bySocket(server);
  const value = new Uint8Array(64 * MIB);
  for (let i = 0; i < value.length; i += 4093) value[i] = i;
  await client.send(setRequest({ k: value }), getRequest("k"));
  assertEquals(await client.reply(STORED, 20_000), STORED);
  const head = await client.peer.take(5 + 18 + 1, deadlineIn(20_000));
  assertEquals(hex(head.subarray(0, 5)), "ba00000001");
  const back = await client.peer.take(value.length, deadlineIn(20_000));
  assert(back.every((byte, i) => byte === value[i]));
});

test("a get_bulk of many large records does not copy them into one reply", async () => {
  await using server = await startMockServer({
    seed: [{ key: "k", value: new Uint8Array(20_000) }],
    requestLogSize: 0,
  });
  await using client = inMemory(server);
  const before = heapUsed();
  await client.send(getRequest(...new Array(20_000).fill("k")));
  await client.reply("ba00004e20");
  await client.peer.more(deadlineIn(1000));
  // All replies together are 400 MB.
  assertLess(heapUsed() - before, 200 * MIB);
});

function heapUsed(): number {
  const { process } = globalThis as unknown as {
    process: { memoryUsage(): { arrayBuffers: number; external: number } };
  };
  return process.memoryUsage().external;
}

test("what was announced is not taken memory for before it arrives", async () => {
  await using server = await startMockServer();
  await using client = inMemory(server);
  const before = heapUsed();
  // 2^28 bytes of value, announced.
  const header = Uint8Array.of(
    ...[0xb8, 0, 0, 0, 0, 0, 0, 0, 1],
    ...[0, 0, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  );
  await client.send(header, new Uint8Array(1000));
  await client.peer.quiet(20);
  assertLess(heapUsed() - before, 10 * MIB);
});

test("pause() stops reading, and the time for unfinished requests; resume() reads on", async () => {
  await using server = await startMockServer({ timeout: 100 });
  await using client = inMemory(server);
  const request = getRequest("k");
  await client.send(request.subarray(0, 12));
  await client.peer.quiet(20);
  server.pause();
  await client.send(request.subarray(12));
  await client.peer.quiet(250);
  server.resume();
  assertEquals(await client.reply(NOT_FOUND), NOT_FOUND);
});

test("dropConnections() closes all connections, and new ones are served", async () => {
  await using server = await startMockServer();
  await using first = await bySocket(server);
  await using second = inMemory(server);
  await first.send(getRequest("k"));
  await first.reply(NOT_FOUND);
  server.dropConnections();
  await first.closed();
  await second.closed();
  assertEquals(server.connections, 0);
  await using third = await bySocket(server);
  await third.send(getRequest("k"));
  assertEquals(await third.reply(NOT_FOUND), NOT_FOUND);
});
