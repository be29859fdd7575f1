/** A place in a database, kept for one connection between its requests. */

import { type Database, keyOf, type StoredRecord } from "./storage.ts";

/** Where a cursor moves. */
export type Direction = "forward" | "backward";

/** A cursor. It begins nowhere. */
export class Cursor {
  readonly database: Database;
  /** The record that it was put on; it may have been changed or removed since. */
  #place: StoredRecord | undefined;
  /** The way in which it was moved last, and goes on by itself. */
  #direction: Direction = "forward";

  constructor(database: Database) {
    this.database = database;
  }

  /** The record that it stands on: when its own was removed or has expired, the next one. */
  get record(): StoredRecord | undefined {
    if (this.#place === undefined) return undefined;
    return this.#place = this.database.first(keyOf(this.#place));
  }

  /**
   * Puts it on the first record, or with a key on the first at or above it; backward on the last, or
   * the last at or below. Where there is no order, the key itself must be there. Returns whether there
   * is one; else it is nowhere.
   */
  jump(direction: Direction, key?: Uint8Array): boolean {
    const { database } = this;
    this.#direction = direction;
    if (key !== undefined && !database.ordered) this.#place = database.get(key);
    else this.#place = direction === "forward" ? database.first(key) : database.last(key);
    return this.#place !== undefined;
  }

  /**
   * Moves it by one record, if nothing is said in the way in which it was moved last; returns whether
   * there was one to move to, else it is nowhere.
   */
  step(direction: Direction = this.#direction): boolean {
    const { database, record } = this;
    if (record === undefined) return false;
    this.#direction = direction;
    const key = keyOf(record);
    this.#place = direction === "forward" ? database.next(key) : database.previous(key);
    return this.#place !== undefined;
  }
}
