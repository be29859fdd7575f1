/** What HTTP does to single records, counted and refused as the real server does. */

import { compareBytes } from "../../src/codec/bytes.ts";
import type { ServerState } from "../session/state.ts";
import { increment } from "../storage/increment.ts";
import { incrementDouble } from "../storage/increment_double.ts";
import { payloadOf } from "../storage/record.ts";
import { type Database, type StoredRecord, valueOf } from "../storage/storage.ts";
import {
  CONFLICT,
  DUPLICATE,
  type Failure,
  INCONSISTENT,
  NO_PERMISSION,
  NO_RECORD,
} from "./failures.ts";

/** Whether a record is stored in any case, only if absent, only if there, or put behind its value. */
export type StoreMode = "set" | "add" | "replace" | "append";

/** Stores a record. */
export function store(
  state: ServerState,
  database: Database,
  mode: StoreMode,
  key: Uint8Array,
  value: Uint8Array,
  xt: number,
): Failure | undefined {
  return modify(state, () => {
    const record = mode === "set" ? undefined : database.get(key);
    if (mode === "add" && record !== undefined) return DUPLICATE;
    if (mode === "replace" && record === undefined) return NO_RECORD;
    const prefix = mode === "append" && record !== undefined ? valueOf(record) : undefined;
    database.set(key, prefix === undefined ? value : payloadOf(prefix, value), xt);
    return undefined;
  });
}

/** Stores or removes a record if it is as expected; `undefined` stands for an absent one. */
export function compareAndSwap(
  state: ServerState,
  database: Database,
  key: Uint8Array,
  expected: Uint8Array | undefined,
  next: Uint8Array | undefined,
  xt: number,
): Failure | undefined {
  return modify(state, () => {
    const record = database.get(key);
    const value = record === undefined ? undefined : valueOf(record);
    if (!sameValue(value, expected)) return CONFLICT;
    if (next !== undefined) database.set(key, next, xt);
    else if (record !== undefined) database.remove(key);
    return undefined;
  });
}

/** Adds to a whole number; see {@linkcode increment}. */
export function add(
  state: ServerState,
  database: Database,
  key: Uint8Array,
  by: bigint,
  origin: bigint | "try" | "set",
  xt: number,
): bigint | Failure {
  state.counters.set++;
  // Nothing can come of these but a reading.
  const reads = by === 0n && origin === "try";
  const result = state.storage.readOnly && !reads
    ? NO_PERMISSION
    : increment(database, key, by, origin, xt) ?? INCONSISTENT;
  if (typeof result !== "bigint") state.counters.setMisses++;
  return result;
}

/** Adds to a number with a fraction; see {@linkcode incrementDouble}. */
export function addDouble(
  state: ServerState,
  database: Database,
  key: Uint8Array,
  by: number,
  origin: number | "try" | "set",
  xt: number,
): number | Failure {
  state.counters.set++;
  const result = state.storage.readOnly
    ? NO_PERMISSION
    : incrementDouble(database, key, by, origin, xt) ?? INCONSISTENT;
  if (typeof result !== "number") state.counters.setMisses++;
  return result;
}

/** Reads a record. */
export function read(
  state: ServerState,
  database: Database,
  key: Uint8Array,
): StoredRecord | undefined {
  state.counters.get++;
  const record = database.get(key);
  if (record === undefined) state.counters.getMisses++;
  return record;
}

/** Removes a record. */
export function remove(
  state: ServerState,
  database: Database,
  key: Uint8Array,
): Failure | undefined {
  state.counters.remove++;
  const failure = state.storage.readOnly
    ? NO_PERMISSION
    : database.remove(key)
    ? undefined
    : NO_RECORD;
  if (failure !== undefined) state.counters.removeMisses++;
  return failure;
}

/** Removes a record and returns it. */
export function seize(
  state: ServerState,
  database: Database,
  key: Uint8Array,
): StoredRecord | Failure {
  state.counters.get++;
  const record = database.get(key);
  const failure = remove(state, database, key);
  if (record !== undefined && failure === undefined) return record;
  state.counters.getMisses++;
  return failure ?? NO_RECORD;
}

function modify(state: ServerState, change: () => Failure | undefined): Failure | undefined {
  state.counters.set++;
  const failure = state.storage.readOnly ? NO_PERMISSION : change();
  if (failure !== undefined) state.counters.setMisses++;
  return failure;
}

function sameValue(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : compareBytes(a, b) === 0;
}
