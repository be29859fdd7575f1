/** Loops that know the shape of the messages: every size in them is the same. */

import { COUNT_SIZE, KEY_SIZE, VALUE_SIZE } from "../records.ts";

const HEADER_SIZE = 9, KEY_HEADER_SIZE = 6, RECORD_HEADER_SIZE = 18;
const RECORD_SIZE = RECORD_HEADER_SIZE + KEY_SIZE + VALUE_SIZE;
const decoder = new TextDecoder();

/** Writes the keys into a request that is there already. */
export function encodeGetByHand(request: Uint8Array, keys: readonly string[]): void {
  let at = HEADER_SIZE;
  for (const key of keys) {
    write32(request, at + 2, KEY_SIZE);
    at += KEY_HEADER_SIZE;
    for (let i = 0; i < KEY_SIZE; i++) request[at++] = key.charCodeAt(i);
  }
}

/** Writes the records into a request that is there already; they never expire. */
export function encodeSetByHand(
  request: Uint8Array,
  records: readonly (readonly [key: string, value: string])[],
): void {
  let at = HEADER_SIZE;
  for (const [key, value] of records) {
    write32(request, at + 2, KEY_SIZE);
    write32(request, at + 6, VALUE_SIZE);
    write32(request, at + 10, 0x7fff_ffff);
    write32(request, at + 14, 0xffff_ffff);
    at += RECORD_HEADER_SIZE;
    for (let i = 0; i < KEY_SIZE; i++) request[at++] = key.charCodeAt(i);
    for (let i = 0; i < VALUE_SIZE; i++) request[at++] = value.charCodeAt(i);
  }
}

/** The values of a get_bulk reply. */
export function decodeReplyByHand(reply: Uint8Array): string[] {
  const values: string[] = [];
  for (let at = COUNT_SIZE; at < reply.length; at += RECORD_SIZE) {
    const start = at + RECORD_HEADER_SIZE + KEY_SIZE;
    values.push(decoder.decode(reply.subarray(start, start + VALUE_SIZE)));
  }
  return values;
}

/** The size of all keys and values in a set_bulk request. */
export function walkSetByHand(request: Uint8Array): number {
  let size = 0;
  for (let at = HEADER_SIZE; at < request.length;) {
    const keySize = read32(request, at + 2), valueSize = read32(request, at + 6);
    size += keySize + valueSize;
    at += RECORD_HEADER_SIZE + keySize + valueSize;
  }
  return size;
}

function write32(bytes: Uint8Array, at: number, n: number): void {
  bytes[at] = n >>> 24;
  bytes[at + 1] = n >>> 16;
  bytes[at + 2] = n >>> 8;
  bytes[at + 3] = n;
}

function read32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}
