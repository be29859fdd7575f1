/**
 * What this suite relies on in `@std/assert` and `@std/bytes`. It runs with JSR's own packages and
 * with the stand-ins in `std/`, so that a test means the same on every machine.
 */

import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
  unreachable,
} from "@std/assert";
import {
  concat,
  copy,
  endsWith,
  equals,
  includesNeedle,
  indexOfNeedle,
  repeat,
  startsWith,
} from "@std/bytes";
import { test } from "./_harness.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

/** Asserts that an assertion fails. Uses none itself, for it is what is on trial. */
async function fails(assertion: () => unknown): Promise<void> {
  try {
    await assertion();
  } catch (error) {
    if (error instanceof AssertionError) return;
    throw error;
  }
  throw new Error(`Expected to fail: ${assertion}`);
}

test("assertEquals() compares by structure and by type", async () => {
  assertEquals({ a: [1, { b: "x" }], n: NaN }, { a: [1, { b: "x" }], n: NaN });
  assertEquals(new Map([["k", bytes(1)]]), new Map([["k", bytes(1)]]));
  assertEquals(new Set([1, 2]), new Set([2, 1]));
  assertEquals(new Date(5), new Date(5));
  assertEquals([], []);
  assertEquals(10n, 10n);
  await fails(() => assertEquals<unknown>({ a: 1 }, { a: 1, b: undefined }));
  await fails(() => assertEquals<unknown>("1", 1));
  await fails(() => assertEquals<unknown>(null, undefined));
  await fails(() => assertEquals([1, 2], [2, 1]));
  await fails(() => assertEquals(new Date(5), new Date(6)));
  await fails(() => assertEquals<unknown>(new Error("a"), { message: "a" }));
  await fails(() => assertEquals(new Map([["k", 1]]), new Map([["k", 2]])));
});

test("assertEquals() compares bytes, but not with other types of array", async () => {
  assertEquals(bytes(1, 2, 3), bytes(0, 1, 2, 3).subarray(1));
  await fails(() => assertEquals(bytes(1, 2), bytes(1, 3)));
  await fails(() => assertEquals(bytes(1, 2), bytes(1, 2, 3)));
  await fails(() => assertEquals<unknown>(bytes(1, 2), [1, 2]));
  await fails(() => assertEquals<unknown>(bytes(1, 2), new Uint16Array([1, 2])));
});

test("assertEquals() compares megabytes in no time, alone and within objects", () => {
  const a = new Uint8Array(4_000_000).fill(7);
  const start = performance.now();
  assertEquals(a, a.slice());
  assertEquals([{ value: a }], [{ value: a.slice() }]);
  assertLess(performance.now() - start, 2000);
});

test("assertNotEquals() is the opposite of assertEquals()", async () => {
  assertNotEquals({ a: 1 }, { a: 2 });
  await fails(() => assertNotEquals({ a: 1 }, { a: 1 }));
});

test("assertStrictEquals() compares by identity", async () => {
  const object = {};
  assertStrictEquals(object, object);
  assertStrictEquals(NaN, NaN);
  await fails(() => assertStrictEquals({}, {}));
  await fails(() => assertStrictEquals(0, -0));
});

test("assert(), assertFalse() and assertExists() look at one value", async () => {
  assert(1);
  assertFalse("");
  assertExists(0);
  await fails(() => assert(0));
  await fails(() => assertFalse("x"));
  await fails(() => assertExists(null));
  await fails(() => assertExists(undefined));
});

test("assertInstanceOf() looks at the class", async () => {
  assertInstanceOf(new TypeError(), Error);
  await fails(() => assertInstanceOf(new Error(), TypeError));
  await fails(() => assertInstanceOf(null, Error));
});

test("assertMatch() and assertStringIncludes() look into strings", async () => {
  assertMatch("abc", /b/);
  assertStringIncludes("abc", "bc");
  await fails(() => assertMatch("abc", /d/));
  await fails(() => assertStringIncludes("abc", "cb"));
});

test("assertArrayIncludes() finds every item by structure", async () => {
  assertArrayIncludes([1, { a: 1 }, 3], [{ a: 1 }, 1]);
  await fails(() => assertArrayIncludes([1, 2], [1, 3]));
});

test("assertObjectMatch() looks at the expected properties only", async () => {
  assertObjectMatch({ a: 1, b: { c: [1, { d: 2, e: 3 }], f: 4 } }, { b: { c: [1, { d: 2 }] } });
  assertObjectMatch({ when: new Date(1), and: 2 }, { when: new Date(1) });
  await fails(() => assertObjectMatch({ a: 1 }, { a: 2 }));
  await fails(() => assertObjectMatch({ a: 1 }, { b: undefined }));
  await fails(() => assertObjectMatch({ a: [1] }, { a: [1, 2] }));
  await fails(() => assertObjectMatch({ when: new Date(1) }, { when: new Date(2) }));
});

test("the assertions on order and distance hold at their bounds", async () => {
  assertGreater(2, 1);
  assertGreaterOrEqual(1, 1);
  assertLess(1n, 2n);
  assertLessOrEqual(1, 1);
  assertAlmostEquals(0.1 + 0.2, 0.3);
  assertAlmostEquals(10, 12, 2);
  await fails(() => assertGreater(1, 1));
  await fails(() => assertGreaterOrEqual(0, 1));
  await fails(() => assertLess(1, 1));
  await fails(() => assertLessOrEqual(2, 1));
  await fails(() => assertAlmostEquals(0.31, 0.3));
  await fails(() => assertAlmostEquals(10, 13, 2));
});

const boom = new RangeError("a loud boom");
const throws = () => {
  throw boom;
};

test("assertThrows() returns the error and checks its class and message", async () => {
  assertStrictEquals(assertThrows(throws), boom);
  const error: RangeError = assertThrows(throws, RangeError, "loud");
  assertStrictEquals(error, boom);
  assertStrictEquals(assertThrows(throws, "what the test is about"), boom);
  await fails(() => assertThrows(throws, TypeError));
  await fails(() => assertThrows(throws, RangeError, "quiet"));
  await fails(() => assertThrows(() => {}));
  await fails(() =>
    assertThrows(() => {
      throw "no error";
    }, Error)
  );
});

test("assertRejects() returns the error and checks its class and message", async () => {
  const rejects = () => Promise.reject(boom);
  assertStrictEquals(await assertRejects(rejects), boom);
  const error: RangeError = await assertRejects(rejects, RangeError, "loud");
  assertStrictEquals(error, boom);
  assertStrictEquals(await assertRejects(rejects, "what the test is about"), boom);
  assertStrictEquals(await assertRejects(() => Promise.reject("no error")), "no error");
  await fails(() => assertRejects(rejects, TypeError));
  await fails(() => assertRejects(rejects, RangeError, "quiet"));
  await fails(() => assertRejects(() => Promise.resolve()));
  await fails(() => assertRejects(() => Promise.reject("no error"), Error));
});

test("assertRejects() fails for a synchronous throw", async () => {
  await fails(() => assertRejects(throws, RangeError));
});

test("fail() and unreachable() fail, and a failure carries the caller's message", async () => {
  await fails(() => fail());
  await fails(() => unreachable());
  assertThrows(() => fail("why"), AssertionError, "why");
  assertThrows(() => assertEquals(1, 2, "why"), AssertionError, "why");
  assertThrows(() => assert(false, "why"), AssertionError, "why");
});

test("concat() and repeat() join bytes", () => {
  assertEquals(concat([bytes(1), bytes(), bytes(2, 3)]), bytes(1, 2, 3));
  assertEquals(concat([]), bytes());
  assertEquals(repeat(bytes(1, 2), 2), bytes(1, 2, 1, 2));
  assertEquals(repeat(bytes(1), 0), bytes());
  assertThrows(() => repeat(bytes(1), -1), RangeError);
});

test("equals(), startsWith() and endsWith() compare bytes", () => {
  const source = bytes(9, 1, 2, 3).subarray(1);
  assert(equals(source, bytes(1, 2, 3)));
  assertFalse(equals(source, bytes(1, 2)));
  assertFalse(equals(source, bytes(1, 2, 4)));
  assert(startsWith(source, bytes(1, 2)));
  assert(startsWith(source, bytes()));
  assertFalse(startsWith(source, bytes(2)));
  assertFalse(startsWith(source, bytes(1, 2, 3, 4)));
  assert(endsWith(source, bytes(2, 3)));
  assert(endsWith(source, bytes()));
  assertFalse(endsWith(source, bytes(2)));
  assertFalse(endsWith(source, bytes(9, 1, 2, 3)));
});

test("indexOfNeedle() and includesNeedle() search bytes", () => {
  const source = bytes(9, 1, 2, 1, 2, 3).subarray(1);
  assertEquals(indexOfNeedle(source, bytes(1, 2)), 0);
  assertEquals(indexOfNeedle(source, bytes(1, 2), 1), 2);
  assertEquals(indexOfNeedle(source, bytes(1, 2), -3), 2);
  assertEquals(indexOfNeedle(source, bytes(1, 2, 3)), 2);
  assertEquals(indexOfNeedle(source, bytes(9)), -1);
  assertEquals(indexOfNeedle(source, bytes(1), 9), -1);
  assertEquals(indexOfNeedle(source, bytes()), -1);
  assert(includesNeedle(source, bytes(3)));
  assertFalse(includesNeedle(source, bytes(1), 3));
});

test("copy() copies what fits", () => {
  const dst = bytes(0, 0, 0);
  assertEquals(copy(bytes(1, 2), dst, 2), 1);
  assertEquals(dst, bytes(0, 0, 1));
  assertEquals(copy(bytes(5), dst), 1);
  assertEquals(dst, bytes(5, 0, 1));
  assertEquals(copy(bytes(5), dst, 9), 0);
});
