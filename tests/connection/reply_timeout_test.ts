import { assertEquals, assertInstanceOf } from "@std/assert";
import { ConnectionError, TimeoutError } from "../../src/errors.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { replies } from "../scripted_server.ts";
import { get, outcomes, remove, script, set, values } from "./_calls.ts";
import { connected } from "./_fake_pool.ts";

test("a call whose reply does not come rejects, and the connection is given up", async () => {
  const { pool, server, timers } = await connected({ attempts: 0 });
  const results = outcomes(pool.submit(set("a")));
  await timers.advance(9_999);
  assertEquals([results[0].settled, server.socket.closed], [false, false]);
  await timers.advance(1);
  const { error } = results[0];
  assertInstanceOf(error, TimeoutError);
  assertEquals(error.message, "Cannot set: no reply within 10000 ms");
  assertEquals([error.phase, error.sent, error.code], ["reply", true, "ERR_TIMEOUT"]);
  assertEquals([server.socket.closed, timers.running], [true, 0]);
});

test("when the peer is silent the first call times out and those behind it are lost", async () => {
  const { pool, timers } = await connected({ attempts: 0 });
  const results = outcomes(
    ...[get("a"), get("b"), remove("c"), get("d")].map((call) => pool.submit<unknown>(call)),
  );
  await timers.advance(10_000);
  for (const { error } of results.slice(0, 2)) {
    assertInstanceOf(error, TimeoutError);
    assertEquals(error.phase, "reply");
  }
  for (const { error } of results.slice(2)) {
    assertInstanceOf(error, ConnectionError);
    assertInstanceOf(error.cause, TimeoutError);
    assertEquals(error.sent, true);
  }
});

test("the reply clock begins anew with each byte that comes", async () => {
  const { pool, server, timers } = await connected();
  const results = outcomes(pool.submit(get("a")));
  await turn();
  const reply = replies.get({ key: "a", value: "1" });
  for (const byte of reply) {
    await timers.advance(9_000);
    assertEquals(results[0].settled, false);
    server.socket.receive(Uint8Array.of(byte));
  }
  await turn();
  assertEquals(results[0].value, "1");
});

test("the reply clock runs for the call whose turn it is, not for those behind it", async () => {
  const { pool, server, timers } = await connected();
  const results = outcomes(
    pool.submit(script("slow"), { timeout: 60_000 }),
    pool.submit(get("a")),
  );
  await timers.advance(59_000);
  assertEquals(values(results), ["waits", "waits"]);
  server.socket.receive(replies.script());
  await timers.advance(9_999);
  assertEquals(values(results), [[], "waits"]);
  server.socket.receive(replies.get());
  await turn();
  assertEquals(values(results), [[], null]);
});

test("behind a slow call the reply clock is the ordinary one again", async () => {
  const { pool, server, timers } = await connected({ attempts: 0 });
  const results = outcomes(
    pool.submit(script("slow"), { timeout: 60_000 }),
    pool.submit(get("a")),
  );
  await timers.advance(59_000);
  server.socket.receive(replies.script());
  await timers.advance(10_000);
  assertInstanceOf(results[1].error, TimeoutError);
  assertEquals(results[1].error.message, "Cannot get: no reply within 10000 ms");
});

test("an idle connection is left in peace, however long", async () => {
  const { pool, server, timers } = await connected();
  const results = outcomes(pool.submit(get("a")));
  await turn();
  server.socket.receive(replies.get());
  await timers.advance(3_600_000);
  assertEquals([results[0].value, server.socket.closed, timers.running], [null, false, 0]);
  // The clock of the next call begins with that call.
  outcomes(pool.submit(get("b")));
  await timers.advance(9_999);
  assertEquals(server.socket.closed, false);
  await timers.advance(1);
  assertEquals(server.socket.closed, true);
});

test("many quick replies start no timer each", async () => {
  const { pool, server, timers } = await connected();
  for (let i = 0; i < 100; i++) {
    const result = pool.submit(get("a"));
    await timers.advance(10);
    server.socket.receive(replies.get());
    await result;
    assertEquals(timers.running, 1);
  }
});

test("a peer that takes nothing is noticed while it is being written to", async () => {
  const { pool, server, timers } = await connected({ attempts: 0 });
  server.socket.stalled = true;
  const results = outcomes(pool.submit(set("a", "1", 0, true)), pool.submit(set("b")));
  await timers.advance(9_999);
  assertEquals(values(results), ["waits", "waits"]);
  await timers.advance(1);
  assertEquals(results.map(({ settled }) => settled), [true, true]);
  for (const { error } of results) assertEquals((error as ConnectionError).sent, true);
  assertEquals(server.socket.closed, true);
});

test("a peer that takes a large value slowly is not given up while it takes some", async () => {
  const { pool, server, timers } = await connected();
  server.socket.stalled = true;
  const results = outcomes(pool.submit(set("a", new Uint8Array(16 * 2 ** 20))));
  await turn();
  while (server.socket.untaken > 0) {
    // At 256 KiB a second the whole of it takes a minute.
    await timers.advance(server.socket.untaken / 256);
    assertEquals(server.socket.closed, false);
    server.socket.take();
    await turn();
  }
  await timers.advance(9_999);
  server.socket.receive(replies.set(1));
  await turn();
  assertEquals(values(results), [undefined]);
});

test("a peer that has answered may take its time with what follows", async () => {
  const { pool, server, timers } = await connected();
  server.socket.stalled = true;
  const results = outcomes(pool.submit(remove("a")));
  await turn();
  server.socket.take();
  results.push(...outcomes(pool.submit(set("b", new Uint8Array(4 * 2 ** 20)))));
  await turn();
  server.socket.receive(replies.remove(1));
  while (server.socket.untaken > 0) {
    await timers.advance(6_000);
    server.socket.take();
    await turn();
  }
  server.socket.receive(replies.set(1));
  await turn();
  assertEquals(values(results), [1, undefined]);
});

test("a silent peer is noticed although it takes call after call", async () => {
  const { pool, server, timers } = await connected({ attempts: 0 });
  server.socket.stalled = true;
  const first = outcomes(pool.submit(remove("first")));
  for (let second = 0; second < 10; second++) {
    await turn();
    server.socket.take();
    outcomes(pool.submit(get(`${second}`), { timeout: 500 }));
    await turn();
    server.socket.take();
    assertEquals(first[0].settled, false);
    await timers.advance(1_000);
  }
  assertInstanceOf(first[0].error, TimeoutError);
  assertEquals(server.socket.closed, true);
});

test("the reply clock begins when the whole request has left", async () => {
  const { pool, server, timers } = await connected({ attempts: 0 });
  server.socket.stalled = true;
  const results = outcomes(pool.submit(remove("a")));
  await timers.advance(9_000);
  server.socket.take();
  await timers.advance(9_999);
  assertEquals(results[0].settled, false);
  await timers.advance(1);
  assertInstanceOf(results[0].error, TimeoutError);
});

test("when this process was held up, what came meanwhile is looked at first", async () => {
  const { pool, server, timers } = await connected();
  const results = outcomes(pool.submit(get("a")), pool.submit(set("b")));
  await turn();
  timers.hold(15_000);
  await timers.advance(10);
  assertEquals([values(results), server.socket.closed], [["waits", "waits"], false]);
  server.socket.receive(replies.get(), replies.set(1));
  await turn();
  assertEquals(values(results), [null, undefined]);
});

test("a timer that is late does not shorten the time of what came after it was set", async () => {
  const { pool, server, timers } = await connected();
  outcomes(pool.submit(get("a")));
  await timers.advance(9_000);
  server.socket.receive(replies.get());
  const results = outcomes(pool.submit(get("b")));
  await turn();
  timers.hold(2_000);
  await timers.advance(7_999);
  assertEquals(results[0].settled, false);
  server.socket.receive(replies.get());
  await turn();
  assertEquals(results[0].value, null);
});

test("a process that is held up all the time notices a silent peer all the same", async () => {
  const { pool, server, timers } = await connected({ attempts: 0 });
  const results = outcomes(pool.submit(set("a")));
  await turn();
  for (let i = 0; i < 3; i++) {
    timers.hold(15_000);
    await timers.advance(0);
  }
  assertInstanceOf(results[0].error, TimeoutError);
  assertEquals(server.socket.closed, true);
});

test("a call's own time may be shorter: it rejects and the connection stays usable", async () => {
  const { pool, server, timers } = await connected();
  const results = outcomes(
    pool.submit(remove("a"), { timeout: 100 }),
    pool.submit(get("b")),
  );
  await timers.advance(100);
  const { error } = results[0];
  assertInstanceOf(error, TimeoutError);
  assertEquals(error.message, "Cannot remove: no reply within 100 ms");
  assertEquals([error.phase, error.sent], ["reply", true]);
  assertEquals(server.socket.closed, false);
  server.socket.receive(replies.remove(1), replies.get({ key: "b", value: "2" }));
  await turn();
  assertEquals(results[1].value, "2");
});

test("a reply to a call that timed out by itself must come all the same", async () => {
  const { pool, server, timers } = await connected();
  outcomes(pool.submit(remove("a"), { timeout: 100 }));
  await timers.advance(9_999);
  assertEquals(server.socket.closed, false);
  await timers.advance(1);
  assertEquals(server.socket.closed, true);
});

test("the time of a call that ends leaves no timer behind", async () => {
  const { pool, server, timers } = await connected({ replyTimeout: Infinity });
  const results = outcomes(pool.submit(get("a"), { timeout: 1_000 }));
  await turn();
  assertEquals([timers.running, timers.keepingAlive], [1, 1]);
  server.socket.receive(replies.get());
  await turn();
  assertEquals([results[0].value, timers.running], [null, 0]);
});

test("without a reply timeout the client waits for ever", async () => {
  const { pool, server, timers } = await connected({ replyTimeout: Infinity });
  const results = outcomes(pool.submit(get("a")));
  await timers.advance(1e9);
  assertEquals(results[0].settled, false);
  server.socket.receive(replies.get());
  await turn();
  assertEquals(results[0].value, null);
});

test("no timer is left when the last reply closes the pool", async () => {
  const { pool, server, timers } = await connected();
  const results = outcomes(pool.submit(get("a"), { timeout: 60_000 }));
  await turn();
  const closed = pool.close();
  server.socket.receive(replies.get());
  await closed;
  await turn();
  assertEquals([results[0].value, server.socket.closed, timers.running], [null, true, 0]);
});
