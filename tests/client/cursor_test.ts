/** Cursors: what they do, whom they belong to, and how they end. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  ClosedError,
  connect,
  ConnectionError,
  QueueFullError,
  ServerError,
  text,
} from "../../mod.ts";
import { startMockServer } from "../../mock_server/mod.ts";
import { test } from "../_harness.ts";
import { calls, mockAndClient, type Setting } from "./_mock.ts";
import { nextCall, reply, scripted } from "./_rpc.ts";

const SOON = { reconnect: { minDelay: 1 } };
const fruit = { apple: "1", banana: "2", cherry: "3", date: "4" };

async function setting(databases: string[] = ["%", "*"]): Promise<Setting> {
  const all = await mockAndClient({ databases, requestLogSize: 10_000 }, SOON);
  await all.kt.setBulk(fruit);
  return all;
}

test("a cursor moves forwards and backwards, and is nowhere beyond the ends", async () => {
  await using all = await setting();
  await using cursor = all.kt.cursor({ keys: "text" });
  assertEquals(await cursor.get(), null);
  assertEquals(await cursor.step(), false);
  assertEquals(await cursor.jump(), true);
  assertEquals(await cursor.get(), {
    key: "apple",
    value: "1",
    database: 0,
    expiresAt: null,
  });
  assertEquals([await cursor.step(), await cursor.getKey()], [true, "banana"]);
  assertEquals([await cursor.stepBack(), await cursor.getValue()], [true, "1"]);
  assertEquals([await cursor.stepBack(), await cursor.getKey()], [false, null]);
  assertEquals([await cursor.jump("b"), await cursor.getKey()], [true, "banana"]);
  assertEquals([await cursor.jump("e"), await cursor.getKey()], [false, null]);
  assertEquals([await cursor.jumpBack("cz"), await cursor.getKey()], [true, "cherry"]);
  assertEquals([await cursor.jumpBack(), await cursor.getKey()], [true, "date"]);
  assertEquals([await cursor.step(), await cursor.getKey()], [false, null]);
  assertEquals([await cursor.jumpBack("A"), await cursor.getValue()], [false, null]);
});

test("what moves on by itself goes the way that the cursor was moved last", async () => {
  await using all = await setting();
  await using cursor = all.kt.cursor({ keys: "text" });
  await cursor.jump("banana");
  assertEquals([await cursor.getKey({ step: true }), await cursor.getKey()], ["banana", "cherry"]);
  await cursor.jumpBack("cherry");
  assertEquals([await cursor.getKey({ step: true }), await cursor.getKey()], ["cherry", "banana"]);
  await cursor.step();
  assertEquals((await cursor.get({ step: true }))?.key, "cherry");
  assertEquals(await cursor.getKey(), "date");
  assertEquals([await cursor.stepBack(), await cursor.remove()], [true, true]);
  assertEquals(await cursor.getKey(), "banana");
});

test("a cursor stores, removes and seizes", async () => {
  await using all = await setting();
  const { kt } = all;
  await using cursor = kt.cursor({ keys: "text" });
  await cursor.jump();
  const expireAt = new Date("2100-01-01T00:00:00Z");
  assertEquals(await cursor.setValue("one", { expireAt }), true);
  assertEquals((await cursor.get())?.expiresAt, expireAt);
  assertEquals(await cursor.setValue("uno", { step: true }), true);
  assertEquals(await kt.get("apple"), "uno");
  assertEquals(await cursor.seize(), {
    key: "banana",
    value: "2",
    database: 0,
    expiresAt: null,
  });
  assertEquals(await cursor.remove(), true);
  assertEquals(await cursor.getKey(), "date");
  assertEquals((await cursor.seize())?.value, "4");
  const nowhere = [await cursor.seize(), await cursor.remove(), await cursor.setValue("x")];
  assertEquals(nowhere, [null, false, false]);
  assertEquals(await kt.matchPrefix("", { keys: "text" }), ["apple"]);
});

test("a cursor whose record others remove moves to the next one", async () => {
  await using all = await setting();
  await using cursor = all.kt.cursor({ keys: "text" });
  await cursor.jump("banana");
  await all.kt.remove("banana");
  assertEquals(await cursor.getKey(), "cherry");
});

test("keys come as bytes, or as text, which must be UTF-8", async () => {
  await using all = await setting();
  const { kt } = all;
  await kt.set(Uint8Array.of(0xff), "v");
  await using bytes = kt.cursor();
  await bytes.jumpBack();
  assertEquals(await bytes.getKey(), Uint8Array.of(0xff));
  await using strict = kt.cursor({ keys: "text" });
  await strict.jumpBack();
  await assertRejects(() => strict.getKey(), TypeError, '"bytes"');
  await assertRejects(() => strict.get(), TypeError);
  assertEquals(await strict.getValue(), "v");
});

test("a database without an order has no way back, and no keys in between", async () => {
  await using all = await setting();
  const kt = all.kt.database(1);
  await kt.setBulk(fruit);
  await using cursor = kt.cursor({ keys: "text" });
  for (const call of [() => cursor.jumpBack(), () => cursor.stepBack()]) {
    const error = await assertRejects<ServerError>(call, ServerError);
    assertEquals([error.operation.startsWith("cursor."), error.serverCode], [true, 1]);
  }
  assertEquals(await cursor.jump("banan"), false);
  assertEquals([await cursor.jump("banana"), await cursor.getKey()], [true, "banana"]);
});

test("cursors of one client do not meet, on however many connections", async () => {
  await using server = await startMockServer({ databases: ["%"] });
  await using kt = await connect(server.url, { connections: 3, codec: text });
  await kt.setBulk(Array.from({ length: 30 }, (_, i) => [`k${10 + i}`, `v${i}`] as const));
  const cursors = Array.from({ length: 9 }, () => kt.cursor({ keys: "text" }));
  await Promise.all(cursors.map((cursor, i) => cursor.jump(`k${10 + i}`)));
  for (let step = 0; step < 20; step++) {
    const keys = await Promise.all(cursors.map((cursor) => cursor.getKey({ step: true })));
    assertEquals(keys, cursors.map((_, i) => `k${10 + i + step}`));
    // Others are served on the same connections meanwhile.
    await Promise.all(Array.from({ length: step % 4 }, () => kt.get("k10")));
  }
  await Promise.all(cursors.map((cursor) => cursor.close()));
});

test("the cursors of an ordered view keep their place among its other calls", async () => {
  await using server = await startMockServer({ databases: ["%"] });
  await using kt = await connect(server.url, { connections: 3, codec: text });
  const view = kt.ordered();
  for (let i = 0; i < 30; i++) {
    const others = Array.from({ length: i % 4 }, () => kt.check("k"));
    const cursor = view.cursor(), value = String(i);
    const calls = i % 2 === 0
      ? [view.set("k", value), cursor.jump("k"), cursor.getValue(), view.seize("k")]
      : [cursor.jump("k"), view.set("k", value), cursor.jump(), cursor.getValue(), view.seize("k")];
    assertEquals((await Promise.all<unknown>(calls)).slice(-2), [value, value]);
    await view.set("k", value);
    const [, entry] = await Promise.all([view.set("k", "next"), view.entries().next()]);
    assertEquals(entry.value?.value, "next");
    await Promise.all([...others, cursor.close(), view.remove("k")]);
  }
  assertEquals(kt.stats.connections, 3);
});

test("the server forgets a cursor that is closed", async () => {
  await using all = await setting();
  const { kt, server } = all;
  const cursor = kt.cursor();
  await cursor.jump();
  const closing = cursor.close();
  await assertRejects(() => cursor.get(), ClosedError, "the cursor is closed");
  await closing;
  await cursor.close();
  await cursor[Symbol.asyncDispose]();
  assertEquals(calls(server, "cur_delete"), 1);
  {
    await using inside = kt.cursor();
    await inside.jump();
  }
  assertEquals(calls(server, "cur_delete"), 2);
  await assertRejects(
    async () => {
      await using inside = kt.cursor();
      await inside.jump();
      throw new Error("enough");
    },
    Error,
    "enough",
  );
  assertEquals(calls(server, "cur_delete"), 3);
  // Calls that were not waited for come first.
  const last = kt.cursor({ keys: "text" });
  const moved = last.jump(), key = last.getKey();
  await last.close();
  assertEquals([await moved, await key], [true, "apple"]);
  assertEquals(calls(server, "cur_delete"), 4);
});

test("a cursor is forgotten though the queue of calls is full when it ends", async () => {
  await using here = await scripted({ maxQueue: 1 });
  const { kt } = here, peer = await here.accept();
  const cursor = kt.cursor();
  const jumped = cursor.jump();
  await nextCall(peer);
  const full = await kt.get("k").catch((error) => error);
  assertInstanceOf(full, QueueFullError);
  const closing = cursor.close();
  await peer.send(reply(200));
  assertEquals(await jumped, true);
  assertEquals((await nextCall(peer)).procedure, "cur_delete");
  await peer.send(reply(200));
  await closing;
});

test("what a cursor changes can wake others", async () => {
  await using all = await setting();
  const { kt } = all;
  await using cursor = kt.cursor();
  await cursor.jump();
  for (
    const change of [
      () => cursor.setValue("v", { wake: "x" }),
      () => cursor.remove({ wake: "x" }),
      () => cursor.seize({ wake: { name: "x", all: true } }),
    ]
  ) {
    let woken = false;
    const waiting = kt.waitFor("x", 10_000).then((result) => woken = result);
    while (!woken) {
      await change();
      await cursor.jump();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await waiting;
    await kt.setBulk(fruit);
    await cursor.jump();
  }
});

test("a connection that a cursor holds is not closed for being idle", async () => {
  await using server = await startMockServer({ databases: ["%"] });
  await using kt = await connect(server.url, {
    connections: 2,
    minConnections: 0,
    idleTimeout: 1,
    codec: text,
  });
  await kt.setBulk(fruit);
  const cursor = kt.cursor({ keys: "text" });
  assertEquals(await cursor.jump(), true);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(await cursor.getKey(), "apple");
  await cursor.close();
  while (kt.stats.connections > 0) await new Promise((resolve) => setTimeout(resolve, 1));
});

test("a cursor that was not used is not made, and need not be forgotten", async () => {
  await using all = await setting();
  await using _ = all.kt.cursor();
  await all.kt.cursor().close();
  await assertRejects(() => all.kt.cursor().jump("k", { signal: AbortSignal.abort() }));
  assertEquals(calls(all.server, "cur_"), 0);
});

test("a cursor ends with its connection, and is never made anew", async () => {
  await using all = await setting();
  const { kt, server } = all;
  const cursor = kt.cursor();
  await cursor.jump("banana");
  const under = assertRejects(() => cursor.getKey(), ConnectionError);
  server.dropConnections();
  await under;
  // The client connects again, for others.
  assertEquals(await kt.get("apple"), "1");
  for (const call of [() => cursor.get(), () => cursor.jump(), () => cursor.setValue("v")]) {
    const error = await assertRejects<ConnectionError>(call, ConnectionError);
    assertEquals(error.sent, false);
    assert(error.message.includes("the connection was lost"), error.message);
  }
  const made = calls(server, "cur_");
  await cursor.close();
  assertEquals(calls(server, "cur_"), made);
  await using another = kt.cursor({ keys: "text" });
  assertEquals([await another.jump(), await another.getKey()], [true, "apple"]);
});

test("the calls of a cursor end with the client", async () => {
  await using all = await setting();
  const cursor = all.kt.cursor({ keys: "text" });
  const pending = cursor.jump();
  await all.kt.close();
  assertEquals(await pending, true);
  assertInstanceOf(await cursor.get().catch((error) => error), ClosedError);
  await cursor.close();
});

test("a database that does not exist has no cursors", async () => {
  await using all = await setting();
  await using cursor = all.kt.cursor({ database: 9 });
  const error = await assertRejects<ServerError>(() => cursor.jump(), ServerError);
  assertEquals([error.status, error.serverMessage], [400, "no such cursor"]);
});
