/**
 * Kyoto Tycoon's counters with a fraction: 16 bytes, a whole number and then the fraction in units of
 * 10^-15, both big-endian, signed, and of the same sign.
 */

import { XT_NEVER } from "../../src/codec/constants.ts";
import { type Database, valueOf } from "./storage.ts";

const UNITS = 10n ** 15n;
const MINIMUM = -(2n ** 63n), MAXIMUM = 2n ** 63n - 1n;

interface FixedPoint {
  whole: bigint;
  /** In units of 10^-15. */
  fraction: bigint;
}

/**
 * Adds to a counter and returns the sum, or `null` where the server says "logical inconsistency".
 *
 * @param origin What an absent record counts from; `"try"`: it must be there; `"set"`: count from 0
 * whatever number is there.
 */
export function incrementDouble(
  database: Database,
  key: Uint8Array,
  by: number,
  origin: number | "try" | "set" = 0,
  xt: number = XT_NEVER,
): number | null {
  const record = database.get(key);
  let sum: FixedPoint;
  if (record === undefined) {
    if (origin === "try" || Number.isNaN(origin)) return null;
    sum = fixedPoint(typeof origin === "number" ? by + origin : by);
  } else {
    const value = valueOf(record);
    if (value.length !== 16) return null;
    sum = origin === "set" ? { whole: 0n, fraction: 0n } : read(value);
    const infinity = asSpecial(sum);
    if (infinity !== undefined) return Number.isNaN(infinity) ? null : infinity;
    if (by === 0 && origin !== "set") return asNumber(sum);
    sum = plus(sum, fixedPoint(by));
  }
  database.set(key, write(sum), xt);
  const result = asNumber(sum);
  // The server takes this for a failure of its own, though it has stored it.
  return Number.isNaN(result) ? null : result;
}

function fixedPoint(n: number): FixedPoint {
  if (Number.isNaN(n)) return { whole: MINIMUM, fraction: MINIMUM };
  if (!Number.isFinite(n)) return { whole: n > 0 ? MAXIMUM : MINIMUM, fraction: 0n };
  const whole = Math.trunc(n);
  // Scaled by a power of two, so that nothing is rounded before the cut.
  const scaled = BigInt(Math.trunc((n - whole) * 2 ** 64));
  return { whole: BigInt.asIntN(64, BigInt(whole)), fraction: scaled * UNITS / 2n ** 64n };
}

function plus(a: FixedPoint, b: FixedPoint): FixedPoint {
  if (asSpecial(b) !== undefined) return b;
  let whole = a.whole + b.whole, fraction = a.fraction + b.fraction;
  if (fraction >= UNITS) {
    whole++;
    fraction -= UNITS;
  }
  return { whole: BigInt.asIntN(64, whole), fraction };
}

/** Infinity, or not a number; `undefined` for an ordinary one. */
function asSpecial({ whole, fraction }: FixedPoint): number | undefined {
  if (whole === MAXIMUM) return Infinity;
  if (whole !== MINIMUM) return undefined;
  return fraction === MINIMUM ? NaN : -Infinity;
}

function asNumber(n: FixedPoint): number {
  return asSpecial(n) ?? Number(n.whole) + Number(n.fraction) / Number(UNITS);
}

function read(value: Uint8Array): FixedPoint {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  return { whole: view.getBigInt64(0), fraction: view.getBigInt64(8) };
}

function write({ whole, fraction }: FixedPoint): Uint8Array {
  const value = new Uint8Array(16), view = new DataView(value.buffer);
  view.setBigInt64(0, whole);
  view.setBigInt64(8, fraction);
  return value;
}
