/** Clients that wish ill, or are broken, hold up nobody else, and cost no more than they send. */

import { assert, assertEquals, assertLess } from "@std/assert";
import process from "node:process";
import { startMockServer } from "../../mock_server/mod.ts";
import { test } from "../_harness.ts";
import { deadlineIn } from "../peer.ts";
import {
  bySocket,
  foundReply,
  getRequest,
  inMemory,
  join,
  NOT_FOUND,
  setRequest,
  STORED,
  until,
} from "./_client.ts";

const MIB = 2 ** 20;
const encoder = new TextEncoder();

/** Asks for a record that is not there, as somebody who means well does. */
async function isServed(server: Parameters<typeof bySocket>[0]): Promise<boolean> {
  await using client = await bySocket(server);
  await client.send(getRequest("missing"));
  return await client.reply(NOT_FOUND) === NOT_FOUND;
}

/** How much memory `run` has cost so far, in bytes, at the worst of some moments. */
async function memoryTakenBy(run: (look: () => void) => Promise<void>): Promise<number> {
  const before = process.memoryUsage().rss;
  let most = 0;
  const look = () => void (most = Math.max(most, process.memoryUsage().rss - before));
  await run(look);
  look();
  return most;
}

test("whoever sends slowly is served as long as something comes, and no longer", async () => {
  await using server = await startMockServer({ timeout: 250 });
  await using slow = await bySocket(server);
  // Twice as long as the server waits, but never as long at a time.
  for (const byte of getRequest("k")) {
    await slow.send(Uint8Array.of(byte));
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  assertEquals(await slow.reply(NOT_FOUND), NOT_FOUND);

  const request = "POST /rpc/void HTTP/1.1\r\nContent-Length: 10\r\n\r\nshort";
  const unfinished = [getRequest("k"), setRequest({ k: "v" }), encoder.encode(request)];
  const start = performance.now();
  await Promise.all(unfinished.map(async (request) => {
    await using silent = await bySocket(server);
    await silent.send(request.subarray(0, request.length - 1));
    while (await silent.peer.more(deadlineIn(5000)) === "bytes");
  }));
  assertLess(performance.now() - start, 4000);
  assert(await isServed(server));
  await until(() => server.connections === 1);
});

test("a connection that is half closed gets its replies, and is closed", async () => {
  await using server = await startMockServer({ seed: [{ key: "k", value: "v" }] });
  await using whole = await bySocket(server), broken = await bySocket(server);
  await whole.send(getRequest("k"), getRequest("missing"));
  await whole.peer.closeWrite();
  const found = foundReply("k", "v");
  assertEquals(await whole.reply(found + NOT_FOUND), found + NOT_FOUND);
  await whole.closed();
  await broken.send(getRequest("k").subarray(0, 10));
  await broken.peer.closeWrite();
  await broken.closed();
  await until(() => server.connections === 0);
});

test("connections beyond the limit are turned away, and those within it are served", async () => {
  const limit = 50;
  await using server = await startMockServer({ maxConnections: limit });
  const first = await Promise.all(Array.from({ length: limit }, () => bySocket(server)));
  await until(() => server.connections === limit);
  for (let round = 0; round < 10; round++) {
    const more = await Promise.all(Array.from({ length: 100 }, () => bySocket(server)));
    await Promise.all(more.map(async (client) => {
      await client.closed();
      client.peer.close();
    }));
  }
  for (const client of first) await client.send(getRequest("k"));
  for (const client of first) assertEquals(await client.reply(NOT_FOUND), NOT_FOUND);
  for (const client of first) client.peer.close();
  await until(() => server.connections === 0);
  assert(await isServed(server));
});

test("two hundred clients that announce 256 MiB each and send little cost little", async () => {
  await using server = await startMockServer();
  const announced = 2 ** 28;
  const set = setRequest({ k: "v" }).subarray(0, -2);
  new DataView(set.buffer, set.byteOffset).setUint32(set.length - 12, announced);
  const request = `POST /rpc/set HTTP/1.1\r\nContent-Length: ${announced}\r\n\r\n`;
  const taken = await memoryTakenBy(async (look) => {
    const clients = Array.from({ length: 200 }, () => inMemory(server));
    for (const [i, client] of clients.entries()) {
      await client.send(i % 2 === 0 ? set : encoder.encode(request), new Uint8Array(1000));
    }
    await until(() => server.connections === 200);
    look();
    assert(await isServed(server));
    for (const client of clients) client.peer.close();
  });
  assertLess(taken, 150 * MIB);
  await until(() => server.connections === 0);
});

test("a client that pipelines for ever and never reads costs no memory", async () => {
  await using server = await startMockServer({
    seed: [{ key: "k", value: new Uint8Array(100_000) }],
    requestLogSize: 0,
  });
  const requests = join(...new Array(1000).fill(getRequest("k")));
  const taken = await memoryTakenBy(async (look) => {
    const { readable, writable } = server.connectInMemory();
    const writer = writable.getWriter();
    let sent = 0, stuck = false;
    while (!stuck && sent < 10_000) {
      // What is taken is taken at once, in memory.
      const late = new Promise<void>((resolve) => setTimeout(() => resolve(void (stuck = true)), 50));
      await Promise.race([writer.write(requests).then(() => void sent++), late]);
      await late;
      look();
    }
    assert(stuck, `the server took ${sent} thousand requests whose replies nobody read`);
    assert(await isServed(server));
    writer.abort().catch(() => {});
    await readable.cancel();
  });
  assertLess(taken, 100 * MIB);
  await until(() => server.connections === 0);
});

test("a follower that never reads costs no more than the update log may", async () => {
  await using server = await startMockServer({ updateLog: { maxBytes: 16 * MIB } });
  await using follower = await bySocket(server), writer = inMemory(server);
  await follower.send(Uint8Array.of(0xb1, ...new Uint8Array(14)));
  follower.peer.pause();
  const set = setRequest({ k: new Uint8Array(100_000) });
  const taken = await memoryTakenBy(async (look) => {
    for (let i = 0; i < 2000; i++) {
      await writer.send(set);
      assertEquals(await writer.reply(STORED), STORED);
      if (i % 100 === 0) look();
    }
  });
  assertLess(taken, 150 * MIB);
  assert(await isServed(server));
});
