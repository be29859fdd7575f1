/** Records in the order of their keys: a list of sorted blocks, cheap to insert into and to walk. */

import { compareKey, compareKeys, type StoredRecord } from "./record.ts";

/** A block that grows beyond this is cut in two. */
const BLOCK_SIZE = 512;

/** The records of a database, sorted by key. It finds what is above or below any key. */
export class KeyOrder {
  #blocks: StoredRecord[][];

  /** Sorts `records`, whose keys are all different. */
  constructor(records: StoredRecord[]) {
    records.sort(compareKeys);
    this.#blocks = [];
    const size = BLOCK_SIZE / 2;
    for (let i = 0; i < records.length; i += size) this.#blocks.push(records.slice(i, i + size));
  }

  /** Inserts a record, in the place of one with the same key. */
  put(record: StoredRecord): void {
    if (this.#blocks.length === 0) {
      this.#blocks.push([record]);
      return;
    }
    const b = Math.min(
      this.#blockOf(record.bytes, record.start, record.valueStart),
      this.#blocks.length - 1,
    );
    const block = this.#blocks[b];
    const i = lowerBound(block, record.bytes, record.start, record.valueStart);
    if (i < block.length && compareKeys(block[i], record) === 0) {
      block[i] = record;
      return;
    }
    block.splice(i, 0, record);
    if (block.length > BLOCK_SIZE) this.#blocks.splice(b + 1, 0, block.splice(BLOCK_SIZE / 2));
  }

  /** Takes out the record with the same key. */
  remove(record: StoredRecord): void {
    const b = this.#blockOf(record.bytes, record.start, record.valueStart);
    const block = this.#blocks[b];
    if (block === undefined) return;
    const i = lowerBound(block, record.bytes, record.start, record.valueStart);
    if (i === block.length || compareKeys(block[i], record) !== 0) return;
    block.splice(i, 1);
    if (block.length === 0) this.#blocks.splice(b, 1);
  }

  /** The first record at or above a key, or with `strict` above it; without a key the first of all. */
  above(key: Uint8Array | undefined, strict: boolean): StoredRecord | undefined {
    if (key === undefined) return this.#blocks[0]?.[0];
    const b = this.#blockOf(key, 0, key.length);
    const block = this.#blocks[b];
    if (block === undefined) return undefined;
    const i = lowerBound(block, key, 0, key.length);
    const record = block[i];
    if (!strict || compareKey(record, key) !== 0) return record;
    return block[i + 1] ?? this.#blocks[b + 1]?.[0];
  }

  /** The last record at or below a key, or with `strict` below it; without a key the last of all. */
  below(key: Uint8Array | undefined, strict: boolean): StoredRecord | undefined {
    if (key === undefined) return this.#blocks.at(-1)?.at(-1);
    const b = this.#blockOf(key, 0, key.length);
    const block = this.#blocks[b];
    const i = block === undefined ? 0 : lowerBound(block, key, 0, key.length);
    const record = block?.[i];
    if (
      !strict && record !== undefined &&
      compareKey(record, key) === 0
    ) return record;
    return i > 0 ? block[i - 1] : this.#blocks[b - 1]?.at(-1);
  }

  /** The first block whose last key is at or above a key; behind the last if there is none. */
  #blockOf(key: Uint8Array, start: number, end: number): number {
    let low = 0, high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKey(this.#blocks[middle].at(-1)!, key, start, end) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The position of the first record at or above a key. */
function lowerBound(block: StoredRecord[], key: Uint8Array, start: number, end: number): number {
  let low = 0, high = block.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKey(block[middle], key, start, end) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
