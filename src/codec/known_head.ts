/**
 * The head of a request or reply over HTTP that was read last. Most that follow are the same, byte for
 * byte, but for the length that they announce, so that they need not be read again.
 */

import { EXACT_DIGITS, parseDigits } from "./byte_text.ts";
import type { ByteReader } from "./decoder.ts";

/** Longer heads are not kept. */
const MAX_SIZE = 512;

/** What a head says, its length aside, and the bytes that say it. */
export class KnownHead<T> {
  #head: T | null = null;
  readonly #bytes = new Uint8Array(MAX_SIZE);
  #size = 0;
  /** Where the digits of the length stood: they are left out of the bytes. */
  #digits = 0;
  /** The length that was announced by the head which {@linkcode take} took. */
  length = 0;

  /** Takes a head that differs from the one kept in its length at most, and returns that one. */
  take(r: ByteReader): T | null {
    const { window, position, end } = r, bytes = this.#bytes, digits = this.#digits;
    if (this.#head === null || position + this.#size >= end) return null;
    for (let i = 0; i < digits; i++) if (window[position + i] !== bytes[i]) return null;
    const start = position + digits;
    let at = start;
    while (at < end && window[at] >= 0x30 && window[at] <= 0x39) at++;
    if (at === start || at - start > EXACT_DIGITS) return null;
    const behind = at - digits, stop = behind + this.#size;
    if (stop > end) return null;
    for (let i = digits; i < this.#size; i++) if (window[behind + i] !== bytes[i]) return null;
    this.length = parseDigits(window, start, at);
    r.position = stop;
    return this.#head;
  }

  /** Keeps a head that stands in `bytes` from `start` to `end`, its length from `digits` on. */
  keep(
    head: T,
    bytes: Uint8Array,
    start: number,
    digits: number,
    digitsEnd: number,
    end: number,
  ): void {
    const size = end - start - (digitsEnd - digits);
    if (size > MAX_SIZE || parseDigits(bytes, digits, digitsEnd) < 0) return;
    this.#head = head;
    this.#size = size;
    this.#digits = digits - start;
    const own = this.#bytes;
    let i = 0;
    for (let at = start; at < digits; at++) own[i++] = bytes[at];
    for (let at = digitsEnd; at < end; at++) own[i++] = bytes[at];
  }
}
