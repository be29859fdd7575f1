/** The procedures that work with cursors. */

import type { Cursor, Direction } from "../storage/cursor.ts";
import { keyOf, type StoredRecord, valueOf } from "../storage/storage.ts";
import {
  type Failure,
  INVALID_PARAMETERS,
  NO_PERMISSION,
  NO_RECORD,
  NO_WAY_BACK,
} from "./failures.ts";
import { onCursor, type RpcCall, type RpcProcedure } from "./rpc_call.ts";

/** By name; `cur_delete` is not among them, as the server looks for it before all others. */
export const cursorProcedures: readonly (readonly [string, RpcProcedure])[] = [
  ["cur_jump", jumping("forward")],
  ["cur_jump_back", jumping("backward")],
  ["cur_step", stepping("forward")],
  ["cur_step_back", stepping("backward")],
  ["cur_set_value", onCursor(setValue)],
  ["cur_remove", onCursor(remove)],
  ["cur_get_key", getting(giveKey)],
  ["cur_get_value", getting(giveValue)],
  ["cur_get", getting(giveRecord)],
  ["cur_seize", onCursor(seize)],
];

function jumping(direction: Direction): RpcProcedure {
  return moving(direction, (call, cursor) => cursor.jump(direction, call.bytes("key")));
}

function stepping(direction: Direction): RpcProcedure {
  return moving(direction, (_call, cursor) => cursor.step(direction));
}

function moving(
  direction: Direction,
  move: (call: RpcCall, cursor: Cursor) => boolean,
): RpcProcedure {
  return onCursor((call, cursor) => {
    call.state.counters.misc++;
    if (direction === "backward" && !cursor.database.ordered) return NO_WAY_BACK;
    return move(call, cursor) ? undefined : NO_RECORD;
  });
}

function setValue(call: RpcCall, cursor: Cursor): Failure | void {
  const value = call.bytes("value");
  if (value === undefined) return INVALID_PARAMETERS;
  const { counters, storage } = call.state, { record } = cursor;
  counters.set++;
  if (storage.readOnly || record === undefined) {
    counters.setMisses++;
    return storage.readOnly ? NO_PERMISSION : NO_RECORD;
  }
  cursor.database.set(keyOf(record), value, call.xt);
  if (call.has("step")) cursor.step();
}

function remove(call: RpcCall, cursor: Cursor): Failure | void {
  const { counters } = call.state;
  counters.remove++;
  const record = take(call, cursor);
  if (!("status" in record)) return;
  counters.removeMisses++;
  return record;
}

function seize(call: RpcCall, cursor: Cursor): Failure | void {
  const { counters } = call.state;
  // Unlike "seize", this does not count as a removal.
  counters.get++;
  const record = take(call, cursor);
  if ("status" in record) {
    counters.getMisses++;
    return record;
  }
  giveRecord(call, record);
}

/** Removes the record under a cursor, which moves on. */
function take(call: RpcCall, cursor: Cursor): StoredRecord | Failure {
  if (call.state.storage.readOnly) return NO_PERMISSION;
  const { database, record } = cursor;
  if (record === undefined) return NO_RECORD;
  cursor.step();
  database.remove(keyOf(record));
  return record;
}

function getting(give: (call: RpcCall, record: StoredRecord) => void): RpcProcedure {
  return onCursor((call, cursor) => {
    const { counters } = call.state, { record } = cursor;
    counters.get++;
    if (record === undefined) {
      counters.getMisses++;
      return NO_RECORD;
    }
    give(call, record);
    if (call.has("step")) cursor.step();
    return undefined;
  });
}

function giveKey(call: RpcCall, record: StoredRecord): void {
  call.give("key", keyOf(record));
}

function giveValue(call: RpcCall, record: StoredRecord): void {
  call.give("value", valueOf(record));
}

function giveRecord(call: RpcCall, record: StoredRecord): void {
  giveKey(call, record);
  giveValue(call, record);
  call.giveExpiration(record);
}
