import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { ClosedError, ConnectionError, TimeoutError } from "../../src/errors.ts";
import { memoryPair } from "../../src/transport/memory.ts";
import type { Connector } from "../../src/transport/transport.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { outcomes } from "./_calls.ts";
import { unconnected } from "./_fake_pool.ts";

/** A server that is connected to like this. */
const at = (connector: Connector) => ({ connector, address: "server:1978" });

test("open() makes one attempt and tells why it failed", async () => {
  const { pool, server, timers } = unconnected();
  server.mode = "refuse";
  const error = await assertRejects(() => pool.open(), ConnectionError);
  assertEquals(error.message, "Cannot connect to server:1978: connection refused");
  assertEquals([error.sent, (error.cause as Error).message], [false, "connection refused"]);
  assertEquals([server.attempts, timers.running], [1, 0]);
});

test("open() gives up after the connect timeout", async () => {
  const { pool, server, timers } = unconnected();
  server.mode = "hang";
  const results = outcomes(pool.open());
  await timers.advance(3_999);
  assertEquals([results[0].settled, timers.keepingAlive], [false, 1]);
  await timers.advance(1);
  const { error } = results[0];
  assertInstanceOf(error, TimeoutError);
  assertEquals(error.message, "Cannot connect to server:1978: no answer within 4000 ms");
  assertEquals([error.phase, error.sent], ["connect", false]);
  assertStrictEquals(server.signals[0].reason, error);
  assertEquals(timers.running, 0);
});

test("open() rejects with the reason of its signal, and tells the connector", async () => {
  const { pool, server, timers } = unconnected();
  server.mode = "hang";
  const controller = new AbortController();
  const results = outcomes(pool.open(controller.signal));
  await turn();
  const reason = new Error("given up");
  controller.abort(reason);
  await turn();
  assertStrictEquals(results[0].error, reason);
  assertStrictEquals(server.signals[0].reason, reason);
  assertEquals(timers.running, 0);
});

test("open() does not begin when its signal is aborted already", async () => {
  const { pool, server } = unconnected();
  const reason = new Error("given up");
  const error = await assertRejects(() => pool.open(AbortSignal.abort(reason)));
  assertStrictEquals(error, reason);
  assertEquals(server.attempts, 0);
});

test("a connection that comes after it was given up is closed", async () => {
  const { pool, server, timers } = unconnected();
  server.mode = "hang";
  const results = outcomes(pool.open());
  await timers.advance(4_000);
  assertInstanceOf(results[0].error, TimeoutError);
  server.accept();
  await turn();
  assertEquals([server.socket.closed, pool.stats.connections], [true, 0]);
});

test("a connection that comes just when the client is destroyed is closed", async () => {
  // The two may be any number of steps apart.
  for (let steps = 0; steps < 12; steps++) {
    const { pool, server, timers } = unconnected();
    server.mode = "hang";
    const results = outcomes(pool.open());
    await turn();
    server.accept();
    for (let i = 0; i < steps; i++) await Promise.resolve();
    pool.destroy();
    await turn();
    assert(results[0].settled, `${steps} steps`);
    assertEquals([server.socket.closed, pool.stats.connections], [true, 0], `${steps} steps`);
    assertEquals(timers.running, 0);
  }
});

test("a client that is destroyed while it connects says so", async () => {
  const { pool, server, timers } = unconnected();
  server.mode = "hang";
  const results = outcomes(pool.open());
  await turn();
  pool.destroy();
  await turn();
  assertInstanceOf(results[0].error, ClosedError);
  assertEquals([server.signals[0].aborted, timers.running], [true, 0]);
  await pool.closed;
});

test("an exception in the connector is the cause of the error", async () => {
  for (const thrown of [new RangeError("bad port"), "no idea", null]) {
    const broken = at(() => {
      throw thrown;
    });
    const { pool } = unconnected({ servers: [broken] });
    const error = await assertRejects(() => pool.open(), ConnectionError);
    assertStrictEquals(error.cause, thrown);
  }
});

test("a connector that gives no transport is an error that says so", async () => {
  for (const wrong of [undefined, null, 5, {}, { readable: new ReadableStream() }]) {
    const { pool, timers } = unconnected({ servers: [at(() => wrong as never)] });
    await assertRejects(
      () => pool.open(),
      TypeError,
      'Cannot use a transport: it has no streams "readable" and "writable"',
    );
    assertEquals(timers.running, 0);
  }
});

test("a connector that gives a transport in use is an error that says so", async () => {
  const [transport] = memoryPair();
  const reader = transport.readable.getReader();
  const { pool } = unconnected({ servers: [at(() => transport)] });
  await assertRejects(
    () => pool.open(),
    TypeError,
    "Cannot use a transport: its streams are in use already",
  );
  reader.releaseLock();
});

test("listeners are removed from the signal, however connecting ends", async () => {
  for (const mode of ["accept", "refuse"] as const) {
    const { pool, server } = unconnected();
    server.mode = mode;
    const signal = new AbortController().signal;
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    await pool.open(signal).catch(() => {});
    assertEquals(listeners, 0, mode);
  }
});
