import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import type { PoolOptions } from "../../src/connection/pool.ts";
import { ConnectionError, TimeoutError } from "../../src/errors.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { replies } from "../scripted_server.ts";
import { get, outcomes, remove, set, values } from "./_calls.ts";
import { FakeServer, type Setting, unconnected } from "./_fake_pool.ts";

const PING = ["get"];

/** Two servers, of which the first is preferred. */
async function pair(options: Partial<PoolOptions> = {}, first: FakeServer["mode"] = "accept") {
  const a = new FakeServer("a:1"), b = new FakeServer("b:2");
  a.mode = first;
  const setting = unconnected({ servers: [a.address, b.address], ...options });
  const opened = setting.pool.open();
  await turn();
  return { ...setting, a, b, opened };
}

/** The server answers the question whether it is there. */
async function answer(server: FakeServer): Promise<void> {
  assertEquals(server.socket.sent, PING);
  server.socket.writes.length = 0;
  server.socket.receive(replies.get());
  await turn();
}

/** The first has gone, and calls go to the second. */
async function onSecond(options: Partial<PoolOptions> = {}) {
  const setting = await pair(options, "refuse");
  await answer(setting.b);
  await setting.opened;
  return setting;
}

/** A call is made from time to time, so that there is somebody whom the first server would serve. */
async function use({ pool, timers }: Setting, server: FakeServer, ms: number): Promise<void> {
  const results = outcomes(pool.submit(get("k")));
  await turn();
  server.socket.receive(replies.get());
  await timers.advance(ms);
  assertEquals(values(results), [null]);
  server.socket.writes.length = 0;
}

test("calls go to the first server when it answers, and the others are left alone", async () => {
  const { pool, a, b, opened } = await pair();
  await answer(a);
  await opened;
  outcomes(pool.submit(get("k")));
  await turn();
  assertEquals([a.socket.sent, b.attempts], [["get 0:k"], 0]);
  assertEquals(pool.stats.server, "a:1");
});

test("a server that refuses, hangs, is silent, closes or talks nonsense is passed over", async () => {
  for (const fault of ["refuse", "hang", "silence", "close", "nonsense"] as const) {
    const isAccepted = fault !== "refuse" && fault !== "hang";
    const { timers, pool, a, b, opened } = await pair({}, isAccepted ? "accept" : fault);
    if (fault === "close") a.socket.end();
    if (fault === "nonsense") a.socket.receive(Uint8Array.of(1, 2, 3, 4, 5));
    if (fault === "hang" || fault === "silence") await timers.advance(4_000);
    await turn();
    await answer(b);
    await opened;
    assertEquals([pool.stats.server, b.attempts], ["b:2", 1], fault);
    if (isAccepted) assertEquals(a.socket.closed, true, fault);
    assertEquals(timers.keepingAlive, 0, fault);
    pool.destroy();
    assertEquals(timers.running, 0);
  }
});

test("open() rejects when no server answers, and names each with its reason", async () => {
  const { a, b } = await pair();
  a.mode = "refuse";
  b.mode = "refuse";
  const { pool } = unconnected({ servers: [a.address, b.address] });
  const error = await assertRejects(() => pool.open(), ConnectionError);
  assertEquals(
    error.message,
    "Cannot connect to any of 2 servers: Cannot connect to a:1: connection refused; " +
      "Cannot connect to b:2: connection refused",
  );
  assertInstanceOf(error.cause, AggregateError);
  assertEquals(error.cause.errors.length, 2);
});

test("when the server is lost the calls that may move go to the next, and others tell", async () => {
  const { pool, a, b, opened } = await pair();
  await answer(a);
  await opened;
  const results = outcomes(pool.submit(get("r")), pool.submit(remove("w")));
  await turn();
  a.mode = "refuse";
  a.socket.end();
  results.push(...outcomes(pool.submit(set("later"))));
  await turn();
  await answer(b);
  assertEquals(b.socket.sent, ["get 0:r", "set 0:later="]);
  b.socket.receive(replies.get(), replies.set(1));
  await turn();
  assertEquals([results[0].value, results[2].value], [null, undefined]);
  assertInstanceOf(results[1].error, ConnectionError);
  assertEquals(results[1].error.sent, true);
});

test("a server that fell silent comes after the others from then on", async () => {
  const { pool, timers, a, b, opened } = await pair();
  await answer(a);
  await opened;
  const results = outcomes(pool.submit(remove("k")));
  await timers.advance(10_000);
  assertInstanceOf(results[0].error, TimeoutError);
  outcomes(pool.submit(get("k")));
  await turn();
  assertEquals([a.attempts, b.attempts], [1, 1]);
});

test("a server that drops its connections but is there keeps its clients", async () => {
  const { pool, a, b, opened } = await pair();
  await answer(a);
  await opened;
  a.socket.end();
  outcomes(pool.submit(get("k")));
  await turn();
  await answer(a);
  assertEquals([a.attempts, b.attempts, a.socket.sent], [2, 0, ["get 0:k"]]);
});

test("calls go back to the first server when it answers again", async () => {
  const setting = await onSecond();
  const { pool, timers, a, b } = setting;
  await use(setting, b, 5_000);
  assertEquals(a.attempts, 2);
  a.mode = "accept";
  await use(setting, b, 5_000);
  const before = outcomes(pool.submit(get("before")));
  await turn();
  await answer(a);
  assertEquals(pool.stats.server, "a:1");
  const after = outcomes(pool.submit(get("after")));
  await turn();
  assertEquals([b.socket.sent, a.socket.sent], [["get 0:before"], ["get 0:after"]]);
  assertEquals(b.socket.closed, false, "a reply is still due");
  b.socket.receive(replies.get());
  a.socket.receive(replies.get());
  await turn();
  assertEquals([values(before), values(after), b.socket.closed], [[null], [null], true]);
  assertEquals([pool.stats.connections, timers.running], [1, 1]);
});

test("a first server that accepts but does not answer gets no calls", async () => {
  const setting = await onSecond();
  const { pool, timers, a, b } = setting;
  a.mode = "accept";
  await use(setting, b, 5_000);
  await timers.advance(1_000);
  assertEquals([a.socket.sent, a.socket.closed], [PING, true]);
  assertEquals(pool.stats.server, "b:2");
});

test("nobody looks for the first server while no calls are made", async () => {
  const { timers, a } = await onSecond();
  await timers.advance(60_000);
  assertEquals(a.attempts, 1);
});

test("looking for the first server does not keep the process alive", async () => {
  const { timers } = await onSecond();
  assertEquals(timers.keepingAlive, 0);
});

test("a lane that ends with its connection may finish on the server that it is at", async () => {
  const setting = await onSecond();
  const { pool, a, b } = setting;
  const lane = { connection: null, fixed: true };
  outcomes(pool.submit(get("first"), undefined, lane));
  await turn();
  b.socket.receive(replies.get());
  b.socket.writes.length = 0;
  a.mode = "accept";
  await use(setting, b, 5_000);
  await answer(a);
  const results = outcomes(pool.submit(get("second"), undefined, lane));
  await turn();
  assertEquals([a.socket.sent, b.socket.sent], [[], ["get 0:second"]]);
  b.socket.receive(replies.get());
  await turn();
  assertEquals([values(results), b.socket.closed], [[null], false]);
  pool.release(lane);
  assertStrictEquals(b.socket.closed, true);
});

test("more connections are those of the server that calls go to", async () => {
  const setting = await onSecond({ connections: 2 });
  const { pool, a, b } = setting;
  a.mode = "accept";
  outcomes(pool.submit(get("1")), pool.submit(remove("2")), pool.submit(get("3")));
  await turn();
  assertEquals([a.attempts, b.attempts], [1, 2]);
});

test("close() while the first server is being asked ends that too", async () => {
  const setting = await onSecond();
  const { pool, timers, a, b } = setting;
  a.mode = "accept";
  await use(setting, b, 5_000);
  await pool.close();
  await turn();
  assertEquals([a.socket.closed, b.socket.closed, timers.running], [true, true, 0]);
});
