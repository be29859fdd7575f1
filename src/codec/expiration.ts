/**
 * Expiration: what a user says, what goes over the wire (`xt`), and what comes back.
 *
 * On the wire a request's `xt` counts whole seconds: relative when positive, absolute seconds since
 * 1970 when negative. A reply's is always absolute. (docs/protocol.md, section 3)
 */

import type { ExpirationOptions } from "../types.ts";
import { NEVER, XT_NEVER } from "./constants.ts";

/**
 * The `xt` of a request. `expireIn` is rounded up to whole seconds: the server keeps no finer time.
 *
 * @throws {TypeError} Both given, or not a time at all.
 * @throws {RangeError} Negative, or not a number.
 */
export function expirationToXt(options: ExpirationOptions | undefined): number {
  if (options === undefined) return XT_NEVER;
  const { expireIn, expireAt } = options;
  if (expireIn === undefined && expireAt === undefined) return XT_NEVER;
  if (expireIn !== undefined && expireAt !== undefined) {
    throw new TypeError('Cannot set the expiration: both "expireIn" and "expireAt" are given');
  }
  if (expireIn !== undefined) {
    if (typeof expireIn !== "number") {
      throw new TypeError(
        `Cannot set the expiration: "expireIn" is not a number but ${typeof expireIn}`,
      );
    }
    if (!(expireIn >= 0)) {
      throw new RangeError(
        `Cannot set the expiration: "expireIn" is ${expireIn}, not 0 or more milliseconds`,
      );
    }
    return Math.min(Math.ceil(expireIn / 1000), XT_NEVER);
  }
  const at = expireAt as { epochMilliseconds: number } | Date;
  const milliseconds = at instanceof Date ? at.getTime() : at?.epochMilliseconds;
  if (typeof milliseconds !== "number") {
    throw new TypeError(
      'Cannot set the expiration: "expireAt" is neither a Date nor has "epochMilliseconds"',
    );
  }
  if (Number.isNaN(milliseconds)) {
    throw new RangeError('Cannot set the expiration: "expireAt" is an invalid date');
  }
  // Zero would be "relative, now" on the wire; 1970 is long past either way.
  return -Math.max(1, Math.ceil(milliseconds / 1000));
}

/** The absolute expiration of a reply as a date; `null` for never. */
export function xtToDate(xt: number): Date | null {
  return xt >= NEVER ? null : new Date(xt * 1000);
}

/** The absolute expiration, in seconds since 1970, that a server makes of a request's `xt` at `now`. */
export function xtToAbsolute(xt: number, now: number): number {
  return Math.min(xt >= 0 ? now + xt : -xt, NEVER);
}
