/** What callers may get wrong, what they are told then, and that they are told by a rejection. */

import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import type { KyotoTycoon } from "../../mod.ts";
import { test } from "../_harness.ts";
import { connected } from "./_client.ts";

/** The compiler would refuse most of these; callers in JavaScript have none. */
// deno-lint-ignore no-explicit-any -- arguments of the wrong type are what this is about
type Untyped = any;
type Wrong = [
  what: string,
  call: (kt: Untyped) => unknown,
  error: ErrorConstructor,
  message: string,
];

const keyed = ["get", "getEntry", "set", "remove"] as const;
const bulks = ["getBulk", "setBulk", "removeBulk"] as const;
const all = [...keyed, ...bulks, "playScript", "ping"] as const;

/** Good arguments up to the options. */
const good: Record<typeof all[number], unknown[]> = {
  get: ["k"],
  getEntry: ["k"],
  set: ["k", "v"],
  remove: ["k"],
  getBulk: [["k"]],
  setBulk: [{ k: "v" }],
  removeBulk: [["k"]],
  playScript: ["p", { k: "v" }],
  ping: [],
};

const wrong: Wrong[] = [];
for (const name of keyed) {
  const rest = name === "set" ? ["v"] : [];
  for (
    const [key, shown] of [
      [undefined, "undefined"],
      [null, "null"],
      [5, "5"],
      [{}, 'of type "object"'],
      [["k"], 'of type "object"'],
      [new ArrayBuffer(3), 'of type "object"'],
      [new Uint16Array(3), 'of type "object"'],
      [Symbol("k"), 'of type "symbol"'],
    ] as const
  ) {
    wrong.push([
      `${name} with the key ${shown}`,
      (kt) => kt[name](key, ...rest),
      TypeError,
      `Cannot ${name}: the key is ${shown}, not a string or Uint8Array`,
    ]);
  }
}
for (const name of all) {
  const call = (options: unknown) => (kt: Untyped) => kt[name](...good[name], options);
  for (const options of [null, 5, "text"]) {
    wrong.push([
      `${name} with ${options} for options`,
      call(options),
      TypeError,
      `Cannot ${name}: the options are ${JSON.stringify(options)}, not an object`,
    ]);
  }
  for (const timeout of [0, -1, NaN, "100", null]) {
    wrong.push([
      `${name} with the timeout ${timeout}`,
      call({ timeout }),
      RangeError,
      `Cannot ${name}: "timeout" is ${
        typeof timeout === "string" ? '"100"' : timeout
      }, not a number above 0`,
    ]);
  }
  wrong.push([
    `${name} with a signal that is none`,
    call({ signal: {} }),
    TypeError,
    `Cannot ${name}: "signal" is of type "object", not an AbortSignal`,
  ]);
  if (name === "playScript" || name === "ping") continue;
  for (const database of [-1, 65536, 1.5, NaN, "0", null]) {
    wrong.push([
      `${name} in database ${database}`,
      call({ database }),
      RangeError,
      `Cannot ${name}: "database" is ${
        typeof database === "string" ? '"0"' : database
      }, not a whole number from 0 to 65535`,
    ]);
  }
}
for (const value of [undefined, null, 5, {}, new ArrayBuffer(2)]) {
  const shown = typeof value === "object" && value !== null ? 'of type "object"' : String(value);
  const message = (name: string) =>
    `Cannot ${name}: the value is ${shown}, not a string or Uint8Array`;
  wrong.push(
    [`set of ${shown}`, (kt) => kt.set("k", value), TypeError, message("set")],
    [`setBulk of ${shown}`, (kt) => kt.setBulk({ k: value }), TypeError, message("setBulk")],
    [
      `playScript with ${shown}`,
      (kt) => kt.playScript("p", [["k", value]]),
      TypeError,
      message("playScript"),
    ],
  );
}
for (const name of ["set", "setBulk"] as const) {
  const call = (options: unknown) => (kt: Untyped) => kt[name](...good[name], options);
  const expiration = "Cannot set the expiration:";
  wrong.push(
    [
      `${name} with two expirations`,
      call({ expireIn: 1, expireAt: new Date() }),
      TypeError,
      `${expiration} both "expireIn" and "expireAt" are given`,
    ],
    [
      `${name} with a negative expiration`,
      call({ expireIn: -1 }),
      RangeError,
      `${expiration} "expireIn" is -1, not 0 or more milliseconds`,
    ],
    [
      `${name} with an expiration that is no number`,
      call({ expireIn: NaN }),
      RangeError,
      `${expiration} "expireIn" is NaN, not 0 or more milliseconds`,
    ],
    [
      `${name} with an expiration in text`,
      call({ expireIn: "60" }),
      TypeError,
      `${expiration} "expireIn" is not a number but string`,
    ],
    [
      `${name} with an invalid date`,
      call({ expireAt: new Date("never") }),
      RangeError,
      `${expiration} "expireAt" is an invalid date`,
    ],
    [
      `${name} with a number for a date`,
      call({ expireAt: 1e12 }),
      TypeError,
      `${expiration} "expireAt" is neither a Date nor has "epochMilliseconds"`,
    ],
    [
      `${name} with null for a date`,
      call({ expireAt: null }),
      TypeError,
      `${expiration} "expireAt" is neither a Date nor has "epochMilliseconds"`,
    ],
  );
}
for (const name of ["getBulk", "removeBulk"] as const) {
  for (
    const [keys, shown] of [[undefined, "undefined"], [null, "null"], ["ab", '"ab"'], [5, "5"], [
      {},
      'of type "object"',
    ]] as const
  ) {
    wrong.push([
      `${name} of ${shown}`,
      (kt) => kt[name](keys),
      TypeError,
      `Cannot ${name}: the keys are ${shown}, not an iterable`,
    ]);
  }
  for (
    const [key, shown] of [[undefined, "undefined"], [5, "5"], [{}, "undefined"], [
      { key: 5 },
      "5",
    ]] as const
  ) {
    wrong.push([
      `${name} with a key ${JSON.stringify(key)}`,
      (kt) => kt[name](["a", key]),
      TypeError,
      `Cannot ${name}: the key is ${shown}, not a string or Uint8Array`,
    ]);
  }
  wrong.push([
    `${name} with a key in database -1`,
    (kt) => kt[name]([{ key: "a", database: -1 }]),
    RangeError,
    `Cannot ${name}: "database" is -1, not a whole number from 0 to 65535`,
  ]);
}
for (const name of ["setBulk", "playScript"] as const) {
  const call = (records: unknown) => (kt: Untyped) =>
    name === "setBulk" ? kt.setBulk(records) : kt.playScript("p", records);
  for (const [records, shown] of [[null, "null"], ["ab", '"ab"'], [5, "5"]] as const) {
    wrong.push([
      `${name} of ${shown}`,
      call(records),
      TypeError,
      `Cannot ${name}: the records are ${shown}, not an object`,
    ]);
  }
  const pair = name === "setBulk" ? "an object or pair" : "a pair";
  for (
    const [record, shown] of [[null, "null"], [undefined, "undefined"], [5, "5"], [
      "ab",
      '"ab"',
    ]] as const
  ) {
    wrong.push([
      `${name} with a record ${shown}`,
      call([record]),
      TypeError,
      `Cannot ${name}: a record is ${shown}, not ${pair}`,
    ]);
  }
  wrong.push([
    `${name} with an empty pair`,
    call([[]]),
    TypeError,
    `Cannot ${name}: the key is undefined, not a string or Uint8Array`,
  ]);
}
wrong.push(
  [
    "setBulk of undefined",
    (kt) => kt.setBulk(),
    TypeError,
    "Cannot setBulk: the records are undefined, not an object",
  ],
  [
    "setBulk of a record in database 70000",
    (kt) => kt.setBulk([{ key: "k", value: "v", database: 70_000 }]),
    RangeError,
    'Cannot setBulk: "database" is 70000, not a whole number from 0 to 65535',
  ],
  [
    "setBulk of a record with two expirations",
    (kt) => kt.setBulk([{ key: "k", value: "v", expireIn: 1, expireAt: new Date() }]),
    TypeError,
    'Cannot set the expiration: both "expireIn" and "expireAt" are given',
  ],
  [
    "playScript with records that are objects",
    (kt) => kt.playScript("p", [{ key: "k", value: "v" }]),
    TypeError,
    'Cannot playScript: a record is of type "object", not a pair',
  ],
  [
    "playScript without a name",
    (kt) => kt.playScript(),
    TypeError,
    "Cannot playScript: the name is undefined, not a string",
  ],
  [
    "playScript with bytes for a name",
    (kt) => kt.playScript(new Uint8Array(2)),
    TypeError,
    'Cannot playScript: the name is of type "object", not a string',
  ],
  [
    "playScript with keys of another kind",
    (kt) => kt.playScript("p", {}, { keys: "json" }),
    TypeError,
    'Cannot playScript: "keys" is "json", not "text" or "bytes"',
  ],
);

test("wrong arguments reject, always, and say what is wrong", async () => {
  await using setting = await connected();
  const kt = setting.kt as Untyped;
  for (const [what, call, error, message] of wrong) {
    let result: unknown;
    try {
      result = call(kt);
    } catch (thrown) {
      throw new Error(`${what} throws instead of rejecting`, { cause: thrown });
    }
    assertInstanceOf(result, Promise, what);
    const reason = await result.then(() => "resolved", (reason) => reason);
    assertInstanceOf(reason, error, `${what}: ${reason}`);
    assertEquals((reason as Error).message, message, what);
  }
  // Nothing of all this has gone to the server, and the client is as good as new.
  assertEquals(setting.requests, []);
  await setting.kt.set("k", "v");
  assertEquals(setting.requests.length, 1);
});

test("sizes beyond the protocol's are refused, the limit itself is not", async () => {
  await using setting = await connected();
  const { kt } = setting;
  const limit = 2 ** 28;
  const large = new Uint8Array(limit + 1);
  const message = (name: string, what: string) =>
    `Cannot ${name}: the ${what} has ${limit + 1} bytes, more than the protocol's ${limit}`;
  const calls: [string, string, () => Promise<unknown>][] = [
    ["get", "key", () => kt.get(large)],
    ["set", "key", () => kt.set(large, "v")],
    ["set", "value", () => kt.set("k", large)],
    ["remove", "key", () => kt.remove(large)],
    ["getBulk", "key", () => kt.getBulk(["a", large])],
    ["setBulk", "value", () => kt.setBulk({ k: large })],
    ["playScript", "value", () => kt.playScript("p", { k: large })],
  ];
  for (const [name, what, call] of calls) {
    const error = await call().then(() => null, (error) => error);
    assertInstanceOf(error, RangeError);
    assertEquals(error.message, message(name, what));
  }
  // Text counts by its bytes in UTF-8.
  const text = "é".repeat(limit / 2) + "x";
  const error = await kt.set("k", text).then(() => null, (error) => error);
  assertInstanceOf(error, RangeError);
  assertEquals(error.message, message("set", "value"));
  assertEquals(setting.requests, []);
});

test("views are refused at once when their arguments are wrong", async () => {
  await using setting = await connected();
  const kt = setting.kt as Untyped;
  for (const database of [-1, 1.5, 65536, "1", undefined]) {
    assertThrows(
      () => kt.database(database),
      RangeError,
      'Cannot select a database: "database" is',
    );
  }
  for (const codec of [undefined, null, {}, { encode() {} }, { decode() {} }, "text"]) {
    assertThrows(
      () => kt.withCodec(codec),
      TypeError,
      'Cannot select a codec: the codec has no "encode" and "decode"',
    );
  }
});

test("arguments at the edge of what is allowed are taken", async () => {
  await using setting = await connected();
  const kt: KyotoTycoon = setting.kt;
  await kt.set("", "");
  await kt.set(new Uint8Array(0), new Uint8Array(0), {});
  await kt.get("k", { database: 0, timeout: Infinity, signal: new AbortController().signal });
  await kt.get("k", { database: 65535, timeout: 5_000, signal: undefined });
  await kt.set("k", "v", { expireIn: undefined, expireAt: undefined, noReply: undefined });
  await kt.set("k", "v", { expireIn: 0 });
  await kt.set("k", "v", { expireIn: Infinity });
  assertEquals(await kt.getBulk([]), []);
  assertEquals(await kt.setBulk([]), 0);
  assertEquals(await kt.setBulk({}), 0);
  assertEquals(await kt.removeBulk([]), 0);
  assertEquals(await kt.playScript(""), new Map());
  assertEquals(await kt.playScript("p", undefined, undefined), new Map());
  await kt.ping({});
});
