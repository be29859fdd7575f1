/** A record as the mock server keeps it. */

import type { Slab } from "./slabs.ts";

/** A stored record. Its bytes are never changed: a new value is a new record. */
export interface StoredRecord {
  /** The key, directly followed by the value. */
  readonly bytes: Uint8Array;
  /** How many of the bytes are the key's. */
  readonly keySize: number;
  /** The last second, since 1970, in which the record can be read. */
  readonly expires: number;
}

/** A record in the table, which knows where its bytes stand. */
export interface KeptRecord extends StoredRecord {
  /** `null`: in memory of their own. */
  readonly slab: Slab | null;
}

/** A view of the key. */
export function keyOf(record: StoredRecord): Uint8Array {
  return record.bytes.subarray(0, record.keySize);
}

/** A view of the value. */
export function valueOf(record: StoredRecord): Uint8Array {
  return record.bytes.subarray(record.keySize);
}

/** Puts a key and a value behind each other. */
export function payloadOf(key: Uint8Array, value: Uint8Array): Uint8Array {
  const payload = new Uint8Array(key.length + value.length);
  payload.set(key);
  payload.set(value, key.length);
  return payload;
}

/** Compares keys as unsigned bytes, a prefix standing before what is longer. */
export function compareBytes(
  a: Uint8Array,
  aEnd: number,
  b: Uint8Array,
  bEnd: number,
): number {
  const size = Math.min(aEnd, bEnd);
  for (let i = 0; i < size; i++) {
    if (a[i] !== b[i]) return a[i] - b[i];
  }
  return aEnd - bEnd;
}

/** Compares the keys of two records. */
export function compareKeys(a: StoredRecord, b: StoredRecord): number {
  return compareBytes(a.bytes, a.keySize, b.bytes, b.keySize);
}
