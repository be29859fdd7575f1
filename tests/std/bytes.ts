/** Stands in for `@std/bytes` where JSR does not answer, and in Bun. See `assert.ts`. */

import { Buffer } from "node:buffer";

export function concat(buffers: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const output = new Uint8Array(buffers.reduce((length, buffer) => length + buffer.length, 0));
  let offset = 0;
  for (const buffer of buffers) {
    output.set(buffer, offset);
    offset += buffer.length;
  }
  return output;
}

export function equals(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

export function startsWith(source: Uint8Array, prefix: Uint8Array): boolean {
  return equals(source.subarray(0, prefix.length), prefix);
}

export function endsWith(source: Uint8Array, suffix: Uint8Array): boolean {
  return equals(source.subarray(Math.max(0, source.length - suffix.length)), suffix);
}

export function indexOfNeedle(source: Uint8Array, needle: Uint8Array, start = 0): number {
  // Unlike a Buffer, @std/bytes finds no empty needle.
  if (needle.length === 0) return -1;
  return Buffer.from(source.buffer, source.byteOffset, source.length).indexOf(needle, start);
}

export function includesNeedle(source: Uint8Array, needle: Uint8Array, start = 0): boolean {
  return indexOfNeedle(source, needle, start) !== -1;
}

/** Copies as much of `src` as fits into `dst` at `offset`, and returns how many bytes that was. */
export function copy(src: Uint8Array, dst: Uint8Array, offset = 0): number {
  offset = Math.max(0, Math.min(offset, dst.length));
  const part = src.subarray(0, dst.length - offset);
  dst.set(part, offset);
  return part.length;
}

export function repeat(source: Uint8Array, count: number): Uint8Array<ArrayBuffer> {
  if (count < 0 || !Number.isInteger(count)) {
    throw new RangeError("Count must be a non-negative integer");
  }
  return concat(Array<Uint8Array>(count).fill(source));
}
