import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { ClosedError, TimeoutError } from "../../src/errors.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { replies } from "../scripted_server.ts";
import { get, outcomes, remove, values } from "./_calls.ts";
import { connected } from "./_fake_pool.ts";

const FULL = { maxQueue: 2, whenFull: "wait" } as const;

test("calls beyond the bound wait, and go out in order", async () => {
  const { pool, server } = await connected(FULL);
  const results = outcomes(...[..."abcde"].map((key) => pool.submit(remove(key))));
  await turn();
  assertEquals(server.socket.sent, ["remove 0:a", "remove 0:b"]);
  assertEquals([pool.stats.pending, pool.stats.queued], [2, 3]);
  server.socket.receive(replies.remove(1));
  await turn();
  assertEquals(server.socket.sent, ["remove 0:a", "remove 0:b", "remove 0:c"]);
  server.socket.receive(replies.remove(1), replies.remove(0));
  await turn();
  server.socket.receive(replies.remove(1), replies.remove(0));
  await turn();
  assertEquals(server.socket.sent.slice(3), ["remove 0:d", "remove 0:e"]);
  assertEquals(values(results), [1, 1, 0, 1, 0]);
});

test("nobody overtakes those who wait", async () => {
  const { pool, server } = await connected({ maxQueueBytes: 10, whenFull: "wait" });
  outcomes(pool.submit(get("a".repeat(8))), pool.submit(get("b".repeat(8))));
  outcomes(pool.submit(get("c")));
  await turn();
  assertEquals(server.socket.sent, [`get 0:${"a".repeat(8)}`]);
  server.socket.receive(replies.get());
  await turn();
  assertEquals(server.socket.sent.slice(1), [`get 0:${"b".repeat(8)} 0:c`]);
});

test("a call that waits may be given up", async () => {
  const { pool, server, timers } = await connected(FULL);
  const reason = new Error("enough");
  const controller = new AbortController();
  const results = outcomes(
    pool.submit(get("a")),
    pool.submit(remove("b")),
    pool.submit(get("c"), { signal: controller.signal }),
    pool.submit(get("d"), { timeout: 1_000 }),
    pool.submit(get("e")),
  );
  controller.abort(reason);
  await timers.advance(1_000);
  assertStrictEquals(results[2].error, reason);
  assertInstanceOf(results[3].error, TimeoutError);
  assertEquals([results[3].error.phase, results[3].error.sent], ["queue", false]);
  server.socket.receive(replies.get(), replies.remove(1));
  await turn();
  assertEquals(server.socket.sent, ["get 0:a", "remove 0:b", "get 0:e"]);
});

test("close() lets in those who wait and finishes them", async () => {
  const { pool, server } = await connected(FULL);
  const results = outcomes(...[..."abcd"].map((key) => pool.submit(remove(key))));
  const closed = outcomes(pool.close());
  const late = outcomes(pool.submit(get("late")));
  await turn();
  assertInstanceOf(late[0].error, ClosedError);
  server.socket.receive(replies.remove(1), replies.remove(1));
  await turn();
  assertEquals(closed[0].settled, false);
  server.socket.receive(replies.remove(1), replies.remove(1));
  await turn();
  assertEquals([values(results), closed[0].settled], [[1, 1, 1, 1], true]);
});

test("destroy() ends those who wait", async () => {
  const { pool } = await connected(FULL);
  const results = outcomes(...[..."abcd"].map((key) => pool.submit(get(key))));
  pool.destroy();
  await turn();
  for (const { error } of results) assertInstanceOf(error, ClosedError);
  assertEquals(pool.stats.queued, 0);
});

test("when the connection is lost those who wait are let in to the next one", async () => {
  const { pool, server } = await connected(FULL);
  const results = outcomes(...[..."abcd"].map((key) => pool.submit(remove(key))));
  await turn();
  server.socket.end();
  await turn();
  assertEquals(server.socket.sent, ["remove 0:c", "remove 0:d"]);
  server.socket.receive(replies.remove(1), replies.remove(1));
  await turn();
  assertEquals(values(results).slice(2), [1, 1]);
});

test("those who wait and give up are forgotten", async () => {
  const { pool } = await connected(FULL);
  outcomes(pool.submit(get("a")), pool.submit(get("b")));
  for (let i = 0; i < 10_000; i++) {
    const controller = new AbortController();
    outcomes(pool.submit(get("c"), { signal: controller.signal }));
    controller.abort();
  }
  assertEquals(pool.stats.queued <= 2_048, true);
});
