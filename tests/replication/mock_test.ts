/** The client follows the mock server, over sockets. */

import { assertEquals, assertLess, assertRejects, assertStrictEquals } from "@std/assert";
import { startMockServer, Storage, systemClock } from "../../mock_server/mod.ts";
import { serveReplicationFrom } from "../../mock_server/replication/master.ts";
import { UpdateLog } from "../../mock_server/replication/update_log.ts";
import type { Session } from "../../mock_server/session/session.ts";
import { connect, ServerError, text } from "../../mod.ts";
import { ByteReader } from "../../src/codec/decoder.ts";
import { ByteWriter } from "../../src/codec/writer.ts";
import { channelOf } from "../../src/transport/channel.ts";
import { runtimeConnector } from "../../src/transport/detect.ts";
import { runScript, test } from "../_harness.ts";
import { deadlineIn, Peer } from "../peer.ts";
import { parseUpdates } from "./_log.ts";

/** A follower's request: from the beginning, all but the updates of nobody. */
const REQUEST = Uint8Array.from([0xb1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);

test("kt.replicate() gives what other connections do, as they do it", async () => {
  await using server = await startMockServer({ updateLog: true, serverId: 3, databases: 2 });
  await using kt = await connect(server.url, { codec: text });
  await using stream = kt.replicate({ keys: "text" });
  const seen: unknown[] = [];
  const take = async (count: number) => {
    while (seen.length < count) {
      const { value } = await stream.next();
      seen.push([value!.op, value!.database, value!.key, value!.value, value!.serverId]);
    }
    return seen.splice(0);
  };
  await kt.setBulk([["a", "1"], { key: "b", value: "2", database: 1, expireIn: 60_000 }]);
  assertEquals(await take(2), [["set", 0, "a", "1", 3], ["set", 1, "b", "2", 3]]);
  await kt.remove("a");
  await kt.remove("a");
  server.storage.databases[1].clear();
  assertEquals(await take(3), [
    ["remove", 0, "a", null, 3],
    ["remove", 0, "a", null, 3],
    ["clear", 1, null, null, 3],
  ]);
});

test("a record's expiration comes with it", async () => {
  await using server = await startMockServer({ updateLog: true });
  await using kt = await connect(server.url);
  const expireAt = new Date("2100-01-01T00:00:00Z");
  await kt.set("k", "v", { expireAt });
  for await (const { expiresAt } of kt.replicate()) {
    assertEquals(expiresAt, expireAt);
    break;
  }
});

test('replicating from "now" on gives what is written in the same millisecond', async () => {
  await using server = await startMockServer({ updateLog: true });
  await using kt = await connect(server.url, { codec: text });
  await kt.set("before", "");
  const now = Date.now();
  while (Date.now() < now + 3);
  const stream = kt.replicate({ since: "now", keys: "text" });
  await kt.set("after", "");
  for await (const { key } of stream) {
    assertEquals(key, "after");
    break;
  }
});

test("followers may be many, each with a filter and a position of its own", async () => {
  await using server = await startMockServer({ updateLog: true, serverId: 3 });
  await using kt = await connect(server.url, { codec: text });
  const [database] = server.storage.databases;
  const key = new TextEncoder().encode("k");
  for (let i = 0; i < 30; i++) database.setRaw(key, key, 2 ** 40 - 1, i % 3);
  const ids = async (options: { serverId?: number; only?: boolean }, count: number) => {
    const found: number[] = [];
    for await (const { serverId } of kt.replicate(options)) {
      if (found.push(serverId) === count) break;
    }
    return found;
  };
  const all = Array.from({ length: 30 }, (_, i) => i % 3);
  assertEquals(
    await Promise.all([
      ids({}, 30),
      ids({ serverId: 1 }, 20),
      ids({ serverId: 2, only: true }, 10),
    ]),
    [all, all.filter((id) => id !== 1), all.filter((id) => id === 2)],
  );
});

test("a server without an update log refuses followers", async () => {
  await using server = await startMockServer();
  await using kt = await connect(server.url);
  await assertRejects(() => kt.replicate().next(), ServerError, "no update log");
});

test("a stream goes on over a restart of the server, and over dropped connections", async () => {
  await using server = await startMockServer({ updateLog: true, heartbeatInterval: 5 });
  await using kt = await connect(server.url, { codec: text });
  await using stream = kt.replicate({ keys: "text" });
  const keys: string[] = [];
  for (let i = 0; i < 12; i++) {
    server.storage.databases[0].set(new TextEncoder().encode(`k${i}`), new Uint8Array(3));
    if (i % 4 === 1) server.dropConnections();
    if (i % 4 === 3) {
      await server.stop();
      await server.start();
    }
    keys.push((await stream.next()).value!.key!);
  }
  assertEquals(keys, Array.from({ length: 12 }, (_, i) => `k${i}`));
});

test("a follower that does not read does not stall others", async () => {
  const value = new Uint8Array(1000).fill(7), count = 20_000, step = 1000;
  await using server = await startMockServer({
    updateLog: { maxBytes: 4 * 2 ** 20 },
    heartbeatInterval: 1,
  });
  const connector = await runtimeConnector({ hostname: server.hostname, port: server.port });
  const stalled = channelOf(await connector(new AbortController().signal));
  stalled.start({ data() {}, end() {}, error() {} });
  stalled.pause();
  await stalled.write(REQUEST);
  await using kt = await connect(server.url);
  await using stream = kt.replicate();
  const [database] = server.storage.databases;
  for (let i = 0; i < count; i += step) {
    for (let k = i; k < i + step; k++) database.set(Uint8Array.of(k >> 8, k & 0xff), value);
    for (let k = i; k < i + step; k++) {
      const { value: update } = await stream.next();
      if (update?.key?.[1] !== (k & 0xff)) throw new Error(`Not number ${k} came`);
    }
  }
  stalled.close();
});

test("for a follower that does not read, little is gathered, however much there is", () => {
  const log = new UpdateLog();
  const database = new Storage().databases[0];
  const bytes = new Uint8Array(1000), expires = 2 ** 40 - 1;
  const record = { bytes, start: 0, valueStart: 8, end: 1000, expires };
  for (let i = 0; i < 20_000; i++) log.set(database, record);
  const bound = 256 * 1024;
  const full = new Promise<void>(() => {});
  const session = {
    out: new ByteWriter(),
    isClosed: false,
    flush() {
      return this.out.length < bound ? undefined : full;
    },
  };
  const serve = serveReplicationFrom(log, { clock: systemClock });
  const request = { since: 0n, serverId: 9, only: false };
  const decoder = serve(session as unknown as Session, new ByteReader(), request);
  assertStrictEquals(decoder.next().value, full);
  assertLess(session.out.length, 2 * bound + 2000);
});

test("a slow consumer is not cut off by a server that waits a second only", async () => {
  await using server = await startMockServer({ updateLog: true, timeout: 1000 });
  await using kt = await connect(server.url, { codec: text });
  await kt.setBulk({ a: "", b: "" });
  await using stream = kt.replicate({ keys: "text", resume: false });
  await stream.next();
  // Longer than the server waits for an acknowledgement.
  await new Promise((resolve) => setTimeout(resolve, 1600));
  await kt.set("c", "");
  assertEquals((await stream.next()).value?.key, "b");
  assertEquals((await stream.next()).value?.key, "c");
});

test("a consumer that was cut off for not reading at all loses and repeats nothing", async () => {
  const count = 20_000;
  await using server = await startMockServer({ updateLog: true, timeout: 100 });
  const [database] = server.storage.databases;
  // More than the system keeps for a connection.
  const value = new Uint8Array(1000);
  for (let i = 0; i < count; i++) database.set(Uint8Array.of(i >> 8, i & 0xff), value);
  await using kt = await connect(server.url);
  await using stream = kt.replicate();
  await stream.next();
  assertEquals(server.connections, 2);
  while (server.connections === 2) await new Promise((resolve) => setTimeout(resolve, 20));
  for (let i = 1; i < count; i++) {
    const { value: update } = await stream.next();
    if (update?.key?.[0] !== i >> 8 || update.key[1] !== (i & 0xff)) {
      throw new Error(`Not ${i} came`);
    }
  }
});

test("a lost acknowledgement ends the connection, and the stream goes on over another", async () => {
  await using server = await startMockServer({ updateLog: true, timeout: 100 });
  const connector = await runtimeConnector({ hostname: server.hostname, port: server.port });
  const silent = new Peer(await connector(new AbortController().signal));
  await silent.send(REQUEST);
  assertEquals(await silent.take(1, deadlineIn(5000)), Uint8Array.of(0xb1));
  assertEquals((await silent.take(9, deadlineIn(5000)))[0], 0xb0);
  await silent.closed(deadlineIn(5000));
  silent.close();
});

test("values up to the limit of a message and odd sizes pass through", async () => {
  await using server = await startMockServer({ updateLog: true });
  await using kt = await connect(server.url);
  const sizes = [0, 1, 122, 123, 16_378, 16_379, 65_000, 65_536, 70_000, 300_000, 3_000_000];
  for (const size of sizes) await kt.set(`k${size}`, new Uint8Array(size).fill(size & 0xff));
  let i = 0;
  for await (const { value } of kt.replicate()) {
    assertEquals(value, new Uint8Array(sizes[i]).fill(sizes[i] & 0xff));
    if (++i === sizes.length) break;
  }
});

test("the bytes of the mock's stream are those that the tests' own parser expects", async () => {
  await using server = await startMockServer({ updateLog: true, serverId: 0x102, databases: 2 });
  await using kt = await connect(server.url);
  await kt.set("key", "value", { database: 1 });
  const peer = new Peer(server.connectInMemory());
  await peer.send(REQUEST);
  const bytes = await peer.take(1 + 13 + 5 + 2 + 3 + 5 + 5, deadlineIn(5000));
  const [{ message }] = parseUpdates(bytes.subarray(1));
  assertEquals([message?.serverId, message?.database, message?.op], [0x102, 1, 0xa1]);
  assertEquals(new TextDecoder().decode(message?.operands.subarray(10)), "value");
  peer.close();
});

test("a stream that was forgotten does not keep the process alive", async () => {
  await using server = await startMockServer({ updateLog: true });
  const { code, stdout, stderr } = await runScript(
    "tests/replication/_forgotten.ts",
    [server.url],
    { permissions: ["--allow-net=127.0.0.1"] },
  );
  assertEquals([code, stdout, stderr], [0, "set\n", ""]);
});
