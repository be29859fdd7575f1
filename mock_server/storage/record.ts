/** A record as the mock server keeps it. */

import type { RecordBytes as StoredRecord } from "../../src/codec/bytes.ts";
import type { Slab } from "./slabs.ts";

/** A stored record. Its bytes are never changed: a new value is a new record. */
export type { RecordBytes as StoredRecord } from "../../src/codec/bytes.ts";

/** A record in the table, which knows where its bytes stand. */
export interface KeptRecord extends StoredRecord {
  /** `null`: in memory of their own. */
  readonly slab: Slab | null;
}

/**
 * A view of the key of a stored record.
 *
 * @example
 * ```ts
 * import { keyOf, startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await startMockServer({ seed: [{ key: "k", value: "v" }] });
 * const [record] = server.storage.databases[0].records();
 * assertEquals(keyOf(record), new TextEncoder().encode("k"));
 * ```
 */
export function keyOf(record: StoredRecord): Uint8Array {
  return record.bytes.subarray(record.start, record.valueStart);
}

/**
 * A view of the value of a stored record.
 *
 * @example
 * ```ts
 * import { valueOf, startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await startMockServer({ seed: [{ key: "k", value: "v" }] });
 * const [record] = server.storage.databases[0].records();
 * assertEquals(valueOf(record), new TextEncoder().encode("v"));
 * ```
 */
export function valueOf(record: StoredRecord): Uint8Array {
  return record.bytes.subarray(record.valueStart, record.end);
}

/** Puts a key and a value behind each other. */
export function payloadOf(key: Uint8Array, value: Uint8Array): Uint8Array {
  const payload = new Uint8Array(key.length + value.length);
  payload.set(key);
  payload.set(value, key.length);
  return payload;
}

/** Compares the key of a record with one that stands in `key`, as unsigned bytes, prefixes first. */
export function compareKey(
  { bytes, start, valueStart }: StoredRecord,
  key: Uint8Array,
  keyStart: number = 0,
  keyEnd: number = key.length,
): number {
  const own = valueStart - start, other = keyEnd - keyStart, size = Math.min(own, other);
  for (let i = 0; i < size; i++) {
    const difference = bytes[start + i] - key[keyStart + i];
    if (difference !== 0) return difference;
  }
  return own - other;
}

/** Compares the keys of two records. */
export function compareKeys(a: StoredRecord, b: StoredRecord): number {
  return compareKey(a, b.bytes, b.start, b.valueStart);
}
