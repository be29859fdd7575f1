/** A connection keeps the process alive as long as somebody waits for something, and no longer. */

import { assertEquals } from "@std/assert";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { replies } from "../scripted_server.ts";
import { get, outcomes, set } from "./_calls.ts";
import { connected, unconnected } from "./_fake_pool.ts";

test("a connection that has just been made does not keep the process alive", async () => {
  const { pool, server } = unconnected();
  await pool.open();
  assertEquals(server.socket.referenced, false);
});

test("a call keeps the process alive until its reply has come", async () => {
  const { pool, server, timers } = await connected();
  assertEquals(server.socket.referenced, false);
  outcomes(pool.submit(get("a")), pool.submit(set("b")));
  await turn();
  assertEquals(server.socket.referenced, true);
  server.socket.receive(replies.get());
  assertEquals(server.socket.referenced, true);
  server.socket.receive(replies.set(1));
  assertEquals([server.socket.referenced, timers.keepingAlive], [false, 0]);
});

test("a call without reply keeps the process alive until its bytes have left", async () => {
  const { pool, server } = await connected();
  server.socket.stalled = true;
  outcomes(pool.submit(set("a", "1", 0, true)));
  await turn();
  assertEquals(server.socket.referenced, true);
  server.socket.take();
  await turn();
  assertEquals(server.socket.referenced, false);
});

test("a reply that nobody waits for any more does not keep the process alive", async () => {
  const { pool, server } = await connected();
  const controller = new AbortController();
  outcomes(pool.submit(get("a"), { signal: controller.signal }));
  await turn();
  assertEquals(server.socket.referenced, true);
  controller.abort();
  assertEquals(server.socket.referenced, false);
  outcomes(pool.submit(get("b")));
  await turn();
  assertEquals(server.socket.referenced, true);
  server.socket.receive(replies.get());
  assertEquals(server.socket.referenced, true);
  server.socket.receive(replies.get());
  assertEquals(server.socket.referenced, false);
});

test("a call that waits for a connection keeps the process alive", async () => {
  const { pool, server, timers } = await connected();
  server.socket.end();
  server.mode = "refuse";
  const results = outcomes(pool.submit(get("a")));
  for (let i = 0; i < 100 && !results[0].settled; i++) {
    await turn();
    // Either an attempt is under way, or the wait for the next one.
    assertEquals(results[0].settled || timers.keepingAlive > 0, true);
    await timers.advance(100);
  }
  assertEquals([results[0].settled, timers.keepingAlive], [true, 0]);
});
