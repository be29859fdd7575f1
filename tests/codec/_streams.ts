/** The codec's decoders, strung together as a server's and a client's read loops do it. */

import { Magic } from "../../src/codec/constants.ts";
import { type ByteReader, type Decoder, Feed } from "../../src/codec/decoder.ts";
import { decodeCount, decodeGetReply, decodeScriptReply, REFUSED } from "../../src/codec/reply.ts";
import {
  decodeKeys,
  decodeRecords,
  decodeScriptName,
  decodeScriptRecords,
} from "../../src/codec/request.ts";
import { ProtocolError } from "../../src/errors.ts";
import type { Kind, Outcome, PlainRecord, PlainReply, PlainRequest } from "../plain_parser.ts";

const NOTHING = new Uint8Array(0);

/** What a read loop has made of its input so far. */
export class Reading<T> {
  readonly messages: T[] = [];
  /** How the input would end if it ended here. */
  outcome: Outcome = "complete";
  #memory = new Uint8Array(1024);
  #used = 0;

  /** Copies what is only valid for now. Thousands of small arrays of their own would cost too much. */
  keep(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const size = end - start;
    if (this.#used + size > this.#memory.length) {
      this.#memory = new Uint8Array(Math.max(size, 2 * this.#memory.length));
      this.#used = 0;
    }
    const kept = this.#memory.subarray(this.#used, this.#used += size);
    if (size > 64) kept.set(bytes.subarray(start, end));
    else for (let i = 0; i < size; i++) kept[i] = bytes[start + i];
    return kept;
  }
}

/** Reads requests, as a server does. */
export function* readRequests(r: ByteReader, reading: Reading<PlainRequest>): Decoder<void> {
  try {
    for (;;) {
      reading.outcome = "complete";
      if (r.available < 1) yield 1;
      reading.outcome = "unfinished";
      const magic = r.u8();
      if (magic === Magic.PLAY_SCRIPT) yield* readScript(r, reading);
      else if (magic === Magic.SET_BULK) yield* readBulk(r, "set", reading);
      else if (magic === Magic.REMOVE_BULK) yield* readBulk(r, "remove", reading);
      else if (magic === Magic.GET_BULK) yield* readBulk(r, "get", reading);
      else return void (reading.outcome = "unknown");
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    reading.outcome = "too large";
  }
}

function* readBulk(r: ByteReader, kind: Kind, reading: Reading<PlainRequest>): Decoder<void> {
  if (r.available < 8) yield 8;
  const flags = r.u32(), count = r.u32();
  const records: PlainRecord[] = [];
  reading.messages.push({ kind, flags, name: NOTHING, count, records });
  if (kind === "set") {
    yield* decodeRecords(r, count, (database, xt, bytes, start, keySize, valueSize, owned) => {
      if (owned) assertWhole(bytes, start, start + keySize + valueSize);
      const middle = start + keySize;
      records.push({
        database,
        xt,
        key: reading.keep(bytes, start, middle),
        value: reading.keep(bytes, middle, middle + valueSize),
      });
    });
  } else {
    yield* decodeKeys(r, count, (database, bytes, start, end) => {
      records.push({ database, xt: 0, key: reading.keep(bytes, start, end), value: NOTHING });
    });
  }
}

/** Bytes that are handed over have no others beside them. */
function assertWhole(bytes: Uint8Array, start: number, end: number): void {
  if (start !== 0 || end !== bytes.length || end !== bytes.buffer.byteLength) {
    throw new Error("owned bytes have others beside them");
  }
}

function* readScript(r: ByteReader, { messages }: Reading<PlainRequest>): Decoder<void> {
  if (r.available < 12) yield 12;
  const flags = r.u32(), nameSize = r.u32(), count = r.u32();
  const request: PlainRequest = { kind: "script", flags, name: NOTHING, count, records: [] };
  messages.push(request);
  request.name = yield* decodeScriptName(r, nameSize);
  request.records = plainPairs(yield* decodeScriptRecords(r, count));
}

function plainPairs(records: readonly [Uint8Array, Uint8Array][]): PlainRecord[] {
  return records.map(([key, value]) => ({ database: 0, xt: 0, key, value }));
}

/** Reads the replies to `requests`, as a client does. */
export function* readReplies(
  r: ByteReader,
  requests: readonly PlainRequest[],
  reading: Reading<PlainReply>,
): Decoder<void> {
  try {
    for (const request of requests) {
      reading.outcome = "complete";
      if (r.available < 1) yield 1;
      reading.outcome = "unfinished";
      reading.messages.push(yield* readReply(r, request, reading));
    }
    reading.outcome = "complete";
    if (r.available < 1) yield 1;
    reading.outcome = "unknown";
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    reading.outcome = "unknown";
  }
}

function* readReply(
  r: ByteReader,
  request: PlainRequest,
  reading: Reading<PlainReply>,
): Decoder<PlainReply> {
  if (request.kind === "script") {
    const pairs = yield* decodeScriptReply(r, Infinity);
    if (pairs === null) return { count: REFUSED, records: [] };
    return { count: pairs.length, records: plainPairs(pairs) };
  }
  if (request.kind !== "get") {
    const magic = request.kind === "set" ? Magic.SET_BULK : Magic.REMOVE_BULK;
    return { count: yield* decodeCount(r, magic), records: [] };
  }
  const records: PlainRecord[] = [];
  const asked = request.records;
  let next = 0;
  const count = yield* decodeGetReply(r, asked.length, Infinity, {
    accept(database, bytes, start, end) {
      const key = bytes.subarray(start, end);
      while (next < asked.length) {
        const { database: itsDatabase, key: itsKey } = asked[next++];
        if (itsDatabase === database && sameBytes(itsKey, key)) return next - 1;
      }
      return -1;
    },
    deliver(index, bytes, start, end, owned, xt) {
      if (owned) assertWhole(bytes, start, end);
      const { database, key } = asked[index];
      records.push({ database, xt, key, value: reading.keep(bytes, start, end) });
    },
  });
  return { count, records };
}

/** Feeds `pieces` to a read loop; returns what it made of them. */
export function readAll<T>(
  read: (r: ByteReader, reading: Reading<T>) => Decoder<void>,
  pieces: Iterable<Uint8Array>,
): Reading<T> {
  const reading = new Reading<T>();
  const feed = new Feed((r) => read(r, reading));
  for (const piece of pieces) feed.push(piece);
  return reading;
}

/** A stream cut in two. */
export function* cutAt(bytes: Uint8Array, position: number): Generator<Uint8Array> {
  yield bytes.subarray(0, position);
  yield bytes.subarray(position);
}

/** A stream byte by byte, each in memory that is overwritten afterwards, as a socket's buffer is. */
export function* byteByByte(bytes: Uint8Array): Generator<Uint8Array> {
  const piece = new Uint8Array(1);
  for (const byte of bytes) {
    piece[0] = byte;
    yield piece;
  }
}

/** Faster than an assertion, for what is compared hundreds of thousands of times. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}

function sameRecords(a: readonly PlainRecord[], b: readonly PlainRecord[]): boolean {
  return a.length === b.length &&
    a.every((record, i) =>
      record.database === b[i].database && record.xt === b[i].xt &&
      sameBytes(record.key, b[i].key) && sameBytes(record.value, b[i].value)
    );
}

export function sameRequests(a: readonly PlainRequest[], b: readonly PlainRequest[]): boolean {
  return a.length === b.length &&
    a.every((request, i) =>
      request.kind === b[i].kind && request.flags === b[i].flags && request.count === b[i].count &&
      sameBytes(request.name, b[i].name) && sameRecords(request.records, b[i].records)
    );
}

export function sameReplies(a: readonly PlainReply[], b: readonly PlainReply[]): boolean {
  return a.length === b.length &&
    a.every((reply, i) => reply.count === b[i].count && sameRecords(reply.records, b[i].records));
}
