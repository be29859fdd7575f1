/** Waiting on the server to be woken, which is no matter of the connections that calls share. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ClosedError, connect, ConnectionError, KyotoTycoonError, ServerError } from "../../mod.ts";
import { type MockServer, startMockServer } from "../../mock_server/mod.ts";
import { test } from "../_harness.ts";
import { deadlineIn } from "../peer.ts";
import { mockAndClient } from "./_mock.ts";
import { nextCall, reply, scripted } from "./_rpc.ts";

const setting = () => mockAndClient({}, { reconnect: { minDelay: 1 } });

/** Resolves when the server has so many connections. */
async function connections(server: MockServer, count: number): Promise<void> {
  while (server.connections !== count) await new Promise((resolve) => setTimeout(resolve, 1));
}

test("waitFor() is woken by wake(), one at a time or all at once", async () => {
  await using all = await setting();
  const { kt } = all;
  assertEquals(await kt.wake("x"), 0);
  const waiting = Array.from({ length: 4 }, () => kt.waitFor("x", 10_000));
  let woken = 0;
  while (woken < 2) woken += await kt.wake("x");
  while (woken < 4) woken += await kt.wake("x", { all: true });
  assertEquals(await Promise.all(waiting), [true, true, true, true]);
});

test("whoever modifies can wake others, whether it succeeds or not", async () => {
  await using all = await setting();
  const { kt } = all;
  await kt.set("text", "abc");
  const operations: [() => Promise<unknown>, ok: boolean][] = [
    [() => kt.set("k", "v", { wake: "x" }), true],
    [() => kt.add("k", "v", { wake: "x" }), true],
    [() => kt.replace("k", "v", { wake: { name: "x", all: true } }), true],
    [() => kt.append("k", "v", { wake: "x" }), true],
    [() => kt.remove("k", { wake: "x" }), true],
    [() => kt.increment("n", 1, { wake: new Uint8Array([0x78]) }), true],
    [() => kt.incrementDouble("d", 1, { wake: "x" }), true],
    [() => kt.cas("c", null, "v", { wake: "x" }), true],
    [() => kt.seize("c", { wake: "x" }), true],
    [() => kt.setBulk({ a: "1" }, { atomic: true, wake: "x" }), true],
    [() => kt.removeBulk(["a"], { atomic: true, wake: "x" }), true],
    [() => kt.rpc("void", {}, { wake: "x" }), true],
    [() => kt.rpc("void", { SIGNAL: "x" }), true],
    [() => kt.increment("text", 1, { wake: "x" }), false],
    [() => kt.rpc("nosuch", {}, { wake: "x" }), false],
    [() => kt.synchronize({ wake: "x" }), true],
    [() => kt.vacuum({ wake: "x" }), true],
    [() => kt.clear({ wake: "x" }), true],
  ];
  for (const [operation, ok] of operations) {
    const woken = kt.waitFor("x", 10_000);
    // The first one wakes another waiter, if this one is not there yet.
    const ready = kt.waitFor("x", 10_000);
    while (await kt.wake("x") === 0);
    await Promise.race([woken, ready]);
    let done = false;
    Promise.all([woken, ready]).then(() => done = true);
    while (!done) {
      const result = await operation().catch((error) => error);
      assertEquals(result instanceof ServerError, !ok, String(operation));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
});

test("waitFor() is false when nobody came in time", async () => {
  await using all = await setting();
  const start = performance.now();
  assertEquals(await all.kt.waitFor("x", 30.5), false);
  assert(performance.now() - start >= 29);
  assertEquals(await all.kt.waitFor("x", 0.001), false);
});

test("who waits holds up nobody, and takes a connection only as long as it lasts", async () => {
  await using all = await setting();
  const { kt, server } = all;
  const waiting = [kt.waitFor("x", 10_000), kt.waitFor("y", 10_000)];
  await connections(server, 3);
  for (let i = 0; i < 100; i++) await kt.set("k", "v");
  assertEquals(kt.stats.connections, 1);
  while (await kt.wake("x") === 0);
  while (await kt.wake("y") === 0);
  assertEquals(await Promise.all(waiting), [true, true]);
  await connections(server, 1);
});

test("waitFor() may take longer than replyTimeout, but not much more than it says", async () => {
  await using setting = await scripted({ replyTimeout: 20, reconnect: false });
  await setting.accept();
  const slow = setting.kt.waitFor("x", 60);
  const peer = await setting.accept();
  const sent = await nextCall(peer);
  assertEquals([...sent.rows], [["WAIT", "x"], ["WAITTIME", "0.060"]]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await peer.send(reply(200));
  assertEquals(await slow, true);
  const dead = setting.kt.waitFor("x", 10).catch((error) => error.name);
  await nextCall(await setting.accept());
  // No socket keeps the process alive meanwhile.
  const awake = setTimeout(() => {}, 5000);
  assertEquals(await dead, "TimeoutError");
  clearTimeout(awake);
});

test("waitFor() can be aborted, before and while it waits, and closes its connection", async () => {
  await using setting = await scripted();
  await setting.accept();
  const reason = new Error("enough");
  const aborted = (signal: AbortSignal) =>
    setting.kt.waitFor("x", 10_000, { signal }).catch((error) => error);
  assertEquals(await aborted(AbortSignal.abort(reason)), reason);
  const controller = new AbortController();
  const result = aborted(controller.signal);
  const peer = await setting.accept();
  await nextCall(peer);
  controller.abort(reason);
  assertEquals(await result, reason);
  await peer.closed(deadlineIn(5000));
  assertEquals(setting.kt.stats.connections, 1);
});

test("no waiting holds up the end of the client", async () => {
  for (const end of ["close", "destroy"] as const) {
    await using setting = await scripted();
    const { kt } = setting;
    await setting.accept();
    const waiting = kt.waitFor("x", 10_000).catch((error) => error);
    const peer = await setting.accept();
    await nextCall(peer);
    await kt[end]();
    assertInstanceOf(await waiting, ClosedError);
    assertInstanceOf(await kt.waitFor("x").catch((error) => error), ClosedError);
    await peer.closed(deadlineIn(5000));
  }
});

test("waitFor() rejects when its connection is lost, or cannot be made", async () => {
  await using all = await setting();
  const { kt, server } = all;
  const waiting = kt.waitFor("x", 10_000).catch((error) => error);
  await connections(server, 2);
  server.dropConnections();
  const error = await waiting;
  assertInstanceOf(error, ConnectionError);
  assertEquals(error.sent, true);
  await server.stop();
  const refused = await kt.waitFor("x", 10_000).catch((error) => error);
  assertInstanceOf(refused, ConnectionError);
  assertEquals(refused.sent, false);
});

test("any procedure can wait, by a row of rpc()", async () => {
  await using all = await setting();
  const { kt } = all;
  const output = kt.rpc("echo", { WAIT: "x", WAITTIME: "10", more: "1" });
  await kt.ping();
  while (await kt.wake("x") === 0);
  assertEquals((await output).text("more"), "1");
  const error = await assertRejects<ServerError>(
    () => kt.rpc("set", { WAIT: "x", WAITTIME: "0.01", key: "k", value: "v" }),
    ServerError,
  );
  assertEquals([error.status, error.serverMessage], [503, "the condition timed out"]);
  assertEquals(await kt.get("k"), null);
});

test("a client with one given transport cannot wait", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ transport: server.connectInMemory() });
  const error = await kt.waitFor("x").catch((error) => error);
  assertInstanceOf(error, TypeError);
  assert(!(error instanceof KyotoTycoonError));
  assertEquals(await kt.wake("x"), 0);
});
