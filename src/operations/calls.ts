/** The bulk requests and scripts as calls: one request each, whatever it holds. */

import { FLAG_NO_REPLY, Magic } from "../codec/constants.ts";
import type { ByteReader, Decoder } from "../codec/decoder.ts";
import {
  decodeCount,
  decodeGetReply,
  decodeScriptReply,
  type GetVisitor,
  REFUSED,
} from "../codec/reply.ts";
import {
  encodeGet,
  encodeRemove,
  encodeScript,
  encodeSet,
  type WireKey,
  type WireRecord,
} from "../codec/request.ts";
import { type CallKind, type Convert, ExchangeCall, Refused } from "../connection/call.ts";
import { refusal, sameKey } from "../connection/frame.ts";
import { ProtocolError, ServerError } from "../errors.ts";
import type { Entry, Key, Value } from "../types.ts";

/** `setBulk` of these records: how many were stored. */
export function setBulkCall(
  operation: string,
  records: readonly WireRecord[],
  noReply: boolean,
): ExchangeCall<number> {
  let size = 0;
  for (const record of records) size += recordSize(record);
  return new ExchangeCall(
    operation,
    bulkKind(records, size, false, noReply),
    (w) => encodeSet(w, noReply ? FLAG_NO_REPLY : 0, records),
    (r) => count(r, operation, Magic.SET_BULK, records.length),
  );
}

/** `removeBulk` of these keys: how many there were. */
export function removeBulkCall(
  operation: string,
  keys: readonly WireKey[],
  noReply: boolean,
): ExchangeCall<number> {
  return new ExchangeCall(
    operation,
    bulkKind(keys, keysSize(keys), false, noReply),
    (w) => encodeRemove(w, noReply ? FLAG_NO_REPLY : 0, keys),
    (r) => count(r, operation, Magic.REMOVE_BULK, keys.length),
  );
}

/** `getBulk` of these keys: what was found, in their order. `measure` is told how many bytes it was. */
export function getBulkCall<V>(
  operation: string,
  keys: readonly WireKey[],
  maxReplyBytes: number,
  convert: Convert<Entry<V>>,
  measure: (bytes: number) => void = () => {},
): ExchangeCall<Entry<V>[]> {
  return new ExchangeCall(
    operation,
    bulkKind(keys, keysSize(keys), true, false),
    (w) => encodeGet(w, 0, keys),
    function* (r) {
      const found = new Found(keys, convert);
      const n = yield* decodeGetReply(r, keys.length, maxReplyBytes, found);
      if (n === REFUSED) throw new Refused(refusal(operation), true);
      measure(found.bytes);
      if (found.failure !== null) throw new Refused(found.failure.error, false);
      return found.entries;
    },
  );
}

/** `playScript`: the procedure's output, its keys still bytes. */
export function scriptCall(
  name: string,
  input: readonly (readonly [Key, Value])[],
  noReply: boolean,
  maxReplyBytes: number,
): ExchangeCall<[key: Uint8Array, value: Uint8Array][]> {
  let size = name.length;
  for (const [key, value] of input) size += key.length + value.length;
  return new ExchangeCall(
    "playScript",
    { retryable: false, noReply, size },
    (w) => encodeScript(w, noReply ? FLAG_NO_REPLY : 0, name, input),
    function* (r) {
      const output = yield* decodeScriptReply(r, maxReplyBytes);
      if (output === null) {
        // The protocol has one byte for all of it; the connection stays open.
        const why = "the server has no such procedure, or the procedure failed";
        throw new Refused(
          new ServerError(`Cannot playScript "${name}": ${why}`, { operation: "playScript" }),
          false,
        );
      }
      return output;
    },
  );
}

/** The count in a reply, of as many records as were sent at `most`. */
function* count(
  r: ByteReader,
  operation: string,
  magic: number,
  most: number,
): Decoder<number> {
  const n = yield* decodeCount(r, magic);
  if (n === REFUSED) throw new Refused(refusal(operation), true);
  if (n > most) {
    throw new ProtocolError(
      `Cannot ${operation}: the server counted ${n} records where there are ${most}`,
    );
  }
  return n;
}

/** About how many bytes a record takes. */
export function recordSize({ key, value }: WireRecord): number {
  return key.length + value.length;
}

function bulkKind(
  keys: readonly WireKey[],
  size: number,
  retryable: boolean,
  noReply: boolean,
): CallKind {
  return {
    retryable,
    noReply,
    size,
    get database() {
      return databaseOf(keys);
    },
  };
}

/** The database that all of them are in; `null` if there are several. */
function databaseOf(keys: readonly WireKey[]): number | null {
  const [first] = keys;
  if (first === undefined) return null;
  for (const { database } of keys) if (database !== first.database) return null;
  return first.database;
}

function keysSize(keys: readonly WireKey[]): number {
  let size = 0;
  for (const { key } of keys) size += key.length;
  return size;
}

/** Matches the records of a reply with the keys asked for, by walking both in order. */
class Found<V> implements GetVisitor {
  readonly entries: Entry<V>[] = [];
  /** Bytes of the values. */
  bytes = 0;
  /** The codec's first failure; the reply is read to its end all the same. */
  failure: { error: unknown } | null = null;
  readonly #keys: readonly WireKey[];
  readonly #convert: Convert<Entry<V>>;
  #next = 0;

  constructor(keys: readonly WireKey[], convert: Convert<Entry<V>>) {
    this.#keys = keys;
    this.#convert = convert;
  }

  accept(database: number, bytes: Uint8Array, start: number, end: number): number {
    const keys = this.#keys;
    for (let i = this.#next; i < keys.length; i++) {
      const { key, database: wanted } = keys[i];
      if (wanted !== database || !sameKey(key, bytes, start, end)) continue;
      this.#next = i + 1;
      return i;
    }
    return -1;
  }

  deliver(
    index: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    owned: boolean,
    xt: number,
  ): void {
    const { key, database } = this.#keys[index];
    this.bytes += end - start;
    try {
      this.entries.push(this.#convert(bytes, start, end, owned, xt, key, database));
    } catch (error) {
      this.failure ??= { error };
    }
  }
}
