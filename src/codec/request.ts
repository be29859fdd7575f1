/** The requests of the binary protocol: encoded by a client, decoded by a server. */

import { ProtocolError } from "../errors.ts";
import type { Key, Value } from "../types.ts";
import {
  FLAG_WHITE_LIST,
  KEY_HEADER_SIZE,
  Magic,
  MAX_SIZE,
  RECORD_HEADER_SIZE,
  SCRIPT_RECORD_HEADER_SIZE,
} from "./constants.ts";
import { type ByteReader, collect, type Decoder } from "./decoder.ts";
import { type ByteWriter, toBytes } from "./writer.ts";

/** What names a record in get_bulk and remove_bulk. */
export interface WireKey {
  database: number;
  key: Key;
}

/** A record of set_bulk; `xt` in seconds as expiration.ts explains it. */
export interface WireRecord extends WireKey {
  value: Value;
  xt: number;
}

/** The fixed part of set_bulk, remove_bulk and get_bulk; `count` records must follow. */
export function encodeBulkHeader(w: ByteWriter, magic: number, flags: number, count: number): void {
  w.u8(magic);
  w.u32(flags);
  w.u32(count);
}

export function encodeSet(w: ByteWriter, flags: number, records: readonly WireRecord[]): void {
  encodeBulkHeader(w, Magic.SET_BULK, flags, records.length);
  for (const { database, key, value, xt } of records) w.record(database, key, value, xt);
}

export function encodeRemove(w: ByteWriter, flags: number, keys: readonly WireKey[]): void {
  encodeBulkHeader(w, Magic.REMOVE_BULK, flags, keys.length);
  for (const { database, key } of keys) w.keyRecord(database, key);
}

export function encodeGet(w: ByteWriter, flags: number, keys: readonly WireKey[]): void {
  encodeBulkHeader(w, Magic.GET_BULK, flags, keys.length);
  for (const { database, key } of keys) w.keyRecord(database, key);
}

/** Mind the order on the wire: the number of records stands before the name. */
export function encodeScript(
  w: ByteWriter,
  flags: number,
  name: Key,
  records: readonly (readonly [Key, Value])[],
): void {
  const bytes = toBytes(name);
  w.u8(Magic.PLAY_SCRIPT);
  w.u32(flags);
  w.u32(bytes.length);
  w.u32(records.length);
  w.bytes(bytes);
  for (const [key, value] of records) w.scriptRecord(key, value);
}

/** Asks for the updates with a stamp above `since`: all but those made by `serverId`, or only those. */
export function encodeReplication(
  w: ByteWriter,
  since: bigint,
  serverId: number,
  only: boolean,
): void {
  w.u8(Magic.REPLICATION);
  w.u32(only ? FLAG_WHITE_LIST : 0);
  w.u64(since);
  w.u16(serverId);
}

/** Fails where a key, value or name announces more than the protocol allows. */
function checkSize(what: string, size: number): void {
  if (size > MAX_SIZE) {
    throw new ProtocolError(
      `Cannot read a request: a ${what} of ${size} bytes is over ${MAX_SIZE}`,
    );
  }
}

/**
 * Called for each record as it arrives: the server executes a bulk request record by record.
 * The key stands in `bytes` from `start` to `end`, and is only valid during the call.
 */
export type KeyVisitor = (database: number, bytes: Uint8Array, start: number, end: number) => void;

/**
 * Called for each record of set_bulk as it arrives. Key and value stand one behind the other in
 * `bytes` from `start` on; they are only valid during the call, unless `owned`, in which case they
 * are all there is in `bytes`, and the visitor may keep it.
 */
export type RecordVisitor = (
  database: number,
  xt: number,
  bytes: Uint8Array,
  start: number,
  keySize: number,
  valueSize: number,
  owned: boolean,
) => void;

/** The records of remove_bulk or get_bulk, behind the fixed part. */
export function* decodeKeys(r: ByteReader, count: number, visit: KeyVisitor): Decoder<void> {
  for (let i = 0; i < count; i++) {
    if (r.available < KEY_HEADER_SIZE) yield KEY_HEADER_SIZE;
    const database = r.u16(), size = r.u32();
    checkSize("key", size);
    if (r.available >= size) {
      const start = r.position;
      r.position = start + size;
      visit(database, r.window, start, start + size);
    } else {
      visit(database, yield* collect(r, size), 0, size);
    }
  }
}

/** The records of set_bulk, behind the fixed part. */
export function* decodeRecords(r: ByteReader, count: number, visit: RecordVisitor): Decoder<void> {
  for (let i = 0; i < count; i++) {
    if (r.available < RECORD_HEADER_SIZE) yield RECORD_HEADER_SIZE;
    const database = r.u16(), keySize = r.u32(), valueSize = r.u32(), xt = r.i64();
    checkSize("key", keySize);
    checkSize("value", valueSize);
    const size = keySize + valueSize;
    if (r.available >= size) {
      const start = r.position;
      r.position = start + size;
      visit(database, xt, r.window, start, keySize, valueSize, false);
    } else {
      visit(database, xt, yield* collect(r, size), 0, keySize, valueSize, true);
    }
  }
}

/** The name of a procedure, whose size the fixed part announced. */
export function* decodeScriptName(r: ByteReader, size: number): Decoder<Uint8Array> {
  checkSize("procedure name", size);
  return yield* collect(r, size);
}

/** The input records of a procedure, behind its name. */
export function* decodeScriptRecords(
  r: ByteReader,
  count: number,
): Decoder<[key: Uint8Array, value: Uint8Array][]> {
  const records: [Uint8Array, Uint8Array][] = [];
  for (let i = 0; i < count; i++) {
    if (r.available < SCRIPT_RECORD_HEADER_SIZE) yield SCRIPT_RECORD_HEADER_SIZE;
    const keySize = r.u32(), valueSize = r.u32();
    checkSize("key", keySize);
    checkSize("value", valueSize);
    const key = r.available >= keySize ? r.copy(keySize) : yield* collect(r, keySize);
    const value = r.available >= valueSize ? r.copy(valueSize) : yield* collect(r, valueSize);
    records.push([key, value]);
  }
  return records;
}
