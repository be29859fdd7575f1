import { assertEquals } from "@std/assert";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { replies } from "../scripted_server.ts";
import { get, outcomes, values } from "./_calls.ts";
import { connected } from "./_fake_pool.ts";

/** Three connections, all idle. */
async function three(options: Parameters<typeof connected>[0]) {
  const setting = await connected({ connections: 3, ...options });
  const { pool, server } = setting;
  for (let i = 0; i < 3; i++) {
    outcomes(pool.submit(get("a")), pool.submit(get("b")), pool.submit(get("c")));
    await turn();
  }
  assertEquals(server.sockets.length, 3);
  for (const socket of server.sockets) {
    socket.receive(...socket.requests.map(() => replies.get()));
    socket.writes.length = 0;
  }
  await turn();
  assertEquals(pool.stats.pending, 0);
  return setting;
}

test("idle connections above the minimum close after their time", async () => {
  const { pool, server, timers } = await three({ idleTimeout: 1_000, minConnections: 1 });
  await timers.advance(999);
  assertEquals(pool.stats.connections, 3);
  await timers.advance(501);
  assertEquals(pool.stats.connections, 1);
  assertEquals(server.sockets.map(({ closed }) => closed), [true, true, false]);
  await timers.advance(100_000);
  assertEquals([pool.stats.connections, timers.running], [1, 0]);
});

test("without a minimum the last one closes too, and the next call opens one", async () => {
  const { pool, server, timers } = await three({ idleTimeout: 1_000, minConnections: 0 });
  await timers.advance(1_500);
  assertEquals([pool.stats.connections, timers.running], [0, 0]);
  const results = outcomes(pool.submit(get("k")));
  await turn();
  server.socket.receive(replies.get());
  await turn();
  assertEquals([values(results), pool.stats.connections], [[null], 1]);
});

test("connections that are used stay open", async () => {
  const { pool, server, timers } = await three({ idleTimeout: 1_000, minConnections: 0 });
  for (let i = 0; i < 10; i++) {
    const results = outcomes(pool.submit(get("k")));
    await turn();
    server.sockets[0].receive(replies.get());
    await timers.advance(400);
    assertEquals(values(results), [null]);
  }
  assertEquals(server.sockets.map(({ closed }) => closed), [false, true, true]);
});

test("a connection whose reply is due is not idle, however long it takes", async () => {
  const { pool, server, timers } = await three({
    idleTimeout: 1_000,
    minConnections: 0,
    replyTimeout: Infinity,
  });
  const results = outcomes(pool.submit(get("k")));
  await timers.advance(60_000);
  assertEquals(pool.stats.connections, 1);
  server.sockets[0].receive(replies.get());
  await turn();
  assertEquals(values(results), [null]);
});

test("a connection on which a lane lives is not idle", async () => {
  const { pool, server, timers } = await three({ idleTimeout: 1_000, minConnections: 0 });
  const lane = { connection: null, fixed: true };
  outcomes(pool.submit(get("k"), undefined, lane));
  await turn();
  server.sockets[0].receive(replies.get());
  await timers.advance(60_000);
  assertEquals(pool.stats.connections, 1);
  pool.release(lane);
  pool.release(lane);
  await timers.advance(1_500);
  assertEquals([pool.stats.connections, timers.running], [0, 0]);
});

test("an idle connection is asked for a sign of life from time to time", async () => {
  const { pool, server, timers } = await connected({ pingInterval: 1_000 });
  await timers.advance(999);
  assertEquals(server.socket.sent, []);
  for (let i = 1; i <= 3; i++) {
    await timers.advance(1_251);
    assertEquals(server.socket.sent, Array(i).fill("get"));
    server.socket.receive(replies.get());
  }
  assertEquals([pool.stats.calls, timers.keepingAlive, server.socket.referenced], [1, 0, false]);
});

test("a connection in use is not asked", async () => {
  const { pool, server, timers } = await connected({ pingInterval: 1_000 });
  for (let i = 0; i < 20; i++) {
    outcomes(pool.submit(get("k")));
    await turn();
    server.socket.receive(replies.get());
    await timers.advance(300);
  }
  assertEquals(server.socket.sent, Array(20).fill("get 0:k"));
});

test("an idle connection whose peer is gone without a word is found and given up", async () => {
  const { pool, server, timers } = await connected({ pingInterval: 1_000, replyTimeout: 500 });
  await timers.advance(2_000);
  assertEquals([server.socket.closed, pool.stats.connections], [true, 0]);
  assertEquals([server.attempts, timers.running], [1, 0]);
  outcomes(pool.submit(get("k")));
  await turn();
  assertEquals(server.socket.sent, ["get 0:k"]);
});

test("being asked for a sign of life does not keep a connection from being idle", async () => {
  const { server, timers } = await connected({
    pingInterval: 400,
    idleTimeout: 2_000,
    minConnections: 0,
  });
  for (let i = 0; i < 30 && !server.socket.closed; i++) {
    await timers.advance(100);
    while (server.socket.writes.length > 0) {
      server.socket.writes.shift();
      server.socket.receive(replies.get());
    }
  }
  assertEquals([server.socket.closed, timers.running], [true, 0]);
});
