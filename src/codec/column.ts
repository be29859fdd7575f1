/**
 * The encodings that carry any bytes in the columns of tab-separated rows.
 * (docs/protocol.md, section 5)
 */

import { copyOf } from "./bytes.ts";

/** None; or URL, quoted-printable, Base64, as in `colenc=`. */
export type ColumnEncoding = "" | "U" | "Q" | "B";

const PERCENT = 0x25, PLUS = 0x2b, EQUALS = 0x3d, CR = 0x0d, LF = 0x0a, DEL = 0x7f;

const BASE64 = bytesOf(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
);
const BASE64_VALUES = valuesOf(BASE64);
const LOWER_HEX = bytesOf("0123456789abcdef");
const UPPER_HEX = bytesOf("0123456789ABCDEF");
const URL_SAFE = flagsOf(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~",
);

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function flagsOf(text: string): Uint8Array {
  const flags = new Uint8Array(256);
  for (const c of bytesOf(text)) flags[c] = 1;
  return flags;
}

function valuesOf(digits: Uint8Array): Int8Array {
  const values = new Int8Array(256).fill(-1);
  digits.forEach((digit, value) => values[digit] = value);
  return values;
}

/** What a server makes of encoded bytes, which need not be well-formed. */
export function decodeColumn(
  bytes: Uint8Array,
  start: number,
  end: number,
  encoding: ColumnEncoding,
): Uint8Array {
  switch (encoding) {
    case "":
      return copyOf(bytes, start, end);
    case "U":
      return urlDecode(bytes, start, end);
    case "Q":
      return quotedDecode(bytes, start, end);
    case "B":
      return base64Decode(bytes, start, end);
  }
}

/** How many bytes there will be of some bytes when encoded. */
export function encodedSize(bytes: Uint8Array, encoding: ColumnEncoding): number {
  const size = bytes.length;
  if (encoding === "") return size;
  if (encoding === "B") return Math.ceil(size / 3) * 4;
  let plain = 0;
  if (encoding === "U") {
    for (let i = 0; i < size; i++) plain += URL_SAFE[bytes[i]];
  } else {
    for (let i = 0; i < size; i++) plain += isQuotedPlain(bytes[i]) ? 1 : 0;
  }
  return plain + 3 * (size - plain);
}

/** Encodes bytes; without an encoding they are returned as they are. */
export function encodeColumn(bytes: Uint8Array, encoding: ColumnEncoding): Uint8Array {
  if (encoding === "") return bytes;
  const out = new Uint8Array(encodedSize(bytes, encoding));
  if (encoding === "B") {
    base64Encode(bytes, out);
  } else if (encoding === "U") {
    let at = 0;
    for (const c of bytes) {
      if (URL_SAFE[c] === 1) out[at++] = c;
      else at = escape(out, at, PERCENT, c, LOWER_HEX);
    }
  } else {
    let at = 0;
    for (const c of bytes) {
      if (isQuotedPlain(c)) out[at++] = c;
      else at = escape(out, at, EQUALS, c, UPPER_HEX);
    }
  }
  return out;
}

/**
 * URL-decodes as ktserver does: raw bytes up to 0x20 and from 0x7f on are dropped, and so is an
 * escape that is cut off; `+` is a space.
 */
export function urlDecode(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const out = new Uint8Array(end - start);
  let size = 0;
  for (let i = start; i < end; i++) {
    const c = bytes[i];
    if (c === PERCENT) {
      if (i + 2 >= end) break;
      out[size++] = hexPair(bytes[i + 1], bytes[i + 2]);
      i += 2;
    } else if (c === PLUS) {
      out[size++] = 0x20;
    } else if (c > 0x20 && c < DEL) {
      out[size++] = c;
    }
  }
  return copyOf(out, 0, size);
}

function quotedDecode(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const out = new Uint8Array(end - start);
  let size = 0;
  for (let i = start; i < end; i++) {
    const c = bytes[i];
    if (c === EQUALS) {
      // A line end behind it is a soft one; only its CR can get here.
      if (bytes[i + 1] === CR || bytes[i + 1] === LF) {
        i++;
        continue;
      }
      if (i + 2 >= end) break;
      out[size++] = hexPair(bytes[i + 1], bytes[i + 2]);
      i += 2;
    } else if (c >= 0x20 && c < DEL) {
      out[size++] = c;
    }
  }
  return copyOf(out, 0, size);
}

/**
 * Base64 as ktserver decodes it: other characters are skipped, the end is at the first group with
 * padding, and a group that is cut off yields three bytes all the same, its bits at their end.
 */
function base64Decode(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const out = new Uint8Array(Math.ceil((end - start) / 4) * 3);
  let size = 0, i = start, padding = 0;
  while (i < end && padding === 0) {
    let bits = 0, digits = 0;
    for (; i < end && digits < 4; i++) {
      const value = BASE64_VALUES[bytes[i]];
      if (value >= 0) {
        bits = bits << 6 | value;
      } else if (bytes[i] === EQUALS) {
        bits <<= 6;
        padding++;
      } else {
        continue;
      }
      digits++;
    }
    if (digits === 0) break;
    for (let kept = 0; kept < 3 - padding; kept++) out[size++] = bits >>> (16 - 8 * kept);
  }
  return size === out.length ? out : copyOf(out, 0, size);
}

function base64Encode(bytes: Uint8Array, out: Uint8Array): void {
  for (let i = 0, at = 0; i < bytes.length; i += 3, at += 4) {
    const left = bytes.length - i;
    const bits = bytes[i] << 16 | (left > 1 ? bytes[i + 1] << 8 : 0) |
      (left > 2 ? bytes[i + 2] : 0);
    out[at] = BASE64[bits >>> 18];
    out[at + 1] = BASE64[bits >>> 12 & 63];
    out[at + 2] = left > 1 ? BASE64[bits >>> 6 & 63] : EQUALS;
    out[at + 3] = left > 2 ? BASE64[bits & 63] : EQUALS;
  }
}

/** Writes an escape and returns the position behind it. */
function escape(
  out: Uint8Array,
  at: number,
  mark: number,
  c: number,
  digits: Uint8Array,
): number {
  out[at] = mark;
  out[at + 1] = digits[c >>> 4];
  out[at + 2] = digits[c & 15];
  return at + 3;
}

function isQuotedPlain(c: number): boolean {
  return c >= 0x20 && c < DEL && c !== EQUALS;
}

/** Two hexadecimal digits; a bad first one counts as 0, a bad second one as if it were not there. */
function hexPair(first: number, second: number): number {
  const high = Math.max(0, hexDigit(first)), low = hexDigit(second);
  return low < 0 ? high : high << 4 | low;
}

/** -1 for what is no digit. */
function hexDigit(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  const letter = c | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
