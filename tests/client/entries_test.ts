/** Iterating over a database: what comes, in which order, and that no cursor is left behind. */

import { assertEquals, assertInstanceOf, assertLess, assertRejects } from "@std/assert";
import fc from "fast-check";
import { connect, ConnectionError, type EntriesOptions, ServerError } from "../../mod.ts";
import { startMockServer } from "../../mock_server/mod.ts";
import { test } from "../_harness.ts";
import { calls, mockAndClient } from "./_mock.ts";
import { latin1, nextCall, reply, scripted } from "./_rpc.ts";

const COUNT = 1000;
const key = (i: number) => `k${String(i).padStart(4, "0")}`;

async function setting() {
  const options = { databases: ["%", "*"], requestLogSize: 100_000 };
  const all = await mockAndClient(options, { reconnect: { minDelay: 1 } });
  const { kt, server } = all;
  await kt.setBulk(Array.from({ length: COUNT }, (_, i) => [key(i), String(i)] as const));
  return {
    ...all,
    /** Whether every cursor that was made has been deleted. */
    async noneLeft() {
      await kt.ping();
      const made = calls(server, "cur_jump ") + calls(server, "cur_jump_back ");
      assertEquals(calls(server, "cur_delete "), made, "a cursor was left behind");
    },
  };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test("entries() gives every record in order, with value and expiration", async () => {
  await using here = await setting();
  const { kt, server } = here;
  const expireAt = new Date("2100-01-01T00:00:00Z");
  await kt.set("last", "v", { expireAt });
  const found = await all(kt.entries({ keys: "text" }));
  assertEquals(found.map(({ key }) => key), [
    ...Array.from({ length: COUNT }, (_, i) => key(i)),
    "last",
  ]);
  assertEquals(found[0], { key: key(0), value: "0", database: 0, expiresAt: null });
  assertEquals(found[COUNT], { key: "last", value: "v", database: 0, expiresAt: expireAt });
  // Not one at a time, nor many more than there are.
  assertLess(calls(server, "cur_get "), COUNT + 150);
  assertLess(kt.stats.requests, 30);
  await here.noneLeft();
});

test("entries() begins where it is told, goes backwards, and stops at a limit", async () => {
  await using here = await setting();
  const { kt } = here;
  const keys = async (options: EntriesOptions) =>
    await all(kt.entries({ ...options, keys: "text", keysOnly: true }));
  assertEquals(await keys({ from: "k0997x" }), [key(998), key(999)]);
  assertEquals(await keys({ from: "k0001x", reverse: true }), [key(1), key(0)]);
  assertEquals(await keys({ reverse: true, limit: 2 }), [key(999), key(998)]);
  assertEquals(await keys({ from: "z" }), []);
  assertEquals(await keys({ from: "a", reverse: true }), []);
  assertEquals(await keys({ limit: 0 }), []);
  assertEquals((await keys({ limit: 100 })).length, 100);
  assertEquals((await keys({ reverse: true })).length, COUNT);
  assertEquals((await keys({ reverse: true }))[COUNT - 1], key(0));
  await here.noneLeft();
});

test("entries() of a database without order gives every record once, and has no way back", async () => {
  await using here = await setting();
  const { kt } = here;
  assertEquals(await all(kt.entries({ database: 1 })), []);
  const records = Array.from({ length: 300 }, (_, i) => [key(i), "v"] as const);
  await kt.database(1).setBulk(records);
  const found = await all(kt.entries({ database: 1, keys: "text", keysOnly: true }));
  assertEquals(found.sort(), records.map(([key]) => key));
  await assertRejects(() => kt.entries({ database: 1, reverse: true }).next(), ServerError);
  await assertRejects(() => kt.entries({ database: 9 }).next(), ServerError);
});

test("no way out of the loop leaves a cursor behind", async () => {
  await using here = await setting();
  const { kt } = here;
  for await (const _ of kt.entries()) break;
  await here.noneLeft();
  let seen = 0;
  for await (const _ of kt.entries({ reverse: true })) if (++seen === 500) break;
  await here.noneLeft();
  await assertRejects(
    async () => {
      for await (const _ of kt.entries()) throw new Error("enough");
    },
    Error,
    "enough",
  );
  await here.noneLeft();
  const entries = kt.entries();
  await entries.next();
  await entries.return();
  assertEquals(await entries.next(), { done: true, value: undefined });
  await here.noneLeft();
  await (async () => {
    for await (const _ of kt.entries()) return;
  })();
  await here.noneLeft();
  // One that was not begun needs no end.
  kt.entries();
  await here.noneLeft();
});

test("entries() can be aborted between records", async () => {
  await using here = await setting();
  const controller = new AbortController(), reason = new Error("enough");
  let seen = 0;
  const error = await assertRejects(async () => {
    for await (const _ of here.kt.entries({ signal: controller.signal })) {
      if (++seen === 20) controller.abort(reason);
    }
  });
  assertEquals(error, reason);
  assertEquals(seen, 20);
  await here.noneLeft();
});

test("a lost connection ends the loop with an error", async () => {
  await using here = await setting();
  const { kt, server } = here;
  let seen = 0;
  const error = await assertRejects(async () => {
    for await (const _ of kt.entries()) if (++seen === 1) server.dropConnections();
  });
  assertInstanceOf(error, ConnectionError);
  assertLess(seen, 300);
  assertEquals(await kt.get(key(1)), "1");
});

test("what a codec cannot decode ends the loop behind the records before it", async () => {
  await using here = await setting();
  const { kt, server } = here;
  const raw = await connect(server.url);
  await raw.set(key(40), Uint8Array.of(0xff));
  await raw.set(Uint8Array.of(0x6c, 0xff), "v");
  await raw.close();
  const seen: unknown[] = [];
  await assertRejects(async () => {
    for await (const { key } of kt.entries({ keys: "text" })) seen.push(key);
  }, TypeError);
  assertEquals(seen.length, 40);
  await assertRejects(
    () => all(kt.entries({ from: "l", keys: "text", keysOnly: true })),
    TypeError,
    '"bytes"',
  );
  assertEquals(await all(kt.entries({ from: "l", keysOnly: true })), [Uint8Array.of(0x6c, 0xff)]);
  await here.noneLeft();
});

test("records may be stored and removed on the way", async () => {
  await using here = await setting();
  const { kt } = here;
  const seen: string[] = [];
  for await (const { key: found } of kt.entries({ keys: "text" })) {
    seen.push(found);
    if (found === key(3)) {
      await kt.removeBulk(Array.from({ length: 600 }, (_, i) => key(i)));
      await kt.set("z", "new");
    }
  }
  assertEquals(seen.at(-1), "z");
  assertEquals(seen.includes(key(999)), true);
  assertLess(seen.length, COUNT);
  assertEquals(new Set(seen).size, seen.length);
  const backwards: string[] = [];
  for await (const { key: found } of kt.entries({ keys: "text", reverse: true })) {
    backwards.push(found);
    await kt.remove(key(Number(found.slice(1)) - 1));
    await kt.remove(found);
  }
  assertEquals(new Set(backwards).size, backwards.length, "none comes twice");
  assertEquals(backwards, backwards.toSorted().toReversed());
});

test("a cursor that falls back to the record before does not give it twice", async () => {
  await using setting = await scripted();
  const peer = await setting.accept();
  const found = all(setting.kt.entries({ reverse: true, keysOnly: true, limit: 3 }));
  const calls = ["cur_jump_back"];
  await nextCall(peer);
  await peer.send(reply(200));
  for (const key of ["c", "b", "b", "a"]) {
    for (const _ of ["get", "step"]) calls.push((await nextCall(peer)).procedure);
    await peer.send(reply(200, { key }));
    await peer.send(reply(200));
  }
  assertEquals((await found).map(latin1), ["c", "b", "a"]);
  assertEquals(calls.slice(0, 3), ["cur_jump_back", "cur_get_key", "cur_step_back"]);
  assertEquals((await nextCall(peer)).procedure, "cur_delete");
});

test("large values are asked for a few at a time", async () => {
  await using server = await startMockServer({ databases: ["%"] });
  await using kt = await connect(server.url);
  const value = new Uint8Array(300_000);
  await kt.setBulk(Array.from({ length: 60 }, (_, i) => [key(i), value] as const));
  let seen = 0;
  const before = kt.stats.bytesReceived;
  for await (const entry of kt.entries()) {
    assertEquals(entry.value.length, value.length);
    if (++seen === 18) break;
  }
  assertLess(kt.stats.bytesReceived - before, 30 * 400_000);
  await kt.ping();
});

test("entries() is what sorting by bytes and slicing makes of any keys", async () => {
  await using server = await startMockServer({ databases: ["%"] });
  await using kt = await connect(server.url);
  const order = (a: string, b: string) => a < b ? -1 : a > b ? 1 : 0;
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.uint8Array({ maxLength: 4 }), { selector: String, maxLength: 60 }),
      fc.option(fc.uint8Array({ maxLength: 4 }), { nil: undefined }),
      fc.boolean(),
      fc.option(fc.nat(70), { nil: undefined }),
      async (keys, from, reverse, limit) => {
        await kt.clear();
        await kt.setBulk(keys.map((key) => [key, key] as const));
        const sorted = keys.map(latin1).sort(order);
        if (reverse) sorted.reverse();
        const begin = from === undefined
          ? 0
          : sorted.findIndex((key) =>
            reverse ? order(key, latin1(from)) <= 0 : order(key, latin1(from)) >= 0
          );
        const expected = begin < 0 ? [] : sorted.slice(begin, begin + (limit ?? Infinity));
        const found = await all(kt.entries({ from, reverse, limit }));
        assertEquals(found.map(({ key }) => latin1(key)), expected);
        assertEquals(found.map(({ value }) => latin1(value)), expected);
      },
    ),
    { numRuns: 100 },
  );
});
