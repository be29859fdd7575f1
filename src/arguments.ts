/** What callers give, checked: the one place that says which arguments are wrong, and how. */

import { MAX_DATABASE, MAX_SIZE } from "./codec/constants.ts";
import { toBytes } from "./codec/writer.ts";
import type { CallOptions, Key, Value } from "./types.ts";
import type { Codec } from "./value_codec.ts";

/** @throws {TypeError | RangeError} Not a key or value or the like, or larger than the protocol allows. */
export function checkData(operation: string, what: string, data: unknown): Key & Value {
  if (typeof data === "string") {
    if (data.length * 3 > MAX_SIZE) checkSize(operation, what, toBytes(data).length);
  } else if (data instanceof Uint8Array) {
    checkSize(operation, what, data.length);
  } else {
    throw new TypeError(
      `Cannot ${operation}: the ${what} is ${describe(data)}, not a string or Uint8Array`,
    );
  }
  return data;
}

function checkSize(operation: string, what: string, size: number): void {
  if (size > MAX_SIZE) {
    throw new RangeError(
      `Cannot ${operation}: the ${what} has ${size} bytes, more than the protocol's ${MAX_SIZE}`,
    );
  }
}

/** @throws {RangeError} Not a database index. */
export function checkDatabase(operation: string, database: unknown): number {
  if (
    !Number.isInteger(database) || (database as number) < 0 || database as number > MAX_DATABASE
  ) {
    throw new RangeError(
      `Cannot ${operation}: "database" is ${describe(database)}, not a whole number ` +
        `from 0 to ${MAX_DATABASE}`,
    );
  }
  return database as number;
}

/** @throws {TypeError | RangeError} Not a signal, or not a time. */
export function checkCallOptions(operation: string, options: CallOptions): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `Cannot ${operation}: the options are ${describe(options)}, not an object`,
    );
  }
  const { timeout, signal } = options;
  if (timeout !== undefined) checkPositive(operation, "timeout", timeout);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`Cannot ${operation}: "signal" is ${describe(signal)}, not an AbortSignal`);
  }
}

/** @throws {RangeError} Not a number above 0 (`Infinity` is one). */
export function checkPositive(operation: string, name: string, value: unknown): number {
  if (typeof value !== "number" || !(value > 0)) {
    throw new RangeError(
      `Cannot ${operation}: "${name}" is ${describe(value)}, not a number above 0`,
    );
  }
  return value;
}

/** @throws {TypeError} Not a codec. */
export function checkCodec<C extends Codec<unknown, never>>(operation: string, codec: C): C {
  if (typeof codec?.encode !== "function" || typeof codec.decode !== "function") {
    throw new TypeError(`Cannot ${operation}: the codec has no "encode" and "decode"`);
  }
  return codec;
}

/** A value in an error message. */
export function describe(value: unknown): string {
  if (value === null || value === undefined || typeof value === "number") return String(value);
  if (typeof value === "string") return JSON.stringify(value.slice(0, 80));
  return `of type "${typeof value}"`;
}
