import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { ConnectionError, ProtocolError, TimeoutError } from "../../src/errors.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { replies } from "../scripted_server.ts";
import { get, outcomes, remove, set, values } from "./_calls.ts";
import { connected, unconnected } from "./_fake_pool.ts";

test("an idle connection that is dropped is replaced on next use, not before", async () => {
  const { pool, server, timers } = await connected();
  server.socket.end();
  await timers.advance(60_000);
  assertEquals([server.attempts, pool.stats.connections], [1, 0]);
  const results = outcomes(pool.submit(get("b")));
  await turn();
  assertEquals(server.attempts, 2);
  server.socket.receive(replies.get({ key: "b", value: "2" }));
  await turn();
  assertEquals(results[0].value, "2");
  assertEquals([pool.stats.connections, pool.stats.connected], [1, 2]);
});

test("calls made while there is no connection wait and go out in order", async () => {
  const { pool, server, timers } = await connected();
  server.socket.end();
  server.mode = "refuse";
  const results = outcomes(...["a", "b", "c"].map((key) => pool.submit(set(key))));
  results.push(...outcomes(pool.submit(get("a"))));
  await timers.advance(1_500);
  results.push(...outcomes(pool.submit(remove("b"))));
  assertEquals(values(results), Array(5).fill("waits"));
  server.mode = "accept";
  await timers.advance(1_500);
  assertEquals(server.socket.sent, ["set 0:a= 0:b= 0:c=", "get 0:a", "remove 0:b"]);
  server.socket.receive(replies.set(3), replies.get(), replies.remove(1));
  await turn();
  assertEquals(values(results), [undefined, undefined, undefined, null, 1]);
});

test("many calls make one attempt to connect", async () => {
  const { pool, server } = await connected();
  server.socket.end();
  server.mode = "hang";
  const results = outcomes(...Array.from({ length: 100 }, (_, i) => pool.submit(get(`${i}`))));
  await turn();
  results.push(...outcomes(pool.submit(get("late"))));
  await turn();
  assertEquals(server.attempts, 2);
  server.accept();
  await turn();
  assertEquals([server.sockets.length, server.socket.requests.length], [2, 1]);
  server.socket.receive(replies.get());
  await turn();
  assertEquals(values(results), Array(101).fill(null));
});

test("the waits between attempts follow the backoff", async () => {
  const waits: number[] = [];
  const { pool, server, timers } = await connected({
    attempts: 5,
    backoff: (attempt) => waits.push(attempt) * 100,
  });
  server.socket.end();
  server.mode = "refuse";
  outcomes(pool.submit(get("a")));
  await timers.advance(99);
  assertEquals(server.attempts, 2);
  await timers.advance(1);
  assertEquals(server.attempts, 3);
  await timers.advance(200);
  assertEquals(server.attempts, 4);
  await timers.advance(10_000);
  assertEquals([server.attempts, waits], [6, [1, 2, 3, 4]]);
});

test("a connection that is lost before it has answered counts as a failed attempt", async () => {
  const { pool, server, timers } = unconnected();
  await pool.open();
  server.socket.end();
  const results = outcomes(pool.submit(get("a")));
  await timers.advance(999);
  assertEquals(server.attempts, 1);
  await timers.advance(1);
  assertEquals(server.attempts, 2);
  server.socket.receive(replies.get());
  await turn();
  assertEquals(results[0].value, null);
});

test("a connection that answered is replaced at once, without a wait", async () => {
  const { pool, server, timers } = await connected();
  for (let i = 0; i < 5; i++) {
    const result = pool.submit(get("a"));
    await turn();
    server.socket.receive(replies.get());
    assertEquals(await result, null);
    server.socket.end();
  }
  assertEquals([server.attempts, timers.now()], [5, 0]);
});

test("a connection that has answered makes up for all attempts that failed before it", async () => {
  const { pool, server, timers } = await connected();
  for (let i = 0; i < 3; i++) {
    server.socket.end();
    server.mode = "refuse";
    const result = pool.submit(get("a"));
    await timers.advance(999);
    server.mode = "accept";
    await timers.advance(1);
    server.socket.receive(replies.get());
    assertEquals(await result, null);
  }
  // Two attempts each: the first was refused, the second came a second later.
  assertEquals([server.attempts, timers.now()], [1 + 3 * 2, 3_000]);
});

test("a server that only ever refuses to store counts as one that answers", async () => {
  const { pool, server, timers } = await connected({ attempts: 3 });
  for (let i = 0; i < 10; i++) {
    const results = outcomes(pool.submit(set("a")));
    await turn();
    assertEquals(server.socket.sent, ["set 0:a="]);
    server.socket.receive(replies.error);
    await turn();
    assertEquals(results[0].error?.name, "ServerError");
  }
  assertEquals([server.attempts, timers.now()], [10, 0]);
});

test("when all attempts have failed the calls that wait reject, and the next begins anew", async () => {
  const { pool, server, timers } = await connected();
  server.socket.end();
  server.mode = "refuse";
  const results = outcomes(pool.submit(get("a")), pool.submit(set("b")));
  await timers.advance(2_999);
  assertEquals(values(results), ["waits", "waits"]);
  await timers.advance(1);
  assertEquals(server.attempts, 4);
  for (const [i, operation] of ["get", "set"].entries()) {
    const { error } = results[i];
    assertInstanceOf(error, ConnectionError);
    assertEquals(error.message, `Cannot ${operation}: cannot connect to server:1978`);
    assertEquals(error.sent, false);
    assertInstanceOf(error.cause, ConnectionError);
    assertEquals(
      error.cause.message,
      "Cannot connect to server:1978: connection refused",
    );
  }
  assertEquals([timers.running, pool.stats.pending], [0, 0]);

  server.mode = "accept";
  const again = outcomes(pool.submit(get("a")));
  await turn();
  server.socket.receive(replies.get());
  await turn();
  assertEquals(again[0].value, null);
});

test("a server that closes each connection at once is given up after all attempts", async () => {
  const { pool, server, timers } = await connected();
  const results = outcomes(pool.submit(get("a")));
  for (let i = 0; i < 10 && !results[0].settled; i++) {
    await turn();
    server.socket.end();
    await timers.advance(5_000);
  }
  assertInstanceOf(results[0].error, ConnectionError);
  // Sent twice, as a read may be.
  assertEquals(server.attempts, 2);
});

test("attempts without end go on until the server is back", async () => {
  const { pool, server, timers } = await connected({
    attempts: Infinity,
    queueTimeout: Infinity,
    backoff: () => 1_000,
  });
  server.socket.end();
  server.mode = "refuse";
  const results = outcomes(pool.submit(get("a")));
  await timers.advance(100_000);
  assertEquals([results[0].settled, server.attempts], [false, 102]);
  server.mode = "accept";
  await timers.advance(1_000);
  server.socket.receive(replies.get());
  await turn();
  assertEquals(results[0].value, null);
});

test("when nobody waits any more no further attempt is made", async () => {
  const { pool, server, timers } = await connected();
  server.socket.end();
  server.mode = "refuse";
  const controller = new AbortController();
  outcomes(pool.submit(get("a"), { signal: controller.signal }));
  await timers.advance(1_000);
  assertEquals(server.attempts, 3);
  controller.abort();
  await timers.advance(60_000);
  assertEquals([server.attempts, timers.running], [3, 0]);
});

test("without reconnection a lost connection fails its calls and all later ones", async () => {
  const { pool, server, timers } = await connected({ attempts: 0 });
  const results = outcomes(pool.submit(get("a")), pool.submit(set("b")));
  await turn();
  results.push(...outcomes(pool.submit(remove("c"))));
  server.socket.fail(new Error("reset"));
  results.push(...outcomes(pool.submit(get("d"))));
  await turn();
  const lost = "the connection was lost";
  assertEquals(values(results), [
    `Cannot get: ${lost} before the reply came: reset`,
    `Cannot set: ${lost} before the reply came: reset`,
    `Cannot remove: ${lost}: reset`,
    `Cannot get: ${lost}: reset`,
  ]);
  assertEquals(
    results.map(({ error }) => (error as ConnectionError).sent),
    [true, true, false, false],
  );
  assertEquals([server.attempts, timers.running], [1, 0]);
});

test("a call that waits too long for a connection times out", async () => {
  const { pool, server, timers } = await connected({ attempts: Infinity });
  server.socket.end();
  server.mode = "hang";
  const results = outcomes(pool.submit(get("a")));
  await timers.advance(12_000);
  results.push(...outcomes(pool.submit(set("b"))));
  await timers.advance(7_999);
  assertEquals(values(results), ["waits", "waits"]);
  await timers.advance(1);
  const { error } = results[0];
  assertInstanceOf(error, TimeoutError);
  assertEquals(error.message, "Cannot get: no connection to server:1978 within 20000 ms");
  assertEquals([error.phase, error.sent], ["queue", false]);
  assertInstanceOf(error.cause, TimeoutError);
  assertEquals(error.cause.phase, "connect");
  assertEquals(results[1].settled, false);
  await timers.advance(12_000);
  assertInstanceOf(results[1].error, TimeoutError);
});

test("a call's own time runs while it waits for a connection", async () => {
  const { pool, server, timers } = await connected();
  server.socket.end();
  server.mode = "hang";
  const results = outcomes(pool.submit(set("a"), { timeout: 500 }), pool.submit(set("b")));
  await timers.advance(500);
  const { error } = results[0];
  assertInstanceOf(error, TimeoutError);
  assertEquals(error.message, "Cannot set: no turn on a connection within 500 ms");
  assertEquals([error.phase, error.sent], ["queue", false]);
  server.accept();
  await turn();
  assertEquals(server.socket.sent, ["set 0:b="]);
});

test("an error of the protocol costs the connection, not the client", async () => {
  const { pool, server, timers } = await connected();
  const results = outcomes(pool.submit(get("a")), pool.submit(set("b")), pool.submit(get("c")));
  await turn();
  const first = server.socket;
  first.receive(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n"));
  await timers.advance(1_000);
  assertEquals(first.closed, true);
  assertInstanceOf(results[0].error, ProtocolError);
  assertInstanceOf(results[1].error, ConnectionError);
  assertStrictEquals(results[1].error.cause, results[0].error);
  assertEquals(server.socket.sent, ["get 0:c"]);
  server.socket.receive(replies.get());
  await turn();
  assertEquals(results[2].value, null);
});

test("bytes that nobody asked for cost the connection; the next call gets another", async () => {
  const { pool, server } = await connected();
  const results = outcomes(pool.submit(get("a")));
  await turn();
  server.socket.receive(replies.get(), replies.get());
  await turn();
  assertEquals([results[0].value, server.sockets[0].closed], [null, true]);
  const next = outcomes(pool.submit(get("b")));
  await turn();
  server.socket.receive(replies.get({ key: "b", value: "2" }));
  await turn();
  assertEquals(next[0].value, "2");
});

test("a connection that is lost before it is used is none", async () => {
  const { pool, server, timers } = await connected();
  server.socket.end();
  server.mode = "hang";
  const results = outcomes(pool.submit(set("a")));
  await turn();
  server.accept();
  server.mode = "accept";
  server.socket.end();
  await turn();
  assertEquals([pool.stats.connections, results[0].settled], [0, false]);
  await timers.advance(1_000);
  assertEquals(server.socket.sent, ["set 0:a="]);
});
