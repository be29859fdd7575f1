/** The replies of the binary protocol: encoded by a server, decoded by a client. */

import { ProtocolError } from "../errors.ts";
import type { Key, Value } from "../types.ts";
import {
  COUNT_SIZE,
  Magic,
  RECORD_HEADER_SIZE,
  ROW_COST,
  SCRIPT_RECORD_HEADER_SIZE,
} from "./constants.ts";
import { i64At, u32At } from "./bytes.ts";
import { type ByteReader, collect, type Decoder } from "./decoder.ts";
import type { ByteWriter } from "./writer.ts";

/** What a decoder returns instead of a count when the server answered `bf`. */
export const REFUSED = -1;

/** The reply of set_bulk and remove_bulk, and the head of the others. */
export function encodeCount(w: ByteWriter, magic: number, count: number): void {
  w.u8(magic);
  w.u32(count);
}

/** The reply of play_script. */
export function encodeScriptReply(
  w: ByteWriter,
  records: readonly (readonly [Key, Value])[],
): void {
  encodeCount(w, Magic.PLAY_SCRIPT, records.length);
  for (const [key, value] of records) w.scriptRecord(key, value);
}

/** `magic` and a count, or {@linkcode REFUSED}. */
export function* decodeCount(r: ByteReader, magic: number): Decoder<number> {
  if (r.available < 1) yield 1;
  const first = r.u8();
  if (first === Magic.ERROR) return REFUSED;
  if (first !== magic) throw unexpectedMagic(magic, first);
  if (r.available < 4) yield 4;
  return r.u32();
}

/** The same at once if it is at hand; `null`, and nothing is read, if not. */
export function takeCount(r: ByteReader, magic: number): number | null {
  if (r.available < COUNT_SIZE || r.window[r.position] !== magic) return null;
  r.skip(1);
  return r.u32();
}

function unexpectedMagic(expected: number, got: number): ProtocolError {
  const hex = (n: number) => `0x${n.toString(16).padStart(2, "0")}`;
  return new ProtocolError(
    `Cannot read a reply: expected the first byte ${hex(expected)} or 0xbf, got ${hex(got)}`,
  );
}

/**
 * Takes the records of a get_bulk reply in the order of the request. `accept` says whose record it
 * is, by position in the request, from `next` on; `deliver` takes its value.
 */
export interface GetVisitor {
  /** The key stands in `bytes` from `start` to `end`, only during the call. Negative: not asked for. */
  accept(database: number, bytes: Uint8Array, start: number, end: number): number;
  /**
   * The value stands in `bytes` from `start` to `end`, only during the call - unless `owned`: then it
   * is all there is in `bytes`, and the visitor may keep it.
   */
  deliver(
    index: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    owned: boolean,
    xt: number,
  ): void;
}

/**
 * The reply of get_bulk to a request of `asked` keys: the number of records, or
 * {@linkcode REFUSED}, at once if all of it is at hand, otherwise by the decoder of what is not.
 *
 * @param maxBytes What all keys and values together may take up, checked before memory is taken.
 */
export function readGetReply(
  r: ByteReader,
  asked: number,
  maxBytes: number,
  visitor: GetVisitor,
): number | Decoder<number> {
  const count = takeCount(r, Magic.GET_BULK);
  if (count === null) return decodeGetReply(r, asked, maxBytes, visitor);
  checkCount(count, asked);
  const start = r.position;
  const whole = takeWholeRecords(r, count, maxBytes, visitor);
  if (whole === count) return count;
  const left = maxBytes - (r.position - start - whole * RECORD_HEADER_SIZE);
  return decodeGetRecords(r, count, whole, left, maxBytes, visitor);
}

/** The same, always by a decoder. */
export function* decodeGetReply(
  r: ByteReader,
  asked: number,
  maxBytes: number,
  visitor: GetVisitor,
): Decoder<number> {
  const count = yield* decodeCount(r, Magic.GET_BULK);
  if (count === REFUSED) return REFUSED;
  checkCount(count, asked);
  return yield* decodeGetRecords(r, count, 0, maxBytes, maxBytes, visitor);
}

function checkCount(count: number, asked: number): void {
  if (count > asked) {
    throw new ProtocolError(
      `Cannot read a reply: ${count} records came for ${asked} keys asked for`,
    );
  }
}

/** The records from the `i`th on, which may take up `left` bytes; returns how many there are in all. */
function* decodeGetRecords(
  r: ByteReader,
  count: number,
  i: number,
  left: number,
  maxBytes: number,
  visitor: GetVisitor,
): Decoder<number> {
  for (;; i++) {
    const start = r.position;
    const whole = takeWholeRecords(r, count - i, left, visitor);
    i += whole;
    if (i === count) return count;
    left -= r.position - start - whole * RECORD_HEADER_SIZE;
    // The next record has not come whole, or is not as it should be.
    if (r.available < RECORD_HEADER_SIZE) yield RECORD_HEADER_SIZE;
    const database = r.u16(), keySize = r.u32(), valueSize = r.u32(), xt = r.i64();
    left -= keySize + valueSize;
    if (left < 0) throw tooLarge(maxBytes);
    let index: number;
    if (r.available >= keySize) {
      const start = r.position;
      r.position = start + keySize;
      index = visitor.accept(database, r.window, start, start + keySize);
    } else {
      index = visitor.accept(database, yield* collect(r, keySize), 0, keySize);
    }
    if (index < 0) {
      throw new ProtocolError("Cannot read a reply: a record came that was not asked for");
    }
    if (r.available >= valueSize) {
      const start = r.position;
      r.position = start + valueSize;
      visitor.deliver(index, r.window, start, start + valueSize, false, xt);
    } else {
      visitor.deliver(index, yield* collect(r, valueSize), 0, valueSize, true, xt);
    }
  }
}

/**
 * Takes up to `count` records of a get_bulk reply, as far as they are at hand, whole and faultless;
 * returns how many. A plain loop: runtimes compile it better than the same in a generator.
 */
function takeWholeRecords(
  r: ByteReader,
  count: number,
  maxBytes: number,
  visitor: GetVisitor,
): number {
  const { window, end } = r;
  let left = maxBytes;
  for (let i = 0; i < count; i++) {
    const header = r.position, key = header + RECORD_HEADER_SIZE;
    if (key > end) return i;
    const value = key + u32At(window, header + 2), next = value + u32At(window, header + 6);
    left -= next - key;
    if (next > end || left < 0) return i;
    const index = visitor.accept((window[header] << 8) | window[header + 1], window, key, value);
    if (index < 0) return i;
    r.position = next;
    visitor.deliver(index, window, value, next, false, i64At(window, header + 10));
  }
  return count;
}

/** The reply of play_script; `null` when the server answered `bf`. */
export function* decodeScriptReply(
  r: ByteReader,
  maxBytes: number,
): Decoder<[key: Uint8Array, value: Uint8Array][] | null> {
  const count = yield* decodeCount(r, Magic.PLAY_SCRIPT);
  if (count === REFUSED) return null;
  const records: [Uint8Array, Uint8Array][] = [];
  let left = maxBytes;
  for (let i = 0; i < count; i++) {
    if (r.available < SCRIPT_RECORD_HEADER_SIZE) yield SCRIPT_RECORD_HEADER_SIZE;
    const keySize = r.u32(), valueSize = r.u32();
    left -= ROW_COST + keySize + valueSize;
    if (left < 0) throw tooLarge(maxBytes);
    const key = r.available >= keySize ? r.copy(keySize) : yield* collect(r, keySize);
    const value = r.available >= valueSize ? r.copy(valueSize) : yield* collect(r, valueSize);
    records.push([key, value]);
  }
  return records;
}

function tooLarge(maxBytes: number): ProtocolError {
  return new ProtocolError(
    `Cannot read a reply: it announces more than "maxReplyBytes", ${maxBytes} bytes`,
  );
}
