/**
 * The update log as it is sent to followers: frames of updates and heartbeats, written by a master
 * and read by a follower. (docs/protocol.md, section 4)
 */

import { ProtocolError } from "../errors.ts";
import { putBytes, type RecordBytes } from "./bytes.ts";
import { Magic, MAX_SIZE, NEVER } from "./constants.ts";
import { type ByteReader, collect, type Decoder } from "./decoder.ts";

/** What stands in a message. All others are skipped. */
export const Operation = { SET: 0xa1, REMOVE: 0xa2, CLEAR: 0xa5 } as const;

/** `b1, time stamp, size`: what stands before each message. */
export const UPDATE_HEADER_SIZE = 13;
/** `b0, time stamp`. */
export const HEARTBEAT_SIZE = 9;
/** `server id, database, operation`: the least that a message holds. */
const MESSAGE_HEADER_SIZE = 5;
/** A record's expiration, in front of its value. */
const EXPIRATION_SIZE = 5;
/** The most bytes of a variable-length number: 10 groups of 7 bits hold any 64. */
const MAX_VARNUM_SIZE = 10;
/** A message up to this size is waited for as a whole; a larger one is gathered as it arrives. */
const WHOLE_SIZE = 64 * 1024;

/** The size of a number in groups of seven bits. */
function varnumSize(n: number): number {
  return n < 0x80 ? 1 : n < 0x4000 ? 2 : n < 0x20_0000 ? 3 : n < 0x1000_0000 ? 4 : 5;
}

/** Writes a number in groups of seven bits, the most significant first; returns where it ends. */
function putVarnum(target: Uint8Array, at: number, n: number): number {
  const size = varnumSize(n);
  if (size === 5) target[at++] = 0x80 | Math.floor(n / 0x1000_0000);
  for (let shift = Math.min(size - 1, 3) * 7; shift > 0; shift -= 7) {
    target[at++] = 0x80 | (n >>> shift);
  }
  target[at++] = n & 0x7f;
  return at;
}

function put32(target: Uint8Array, at: number, n: number): number {
  target[at] = n >>> 24;
  target[at + 1] = n >>> 16;
  target[at + 2] = n >>> 8;
  target[at + 3] = n;
  return at + 4;
}

/** Copies by a loop: most keys and values are too small for the call into the runtime to pay. */
/** A time stamp as two halves: a bigint for each update would cost more than the rest of it. */
export interface Stamp {
  high: number;
  low: number;
}

/** What stands in front of the operands of each update. */
export interface UpdateHead {
  readonly stamp: Stamp;
  /** The server where the update was first made. */
  readonly serverId: number;
  readonly database: number;
}

function putHead(
  target: Uint8Array,
  at: number,
  size: number,
  head: UpdateHead,
  operation: number,
): number {
  at = putUpdateHeader(target, at, head.stamp, size - UPDATE_HEADER_SIZE);
  at = put32(target, at, (head.serverId << 16) | head.database);
  target[at] = operation;
  return at + 1;
}

/** The bytes that {@linkcode putSet} writes. */
export function setFrameSize(keySize: number, valueSize: number, persistent: boolean): number {
  const stored = persistent ? valueSize : valueSize + EXPIRATION_SIZE;
  return UPDATE_HEADER_SIZE + MESSAGE_HEADER_SIZE + varnumSize(keySize) + varnumSize(stored) +
    keySize + stored;
}

/**
 * Writes that a record was stored; returns where that ends. Key and value stand behind each other in
 * `bytes`. A `persistent` database (`#ktopts=p`) knows no expiration.
 */
export function putSet(
  target: Uint8Array,
  at: number,
  head: UpdateHead,
  { bytes, start, valueStart, end, expires }: RecordBytes,
  persistent: boolean,
): number {
  const keySize = valueStart - start, valueSize = end - valueStart;
  at = putHead(target, at, setFrameSize(keySize, valueSize, persistent), head, Operation.SET);
  at = putVarnum(target, at, keySize);
  at = putVarnum(target, at, persistent ? valueSize : valueSize + EXPIRATION_SIZE);
  at = putBytes(target, at, bytes, start, valueStart);
  if (!persistent) {
    target[at] = expires / 0x1_0000_0000;
    at = put32(target, at + 1, expires >>> 0);
  }
  return putBytes(target, at, bytes, valueStart, end);
}

/** The bytes that {@linkcode putRemove} writes. */
export function removeFrameSize(keySize: number): number {
  return UPDATE_HEADER_SIZE + MESSAGE_HEADER_SIZE + varnumSize(keySize) + keySize;
}

/** Writes that a record was removed; returns where that ends. */
export function putRemove(
  target: Uint8Array,
  at: number,
  head: UpdateHead,
  key: Uint8Array,
): number {
  at = putHead(target, at, removeFrameSize(key.length), head, Operation.REMOVE);
  at = putVarnum(target, at, key.length);
  return putBytes(target, at, key, 0, key.length);
}

/** The bytes that {@linkcode putClear} writes. */
export const CLEAR_FRAME_SIZE = UPDATE_HEADER_SIZE + MESSAGE_HEADER_SIZE;

/** Writes that a database was cleared; returns where that ends. */
export function putClear(target: Uint8Array, at: number, head: UpdateHead): number {
  return putHead(target, at, CLEAR_FRAME_SIZE, head, Operation.CLEAR);
}

/** Writes what stands before a message of `size` bytes; of 0 bytes, it is all there is. */
export function putUpdateHeader(
  target: Uint8Array,
  at: number,
  stamp: Stamp,
  size: number,
): number {
  target[at] = Magic.REPLICATION;
  at = put32(target, at + 1, stamp.high);
  at = put32(target, at, stamp.low);
  return put32(target, at, size);
}

/** Writes a heartbeat; returns where it ends. */
export function putHeartbeat(target: Uint8Array, at: number, stamp: Stamp): number {
  target[at] = Magic.HEARTBEAT;
  at = put32(target, at + 1, stamp.high);
  return put32(target, at, stamp.low);
}

/** What {@linkcode decodeUpdates} has read. */
export const FrameKind = {
  /** The server's first byte: it has an update log. */
  ACCEPTED: 1,
  /** The server's first byte: it has none. */
  REFUSED: 2,
  HEARTBEAT: 3,
  /** A time stamp alone: left-out updates, or an operation of no concern. */
  SKIPPED: 4,
  SET: 5,
  REMOVE: 6,
  CLEAR: 7,
} as const;

const EMPTY = new Uint8Array(0);

/**
 * One frame, filled in again and again by {@linkcode decodeUpdates}. Key and value are ranges of
 * `bytes`, and only valid until the decoder runs again; unless they are `owned`: then `bytes` holds
 * nothing else but the 5 bytes between them, and nobody writes to it any more.
 */
export class UpdateFrame {
  kind: number = 0;
  stampHigh = 0;
  stampLow = 0;
  serverId = 0;
  database = 0;
  /** Whole seconds since 1970; {@linkcode NEVER} and above: never. */
  expires: number = NEVER;
  bytes: Uint8Array = EMPTY;
  owned = false;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  readonly #scratch = new DataView(new ArrayBuffer(8));

  get timestamp(): bigint {
    this.#scratch.setUint32(0, this.stampHigh);
    this.#scratch.setUint32(4, this.stampLow);
    return this.#scratch.getBigUint64(0);
  }
}

/**
 * Reads what a master sends, from its first byte on, for ever. Yields the number of contiguous bytes
 * that it needs, and 0 whenever it has filled `frame` in.
 *
 * @param isPersistent Whether a database stores values without their expiration (`#ktopts=p`): the
 * log does not tell.
 */
export function* decodeUpdates(
  r: ByteReader,
  frame: UpdateFrame,
  isPersistent: (database: number) => boolean,
): Decoder<never> {
  if (r.available < 1) yield 1;
  frame.kind = acceptance(r.u8());
  for (;;) {
    yield 0;
    if (r.available < HEARTBEAT_SIZE) yield HEARTBEAT_SIZE;
    const first = r.window[r.position];
    if (first === Magic.HEARTBEAT) {
      r.skip(1);
      frame.stampHigh = r.u32();
      frame.stampLow = r.u32();
      frame.kind = FrameKind.HEARTBEAT;
      continue;
    }
    if (first !== Magic.REPLICATION) {
      throw new ProtocolError(
        `Cannot read the updates after ${frame.timestamp}: ${hex(first)} begins no message`,
      );
    }
    if (r.available < UPDATE_HEADER_SIZE) yield UPDATE_HEADER_SIZE;
    r.skip(1);
    frame.stampHigh = r.u32();
    frame.stampLow = r.u32();
    const size = r.u32();
    frame.kind = FrameKind.SKIPPED;
    if (size === 0) continue;
    if (size < MESSAGE_HEADER_SIZE) throw damaged(frame, `its message has only ${size} bytes`);
    const whole = size <= WHOLE_SIZE;
    const needed = whole ? size : MESSAGE_HEADER_SIZE + 2 * MAX_VARNUM_SIZE;
    if (r.available < needed) yield needed;

    const start = r.position;
    frame.serverId = r.u16();
    frame.database = r.u16();
    const operation = r.u8();
    let keySize = 0, valueSize = 0;
    if (operation === Operation.SET) {
      frame.kind = FrameKind.SET;
      keySize = readVarnum(r, frame);
      valueSize = readVarnum(r, frame);
    } else if (operation === Operation.REMOVE) {
      frame.kind = FrameKind.REMOVE;
      keySize = readVarnum(r, frame);
    } else if (operation === Operation.CLEAR) {
      frame.kind = FrameKind.CLEAR;
    } else {
      for (let left = size - MESSAGE_HEADER_SIZE;;) {
        const step = Math.min(left, r.available);
        r.skip(step);
        left -= step;
        if (left === 0) break;
        yield 1;
      }
      continue;
    }

    checkSizes(frame, r.position - start, keySize, valueSize, size);
    const payloadSize = keySize + valueSize;
    if (whole) {
      frame.bytes = r.window;
      frame.owned = false;
      frame.keyStart = r.position;
      r.skip(payloadSize);
    } else {
      frame.bytes = yield* collect(r, payloadSize);
      frame.owned = true;
      frame.keyStart = 0;
    }
    frame.keyEnd = frame.valueStart = frame.keyStart + keySize;
    frame.valueEnd = frame.keyEnd + valueSize;
    frame.expires = NEVER;
    if (frame.kind === FrameKind.SET && !isPersistent(frame.database)) splitExpiration(frame);
  }
}

function acceptance(first: number): number {
  if (first === Magic.REPLICATION) return FrameKind.ACCEPTED;
  if (first === Magic.ERROR) return FrameKind.REFUSED;
  throw new ProtocolError(`Cannot replicate: expected 0xb1 or 0xbf first, got ${hex(first)}`);
}

/** Takes the expiration off the front of the value. */
function splitExpiration(frame: UpdateFrame): void {
  const { bytes, valueStart: at } = frame;
  if (frame.valueEnd - at < EXPIRATION_SIZE) {
    throw damaged(
      frame,
      `its value has no expiration: database ${frame.database} may be one with "#ktopts=p"`,
    );
  }
  frame.valueStart = at + EXPIRATION_SIZE;
  const low = (bytes[at + 1] << 24) | (bytes[at + 2] << 16) | (bytes[at + 3] << 8) | bytes[at + 4];
  frame.expires = bytes[at] * 0x1_0000_0000 + (low >>> 0);
}

/**
 * A number in groups of seven bits. What stands there may lie behind the message, whose size is
 * compared afterwards; behind the window it reads as NaN, which no size equals.
 */
function readVarnum(r: ByteReader, frame: UpdateFrame): number {
  let n = 0;
  for (let i = 0; i < MAX_VARNUM_SIZE; i++) {
    const byte = r.u8();
    n = n * 0x80 + (byte & 0x7f);
    if (byte < 0x80) return n;
  }
  throw damaged(frame, "a size does not end");
}

function checkSizes(
  frame: UpdateFrame,
  headSize: number,
  keySize: number,
  valueSize: number,
  size: number,
): void {
  if (headSize + keySize + valueSize !== size) {
    throw damaged(
      frame,
      `its message has ${size} bytes, but its head ${headSize}, its key ${keySize} and its value ` +
        `${valueSize}`,
    );
  }
  if (keySize > MAX_SIZE || valueSize > MAX_SIZE + EXPIRATION_SIZE) {
    const [what, n] = keySize > MAX_SIZE ? ["key", keySize] : ["value", valueSize];
    throw damaged(frame, `a ${what} of ${n} bytes is over ${MAX_SIZE}`);
  }
}

function damaged(frame: UpdateFrame, how: string): ProtocolError {
  return new ProtocolError(`Cannot read the update ${frame.timestamp}: ${how}`);
}

function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}
