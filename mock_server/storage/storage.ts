/** The mock server's databases. No I/O. */

import { type Clock, systemClock } from "./clock.ts";
import { Database, type UpdateSink } from "./database.ts";

export { Database, type UpdateSink } from "./database.ts";
export { keyOf, type StoredRecord, valueOf } from "./record.ts";

/** How a {@linkcode Storage} is made. */
export interface StorageOptions {
  /** How many databases, or each as on ktserver's command line. Default: one, `*`. */
  databases?: number | readonly string[];
  /** Where the time comes from. */
  clock?: Clock;
  /** Whether clients may not modify anything. */
  readOnly?: boolean;
}

/** All databases of a server. */
export class Storage {
  /** In the order of their index. */
  readonly databases: Database[];
  /** Where the time comes from. */
  readonly clock: Clock;
  /** Whether clients may not modify anything. */
  readOnly: boolean;
  /** Who is told of modifications. */
  updates: UpdateSink | null = null;
  /** Is called when a database that held nothing of the kind gets a record that will expire. */
  onExpiring: (() => void) | null = null;

  /** Opens the databases, all of them empty. */
  constructor(options: StorageOptions = {}) {
    const { databases = 1, clock = systemClock, readOnly = false } = options;
    const specifications = typeof databases === "number"
      ? new Array<string>(databases).fill("*")
      : databases.length === 0
      ? ["*"]
      : databases;
    this.clock = clock;
    this.readOnly = readOnly;
    this.databases = specifications.map((s, index) => new Database(this, index, s));
  }

  /** The time in whole seconds since 1970. */
  seconds(): number {
    return Math.floor(this.clock.now() / 1000);
  }

  /** How many stored records will expire, or have. */
  get expiring(): number {
    return this.databases.reduce((sum, database) => sum + database.expiring, 0);
  }
}
