/** Whatever goes in comes out again, by every method that speaks HTTP. */

import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { connect, type KyotoTycoon } from "../../mod.ts";
import { startMockServer } from "../../mock_server/mod.ts";
import { toBytes } from "../../src/codec/writer.ts";
import { test } from "../_harness.ts";
import { data, distinct } from "./_data.ts";
import { latin1 } from "./_rpc.ts";

const RUNS = 150;

/** A test of what is always true of a client whose database 0, which is ordered, is empty. */
function always<T>(
  name: string,
  examples: fc.Arbitrary<T>,
  holds: (kt: KyotoTycoon, example: T) => Promise<void>,
): void {
  test(name, async () => {
    await using server = await startMockServer({ databases: ["%"] });
    await using kt = await connect(server.url);
    const property = fc.asyncProperty(examples, async (example) => {
      await kt.clear();
      await holds(kt, example);
    });
    await fc.assert(property, { numRuns: RUNS });
  });
}

const inOrder = (a: Uint8Array, b: Uint8Array) => latin1(a) < latin1(b) ? -1 : 1;

always("add() stores any value under any key, once", fc.tuple(data, data), async (kt, [k, v]) => {
  assertEquals(await kt.add(k, v), true);
  assertEquals(await kt.add(k, "other"), false);
  assertEquals(await kt.get(k), toBytes(v));
});

always("replace() stores any value", fc.tuple(data, data), async (kt, [k, v]) => {
  assertEquals(await kt.replace(k, v), false);
  await kt.set(k, "old");
  assertEquals(await kt.replace(k, v), true);
  assertEquals(await kt.get(k), toBytes(v));
});

always("append() joins any values", fc.tuple(data, data, data), async (kt, [k, v, w]) => {
  await kt.append(k, v);
  await kt.append(k, w);
  assertEquals(await kt.get(k), concat([toBytes(v), toBytes(w)]));
});

always("check() knows the size of any value", fc.tuple(data, data), async (kt, [k, v]) => {
  await kt.set(k, v);
  assertEquals(await kt.check(k), { size: toBytes(v).length, expiresAt: null });
});

always("seize() gives any value back, once", fc.tuple(data, data), async (kt, [k, v]) => {
  await kt.set(k, v);
  assertEquals(await kt.seize(k), toBytes(v));
  assertEquals(await kt.seize(k), null);
});

always("cas() compares any bytes", fc.tuple(data, data, data), async (kt, [k, v, w]) => {
  const same = String(toBytes(v)) === String(toBytes(w));
  assertEquals(await kt.cas(k, null, v), true);
  assertEquals(await kt.cas(k, w, "x"), same);
  assertEquals(await kt.cas(k, same ? "x" : v, w), true);
  assertEquals(await kt.get(k), toBytes(w));
  assertEquals(await kt.cas(k, w, null), true);
  assertEquals(await kt.get(k), null);
});

always(
  "set() and remove() that wake do the same as those that do not",
  fc.tuple(data, data, data),
  async (kt, [k, v, wake]) => {
    await kt.set(k, v, { wake });
    assertEquals(await kt.get(k), toBytes(v));
    assertEquals(await kt.remove(k, { wake: { name: wake, all: true } }), true);
    assertEquals(await kt.remove(k, { wake }), false);
  },
);

always(
  "increment() adds any numbers of 64 bits, modulo 2^64",
  fc.tuple(data, fc.bigInt(-(2n ** 62n), 2n ** 63n - 2n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
  async (kt, [k, initial, by]) => {
    const sum = BigInt.asIntN(64, initial + by);
    fc.pre(sum !== -(2n ** 63n));
    assertEquals(await kt.increment(k, by, { initial }), sum);
    assertEquals(await kt.increment(k, 0n), sum);
    const stored = (await kt.get(k))!;
    assertEquals(new DataView(stored.buffer, stored.byteOffset).getBigInt64(0), sum);
  },
);

always(
  "incrementDouble() adds as fixed points do",
  fc.tuple(data, fc.array(fc.integer({ min: -2_000_000, max: 2_000_000 }), { minLength: 1 })),
  async (kt, [k, parts]) => {
    let sum = 0, result = 0;
    for (const part of parts) {
      sum += part;
      result = await kt.incrementDouble(k, part / 1000);
    }
    assertEquals(Math.round(result * 1000), sum);
  },
);

always(
  "atomic bulk operations carry any keys and values",
  fc.tuple(distinct(), fc.array(data, { minLength: 8, maxLength: 8 })),
  async (kt, [keys, values]) => {
    const records = keys.map((key, i) => [key, values[i]] as const);
    const entries = records.map(([key, value]) => ({ key, value: toBytes(value), database: 0 }));
    const atomic = true;
    assertEquals(await kt.setBulk(records, { atomic }), keys.length);
    assertEquals(await kt.getBulk(keys, { atomic }), entries);
    assertEquals((await kt.getBulk(keys)).map(({ value }) => value), entries.map((e) => e.value));
    assertEquals(await kt.removeBulk([...keys, "never there"], { atomic }), keys.length);
    assertEquals(await kt.getBulk(keys, { atomic }), []);
  },
);

always(
  "matchPrefix() finds the keys that begin so, in order, up to a limit",
  fc.tuple(distinct(1), fc.nat(300), fc.nat(9)),
  async (kt, [keys, size, limit]) => {
    await kt.setBulk(keys.map((key) => [key, "v"] as const));
    const prefix = toBytes(keys[0]).slice(0, size);
    const expected = keys.map(toBytes).filter((key) => latin1(key).startsWith(latin1(prefix)))
      .sort(inOrder);
    assertEquals(await kt.matchPrefix(prefix), expected);
    assertEquals(await kt.matchPrefix(prefix, { limit }), expected.slice(0, limit));
  },
);

always(
  "matchRegex() and matchSimilar() find keys of any bytes",
  distinct(1),
  async (kt, keys) => {
    await kt.setBulk(keys.map((key) => [key, "v"] as const));
    const sorted = keys.map(toBytes).sort(inOrder);
    assertEquals(await kt.matchRegex(""), sorted);
    const similar = await kt.matchSimilar(keys[0], { distance: Infinity });
    assertEquals(similar[0], toBytes(keys[0]));
    assertEquals(similar.sort(inOrder), sorted);
  },
);

always(
  "entries() and cursors give any keys and values back",
  fc.tuple(distinct(1), fc.array(data, { minLength: 9, maxLength: 9 })),
  async (kt, [keys, values]) => {
    await kt.setBulk(keys.map((key, i) => [key, values[i]] as const));
    const sorted = keys.map((key, i) => ({ key: toBytes(key), value: toBytes(values[i]) }))
      .sort((a, b) => inOrder(a.key, b.key))
      .map((record) => ({ ...record, database: 0, expiresAt: null }));
    const found = [];
    for await (const entry of kt.entries()) found.push(entry);
    assertEquals(found, sorted);
    await using cursor = kt.cursor();
    assertEquals(await cursor.jump(keys[0]), true);
    assertEquals(await cursor.getKey(), toBytes(keys[0]));
    assertEquals(await cursor.getValue(), toBytes(values[0]));
    assertEquals(await cursor.setValue(values[8]), true);
    assertEquals(await kt.get(keys[0]), toBytes(values[8]));
    assertEquals(await cursor.seize(), {
      key: toBytes(keys[0]),
      value: toBytes(values[8]),
      database: 0,
      expiresAt: null,
    });
    assertEquals(await kt.get(keys[0]), null);
  },
);

always("a cursor walks over any keys, back and forth", distinct(1), async (kt, keys) => {
  await kt.setBulk(keys.map((key) => [key, key] as const));
  const sorted = keys.map(toBytes).sort(inOrder);
  await using cursor = kt.cursor();
  const back: (Uint8Array | null)[] = [];
  for (let more = await cursor.jumpBack(); more; more = await cursor.stepBack()) {
    back.push(await cursor.getKey());
  }
  assertEquals(back, sorted.toReversed());
  assertEquals(await cursor.jumpBack(keys[0]), true);
  const at = sorted.findIndex((key) => latin1(key) === latin1(toBytes(keys[0])));
  assertEquals(await cursor.step(), at + 1 < sorted.length);
  assertEquals(await cursor.getValue(), sorted[at + 1] ?? null);
  for (let i = 0; i < sorted.length; i++) {
    assertEquals(await cursor.jump(), true);
    assertEquals(await cursor.remove(), true);
  }
  assertEquals(await cursor.jump(), false);
});

always("rpc() carries any rows there and back", distinct(), async (kt, names) => {
  const rows = names.filter((name) => !["DB", "CUR", "WAIT"].includes(latin1(toBytes(name))))
    .map((name, i) => [name, names[names.length - 1 - i]] as const);
  const output = await kt.rpc("echo", rows);
  assertEquals(output.size, rows.length);
  for (const [name, value] of rows) assertEquals(output.get(name), toBytes(value));
});

test("waitFor() and wake() agree on any name", async () => {
  await using server = await startMockServer();
  await using kt = await connect(server.url);
  const property = fc.asyncProperty(data, async (name) => {
    const woken = kt.waitFor(name, 10_000);
    while (await kt.wake(name) === 0);
    assertEquals(await woken, true);
  });
  await fc.assert(property, { numRuns: 30 });
});
