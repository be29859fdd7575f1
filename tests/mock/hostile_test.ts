/** Clients that wish ill, or are broken, hold up nobody else, and cost no more than they send. */

import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { startMockServer } from "../../mock_server/mod.ts";
import { channelOf } from "../../src/transport/channel.ts";
import { runtimeConnector } from "../../src/transport/detect.ts";
import { test } from "../_harness.ts";
import { heldMemory, mebibytes } from "../memory.ts";
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

/** Fails when `run` holds more memory than that, in bytes, while it lets look. */
async function takesLittle(
  most: number,
  run: (look: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const before = await heldMemory();
  await run(async () => {
    const taken = await heldMemory() - before;
    assert(taken < most, `it takes ${mebibytes(taken)}`);
  });
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
  while (await broken.peer.more(deadlineIn(5000)) === "bytes");
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
  await takesLittle(80 * MIB, async (look) => {
    const clients = Array.from({ length: 200 }, () => inMemory(server));
    for (const [i, client] of clients.entries()) {
      await client.send(i % 2 === 0 ? set : encoder.encode(request), new Uint8Array(1000));
    }
    await until(() => server.connections === 200);
    await look();
    assert(await isServed(server));
    for (const client of clients) client.peer.close();
  });
  await until(() => server.connections === 0);
});

test("a client that pipelines for ever and never reads is held up, and costs little", async () => {
  await using server = await startMockServer({
    seed: [{ key: "k", value: new Uint8Array(100_000) }],
    requestLogSize: 0,
  });
  const requests = join(...new Array(1000).fill(getRequest("k")));
  await takesLittle(20 * MIB, async (look) => {
    const { readable, writable } = server.connectInMemory();
    const writer = writable.getWriter();
    let taken = 0;
    const endless = (async () => {
      for (;; taken++) await writer.write(requests);
    })();
    for (let before = -1; before < taken;) {
      before = taken;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await look();
    assert(await isServed(server));
    assertLess(taken, 100);
    await Promise.all([
      assertRejects(() => endless),
      writer.abort(new Error("enough")),
      readable.cancel(),
    ]);
  });
  await until(() => server.connections === 0);
});

test("a follower that never reads costs no more than the update log may", async () => {
  await using server = await startMockServer({ updateLog: { maxBytes: 16 * MIB } });
  await using writer = inMemory(server);
  const connector = await runtimeConnector({ hostname: server.hostname, port: server.port });
  const follower = channelOf(await connector(new AbortController().signal));
  follower.start({ data: () => {}, end: () => {}, error: () => {} });
  follower.pause();
  await follower.write(Uint8Array.of(0xb1, ...new Uint8Array(14)));
  const set = setRequest({ k: new Uint8Array(100_000) });
  await takesLittle(40 * MIB, async (look) => {
    for (let i = 1; i <= 1500; i++) {
      await writer.send(set);
      assertEquals(await writer.reply(STORED), STORED);
      if (i % 500 === 0) await look();
    }
  });
  assert(await isServed(server));
  follower.close();
});
