/**
 * Stands in for `@std/assert` where JSR does not answer, and in Bun: the functions this suite uses,
 * with the same names, signatures and outcomes. `std_test.ts` holds for both. Where they differ,
 * `@std/assert` is the stricter one on two errors (it compares their stacks) and the more lenient
 * one on `0` and `-0` within objects and on objects without a prototype.
 */

import { inspect, isDeepStrictEqual } from "node:util";

// deno-lint-ignore no-explicit-any -- the signature of `@std/assert`
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

export class AssertionError extends Error {
  override name = "AssertionError";
}

/** What went wrong and, after a colon, what the caller has to say about it. */
function check(passed: boolean, what: () => string, msg?: string): asserts passed {
  if (!passed) throw new AssertionError(msg ? `${what()}: ${msg}` : what());
}

function show(value: unknown): string {
  const text = inspect(value, { depth: 8, maxArrayLength: 64, maxStringLength: 1000 });
  return text.length > 2000 ? text.slice(0, 2000) + "…" : text;
}

function equal(a: unknown, b: unknown): boolean {
  return a === b || isDeepStrictEqual(a, b);
}

/** Where two byte arrays part, because megabytes cannot be compared by eye. */
function difference(a: unknown, b: unknown): string {
  if (!(a instanceof Uint8Array && b instanceof Uint8Array)) return "";
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return `\n  (${a.length} and ${b.length} bytes, they part at ${at === -1 ? a.length : at})`;
}

export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

// deno-lint-ignore no-explicit-any -- the signature of `@std/assert`
export function assertFalse(expr: unknown, msg = ""): asserts expr is any {
  if (expr) throw new AssertionError(msg);
}

export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  check(
    equal(actual, expected),
    () =>
      `Values are not equal\n  actual:   ${show(actual)}\n  expected: ${show(expected)}` +
      difference(actual, expected),
    msg,
  );
}

export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  check(!equal(actual, expected), () => `Values are equal: ${show(actual)}`, msg);
}

export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  check(
    Object.is(actual, expected),
    () =>
      `Values are not strictly equal\n  actual:   ${show(actual)}\n  expected: ${show(expected)}`,
    msg,
  );
}

export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  check(
    actual !== null && actual !== undefined,
    () => `Expected "${actual}" not to be null or undefined`,
    msg,
  );
}

// deno-lint-ignore no-explicit-any -- the signature of `@std/assert`
export function assertInstanceOf<T extends abstract new (...args: any[]) => any>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is InstanceType<T> {
  check(
    actual instanceof expectedType,
    () => `Expected an instance of "${expectedType.name}", got ${show(actual)}`,
    msg,
  );
}

export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  check(expected.test(actual), () => `Expected "${actual}" to match ${expected}`, msg);
}

export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  check(actual.includes(expected), () => `Expected "${actual}" to contain "${expected}"`, msg);
}

export function assertArrayIncludes<T>(
  actual: ArrayLike<T> & object,
  expected: ArrayLike<T> & object,
  msg?: string,
): void {
  const items = Array.from(actual);
  const missing = Array.from(expected).filter((item) => !items.some((it) => equal(it, item)));
  check(
    missing.length === 0,
    () => `Expected ${show(actual)} to include ${show(expected)}, missing: ${show(missing)}`,
    msg,
  );
}

/** Holds when every property of `expected`, at any depth, is in `actual`. */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any -- the signature of `@std/assert`
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  check(
    includes(actual, expected),
    () => `Expected ${show(actual)} to include ${show(expected)}`,
    msg,
  );
}

function includes(actual: unknown, expected: unknown): boolean {
  if (!isPlain(actual) || !isPlain(expected)) return equal(actual, expected);
  return Object.keys(expected).every((key) =>
    key in actual && includes(actual[key], expected[key])
  );
}

/** Whether to compare by property: true for objects and arrays, not for dates, bytes and so on. */
function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null &&
    (Array.isArray(value) || Object.prototype.toString.call(value) === "[object Object]");
}

export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) throw new AssertionError(msg ?? `Expect ${actual} > ${expected}`);
}

export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual >= expected)) throw new AssertionError(msg ?? `Expect ${actual} >= ${expected}`);
}

export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) throw new AssertionError(msg ?? `Expect ${actual} < ${expected}`);
}

export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual <= expected)) throw new AssertionError(msg ?? `Expect ${actual} <= ${expected}`);
}

export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance = Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7,
  msg?: string,
): void {
  check(
    Object.is(actual, expected) || Math.abs(expected - actual) <= tolerance,
    () => `Expected ${actual} to be within ${tolerance} of ${expected}`,
    msg,
  );
}

export function assertThrows(fn: () => unknown, msg?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  classOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  try {
    fn();
  } catch (error) {
    return checkError(error, classOrMsg, msgIncludes, msg);
  }
  throw new AssertionError("Expected function to throw");
}

export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  let promise: PromiseLike<unknown> | undefined;
  try {
    promise = fn();
  } catch {
    // Told below: a synchronous throw is not a rejection.
  }
  check(
    typeof promise?.then === "function",
    () => "Function throws when expected to reject",
  );
  try {
    await promise;
  } catch (error) {
    return checkError(error, classOrMsg, msgIncludes, msg);
  }
  throw new AssertionError("Expected function to reject");
}

function checkError<E extends Error>(
  error: unknown,
  classOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  if (typeof classOrMsg !== "function") return error;
  assertInstanceOf(error, classOrMsg, msg);
  if (msgIncludes !== undefined) assertStringIncludes(error.message, msgIncludes, msg);
  return error;
}

export function fail(msg?: string): never {
  throw new AssertionError(msg ? `Failed assertion: ${msg}` : "Failed assertion");
}

export function unreachable(msg?: string): never {
  throw new AssertionError(msg ? `Unreachable: ${msg}` : "Unreachable");
}
