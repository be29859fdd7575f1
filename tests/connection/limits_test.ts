import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { QueueFullError } from "../../src/errors.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { replies } from "../scripted_server.ts";
import { get, outcomes, set, values } from "./_calls.ts";
import { connected } from "./_fake_pool.ts";

test("no more calls are taken than maxQueue says, sent or not", async () => {
  const { pool, server } = await connected({ maxQueue: 3 });
  const results = outcomes(pool.submit(get("a")), pool.submit(get("b")));
  await turn();
  results.push(...outcomes(pool.submit(get("c"))));
  const error = await assertRejects(() => pool.submit(set("d")), QueueFullError);
  assertEquals(error.message, 'Cannot set: 3 calls are pending ("maxQueue" is 3)');
  assertEquals(error.code, "ERR_QUEUE_FULL");
  await turn();
  assertEquals(server.socket.sent, ["get 0:a 0:b", "get 0:c"]);
  server.socket.receive(replies.get());
  await turn();
  results.push(...outcomes(pool.submit(get("e")), pool.submit(get("f"))));
  assertEquals(values(results), [null, null, "waits", "waits", "waits"]);
  await assertRejects(() => pool.submit(get("g")), QueueFullError);
});

test("no more bytes are taken than maxQueueBytes says", async () => {
  const { pool, server } = await connected({ maxQueueBytes: 1_000 });
  outcomes(pool.submit(set("a", "x".repeat(599))));
  const error = await assertRejects(() => pool.submit(set("b", "x".repeat(400))), QueueFullError);
  assertEquals(error.message, 'Cannot set: 600 bytes are pending ("maxQueueBytes" is 1000)');
  outcomes(pool.submit(set("b", "x".repeat(399))));
  assertEquals([pool.stats.pending, pool.stats.pendingBytes], [2, 1_000]);
  await turn();
  server.socket.receive(replies.set(2));
  await turn();
  assertEquals([pool.stats.pending, pool.stats.pendingBytes], [0, 0]);
});

test("a call that is larger than maxQueueBytes passes when it is alone", async () => {
  const { pool, server } = await connected({ maxQueueBytes: 10 });
  const results = outcomes(pool.submit(set("a", "x".repeat(100))));
  await assertRejects(() => pool.submit(get("b")), QueueFullError);
  await turn();
  server.socket.receive(replies.set(1));
  await turn();
  assertEquals(values(results), [undefined]);
  outcomes(pool.submit(get("b")));
});

test("calls that are given up make room at once", async () => {
  const { pool } = await connected({ maxQueue: 1 });
  const controller = new AbortController();
  outcomes(pool.submit(get("a"), { signal: controller.signal }));
  controller.abort();
  outcomes(pool.submit(get("b")));
  assertEquals(pool.stats.pending, 1);
});

test("calls that are given up while there is no connection are forgotten", async () => {
  const { pool, server, timers } = await connected({ attempts: Infinity, queueTimeout: Infinity });
  server.socket.end();
  server.mode = "hang";
  const kept = outcomes(pool.submit(get("kept")));
  const controllers = Array.from({ length: 5_000 }, () => new AbortController());
  for (const { signal } of controllers) outcomes(pool.submit(get("dropped"), { signal }));
  for (const controller of controllers) controller.abort();
  assertEquals([pool.stats.pending, pool.stats.pendingBytes], [1, 4]);
  kept.push(...outcomes(pool.submit(get("later"))));
  await timers.advance(0);
  server.accept();
  await turn();
  assertEquals(server.socket.sent, ["get 0:kept 0:later"]);
});

test("a call that is refused does not count", async () => {
  const { pool } = await connected({ maxQueue: 1 });
  outcomes(pool.submit(get("a")));
  const { calls } = pool.stats;
  for (let i = 0; i < 10; i++) {
    assertInstanceOf(await pool.submit(get("b")).catch((error) => error), QueueFullError);
  }
  assertEquals([pool.stats.calls, pool.stats.pending], [calls, 1]);
});

test("the stats tell calls, requests, bytes and connections", async () => {
  const { pool, server } = await connected();
  const before = pool.stats;
  outcomes(pool.submit(get("a")), pool.submit(get("b")), pool.submit(set("c", "12345")));
  await turn();
  const sent = server.socket.written.length;
  const reply = [replies.get(), replies.set(1)];
  server.socket.receive(...reply);
  const after = pool.stats;
  assertEquals(after.calls - before.calls, 3);
  assertEquals(after.requests - before.requests, 2);
  assertEquals(after.bytesSent - before.bytesSent, sent);
  assertEquals(after.bytesReceived - before.bytesReceived, reply[0].length + reply[1].length);
  assertEquals([after.connections, after.connected, after.pending], [1, 1, 0]);
});
