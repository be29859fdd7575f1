import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, text } from "../../mod.ts";
import { MockServer, startMockServer } from "../../mock_server/mod.ts";
import { runScript, test } from "../_harness.ts";
import {
  bySocket,
  foundReply,
  getRequest,
  inMemory,
  NOT_FOUND,
  removeRequest,
  scriptRequest,
  setRequest,
  STORED,
  until,
} from "./_client.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("a server listens on a free port of the loopback address and says where", async () => {
  await using server = await startMockServer();
  assert(server.port > 0);
  assertEquals(server.hostname, "127.0.0.1");
  assertEquals(server.url, `kt://127.0.0.1:${server.port}`);
  await using client = await bySocket(server);
  await client.send(getRequest("k"));
  assertEquals(await client.reply(NOT_FOUND), NOT_FOUND);
});

test("a server that was stopped starts again on the same port, with its records", async () => {
  await using server = await startMockServer({ seed: [{ key: "k", value: "v" }] });
  const { port } = server;
  await using before = await bySocket(server);
  await server.stop();
  await server.stop();
  await before.closed();
  await assertRejects(() => bySocket(server));
  await server.start();
  await server.start();
  assertEquals(server.port, port);
  await using after = await bySocket(server);
  await after.send(getRequest("k"));
  assertEquals(await after.reply(foundReply("k", "v")), foundReply("k", "v"));
});

test("a server listens on a Unix socket and takes it away when it stops", async () => {
  const directory = await mkdtemp(join(tmpdir(), "mock-"));
  try {
    const path = join(directory, "kt.sock");
    const server = await startMockServer({ path });
    assertEquals([server.url, server.port], [`kt+unix://${path}`, 0]);
    await using client = await bySocket(server);
    await client.send(getRequest("k"));
    assertEquals(await client.reply(NOT_FOUND), NOT_FOUND);
    await server.stop();
    await client.closed();
    await server.start();
    await using again = await bySocket(server);
    await again.send(getRequest("k"));
    assertEquals(await again.reply(NOT_FOUND), NOT_FOUND);
    await server.stop();
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("a port that is taken is a clear error", async () => {
  await using first = await startMockServer();
  await assertRejects(
    () => startMockServer({ port: first.port }),
    Error,
    `Cannot listen on "127.0.0.1:${first.port}"`,
  );
});

test("options out of their range are refused", () => {
  assertThrows(() => new MockServer({ port: 65536 }), RangeError, '"port" is 65536');
  assertThrows(() => new MockServer({ serverId: -1 }), RangeError, '"serverId"');
  assertThrows(() => new MockServer({ timeout: 0 }), RangeError, '"timeout"');
  assertThrows(() => new MockServer({ databases: 0 }), RangeError, '"databases"');
  assertThrows(() => new MockServer({ databases: ["x"] }), TypeError, '"x"');
  assertThrows(
    () => new MockServer({ seed: [{ database: 1, key: "k", value: "v" }] }),
    RangeError,
    "no database 1",
  );
});

test("a server is seeded with records, which may expire", async () => {
  await using server = await startMockServer({
    databases: 2,
    clock: { now: () => 1_000_000 },
    seed: [
      { key: "never", value: "1" },
      { key: bytes("in"), value: bytes("2"), expireIn: 1500, database: 1 },
      { key: "at", value: "3", expireAt: new Date(2_000_000) },
      { key: "entry", value: "4", expiresAt: new Date(3_000_000) },
      { key: "entry2", value: "5", expiresAt: null },
    ],
  });
  const expires = server.storage.databases.map((database) =>
    [...database.records()].map((record) => record.expires)
  );
  assertEquals(expires, [[2000, 3000, 1_099_511_627_775, 1_099_511_627_775], [1002]]);
});

test("connections beyond maxConnections are closed at once", async () => {
  await using server = await startMockServer({ maxConnections: 1 });
  await using first = await bySocket(server);
  await until(() => server.connections === 1);
  await using second = await bySocket(server);
  await second.closed();
  await first.send(getRequest("k"));
  assertEquals(await first.reply(NOT_FOUND), NOT_FOUND);
});

test("what was asked is recorded, and can be waited for", async () => {
  await using server = await startMockServer({
    databases: 2,
    requestLogSize: 3,
    clock: { now: () => 5000 },
    procedures: { p: () => 0 },
  });
  const next = server.nextRequest();
  const removal = server.nextRequest(({ operation }) => operation === "remove_bulk");
  const failing = server.nextRequest(() => {
    throw new Error("a mistake");
  });
  await using client = inMemory(server);
  await client.send(
    setRequest([
      { database: 0, key: "k", value: "v", xt: 7 },
      { database: 1, key: "l", value: "", xt: -8 },
    ], { noReply: true }),
    getRequest("k", "l"),
    removeRequest({ database: 1, key: "l" }),
    scriptRequest("p", { in: "put" }),
  );
  await client.peer.take(5 + 20 + 5 + 5, performance.now() + 5000);
  await assertRejects(() => failing, Error, "a mistake");
  const first = await next;
  assertEquals(first, {
    operation: "set_bulk",
    connection: 1,
    time: 5000,
    noReply: true,
    count: 2,
    records: [
      { database: 0, key: bytes("k"), value: bytes("v"), xt: 7 },
      { database: 1, key: bytes("l"), value: bytes(""), xt: -8 },
    ],
  });
  assertEquals((await removal).records, [{ database: 1, key: bytes("l") }]);
  const log = server.requests;
  assertEquals([log.length, log.total], [3, 4]);
  assertEquals(log.toArray().map(({ operation }) => operation), [
    "get_bulk",
    "remove_bulk",
    "play_script",
  ]);
  assertEquals(log.last?.name, "p");
  assertEquals(log.last?.records, [{ database: 0, key: bytes("in"), value: bytes("put") }]);
  log.clear();
  assertEquals([log.length, log.total, log.last], [0, 0, undefined]);
});

test("whoever waits for a request is let go when the server stops", async () => {
  const server = await startMockServer();
  const waiting = server.nextRequest();
  server.nextRequest();
  await server.stop();
  await assertRejects(() => waiting, Error, "the mock server was stopped");
});

test("of a long request only the beginning is recorded", async () => {
  await using server = await startMockServer();
  await using client = inMemory(server);
  const names = Array.from({ length: 1000 }, (_, i) => `key ${i}`);
  await client.send(getRequest(...names), setRequest({ k: new Uint8Array(100_000) }));
  await client.reply(NOT_FOUND + STORED);
  const [get, set] = server.requests;
  assertEquals([get.count, get.records.length, set.count, set.records.length], [1000, 64, 1, 0]);
});

test("expired records are collected while nobody writes", async () => {
  const clock = { ms: 1_000_000, now: () => clock.ms };
  await using server = await startMockServer({ clock });
  const [database] = server.storage.databases;
  for (let i = 0; i < 100; i++) database.set(bytes(`k${i}`), bytes("v"), 1);
  clock.ms += 10_000;
  await until(() => database.count === 0);
});

test("a client connects without a socket", async () => {
  await using server = await startMockServer();
  await using kt = (await connect({ connector: () => server.connectInMemory() })).withCodec(text);
  await kt.set("k", "v");
  assertEquals(await kt.get("k"), "v");
});

test("two servers do not know of each other", async () => {
  await using first = await startMockServer();
  await using second = await startMockServer();
  await using client = inMemory(first);
  await client.send(setRequest({ k: "v" }));
  await client.reply(STORED);
  assertEquals(second.storage.databases[0].count, 0);
});

test("a thousand connections come and go", async () => {
  await using server = await startMockServer();
  for (let round = 0; round < 10; round++) {
    const clients = await Promise.all(Array.from({ length: 100 }, () => bySocket(server)));
    await Promise.all(clients.map(async (client) => {
      await client.send(getRequest("k"));
      assertEquals(await client.reply(NOT_FOUND), NOT_FOUND);
      client.peer.close();
    }));
    await until(() => server.connections === 0);
  }
});

test("an unref'd server does not keep the process alive", async () => {
  const { code, stdout, ms } = await runScript("tests/fixtures/unref.ts", [], {
    permissions: ["--allow-net=127.0.0.1"],
  });
  assertEquals([code, stdout], [0, "ready\n"]);
  assert(ms < 5000, `it took ${ms} ms`);
});
