/** One database of the mock server: in memory, with expiration by its storage's clock. No I/O. */

import { NEVER, XT_NEVER } from "../../src/codec/constants.ts";
import { xtToAbsolute } from "../../src/codec/expiration.ts";
import { HashTable } from "./hash_table.ts";
import { KeyOrder } from "./key_order.ts";
import { type KeptRecord, keyOf, type StoredRecord } from "./record.ts";
import { type Placed, Slabs } from "./slabs.ts";
import type { Storage } from "./storage.ts";

/** Slots that each write looks at for expired records. */
const SLOTS_PER_WRITE = 4;

/**
 * Is told of each modification, such as an update log. `serverId` is that of the server where the
 * modification was first made, when that is another one.
 */
export interface UpdateSink {
  /** A record was stored. */
  set(database: Database, record: StoredRecord, serverId?: number): void;
  /** A record was removed, or would have been had it been there. The key is only valid during the call. */
  remove(database: Database, key: Uint8Array, serverId?: number): void;
  /** All records were removed. */
  clear(database: Database, serverId?: number): void;
}

/** What a transaction has done so far: how to undo it, and what to tell the sink. */
interface Transaction {
  undo: (() => void)[];
  updates: ((sink: UpdateSink) => void)[];
}

/** One database. Modifications are made whatever `Storage.readOnly` says: asking is the caller's part. */
export class Database {
  /** Its position on the server's command line, from 0. */
  readonly index: number;
  /** What it was opened as, without options: `*`, `%`, `:` or `/some/where/named.kct`. */
  readonly path: string;
  /** The last part of the path. */
  readonly name: string;
  /** Whether its records have an order that clients may rely on. */
  readonly ordered: boolean;
  /** Whether nothing ever expires in it (`#ktopts=p`). */
  readonly persistent: boolean;
  readonly #storage: Storage;
  #table = new HashTable();
  #slabs = new Slabs();
  /** Made when the order is first asked for, and given up when it is not any more. */
  #order: KeyOrder | null = null;
  #changesWithoutOrder = 0;
  #size = 0;
  #expiring = 0;
  #sweep = 0;
  #transaction: Transaction | null = null;

  /** Opens an empty database as ktserver would, from its path and options. */
  constructor(storage: Storage, index: number, specification: string) {
    const [path, ...options] = specification.split("#");
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (!/^[*%:+-]$|\.kc[htdfx]$/.test(name)) {
      throw new TypeError(
        `Cannot open the database "${specification}": it is none of "*", "%", ":", "+", "-" ` +
          'and no name such as "name.kch" or "name.kct"',
      );
    }
    this.#storage = storage;
    this.index = index;
    this.path = path;
    this.name = name;
    this.ordered = /^[%+]$|\.kc[tf]$/.test(name);
    this.persistent = options.some((option) => /^ktopts=.*p/.test(option));
  }

  /** How many records are stored, expired ones that were not collected yet included. */
  get count(): number {
    return this.#table.count;
  }

  /** The bytes of all stored keys and values. */
  get size(): number {
    return this.#size;
  }

  /** How many of the stored records will expire, or have. */
  get expiring(): number {
    return this.#expiring;
  }

  /** Whether a record has not expired. */
  isLive(record: StoredRecord): boolean {
    return record.expires >= NEVER || this.#storage.seconds() <= record.expires;
  }

  /** The live record with the key that stands in `bytes` from `start` to `end`. */
  find(bytes: Uint8Array, start: number, end: number): StoredRecord | undefined {
    const record = this.#table.find(bytes, start, end);
    return record !== undefined && this.isLive(record) ? record : undefined;
  }

  /** The live record with a key. */
  get(key: Uint8Array): StoredRecord | undefined {
    return this.find(key, 0, key.length);
  }

  /** Stores a record; `xt` as in a request: seconds from now, or negative seconds since 1970. */
  set(key: Uint8Array, value: Uint8Array, xt: number = XT_NEVER): void {
    const placed = this.#slabs.placeBoth(key, value);
    this.#set(placed, key.length, value.length, this.#expiration(xt), undefined);
  }

  /** Stores a record whose key and value stand behind each other in `payload`, which is kept. */
  setPayload(payload: Uint8Array, keySize: number, xt: number): void {
    const placed = { bytes: payload, at: 0, slab: null };
    this.#set(placed, keySize, payload.length - keySize, this.#expiration(xt), undefined);
  }

  /** Stores a record whose key and value stand behind each other in `bytes`, and are copied. */
  setCopy(bytes: Uint8Array, start: number, keySize: number, valueSize: number, xt: number): void {
    const placed = this.#slabs.place(bytes, start, start + keySize + valueSize);
    this.#set(placed, keySize, valueSize, this.#expiration(xt), undefined);
  }

  /** Removes a record; returns whether there was a live one. */
  remove(bytes: Uint8Array, start: number = 0, end: number = bytes.length): boolean {
    return this.#remove(bytes, start, end, undefined);
  }

  /** Removes all records. */
  clear(): void {
    this.#clear(undefined);
  }

  /** Stores what another server sent; `expires` in seconds since 1970. */
  setRaw(key: Uint8Array, value: Uint8Array, expires: number, serverId?: number): void {
    const at = this.persistent ? XT_NEVER : Math.min(expires, NEVER);
    this.#set(this.#slabs.placeBoth(key, value), key.length, value.length, at, serverId);
  }

  /** Removes what another server removed. */
  removeRaw(key: Uint8Array, serverId?: number): void {
    this.#remove(key, 0, key.length, serverId);
  }

  /** Removes all records, as another server did. */
  clearRaw(serverId?: number): void {
    this.#clear(serverId);
  }

  /** All live records in the order of their keys; they may be modified on the way. */
  *records(): Generator<StoredRecord, void, void> {
    for (const record of this.stored()) {
      if (this.isLive(record)) yield record;
    }
  }

  /** The same, expired records that were not collected yet included. */
  *stored(): Generator<StoredRecord, void, void> {
    let record = this.#inOrder().above(undefined, false);
    while (record !== undefined) {
      yield record;
      record = this.#inOrder().above(keyOf(record), true);
    }
  }

  /** The first live record, of all or of those at or above a key. */
  first(key?: Uint8Array): StoredRecord | undefined {
    return this.#upwards(this.#inOrder().above(key, false));
  }

  /** The first live record above a key. */
  next(key: Uint8Array): StoredRecord | undefined {
    return this.#upwards(this.#inOrder().above(key, true));
  }

  /** The last live record, of all or of those at or below a key. */
  last(key?: Uint8Array): StoredRecord | undefined {
    return this.#downwards(this.#inOrder().below(key, false));
  }

  /** The last live record below a key. */
  previous(key: Uint8Array): StoredRecord | undefined {
    return this.#downwards(this.#inOrder().below(key, true));
  }

  /** Forgets expired records among the next `slots` slots of the table, and tidies up there. */
  collect(slots: number): void {
    const table = this.#table, slabs = this.#slabs, now = this.#storage.seconds();
    if (this.#transaction !== null) return;
    for (let i = 0; i < slots; i++) {
      if (this.#sweep >= table.capacity) this.#sweep = 0;
      const record = table.at(this.#sweep);
      if (record !== undefined && record.expires < now) {
        // Another record may have moved into the slot, so it is looked at again.
        table.removeAt(this.#sweep);
        this.#forget(record);
        continue;
      }
      if (record !== undefined && slabs.isLonely(record.slab)) this.#move(this.#sweep, record);
      this.#sweep++;
    }
  }

  /** Forgets all expired records. */
  vacuum(): void {
    this.#sweep = 0;
    this.collect(this.#table.capacity + this.#table.count);
  }

  /** Begins a transaction: until `commit` or `abort` the update sink is told nothing. */
  begin(): void {
    if (this.#transaction !== null) {
      throw new Error(`Cannot begin a transaction: one is open in database ${this.index}`);
    }
    this.#transaction = { undo: [], updates: [] };
  }

  /** Ends the transaction and tells the update sink what it did. */
  commit(): void {
    const transaction = this.#transaction;
    this.#transaction = null;
    const sink = this.#storage.updates;
    if (sink !== null) transaction?.updates.forEach((update) => update(sink));
  }

  /** Ends the transaction as if it had never been. */
  abort(): void {
    const transaction = this.#transaction;
    this.#transaction = null;
    transaction?.undo.reverse().forEach((step) => step());
  }

  #expiration(xt: number): number {
    if (this.persistent) return XT_NEVER;
    return xt >= NEVER ? NEVER : xtToAbsolute(xt, this.#storage.seconds());
  }

  #set(
    { bytes, at, slab }: Placed,
    keySize: number,
    valueSize: number,
    expires: number,
    serverId: number | undefined,
  ): void {
    if (this.#expiring > 0 || this.#slabs.isWasteful) this.collect(SLOTS_PER_WRITE);
    const valueStart = at + keySize, end = valueStart + valueSize;
    const record: KeptRecord = { bytes, start: at, valueStart, end, expires, slab };
    const previous = this.#put(record);
    const transaction = this.#transaction;
    if (transaction !== null) {
      transaction.undo.push(() =>
        previous === undefined ? this.#drop(record) : this.#put(previous)
      );
      transaction.updates.push((sink) => sink.set(this, record, serverId));
      return;
    }
    const sink = this.#storage.updates;
    if (sink !== null) sink.set(this, record, serverId);
  }

  #remove(bytes: Uint8Array, start: number, end: number, serverId: number | undefined): boolean {
    const record = this.#table.remove(bytes, start, end);
    if (record !== undefined) this.#forget(record);
    const transaction = this.#transaction;
    if (transaction !== null) {
      if (record !== undefined) transaction.undo.push(() => this.#put(record));
      const key = bytes.slice(start, end);
      transaction.updates.push((sink) => sink.remove(this, key, serverId));
    } else {
      const sink = this.#storage.updates;
      if (sink !== null) sink.remove(this, bytes.subarray(start, end), serverId);
    }
    return record !== undefined && this.isLive(record);
  }

  #clear(serverId: number | undefined): void {
    const table = this.#table, size = this.#size, expiring = this.#expiring;
    const slabs = this.#slabs;
    this.#table = new HashTable();
    this.#slabs = new Slabs();
    this.#order = null;
    this.#size = this.#expiring = 0;
    const transaction = this.#transaction;
    if (transaction !== null) {
      transaction.undo.push(() => {
        this.#table = table;
        this.#slabs = slabs;
        this.#order = null;
        this.#size = size;
        this.#expiring = expiring;
      });
      transaction.updates.push((sink) => sink.clear(this, serverId));
    } else {
      this.#storage.updates?.clear(this, serverId);
    }
  }

  #put(record: KeptRecord): KeptRecord | undefined {
    const previous = this.#table.put(record);
    this.#count(record, 1);
    if (previous !== undefined) this.#count(previous, -1);
    if (this.#order !== null) {
      this.#order.put(record);
      this.#noteChange();
    }
    return previous;
  }

  #drop(record: KeptRecord): void {
    this.#table.remove(record.bytes, record.start, record.valueStart);
    this.#forget(record);
  }

  /** What is to be done when a record has left the table. */
  #forget(record: KeptRecord): void {
    this.#count(record, -1);
    if (this.#order !== null) {
      this.#order.remove(record);
      this.#noteChange();
    }
  }

  /** A record has come (1) or gone (-1). */
  #count({ start, end, expires, slab }: KeptRecord, difference: 1 | -1): void {
    const size = end - start;
    this.#size += difference * size;
    if (slab !== null) {
      if (difference > 0) this.#slabs.use(slab, size);
      else this.#slabs.free(slab, size);
    }
    if (expires >= NEVER) return;
    this.#expiring += difference;
    if (this.#expiring === 1 && difference > 0) this.#storage.onExpiring?.();
  }

  /** Moves the bytes of a record out of a slab that holds little else. */
  #move(slot: number, record: KeptRecord): void {
    const { start, valueStart, end, expires } = record;
    const { bytes, at, slab } = this.#slabs.place(record.bytes, start, end);
    const by = at - start;
    const moved: KeptRecord = {
      bytes,
      start: at,
      valueStart: valueStart + by,
      end: end + by,
      expires,
      slab,
    };
    this.#table.replaceAt(slot, moved);
    this.#count(moved, 1);
    this.#count(record, -1);
    this.#order?.put(moved);
  }

  #inOrder(): KeyOrder {
    this.#changesWithoutOrder = 0;
    if (this.#order !== null) return this.#order;
    const records: StoredRecord[] = [];
    const table = this.#table;
    for (let i = 0; i < table.capacity; i++) {
      const record = table.at(i);
      if (record !== undefined) records.push(record);
    }
    return this.#order = new KeyOrder(records);
  }

  /** Gives the order up when keeping it has cost about as much as making it anew. */
  #noteChange(): void {
    if (++this.#changesWithoutOrder > 1000 + 2 * this.#table.count) this.#order = null;
  }

  #upwards(record: StoredRecord | undefined): StoredRecord | undefined {
    while (record !== undefined && !this.isLive(record)) {
      record = this.#inOrder().above(keyOf(record), true);
    }
    return record;
  }

  #downwards(record: StoredRecord | undefined): StoredRecord | undefined {
    while (record !== undefined && !this.isLive(record)) {
      record = this.#inOrder().below(keyOf(record), true);
    }
    return record;
  }
}
