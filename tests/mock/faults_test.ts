import { assert, assertEquals, assertThrows } from "@std/assert";
import { Faults, parseFault, startMockServer } from "../../mock_server/mod.ts";
import type { FaultAction, FaultRule } from "../../mock_server/mod.ts";
import { FLAG_NO_REPLY } from "../../src/codec/constants.ts";
import { channelOf } from "../../src/transport/channel.ts";
import { runtimeConnector } from "../../src/transport/detect.ts";
import { runtime, test } from "../_harness.ts";
import { deadlineIn } from "../peer.ts";
import {
  bySocket,
  foundReply,
  getRequest,
  hex,
  inMemory,
  NOT_FOUND,
  type RawClient,
  removeRequest,
  scriptRequest,
  setRequest,
  STORED,
  until,
} from "./_client.ts";

const seed = [{ key: "k", value: "v" }];
const FOUND = foundReply("k", "v");
const procedures = { p: () => ({}) };
const PLAYED = "b400000000";

/** A server with one rule, and a client of it. */
async function under(rule: FaultRule) {
  const server = await startMockServer({ seed, procedures });
  const fault = server.faults.add(rule);
  const client = inMemory(server);
  return {
    server,
    fault,
    client,
    async [Symbol.asyncDispose]() {
      client.peer.close();
      await server.stop();
    },
  };
}

async function works(client: RawClient): Promise<void> {
  await client.send(getRequest("k"));
  assertEquals(await client.reply(FOUND), FOUND);
}

test("without rules nothing goes wrong, and with one only what it says", async () => {
  await using scene = await under({ op: "get_bulk", nth: 2, times: 2, action: "error" });
  const { client, fault } = scene;
  await client.send(getRequest("k"), setRequest({ x: "y" }), removeRequest("x"));
  const replies = FOUND + STORED + "b900000001";
  assertEquals(await client.reply(replies), replies);
  assertEquals(fault.fired, 0);
  await client.send(getRequest("k"), getRequest("k"));
  assertEquals(await client.reply("bf"), "bf");
  await client.closed();
  assertEquals(fault.fired, 1);
  fault.remove();
  assertEquals(scene.server.faults.active, false);
});

test("a delayed request is executed later, and its connection waits", async () => {
  await using scene = await under({ action: { delay: 60 } });
  const start = performance.now();
  await scene.client.send(getRequest("k"), getRequest("none"));
  await scene.client.peer.quiet(30);
  assertEquals(await scene.client.reply(FOUND + NOT_FOUND), FOUND + NOT_FOUND);
  assert(performance.now() - start > 55);
});

test("a hanging request is never answered, and a stop does not wait for it", async () => {
  await using scene = await under({ action: "hang" });
  await scene.client.send(setRequest({ k: "changed" }), getRequest("k"));
  await scene.client.peer.quiet(50);
  await using other = inMemory(scene.server);
  await works(other);
});

test("a request that loses its connection was not executed, unless the rule says so", async () => {
  for (const action of ["disconnect", "reset", "hang"] as const) {
    for (const executed of [false, true]) {
      await using scene = await under({ op: "set_bulk", action, executed });
      const { client, server } = scene;
      await client.send(getRequest("k"), setRequest({ new: "1" }), setRequest({ never: "2" }));
      assertEquals(await client.reply(FOUND), FOUND);
      if (action === "hang") await client.peer.quiet(20);
      else await client.closed();
      const names = [...server.storage.databases[0].records()].length;
      assertEquals(names, executed ? 2 : 1, `${action} ${executed}`);
    }
  }
});

test("a reset is seen as one by the peer, except from Deno", async () => {
  await using server = await startMockServer();
  server.faults.add({ action: "reset" });
  const connector = await runtimeConnector({ hostname: server.hostname, port: server.port });
  const channel = channelOf(await connector(new AbortController().signal));
  const ending = Promise.withResolvers<string>();
  channel.start({
    data: () => ending.resolve("data"),
    end: () => ending.resolve("end of stream"),
    error: () => ending.resolve("reset"),
  });
  await channel.write(getRequest("k"));
  assertEquals(await ending.promise, runtime === "deno" ? "end of stream" : "reset");
  channel.close();
});

test("an error is the error byte, and then what the real server does", async () => {
  await using scene = await under({ times: Infinity, action: "error" });
  const { server, client } = scene;
  await client.send(scriptRequest("p"), scriptRequest("p"));
  assertEquals(await client.reply("bfbf"), "bfbf");
  await client.send(setRequest({ x: "y" }));
  assertEquals(await client.reply("bf"), "bf");
  await client.closed();
  assertEquals(server.storage.databases[0].count, 1);
});

test("an error of a request that wants no reply is none on the wire", async () => {
  await using scene = await under({ times: 2, action: "error" });
  const { fault, client } = scene;
  const script = scriptRequest("p");
  script[4] |= FLAG_NO_REPLY;
  await client.send(script, setRequest({ x: "y" }, { noReply: true }));
  await client.closed();
  assertEquals(client.peer.unread.length, 0);
  assertEquals(fault.fired, 2);
});

test("a reply is cut off after some bytes", async () => {
  for (const size of [0, 1, 7, 24]) {
    await using scene = await under({ op: "get_bulk", action: { truncate: size } });
    await scene.client.send(setRequest({ x: "y" }), getRequest("k"));
    assertEquals(await scene.client.reply(STORED), STORED);
    const part = FOUND.slice(0, 2 * size);
    assertEquals(await scene.client.reply(part), part);
    await scene.client.closed();
  }
});

test("a reply comes in pieces", async () => {
  await using scene = await under({ action: { split: [1, 4], gap: 30 } });
  const { client } = scene;
  await client.send(getRequest("k"), getRequest("none"));
  const pieces: string[] = [];
  while (pieces.join("").length < FOUND.length + NOT_FOUND.length) {
    if (client.peer.unread.length === 0) await client.peer.more(deadlineIn(5000));
    pieces.push(await client.reply("00".repeat(client.peer.unread.length)));
  }
  assertEquals(pieces.slice(0, 2), [FOUND.slice(0, 2), FOUND.slice(2, 10)]);
  assertEquals(pieces.join(""), FOUND + NOT_FOUND);
});

test("a byte of a reply is corrupted", async () => {
  const cases: [FaultAction, string][] = [
    [{ corrupt: 0 }, "45" + FOUND.slice(2)],
    [{ corrupt: 4 }, FOUND.slice(0, 8) + "fe" + FOUND.slice(10)],
    [{ corrupt: 1, to: 0x77 }, FOUND.slice(0, 2) + "77" + FOUND.slice(4)],
    [{ corrupt: 1000 }, FOUND],
    ["wrong-magic", "42" + FOUND.slice(2)],
  ];
  for (const [action, expected] of cases) {
    await using scene = await under({ action });
    await scene.client.send(getRequest("k"));
    assertEquals(await scene.client.reply(expected), expected);
    await works(scene.client);
  }
});

test("a reply announces far too much, and then nothing comes", async () => {
  const cases: [Uint8Array, string][] = [
    [getRequest("k"), "ba0000000100007fffffff7fffffff7fffffffffffffff"],
    [setRequest({ k: "v" }), "b87fffffff"],
    [removeRequest("k"), "b97fffffff"],
    [scriptRequest("p"), "b4000000017fffffff7fffffff"],
  ];
  for (const [request, expected] of cases) {
    await using scene = await under({ action: "oversized" });
    await scene.client.send(request, getRequest("k"));
    assertEquals(await scene.client.reply(expected), expected);
    await scene.client.peer.quiet(20);
  }
});

test("HTTP is met as well", async () => {
  const request = new TextEncoder().encode("GET /k HTTP/1.1\r\n\r\n");
  await using scene = await under({ op: "http", action: { truncate: 12 } });
  await scene.client.send(getRequest("k"), request);
  assertEquals(await scene.client.reply(FOUND), FOUND);
  const status = hex(new TextEncoder().encode("HTTP/1.1 200"));
  assertEquals(await scene.client.reply(status), status);
  await scene.client.closed();
  scene.server.faults.clear();
  scene.server.faults.add({ op: "http", action: "error" });
  await using other = inMemory(scene.server);
  await other.send(request);
  const error = hex(
    new TextEncoder().encode("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"),
  );
  assertEquals(await other.reply(error), error);
});

test("a stream of updates is cut in the middle of one", async () => {
  await using server = await startMockServer({ updateLog: true, seed });
  const request = Uint8Array.of(0xb1, ...new Array<number>(13).fill(0), 1);
  await using whole = inMemory(server);
  await whole.send(request);
  const stream = await whole.peer.take(20, deadlineIn(5000));
  server.faults.add({ op: "replication", action: { truncate: 20 } });
  await using cut = inMemory(server);
  await cut.send(request);
  assertEquals(await cut.reply("00".repeat(20)), hex(stream));
  await cut.closed();
});

test("a connection is refused, or accepted and never read", async () => {
  await using server = await startMockServer({ seed });
  const refused = server.faults.add({ op: "connect", action: "refuse" });
  const silent = server.faults.add({ op: "connect", nth: 2, action: "never-read" });
  await using first = await bySocket(server);
  await first.closed();
  await using second = await bySocket(server);
  await second.send(getRequest("k"));
  await second.peer.quiet(50);
  await using third = await bySocket(server);
  await works(third);
  assertEquals([refused.fired, silent.fired], [1, 1]);
  server.dropConnections();
  await second.closed();
});

test("a rule may be about one database, or one connection", async () => {
  await using server = await startMockServer({ seed, databases: 2 });
  server.faults.add({ database: 1, action: "disconnect" });
  server.faults.add({ connection: 2, nth: 2, action: "disconnect" });
  await using first = inMemory(server);
  await using second = inMemory(server);
  await works(first);
  await works(second);
  await works(first);
  await second.send(getRequest("k"));
  await second.closed();
  await first.send(getRequest("k", { database: 1, key: "k" }));
  await first.closed();
  server.faults.assertAllFired();
});

test("requests are read, split anywhere, as ever while there are rules", async () => {
  await using scene = await under({ connection: 9, action: "hang" });
  const { client } = scene;
  const requests = [
    setRequest({ a: "1", b: "2" }),
    getRequest("a", "none", "b"),
    removeRequest("a", "none"),
    scriptRequest("p", { in: "put" }),
  ];
  const replies = "b800000002ba00000002" + foundReply("a", "1").slice(10) +
    foundReply("b", "2").slice(10) + "b900000001" + PLAYED;
  for (const request of requests) {
    for (const byte of request) await client.send(Uint8Array.of(byte));
  }
  assertEquals(await client.reply(replies), replies);
  await client.send(setRequest({ done: "first" }).subarray(0, -2));
  await client.peer.closeWrite();
  assertEquals(await client.reply("bf"), "bf");
  await client.closed();
});

test("the same errors end a connection while there are rules", async () => {
  const header = [0, 0, 0, 0, 0, 0, 0, 2];
  const stored = setRequest({ k: "new" }).subarray(9);
  const cases: [Uint8Array, string][] = [
    [Uint8Array.of(0x00), ""],
    [Uint8Array.of(0xb8, ...header, ...stored, 0, 0, 0x10, 0, 0, 1, ...header, ...header), "bf"],
    [Uint8Array.of(0xba, ...header, 0, 0, 0x10, 0, 0, 1), "bf"],
    [Uint8Array.of(0xb4, 0, 0, 0, 0, 0x10, 0, 0, 1, 0, 0, 0, 0), ""],
  ];
  for (const [bytes, reply] of cases) {
    await using scene = await under({ connection: 9, action: "hang" });
    await scene.client.send(bytes);
    assertEquals(await scene.client.reply(reply), reply);
    await scene.client.closed();
    const [record] = scene.server.storage.databases[0].records();
    assertEquals(record.end - record.start, bytes[0] === 0xb8 ? 4 : 2);
  }
});

test("rules that never fired can fail a test", async () => {
  await using scene = await under({ op: "remove_bulk", action: "hang" });
  assertThrows(() => scene.server.faults.assertAllFired(), Error, '"op":"remove_bulk"');
  await scene.client.send(removeRequest("k"));
  await until(() => scene.fault.fired === 1);
  scene.server.faults.assertAllFired();
  assertEquals([...scene.server.faults].length, 1);
});

test("rules can be written as text", () => {
  const cases: [string, FaultRule][] = [
    ["get_bulk:3:disconnect", { op: "get_bulk", nth: 3, times: 1, action: "disconnect" }],
    ["any:1-:delay:500", { op: undefined, nth: 1, times: Infinity, action: { delay: 500 } }],
    ["set_bulk:3-5:truncate:7", { op: "set_bulk", nth: 3, times: 3, action: { truncate: 7 } }],
    ["http:1:split:1,2,3", { op: "http", nth: 1, times: 1, action: { split: [1, 2, 3] } }],
    ["get_bulk:1:corrupt:0", { op: "get_bulk", nth: 1, times: 1, action: { corrupt: 0 } }],
    ["connect:2:refuse", { op: "connect", nth: 2, times: 1, action: "refuse" }],
  ];
  for (const [text, rule] of cases) assertEquals(parseFault(text), rule);
  const wrong = [
    "",
    "get_bulk",
    "get_bulk:1",
    "get_bulk:x:hang",
    "get_bulk:1:explode",
    "get_bulk:1:delay",
    "get_bulk:1:hang:3",
    "get_bulk:1:refuse",
    "connect:1:hang",
    "get_hulk:1:hang",
    "get_bulk:1:truncate:1,2",
  ];
  for (const text of wrong) assertThrows(() => parseFault(text), TypeError, undefined, text);
});

test("nonsense is no rule", () => {
  const faults = new Faults();
  const { add } = Faults.prototype;
  const wrong: FaultRule[] = [
    { action: { delay: -1 } },
    { action: { split: [1, -1] } },
    { nth: -1, action: "hang" },
    { times: NaN, action: "hang" },
  ];
  for (const rule of wrong) assertThrows(() => add.call(faults, rule), RangeError);
  assertThrows(() => faults.add({ action: "nothing" as "hang" }), TypeError);
  assertThrows(() => faults.add({ op: "connect", action: { delay: 1 } }), TypeError);
});
