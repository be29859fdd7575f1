import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { connect, type KyotoTycoon, TimeoutError } from "../../mod.ts";
import { test } from "../_harness.ts";
import { replies, ScriptedServer } from "../scripted_server.ts";
import { connected } from "./_client.ts";

type Call = (
  kt: KyotoTycoon,
  options: { signal?: AbortSignal; timeout?: number },
) => Promise<unknown>;

const calls: Record<string, Call> = {
  get: (kt, options) => kt.get("k", options),
  getEntry: (kt, options) => kt.getEntry("k", options),
  set: (kt, options) => kt.set("k", "v", options),
  remove: (kt, options) => kt.remove("k", options),
  getBulk: (kt, options) => kt.getBulk(["k"], options),
  setBulk: (kt, options) => kt.setBulk({ k: "v" }, options),
  removeBulk: (kt, options) => kt.removeBulk(["k"], options),
  playScript: (kt, options) => kt.playScript("p", {}, options),
  ping: (kt, options) => kt.ping(options),
};

test("every call can be aborted: before it is made, in its tick, and later", async () => {
  for (const [name, call] of Object.entries(calls)) {
    await using server = ScriptedServer.inMemory(async (connection) => await connection.ended());
    const kt = await connect({ connector: server.connector });
    const reason = new Error(`enough of ${name}`);
    assertStrictEquals(
      await call(kt, { signal: AbortSignal.abort(reason) }).catch((error) => error),
      reason,
    );
    for (const wait of [() => {}, () => new Promise((resolve) => setTimeout(resolve, 2))]) {
      const controller = new AbortController();
      const result = call(kt, { signal: controller.signal }).catch((error) => error);
      await wait();
      controller.abort(reason);
      assertStrictEquals(await result, reason, name);
    }
    assertEquals(kt.stats.pending, 0);
    kt.destroy();
  }
});

test("every call can have a time of its own", async () => {
  for (const [name, call] of Object.entries(calls)) {
    await using server = ScriptedServer.inMemory(async (connection) => await connection.ended());
    const kt = await connect({ connector: server.connector });
    const error = await assertRejects(() => call(kt, { timeout: 5 }), TimeoutError);
    assertEquals(error.message, `Cannot ${name}: no reply within 5 ms`);
    assertEquals([error.phase, error.sent], ["reply", true]);
    kt.destroy();
  }
});

test("AbortSignal.timeout() rejects with its own error", async () => {
  await using server = ScriptedServer.inMemory(async (connection) => await connection.ended());
  const kt = await connect({ connector: server.connector });
  const error = await kt.get("k", { signal: AbortSignal.timeout(5) }).catch((error) => error);
  assertInstanceOf(error, DOMException);
  assertEquals(error.name, "TimeoutError");
  assert(!(error instanceof TimeoutError));
  kt.destroy();
});

test("the connection is as good as before when a late reply has come", async () => {
  await using server = ScriptedServer.inMemory(async (connection) => {
    await connection.request();
    const second = await connection.request();
    await connection.send(replies.get({ key: "a", value: "late" }));
    assertEquals(second.kind, "get");
    await connection.send(replies.get({ key: "b", value: "in time" }));
  });
  await using kt = await connect({ connector: server.connector });
  const controller = new AbortController();
  const given = kt.get("a", { signal: controller.signal }).catch(() => "given up");
  await new Promise((resolve) => setTimeout(resolve, 5));
  controller.abort();
  assertEquals(await given, "given up");
  assertEquals(await kt.get("b"), new TextEncoder().encode("in time"));
  assertEquals(kt.stats.connected, 1);
});

test("connecting can be given up by a signal, which means nothing once it is done", async () => {
  const reason = new Error("no time");
  const aborted = AbortSignal.abort(reason);
  const never = () => new Promise<never>(() => {});
  assertStrictEquals(
    await connect({ connector: never, signal: aborted }).catch((error) => error),
    reason,
  );
  const controller = new AbortController();
  const connecting = connect({ connector: never, signal: controller.signal });
  setTimeout(() => controller.abort(reason), 5);
  assertStrictEquals(await connecting.catch((error) => error), reason);

  const later = new AbortController();
  await using setting = await connected({ signal: later.signal });
  later.abort(reason);
  assertInstanceOf(await setting.kt.get("k"), Uint8Array);
});
