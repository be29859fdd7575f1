/** Keys that the server names: given as bytes, or as text where that is asked for. */

import { describe } from "../arguments.ts";
import type { Key } from "../types.ts";
import { text } from "../value_codec.ts";
import type { KeyOptions } from "./options.ts";

/** Makes of a key's bytes, which are the caller's own, what the options ask for. */
export type KeyDecoder = (bytes: Uint8Array) => Key;

/** How keys are to be given. Fails where one cannot be. */
export function keyDecoder(operation: string, options: KeyOptions | undefined): KeyDecoder {
  const keys = options?.keys ?? "bytes";
  if (keys === "bytes") return (bytes) => bytes;
  if (keys !== "text") {
    throw new TypeError(
      `Cannot ${operation}: "keys" is ${describe(keys)}, not "bytes" or "text"`,
    );
  }
  return (bytes) => {
    try {
      return text.decode(bytes);
    } catch (cause) {
      const message = `Cannot ${operation}: a key is not UTF-8; ask for keys as "bytes"`;
      throw new TypeError(message, { cause });
    }
  };
}

/** @throws {RangeError} Neither a whole number from 0 on, nor `Infinity`. */
export function checkLimit(operation: string, name: string, value: number): number {
  if (value !== Infinity && !(Number.isSafeInteger(value) && value >= 0)) {
    throw new RangeError(
      `Cannot ${operation}: "${name}" is ${describe(value)}, not a whole number from 0 on`,
    );
  }
  return value;
}
