/**
 * Bytes as text of one character per byte (code 0 to 255), and the numbers that stand in such texts.
 * HTTP's lines and the names of rows are kept so: any byte survives, and `<` orders by unsigned bytes.
 */

import { charCode } from "./char_code.ts";

/** More arguments than this in one call may overflow the stack of a runtime. */
const CALL_SIZE = 8192;
/** Up to this many characters, adding one at a time is quicker than that call. */
const LOOP_SIZE = 12;
/** Longer texts are not kept. */
const COMMON_SIZE = 64;
/** As many texts are kept, a power of two. */
const COMMON_COUNT = 256;

/** The bytes from `start` to `end` as text of one character each. */
export function toByteText(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  if (end - start <= LOOP_SIZE) {
    for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]);
    return text;
  }
  for (let at = start; at < end; at += CALL_SIZE) {
    const part = bytes.subarray(at, Math.min(at + CALL_SIZE, end));
    text += String.fromCharCode.apply(null, part as unknown as number[]);
  }
  return text;
}

/** The texts that {@linkcode commonText} returned last, and their bytes. */
const common: string[] = new Array(COMMON_COUNT).fill("");
const commonBytes = new Uint8Array(COMMON_COUNT * COMMON_SIZE);

/**
 * {@linkcode toByteText} for what comes again and again, such as names: to look a text up takes much
 * less time than to make it.
 */
export function commonText(bytes: Uint8Array, start: number, end: number): string {
  const size = end - start;
  if (size > COMMON_SIZE || size === 0) return toByteText(bytes, start, end);
  // Where a text is kept depends on its size and three of its bytes.
  const place = (size * 37 + bytes[start] * 5 + bytes[start + (size >> 1)] * 17 + bytes[end - 1]) &
    (COMMON_COUNT - 1);
  const at = place * COMMON_SIZE;
  let same = common[place].length === size ? 0 : size + 1;
  while (same < size && commonBytes[at + same] === bytes[start + same]) same++;
  if (same === size) return common[place];
  for (let i = 0; i < size; i++) commonBytes[at + i] = bytes[start + i];
  return common[place] = toByteText(bytes, start, end);
}

/** Whether the bytes from `start` to `end` are this text. */
export function isByteText(
  text: string,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i++) {
    if (charCode(text, i) !== bytes[start + i]) return false;
  }
  return true;
}

/** The opposite of {@linkcode toByteText}. */
export function fromByteText(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = charCode(text, i);
  return bytes;
}

/** Numbers of more digits may not be exact. */
export const EXACT_DIGITS = 15;

/** A number in decimal digits and nothing else, exact up to {@linkcode EXACT_DIGITS}; -1: it is none. */
export function parseDigits(bytes: Uint8Array, start: number, end: number): number {
  let n = start < end ? 0 : -1;
  for (let at = start; at < end; at++) {
    const digit = bytes[at] - 0x30;
    if (digit < 0 || digit > 9) return -1;
    n = n * 10 + digit;
  }
  return n;
}

/** Whether a text is a whole number that a double holds exactly, as most are. */
export function isExactInteger(text: string): boolean {
  return EXACT_INTEGER.test(text);
}

const EXACT_INTEGER = new RegExp(`^-?\\d{1,${EXACT_DIGITS}}$`);

/**
 * Reads a whole number as ktserver does: blanks, a sign, digits; what follows is ignored, no digits
 * are 0, and what does not fit into 64 signed bits wraps round.
 */
export function parseInteger(text: string): bigint {
  if (isExactInteger(text)) return BigInt(Number(text));
  const [, sign, digits] = /^[\t-\r ]*([-+]?)(\d*)/.exec(text)!;
  // 2^64 divides 10^64, so digits further in front make no difference.
  const magnitude = BigInt(digits.slice(-64));
  return BigInt.asIntN(64, sign === "-" ? -magnitude : magnitude);
}

/** Reads a number with a fraction and an exponent as ktserver does; no digits are 0. */
export function parseDecimal(text: string): number {
  const [, sign, word, integer, fraction = "", exponent = "0"] =
    /^[\t-\r ]*([-+]?)(?:(inf|nan)|(\d*)(\.\d*)?(?:e([-+]?\d+))?)/i.exec(text)!;
  const magnitude = word === undefined
    ? Number(`${integer || 0}${fraction}e${exponent}`)
    : word.toLowerCase() === "inf"
    ? Infinity
    : NaN;
  return sign === "-" ? -magnitude : magnitude;
}

/** Writes a number as C's `%f`: six decimals, ties to the even digit. */
export function formatDecimal(n: number): string {
  if (Number.isNaN(n)) return "nan";
  if (!Number.isFinite(n)) return n > 0 ? "inf" : "-inf";
  // `toFixed` turns to exponents there; doubles that large are whole numbers.
  if (Math.abs(n) >= 1e21) return `${BigInt(n)}.000000`;
  // Only odd multiples of 2^-7 lie in the middle; seven decimals are exact then, and the last is 5.
  if (Math.abs(n * 128 % 2) === 1) {
    const exact = n.toFixed(7);
    if (exact.charCodeAt(exact.length - 2) % 2 === 0) return exact.slice(0, -1);
  }
  return n.toFixed(6);
}
