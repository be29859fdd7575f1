import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { ClosedError, ConnectionError } from "../../src/errors.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { replies } from "../scripted_server.ts";
import { get, outcomes, remove, script, set, values } from "./_calls.ts";
import { connected, unconnected } from "./_fake_pool.ts";

test("close() finishes what is pending and takes nothing new", async () => {
  const { pool, server, timers } = await connected();
  const results = outcomes(pool.submit<unknown>(get("a")), pool.submit<unknown>(remove("b")));
  const closed = outcomes(pool.close(), pool.closed);
  const error = await assertRejects(() => pool.submit(set("c")), ClosedError);
  assertEquals([error.message, error.sent], ["Cannot set: the client is closed", false]);
  await turn();
  assertEquals(values(closed), ["waits", "waits"]);
  server.socket.receive(replies.get());
  assertEquals(server.socket.closed, false);
  server.socket.receive(replies.remove(1));
  await turn();
  assertEquals([values(results), values(closed)], [[null, 1], [undefined, undefined]]);
  assertEquals([server.socket.closed, timers.running], [true, 0]);
});

test("close() with nothing pending closes at once", async () => {
  const { pool, server, timers } = await connected();
  await pool.close();
  assertEquals([server.socket.closed, timers.running, pool.stats.connections], [true, 0, 0]);
});

test("close() finishes calls that wait for a connection", async () => {
  const { pool, server, timers } = await connected();
  server.socket.end();
  server.mode = "refuse";
  const results = outcomes(pool.submit(set("a")), pool.close());
  await timers.advance(500);
  assertEquals(values(results), ["waits", "waits"]);
  server.mode = "accept";
  await timers.advance(500);
  server.socket.receive(replies.set(1));
  await turn();
  assertEquals(values(results), [undefined, undefined]);
  assertEquals([server.socket.closed, timers.running], [true, 0]);
});

test("close() ends although the server never comes back", async () => {
  const { pool, server, timers } = await connected();
  server.socket.end();
  server.mode = "refuse";
  const results = outcomes(pool.submit(set("a")), pool.close());
  await timers.advance(60_000);
  assertInstanceOf(results[0].error, ConnectionError);
  assertEquals([results[1].value, timers.running], [undefined, 0]);
});

test("close() ends although a reply never comes", async () => {
  const { pool, server, timers } = await connected({ attempts: 0 });
  const results = outcomes(pool.submit(set("a")), pool.close());
  await timers.advance(10_000);
  assertEquals([results[0].error?.name, results[1].settled], ["TimeoutError", true]);
  assertEquals([server.socket.closed, timers.running], [true, 0]);
});

test("close() does not wait for calls that were given up", async () => {
  const { pool, server, timers } = await connected();
  const controller = new AbortController();
  outcomes(pool.submit(set("a"), { signal: controller.signal }));
  await turn();
  const closed = outcomes(pool.close());
  await turn();
  assertEquals(values(closed), ["waits"]);
  controller.abort();
  await turn();
  assertEquals([values(closed), server.socket.closed, timers.running], [[undefined], true, 0]);
});

test("close() sends a call without reply before it closes", async () => {
  const { pool, server } = await connected();
  const results = outcomes(pool.submit(set("a", "1", 0, true)), pool.close());
  await turn();
  assertEquals(server.socket.sent, ["set! 0:a=1"]);
  assertEquals([values(results), server.socket.closed], [[undefined, undefined], true]);
});

test("close() within a call's continuation is fine", async () => {
  const { pool, server } = await connected();
  const results = outcomes(pool.submit(get("a")).then(() => pool.close()), pool.submit(get("b")));
  await turn();
  server.socket.receive(replies.get({ key: "b", value: "2" }));
  await turn();
  assertEquals(values(results), [undefined, "2"]);
  assertEquals(server.socket.closed, true);
});

test("destroy() rejects what is pending, with its reason as the cause", async () => {
  for (const reason of [undefined, new Error("shut down"), "text"]) {
    const { pool, server, timers } = await connected();
    server.socket.stalled = true;
    const results = outcomes(pool.submit(set("written")), pool.submit(get("written")));
    await turn();
    results.push(...outcomes(pool.submit<unknown>(remove("queued"))));
    pool.destroy(reason);
    await turn();
    for (const [i, operation] of ["set", "get", "remove"].entries()) {
      const { error } = results[i];
      assertInstanceOf(error, ClosedError);
      assertEquals(error.message, `Cannot ${operation}: the client was closed`);
      assertStrictEquals(error.cause, reason);
      assertEquals(error.sent, i < 2);
    }
    assertEquals([server.socket.closed, timers.running], [true, 0]);
    assertEquals([pool.stats.pending, pool.stats.pendingBytes, pool.stats.connections], [0, 0, 0]);
    await pool.closed;
  }
});

test("destroy() rejects calls that wait for a connection", async () => {
  const { pool, server, timers } = await connected();
  server.socket.end();
  server.mode = "hang";
  const results = outcomes(pool.submit(set("a")), pool.submit<unknown>(get("b")));
  await turn();
  const reason = new Error("shut down");
  pool.destroy(reason);
  await turn();
  for (const { error } of results) {
    assertInstanceOf(error, ClosedError);
    assertEquals([error.cause, error.sent], [reason, false]);
  }
  assertEquals([server.signals[0].aborted, timers.running], [true, 0]);
});

test("destroy() during the wait between attempts leaves no timer", async () => {
  const { pool, server, timers } = await connected();
  server.socket.end();
  server.mode = "refuse";
  const results = outcomes(pool.submit(set("a"), { timeout: 100_000 }));
  await timers.advance(500);
  pool.destroy();
  await turn();
  assertInstanceOf(results[0].error, ClosedError);
  assertEquals(timers.running, 0);
});

test("destroy() after close() does not wait any longer", async () => {
  const { pool, server } = await connected();
  const results = outcomes(pool.submit(script("slow")), pool.close());
  await turn();
  pool.destroy();
  await turn();
  assertInstanceOf(results[0].error, ClosedError);
  assertEquals([results[1].value, server.socket.closed], [undefined, true]);
});

test("close() and destroy() are idempotent, in any order and any state", async () => {
  const states = [
    unconnected,
    connected,
    async () => {
      const setting = await connected();
      outcomes(setting.pool.submit(get("a")));
      await turn();
      return setting;
    },
    async () => {
      const setting = await connected();
      setting.server.socket.end();
      setting.server.mode = "hang";
      outcomes(setting.pool.submit(get("a")));
      await turn();
      return setting;
    },
    async () => {
      const setting = unconnected();
      setting.server.mode = "hang";
      outcomes(setting.pool.open());
      await turn();
      return setting;
    },
  ];
  for (const state of states) {
    for (
      const order of ["close destroy", "destroy close", "destroy destroy", "close close destroy"]
    ) {
      const { pool, timers } = await state();
      for (const step of order.split(" ")) {
        if (step === "close") outcomes(pool.close());
        else pool.destroy();
      }
      await pool.closed;
      await pool.close();
      pool.destroy(new Error("late"));
      await turn();
      assertEquals([timers.running, pool.stats.pending, pool.stats.connections], [0, 0, 0]);
      const error = await assertRejects(() => pool.submit(get("b")), ClosedError);
      assertEquals(error.message, "Cannot get: the client is closed");
    }
  }
});

test("the client may be closed from within a codec, an abort or a rejection", async () => {
  const { pool, server, timers } = await connected();
  const call = get("a");
  call.found = () => pool.destroy(new Error("from within"));
  const controller = new AbortController();
  const results = outcomes(
    pool.submit(call),
    pool.submit(get("b"), { signal: controller.signal }),
    pool.submit<unknown>(remove("c")),
  );
  controller.signal.addEventListener("abort", () => pool.destroy());
  await turn();
  server.socket.receive(
    replies.get({ key: "a", value: "" }, { key: "b", value: "" }),
    replies.remove(1),
  );
  await turn();
  for (const { error } of results) assertInstanceOf(error, ClosedError);
  controller.abort();
  await turn();
  assertEquals([timers.running, pool.stats.pending], [0, 0]);
});

test("a connection that is lost after the client was closed is nothing", async () => {
  const { pool, server } = await connected();
  const { socket } = server;
  pool.destroy();
  socket.end();
  socket.fail(new Error("reset"));
  socket.receive(replies.get());
  await turn();
  assertEquals(pool.stats.connections, 0);
});

test("a connection that is lost while the client closes is replaced for what is pending", async () => {
  const { pool, server, timers } = await connected();
  const results = outcomes(pool.submit(get("a")), pool.close());
  await turn();
  server.socket.end();
  await turn();
  assertEquals([server.attempts, server.socket.sent], [2, ["get 0:a"]]);
  server.socket.receive(replies.get());
  await turn();
  assertEquals(values(results), [null, undefined]);
  assertEquals([server.socket.closed, timers.running], [true, 0]);
});
