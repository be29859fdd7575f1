/** The procedures that work on records. */

import {
  formatDecimal,
  parseDecimal,
  parseInteger,
  toByteText,
} from "../../src/codec/byte_text.ts";
import { type Database, keyOf, valueOf } from "../storage/storage.ts";
import { editDistance } from "./edit_distance.ts";
import {
  BAD_REGEX,
  type Failure,
  INVALID_PARAMETERS,
  NO_PERMISSION,
  NO_RECORD,
} from "./failures.ts";
import {
  add,
  addDouble,
  compareAndSwap,
  read,
  remove,
  seize,
  store,
  type StoreMode,
} from "./record_operations.ts";
import { onDatabase, type RpcCall, type RpcProcedure } from "./rpc_call.ts";

/** By name. */
export const recordProcedures: readonly (readonly [string, RpcProcedure])[] = [
  ["set", storing("set")],
  ["add", storing("add")],
  ["replace", storing("replace")],
  ["append", storing("append")],
  ["increment", onDatabase(incrementCall)],
  ["increment_double", onDatabase(incrementDoubleCall)],
  ["cas", onDatabase(casCall)],
  ["remove", onDatabase(removeCall)],
  ["get", onDatabase(getCall)],
  ["check", onDatabase(checkCall)],
  ["seize", onDatabase(seizeCall)],
  ["set_bulk", onDatabase(setBulk)],
  ["remove_bulk", onDatabase(removeBulk)],
  ["get_bulk", onDatabase(getBulk)],
  ["match_prefix", onDatabase(matchPrefix)],
  ["match_regex", onDatabase(matchRegex)],
  ["match_similar", onDatabase(matchSimilar)],
];

function storing(mode: StoreMode): RpcProcedure {
  return onDatabase((call, database) => {
    const key = call.bytes("key"), value = call.bytes("value");
    if (key === undefined || value === undefined) return INVALID_PARAMETERS;
    return store(call.state, database, mode, key, value, call.xt);
  });
}

function incrementCall(call: RpcCall, database: Database): Failure | void {
  const key = call.bytes("key"), by = call.integer("num");
  if (key === undefined || by === undefined) return INVALID_PARAMETERS;
  const result = add(call.state, database, key, by, originOf(call, parseInteger, 0n), call.xt);
  if (typeof result !== "bigint") return result;
  call.give("num", result);
}

function incrementDoubleCall(call: RpcCall, database: Database): Failure | void {
  const key = call.bytes("key"), by = call.text("num");
  if (key === undefined || by === undefined) return INVALID_PARAMETERS;
  const origin = originOf(call, parseDecimal, 0);
  const result = addDouble(call.state, database, key, parseDecimal(by), origin, call.xt);
  if (typeof result !== "number") return result;
  call.give("num", formatDecimal(result));
}

function originOf<T>(call: RpcCall, parse: (text: string) => T, otherwise: T): T | "try" | "set" {
  const text = call.text("orig");
  if (text === "try" || text === "set") return text;
  return text === undefined ? otherwise : parse(text);
}

function casCall(call: RpcCall, database: Database): Failure | void {
  const key = call.bytes("key");
  if (key === undefined) return INVALID_PARAMETERS;
  const expected = call.bytes("oval"), next = call.bytes("nval");
  return compareAndSwap(call.state, database, key, expected, next, call.xt);
}

function removeCall(call: RpcCall, database: Database): Failure | void {
  const key = call.bytes("key");
  return key === undefined ? INVALID_PARAMETERS : remove(call.state, database, key);
}

function getCall(call: RpcCall, database: Database): Failure | void {
  const key = call.bytes("key");
  if (key === undefined) return INVALID_PARAMETERS;
  const record = read(call.state, database, key);
  if (record === undefined) return NO_RECORD;
  call.give("value", valueOf(record));
  call.giveExpiration(record);
}

function checkCall(call: RpcCall, database: Database): Failure | void {
  const key = call.bytes("key");
  if (key === undefined) return INVALID_PARAMETERS;
  const record = read(call.state, database, key);
  if (record === undefined) return NO_RECORD;
  call.give("vsiz", valueOf(record).length);
  call.giveExpiration(record);
}

function seizeCall(call: RpcCall, database: Database): Failure | void {
  const key = call.bytes("key");
  if (key === undefined) return INVALID_PARAMETERS;
  const record = seize(call.state, database, key);
  if ("status" in record) return record;
  call.give("value", valueOf(record));
  call.giveExpiration(record);
}

// Whether "atomic" is asked for makes no difference here: a call is never interrupted.

function setBulk(call: RpcCall, database: Database): Failure | void {
  const records = call.records(), { xt, state: { counters, storage } } = call;
  counters.set += records.length;
  if (storage.readOnly && records.length > 0) {
    counters.setMisses += records.length;
    return NO_PERMISSION;
  }
  for (const [key, value] of records) database.set(key, value, xt);
  call.give("num", records.length);
}

function removeBulk(call: RpcCall, database: Database): Failure | void {
  const records = call.records(), { counters, storage } = call.state;
  counters.remove += records.length;
  if (storage.readOnly && records.length > 0) {
    counters.removeMisses += records.length;
    return NO_PERMISSION;
  }
  let removed = 0;
  for (const [key] of records) removed += database.remove(key) ? 1 : 0;
  counters.removeMisses += records.length - removed;
  call.give("num", removed);
}

function getBulk(call: RpcCall, database: Database): void {
  const records = call.records();
  let found = 0;
  for (const [key] of records) {
    const record = read(call.state, database, key);
    if (record === undefined) continue;
    found++;
    call.giveRecord(key, valueOf(record));
  }
  call.give("num", found);
}

function matchPrefix(call: RpcCall, database: Database): Failure | void {
  const prefix = call.text("prefix");
  if (prefix === undefined) return INVALID_PARAMETERS;
  giveMatches(call, database, (key) => key.startsWith(prefix));
}

function matchRegex(call: RpcCall, database: Database): Failure | void {
  const text = call.text("regex");
  if (text === undefined) return INVALID_PARAMETERS;
  let regex: RegExp;
  try {
    // The real one is POSIX's; the two agree about all that is common.
    regex = new RegExp(text, "s");
  } catch {
    call.state.counters.misc++;
    return BAD_REGEX;
  }
  giveMatches(call, database, (key) => regex.test(key));
}

/** Expired records that are still stored match too. */
function giveMatches(call: RpcCall, database: Database, matches: (key: string) => boolean): void {
  call.state.counters.misc++;
  const max = maxOf(call);
  let rank = 0;
  for (const record of database.stored()) {
    if (rank >= max) break;
    if (matches(toByteText(record.bytes, record.start, record.valueStart))) {
      call.giveRecord(keyOf(record), rank++);
    }
  }
  call.give("num", rank);
}

function matchSimilar(call: RpcCall, database: Database): Failure | void {
  const origin = call.bytes("origin");
  if (origin === undefined) return INVALID_PARAMETERS;
  call.state.counters.misc++;
  const asked = Number(call.integer("range") ?? 1n);
  const range = asked < 0 ? 1 : asked;
  const decoder = new TextDecoder();
  const units = (bytes: Uint8Array) =>
    call.has("utf") ? Array.from(decoder.decode(bytes), (c) => c.codePointAt(0)!) : bytes;
  const from = units(origin);
  const matches: { key: Uint8Array; distance: number }[] = [];
  for (const record of database.stored()) {
    const distance = editDistance(from, units(keyOf(record)), range);
    if (distance <= range) matches.push({ key: keyOf(record), distance });
  }
  // Sorting is stable, so that keys equally distant stay in their order.
  matches.sort((a, b) => a.distance - b.distance);
  const best = matches.slice(0, maxOf(call));
  best.forEach(({ key }, rank) => call.giveRecord(key, rank));
  call.give("num", best.length);
}

function maxOf(call: RpcCall): number {
  const max = Number(call.integer("max") ?? -1n);
  return max < 0 ? Infinity : max;
}
