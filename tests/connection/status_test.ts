import { assertEquals, assertInstanceOf } from "@std/assert";
import type { PoolOptions } from "../../src/connection/pool.ts";
import type { StatusEvent } from "../../src/connection/status.ts";
import { ConnectionError } from "../../src/errors.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { replies } from "../scripted_server.ts";
import { get, outcomes, values } from "./_calls.ts";
import { FakeServer, unconnected } from "./_fake_pool.ts";

/** An event in short, such as `"reconnecting 2 in 1000: connection refused"`. */
function brief({ status, reason, attempt, delay }: StatusEvent): string {
  const when = attempt === undefined ? "" : ` ${attempt} in ${delay}`;
  return status + when + (reason instanceof Error ? `: ${reason.message}` : "");
}

async function watched(options: Partial<PoolOptions> = {}) {
  const events: StatusEvent[] = [];
  const setting = unconnected({ onStatus: (event) => events.push(event), ...options });
  await setting.pool.open();
  return { ...setting, events, told: () => events.splice(0).map(brief) };
}

test("a client tells when it is connected, and when it is closed", async () => {
  const { pool, events } = await watched();
  await pool.close();
  pool.destroy();
  assertEquals(events, [
    { status: "connected", server: "server:1978" },
    { status: "closed", server: "server:1978", reason: undefined },
  ]);
});

test("a loss is told at once, and each attempt to make up for it, with the reason", async () => {
  const { pool, server, timers, told } = await watched();
  server.mode = "refuse";
  server.socket.receive(replies.get());
  server.socket.fail(new Error("reset"));
  const unasked = "Cannot read a reply: the server sent bytes that nobody asked for";
  assertEquals(told(), ["connected", `disconnected: ${unasked}`]);
  outcomes(pool.submit(get("a")));
  assertEquals(told(), [`reconnecting 2 in 1000: ${unasked}`]);
  await timers.advance(1_000);
  const refused = "Cannot connect to server:1978: connection refused";
  assertEquals(told(), [`reconnecting 3 in 2000: ${refused}`]);
  server.mode = "accept";
  await timers.advance(2_000);
  assertEquals(told(), ["connected"]);
});

test("when all attempts have failed the client is disconnected until the next call", async () => {
  const { pool, server, timers, told } = await watched({ attempts: 2 });
  server.mode = "refuse";
  server.socket.end();
  outcomes(pool.submit(get("a")));
  await timers.advance(1_000);
  assertEquals(told().at(-1), "disconnected: Cannot connect to server:1978: connection refused");
  await timers.advance(60_000);
  assertEquals(told(), []);
  server.mode = "accept";
  outcomes(pool.submit(get("a")));
  await turn();
  assertEquals(told(), [
    "reconnecting 1 in 0: Cannot connect to server:1978: connection refused",
    "connected",
  ]);
});

test("one connection of several that is lost changes nothing", async () => {
  const { pool, server, told } = await watched({ connections: 2 });
  outcomes(pool.submit(get("a")), pool.submit(get("b")));
  await turn();
  assertEquals(server.sockets.length, 2);
  server.mode = "refuse";
  server.sockets[0].end();
  await turn();
  assertEquals(told(), ["connected"]);
  server.sockets[1].end();
  assertEquals(told()[0], "disconnected: the server closed the connection");
});

test("a change of server is told", async () => {
  const a = new FakeServer("a:1"), b = new FakeServer("b:2");
  const events: StatusEvent[] = [];
  const { pool } = unconnected({
    servers: [a.address, b.address],
    onStatus: (event) => events.push(event),
  });
  const opened = pool.open();
  await turn();
  a.socket.receive(replies.get());
  await opened;
  a.mode = "refuse";
  a.socket.end();
  outcomes(pool.submit(get("k")));
  await turn();
  b.socket.receive(replies.get());
  await turn();
  assertEquals(events.map(({ status, server }) => `${status} ${server}`), [
    "connected a:1",
    "disconnected a:1",
    "reconnecting a:1, b:2",
    "connected b:2",
  ]);
});

test("a client may be closed by whoever is told of anything", async () => {
  for (const status of ["connected", "disconnected", "reconnecting"] as const) {
    const { pool, server, timers, events } = unconnectedAndClosedAt(status);
    await pool.open().catch(() => {});
    const results = outcomes(pool.submit(get("a")));
    await turn();
    server.sockets.at(-1)?.end();
    results.push(...outcomes(pool.submit(get("b"))));
    await timers.advance(60_000);
    await pool.closed;
    assertEquals([values(results).includes("waits"), timers.running], [false, 0], status);
    assertEquals(events.map((event) => event.status).slice(-2), [status, "closed"]);
    assertEquals(server.sockets.every(({ closed }) => closed), true, status);
  }
});

function unconnectedAndClosedAt(status: string) {
  const events: StatusEvent[] = [];
  const setting = unconnected({
    onStatus: (event) => {
      events.push(event);
      if (event.status === status) setting.pool.destroy();
    },
  });
  return { ...setting, events };
}

test("calls made by whoever is told go out", async () => {
  const made: unknown[] = [];
  const setting = unconnected({
    onStatus: ({ status }) => {
      if (status !== "closed") made.push(...outcomes(setting.pool.submit(get(status))));
    },
  });
  const { pool, server } = setting;
  await pool.open();
  await turn();
  server.socket.receive(replies.get());
  server.socket.end();
  await turn();
  assertEquals(server.socket.sent, ["get 0:disconnected 0:reconnecting 0:connected"]);
});

test("the reason of a loss is the one that the calls are given", async () => {
  const { pool, server, events } = await watched({ attempts: 0 });
  const results = outcomes(pool.submit(get("a")));
  await turn();
  const reason = new Error("reset");
  server.socket.fail(reason);
  await turn();
  assertInstanceOf(results[0].error, ConnectionError);
  assertEquals([results[0].error.cause, events[1].reason], [reason, reason]);
});
