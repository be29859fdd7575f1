/** Single numbers and parts of byte arrays. Multi-byte numbers are big-endian. */

/** Up to this many bytes a plain loop copies faster than the runtime's own function. */
const LOOP_SIZE = 48;

/** An unsigned 32-bit number at a position. */
export function u32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** A signed 64-bit number as a double: exact up to 2^53 on either side, and near enough beyond. */
export function i64At(bytes: Uint8Array, at: number): number {
  return (u32At(bytes, at) | 0) * 0x1_0000_0000 + u32At(bytes, at + 4);
}

/** Copies a part of some bytes to a position in `target`; returns the position behind it. */
export function putBytes(
  target: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  if (end - start > LOOP_SIZE) {
    target.set(end - start === bytes.length ? bytes : bytes.subarray(start, end), at);
    return at + end - start;
  }
  while (start < end) target[at++] = bytes[start++];
  return at;
}

/** The position of a byte from `start` on, or `end`. */
export function indexOf(bytes: Uint8Array, byte: number, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== byte) at++;
  return at;
}

/** Memory for {@linkcode sharedCopy}, and how much of it is taken. */
let shared = new Uint8Array(0), taken = 0;
const SHARED_SIZE = 16 * 1024;
/** Larger copies have memory of their own. */
const LARGEST_SHARED = 1024;

/**
 * A part of some bytes, where it can stay, perhaps in memory that others share: to make an array takes
 * a runtime much longer than to fill a small one.
 */
export function sharedCopy(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const size = end - start;
  if (size > LARGEST_SHARED) return bytes.slice(start, end);
  if (taken + size > shared.length) {
    shared = new Uint8Array(SHARED_SIZE);
    taken = 0;
  }
  const copy = shared.subarray(taken, taken += size);
  putBytes(copy, 0, bytes, start, end);
  return copy;
}

/** A part of some bytes, in memory of its own: a small one never keeps a large buffer alive. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const size = end - start;
  if (size > LOOP_SIZE) return bytes.slice(start, end);
  const copy = new Uint8Array(size);
  putBytes(copy, 0, bytes, start, end);
  return copy;
}

/** A record as it stands somewhere in some bytes: its key, directly followed by its value. */
export interface RecordBytes {
  /** Where it stands, perhaps among others. */
  readonly bytes: Uint8Array;
  /** Where the key begins. */
  readonly start: number;
  /** Where the key ends and the value begins. */
  readonly valueStart: number;
  /** Where the value ends. */
  readonly end: number;
  /** The last second, since 1970, in which it can be read. */
  readonly expires: number;
}

/** Compares as unsigned bytes, a prefix before what is longer. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const size = Math.min(a.length, b.length);
  for (let i = 0; i < size; i++) {
    if (a[i] !== b[i]) return a[i] - b[i];
  }
  return a.length - b.length;
}
