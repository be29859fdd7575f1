import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { replies } from "../scripted_server.ts";
import { get, Outcome, outcomes, remove, set, values } from "./_calls.ts";
import { connected } from "./_fake_pool.ts";

/** A signal that counts its listeners. */
class Abortion {
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;
  readonly reason = new Error("given up");
  listeners = 0;

  constructor() {
    const { signal } = this;
    const add = signal.addEventListener.bind(signal),
      drop = signal.removeEventListener.bind(signal);
    const known = new Set<unknown>();
    signal.addEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
      known.add(listener);
      this.listeners = known.size;
      add(type, listener);
    };
    signal.removeEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
      known.delete(listener);
      this.listeners = known.size;
      drop(type, listener);
    };
  }

  abort(): void {
    this.#controller.abort(this.reason);
  }
}

test("a call whose signal is aborted already rejects and is not sent", async () => {
  const { pool, server } = await connected();
  const abortion = new Abortion();
  abortion.abort();
  const error = await assertRejects(() => pool.submit(get("a"), { signal: abortion.signal }));
  assertStrictEquals(error, abortion.reason);
  await turn();
  assertEquals([server.socket.sent, abortion.listeners, pool.stats.pending], [[], 0, 0]);
});

test("a call that is aborted in the tick in which it was made is not sent", async () => {
  const { pool, server } = await connected();
  const abortion = new Abortion();
  const results = outcomes(
    pool.submit(set("a"), { signal: abortion.signal }),
    pool.submit(set("b")),
  );
  abortion.abort();
  await turn();
  assertStrictEquals(results[0].error, abortion.reason);
  assertEquals([server.socket.sent, abortion.listeners], [["set 0:b="], 0]);
});

test("a call that is aborted while it waits for a connection is not sent", async () => {
  const { pool, server, timers } = await connected();
  server.socket.end();
  server.mode = "refuse";
  const abortion = new Abortion();
  const results = outcomes(
    pool.submit(set("a"), { signal: abortion.signal }),
    pool.submit(set("b")),
  );
  await timers.advance(500);
  abortion.abort();
  await turn();
  assertStrictEquals(results[0].error, abortion.reason);
  server.mode = "accept";
  await timers.advance(1_000);
  assertEquals([server.socket.sent, abortion.listeners], [["set 0:b="], 0]);
});

test("a call that is aborted while another one is being written is not sent", async () => {
  const { pool, server } = await connected();
  server.socket.stalled = true;
  outcomes(pool.submit(set("a")));
  await turn();
  const abortion = new Abortion();
  const results = outcomes(
    pool.submit(set("b"), { signal: abortion.signal }),
    pool.submit(set("c")),
  );
  await turn();
  abortion.abort();
  server.socket.take();
  await turn();
  assertStrictEquals(results[0].error, abortion.reason);
  assertEquals(server.socket.sent, ["set 0:a=", "set 0:c="]);
});

test("a call that is aborted after it was written rejects; its reply is dropped", async () => {
  const { pool, server } = await connected();
  const abortion = new Abortion();
  const results = outcomes(
    pool.submit<unknown>(remove("a"), { signal: abortion.signal }),
    pool.submit<unknown>(get("b")),
  );
  await turn();
  abortion.abort();
  await turn();
  assertStrictEquals(results[0].error, abortion.reason);
  server.socket.receive(replies.remove(1), replies.get({ key: "b", value: "2" }));
  await turn();
  assertEquals(values(results), ["given up", "2"]);
  assertEquals([server.socket.closed, abortion.listeners], [false, 0]);
});

test("a call that is aborted while its reply is being read rejects; the reply is read on", async () => {
  const { pool, server } = await connected();
  const abortion = new Abortion();
  const results = outcomes(
    pool.submit(get("a"), { signal: abortion.signal }),
    pool.submit(get("a")),
  );
  await turn();
  const reply = replies.get({ key: "a", value: "x".repeat(1000) });
  server.socket.receive(reply.subarray(0, 500));
  abortion.abort();
  server.socket.receive(reply.subarray(500), replies.get({ key: "a", value: "2" }));
  await turn();
  assertEquals(values(results), ["given up", "2"]);
});

test("one signal may be for many calls, and leaves no listener when they have ended", async () => {
  const { pool, server, timers } = await connected();
  const abortion = new Abortion();
  const { signal } = abortion;
  const results = outcomes(
    ...Array.from({ length: 50 }, (_, i) => pool.submit(get(`${i}`), { signal, timeout: 5_000 })),
  );
  await turn();
  assert(abortion.listeners > 0);
  server.socket.receive(replies.get());
  await turn();
  assertEquals(values(results), Array(50).fill(null));
  assertEquals([abortion.listeners, timers.running], [0, 1]);
  abortion.abort();
  await turn();
  assertEquals(values(results), Array(50).fill(null));
});

test("listeners and timers are removed from calls that fail", async () => {
  const { pool, server, timers } = await connected({ attempts: 0 });
  const abortion = new Abortion();
  const { signal } = abortion;
  const results = [set("a"), remove("b"), get("c")].map((call) =>
    new Outcome(pool.submit<unknown>(call, { signal, timeout: 5_000 }))
  );
  await turn();
  server.socket.end();
  await turn();
  assertEquals(results.map(({ settled }) => settled), [true, true, true]);
  assertEquals([abortion.listeners, timers.running], [0, 0]);
});

test("a call that times out by itself leaves no listener", async () => {
  const { pool, timers } = await connected();
  const abortion = new Abortion();
  const results = outcomes(pool.submit(get("a"), { signal: abortion.signal, timeout: 100 }));
  await timers.advance(100);
  assertEquals([results[0].error?.name, abortion.listeners], ["TimeoutError", 0]);
});

test("an abort with any reason rejects with that very reason", async () => {
  const { pool } = await connected();
  for (const reason of ["text", 5, null, { code: 1 }]) {
    const controller = new AbortController();
    const call = pool.submit(get("a"), { signal: controller.signal });
    controller.abort(reason);
    const thrown = await call.then(() => "resolved", (error) => error);
    assertStrictEquals(thrown, reason);
  }
  const controller = new AbortController();
  const call = pool.submit(get("a"), { signal: controller.signal });
  controller.abort();
  const error = await assertRejects(() => call, DOMException);
  assertEquals(error.name, "AbortError");
});
