/** Records by key: open addressing over the bytes of the key, so that a lookup makes no string. */

import type { KeptRecord } from "./record.ts";

const FIRST_CAPACITY = 64;
/** The table doubles when it is fuller than this. */
const LOAD = 0.6;

/** FNV-1a with a final mix; never 0, which marks a free slot. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) | 0 || 1;
}

function matches(record: KeptRecord, bytes: Uint8Array, start: number, end: number): boolean {
  const own = record.bytes;
  let at = record.start;
  if (record.valueStart - at !== end - start) return false;
  for (let i = start; i < end; i++) {
    if (own[at++] !== bytes[i]) return false;
  }
  return true;
}

/** A hash table of records; linear probing, and removal that leaves no mark behind. */
export class HashTable {
  #hashes = new Int32Array(FIRST_CAPACITY);
  #records: (KeptRecord | undefined)[] = new Array(FIRST_CAPACITY).fill(undefined);
  #mask = FIRST_CAPACITY - 1;
  #count = 0;

  /** How many records there are. */
  get count(): number {
    return this.#count;
  }

  /** How many slots there are for {@linkcode at}. */
  get capacity(): number {
    return this.#mask + 1;
  }

  /** What stands in a slot; slots change their contents with every insertion and removal. */
  at(slot: number): KeptRecord | undefined {
    return this.#records[slot];
  }

  /** Puts another record with the same key in the place of what stands in a slot. */
  replaceAt(slot: number, record: KeptRecord): void {
    this.#records[slot] = record;
  }

  /** The record with the key that stands in `bytes` from `start` to `end`. */
  find(bytes: Uint8Array, start: number, end: number): KeptRecord | undefined {
    return this.#records[this.#slotOf(hashOf(bytes, start, end), bytes, start, end)];
  }

  /** Puts a record in the place of the one with the same key, which is returned. */
  put(record: KeptRecord): KeptRecord | undefined {
    const { bytes, start, valueStart } = record;
    const hash = hashOf(bytes, start, valueStart);
    const slot = this.#slotOf(hash, bytes, start, valueStart);
    const previous = this.#records[slot];
    this.#records[slot] = record;
    if (previous !== undefined) return previous;
    this.#hashes[slot] = hash;
    if (++this.#count > this.capacity * LOAD) this.#grow();
    return undefined;
  }

  /** Takes the record out and returns it. */
  remove(bytes: Uint8Array, start: number, end: number): KeptRecord | undefined {
    const slot = this.#slotOf(hashOf(bytes, start, end), bytes, start, end);
    const record = this.#records[slot];
    if (record !== undefined) this.removeAt(slot);
    return record;
  }

  /** Takes out what stands in a slot, which must not be free; another record may move into it. */
  removeAt(slot: number): void {
    const hashes = this.#hashes, records = this.#records, mask = this.#mask;
    let hole = slot;
    for (let i = (hole + 1) & mask; hashes[i] !== 0; i = (i + 1) & mask) {
      // A record may move back to the hole unless that lies before its own first choice.
      if (((i - (hashes[i] & mask)) & mask) >= ((i - hole) & mask)) {
        hashes[hole] = hashes[i];
        records[hole] = records[i];
        hole = i;
      }
    }
    hashes[hole] = 0;
    records[hole] = undefined;
    this.#count--;
  }

  /** The slot of a key: the one that it has, or the free one that it would get. */
  #slotOf(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const hashes = this.#hashes, records = this.#records, mask = this.#mask;
    let slot = hash & mask;
    while (hashes[slot] !== 0) {
      if (hashes[slot] === hash && matches(records[slot]!, bytes, start, end)) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const oldHashes = this.#hashes, oldRecords = this.#records;
    const capacity = oldHashes.length * 2, mask = capacity - 1;
    const hashes = new Int32Array(capacity);
    const records: (KeptRecord | undefined)[] = new Array(capacity).fill(undefined);
    for (let i = 0; i < oldHashes.length; i++) {
      const hash = oldHashes[i];
      if (hash === 0) continue;
      let slot = hash & mask;
      while (hashes[slot] !== 0) slot = (slot + 1) & mask;
      hashes[slot] = hash;
      records[slot] = oldRecords[i];
    }
    this.#hashes = hashes;
    this.#records = records;
    this.#mask = mask;
  }
}
