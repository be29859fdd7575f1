/** What a procedure sees of a database. */

import { expirationToXt, xtToDate } from "../../src/codec/expiration.ts";
import { toBytes } from "../../src/codec/writer.ts";
import type { ExpirationOptions, Key, Value } from "../../src/types.ts";
import { increment } from "../storage/increment.ts";
import {
  type Database,
  keyOf,
  type Storage,
  type StoredRecord,
  valueOf,
} from "../storage/storage.ts";

const decoder = new TextDecoder();

/** A record, as a procedure gets it. Its bytes are the procedure's own. */
export interface ProcedureRecord {
  /** The key. */
  readonly key: Uint8Array;
  /** The value. */
  readonly value: Uint8Array;
  /** The value as UTF-8. */
  readonly text: string;
  /** The expiration as scripts see it: in seconds since 1970, 1099511627775 for never. */
  readonly expires: number;
  /** The expiration as a date; `null`: never. */
  readonly expiresAt: Date | null;
}

/** When a record that a procedure stores ends; nothing given: never. */
export interface ProcedureSetOptions extends ExpirationOptions {
  /**
   * As scripts give it, instead of the others: seconds from now, or, negative, seconds since 1970.
   * Not a number (`NaN`) means never.
   */
  xt?: number;
}

/**
 * A database of the server, for a procedure. Nothing here waits, so that what a procedure does
 * between two `await`s is done in one piece.
 */
export class ProcedureDatabase {
  readonly #database: Database;
  readonly #storage: Storage;

  /** Shows a database to procedures. */
  constructor(storage: Storage, database: Database) {
    this.#storage = storage;
    this.#database = database;
  }

  /** Its position on the server's command line, from 0. */
  get index(): number {
    return this.#database.index;
  }

  /** How many records are stored. */
  get count(): number {
    return this.#database.count;
  }

  /** The record with a key, or `null`. */
  get(key: Key): ProcedureRecord | null {
    const record = this.#database.get(toBytes(key));
    return record === undefined ? null : shown(record);
  }

  /** Stores a record; `false` on a read-only server. */
  set(key: Key, value: Value, options?: ProcedureSetOptions): boolean {
    if (this.#storage.readOnly) return false;
    this.#database.set(toBytes(key), toBytes(value), xtOf(options));
    return true;
  }

  /** Stores a record unless there is one with this key; returns whether it did. */
  add(key: Key, value: Value, options?: ProcedureSetOptions): boolean {
    return this.#database.get(toBytes(key)) === undefined && this.set(key, value, options);
  }

  /** Removes a record; returns whether there was one. */
  remove(key: Key): boolean {
    return !this.#storage.readOnly && this.#database.remove(toBytes(key));
  }

  /** Removes all records; `false` on a read-only server. */
  clear(): boolean {
    if (this.#storage.readOnly) return false;
    this.#database.clear();
    return true;
  }

  /**
   * Adds to the 8-byte big-endian integer stored under a key, an absent one counting from 0, and
   * returns the sum; `null` if something else is stored there.
   */
  increment(key: Key, by: number | bigint = 1, options?: ProcedureSetOptions): bigint | null {
    if (this.#storage.readOnly) return null;
    const addend = typeof by === "bigint" ? by : BigInt(Math.trunc(by));
    return increment(this.#database, toBytes(key), addend, 0n, xtOf(options));
  }

  /** All records in the order of their keys; they may be modified on the way. */
  *[Symbol.iterator](): Generator<ProcedureRecord, void, void> {
    for (const record of this.#database.records()) yield shown(record);
  }

  /**
   * Does all that `body` does to this database, or nothing: when `body` returns `false` or throws,
   * it is undone. `body` must not be asynchronous: others do not see its steps.
   *
   * @returns Whether it was done; `false` without calling `body` on a read-only server.
   */
  transaction(body: () => boolean | void): boolean {
    if (this.#storage.readOnly) return false;
    const database = this.#database;
    database.begin();
    let done = false;
    try {
      const result: unknown = body();
      if (result instanceof Promise) {
        result.catch(() => {});
        throw new TypeError("Cannot make a transaction: its function is asynchronous");
      }
      done = result !== false;
    } finally {
      if (done) database.commit();
      else database.abort();
    }
    return done;
  }
}

function xtOf(options: ProcedureSetOptions | undefined): number {
  const xt = options?.xt;
  if (xt === undefined) return expirationToXt(options);
  return Number.isNaN(xt) ? expirationToXt(undefined) : Math.trunc(xt);
}

function shown(record: StoredRecord): ProcedureRecord {
  const value = valueOf(record).slice();
  return {
    key: keyOf(record).slice(),
    value,
    get text() {
      return decoder.decode(value);
    },
    expires: record.expires,
    expiresAt: xtToDate(record.expires),
  };
}
