/** Kyoto Tycoon's counters: 8-byte big-endian signed integers. */

import { XT_NEVER } from "../../src/codec/constants.ts";
import type { Database } from "./storage.ts";

const INT64_MIN = -(2n ** 63n);

/** A value on its way: to make an array takes a runtime longer than to fill this one. */
const value = new Uint8Array(8), view = new DataView(value.buffer);

/**
 * Adds to a counter and returns the sum, or `null` where the server says "logical inconsistency".
 *
 * @param origin What an absent record counts from; `"try"`: it must be there; `"set"`: count from 0
 * whatever number is there.
 */
export function increment(
  database: Database,
  key: Uint8Array,
  by: bigint,
  origin: bigint | "try" | "set" = 0n,
  xt: number = XT_NEVER,
): bigint | null {
  const record = database.get(key);
  let sum = 0n;
  if (record !== undefined) {
    const { bytes, valueStart, end } = record;
    if (end - valueStart !== value.length) return null;
    if (origin !== "set") {
      for (let i = 0; i < value.length; i++) value[i] = bytes[valueStart + i];
      sum = view.getBigInt64(0);
      if (by === 0n) return sum;
    }
  } else if (origin === "try") {
    return null;
  } else if (origin !== "set") {
    sum = origin;
  }
  sum = BigInt.asIntN(64, sum + by);
  view.setBigInt64(0, sum);
  database.set(key, value, xt);
  // The server takes this number for a failure of its own, though it has stored it.
  return sum === INT64_MIN ? null : sum;
}
