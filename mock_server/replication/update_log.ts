/**
 * The update log: every modification, as the frames that are sent to followers, in memory. It stands
 * in segments of which the oldest are given up when there are too many bytes; a follower's position
 * is a number, so one that stands still holds nothing back.
 */

import { u32At } from "../../src/codec/bytes.ts";
import {
  CLEAR_FRAME_SIZE,
  putClear,
  putRemove,
  putSet,
  putUpdateHeader,
  removeFrameSize,
  setFrameSize,
  type Stamp,
  UPDATE_HEADER_SIZE,
} from "../../src/codec/update_log.ts";
import type { ByteWriter } from "../../src/codec/writer.ts";
import { type Clock, systemClock } from "../storage/clock.ts";
import type { StoredRecord } from "../storage/record.ts";
import type { Database, UpdateSink } from "../storage/storage.ts";

const STAMPS_PER_MILLISECOND = 1_000_000n;
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
const FIRST_SEGMENT_SIZE = 16 * 1024;
const LAST_SEGMENT_SIZE = 1024 * 1024;
/** The log goes in steps of a segment, so that it should have some. */
const LEAST_SEGMENTS = 4;
/** After so many left-out updates in a row a follower is told the stamp of the last one. */
const EMPTY_MESSAGE_AFTER = 256;
/** From this size on, frames are sent from where they stand, and not copied. */
const REFERENCE_SIZE = 32 * 1024;
/** How much of the log is looked at before what was found is sent. */
const BATCH_SIZE = 256 * 1024;
/** What ktserver's files have in front, and each of their records beside its frame. */
const FILE_HEADER_SIZE = 17;
const FILE_RECORD_OVERHEAD = 1;

/** How an {@linkcode UpdateLog} is made. */
export interface UpdateLogOptions {
  /** The id of the server, for its own updates. Default: 0. */
  serverId?: number;
  /** Where the time stamps come from. Default: the machine's clock. */
  clock?: Clock;
  /** Most bytes that are kept, the newest update in any case. Default: 64 MiB. */
  maxBytes?: number;
}

/** Frames one behind the other; what is written stays as it is. */
interface Segment {
  readonly bytes: Uint8Array;
  used: number;
  count: number;
  /** The stamp of the last frame. */
  readonly last: Stamp;
}

/** All that a server has modified lately. */
export class UpdateLog implements UpdateSink {
  readonly #serverId: number;
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #segments: Segment[] = [];
  /** How many segments were given up: the number of the first one that there is. */
  #first = 0;
  #bytes = 0;
  /** The millisecond of `#stamp`, or an earlier one. */
  #millisecond = 0;
  readonly #stamp: Stamp = { high: 0, low: 0 };
  readonly #head = { stamp: this.#stamp, serverId: 0, database: 0 };

  /** Makes an empty log. */
  constructor(options: UpdateLogOptions = {}) {
    const { serverId = 0, clock = systemClock, maxBytes = DEFAULT_MAX_BYTES } = options;
    this.#serverId = serverId;
    this.#clock = clock;
    this.#maxBytes = maxBytes;
  }

  /** The memory that is taken, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The stamp of the last update; 0 before the first one. */
  get lastTimestamp(): bigint {
    return toBigInt(this.#stamp);
  }

  /** A record was stored. */
  set(database: Database, record: StoredRecord, serverId?: number): void {
    const { start, valueStart, end } = record, { persistent } = database;
    const segment = this.#room(setFrameSize(valueStart - start, end - valueStart, persistent));
    const head = this.#begin(segment, database, serverId);
    segment.used = putSet(segment.bytes, segment.used, head, record, persistent);
  }

  /** A record was removed, or would have been. */
  remove(database: Database, key: Uint8Array, serverId?: number): void {
    const segment = this.#room(removeFrameSize(key.length));
    const head = this.#begin(segment, database, serverId);
    segment.used = putRemove(segment.bytes, segment.used, head, key);
  }

  /** A database was cleared. */
  clear(database: Database, serverId?: number): void {
    const segment = this.#room(CLEAR_FRAME_SIZE);
    segment.used = putClear(segment.bytes, segment.used, this.#begin(segment, database, serverId));
  }

  /**
   * Reads the log for a follower, who wants all updates with a stamp above `since` but those of
   * `serverId`, or with `only` just those.
   */
  reader(since: bigint, serverId: number, only: boolean): UpdateLogReader {
    // The newest segment in any case: what comes next may come into it.
    let low = 0, high = Math.max(0, this.#segments.length - 1);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (toBigInt(this.#segments[middle].last) > since) high = middle;
      else low = middle + 1;
    }
    return new UpdateLogReader(this, this.#first + low, since, serverId, only);
  }

  /** The number of the first segment that there is, from `number` on. */
  firstFrom(number: number): number {
    return Math.max(number, this.#first);
  }

  /** The segment with a number, if it is still there, or there already. */
  segment(number: number): Segment | undefined {
    return this.#segments[number - this.#first];
  }

  /** The segments as ktserver would list them: one file each. */
  *files(): Generator<{ path: string; size: number; timestamp: bigint }, void, void> {
    for (const [i, { used, count, last }] of this.#segments.entries()) {
      yield {
        path: `${String(this.#first + i + 1).padStart(10, "0")}.ulog`,
        size: FILE_HEADER_SIZE + used + count * FILE_RECORD_OVERHEAD,
        timestamp: toBigInt(last),
      };
    }
  }

  /** Gives up what has stamps up to `until`, or (`null`) all, but never the newest segment. */
  removeFiles(until: bigint | null): void {
    while (
      this.#segments.length > 1 && (until === null || toBigInt(this.#segments[0].last) <= until)
    ) this.#giveUp();
  }

  #giveUp(): void {
    this.#bytes -= this.#segments.shift()!.bytes.length;
    this.#first++;
  }

  /** A segment with room for one more frame. */
  #room(size: number): Segment {
    const newest = this.#segments.at(-1);
    if (newest !== undefined && newest.used + size <= newest.bytes.length) return newest;
    // A log that holds little should take up little.
    const usual = Math.min(
      Math.max(FIRST_SEGMENT_SIZE, this.#bytes),
      LAST_SEGMENT_SIZE,
      Math.floor(this.#maxBytes / LEAST_SEGMENTS),
    );
    const bytes = new Uint8Array(Math.max(size, usual));
    const segment = { bytes, used: 0, count: 0, last: { high: 0, low: 0 } };
    this.#segments.push(segment);
    this.#bytes += bytes.length;
    while (this.#bytes > this.#maxBytes && this.#segments.length > 1) this.#giveUp();
    return segment;
  }

  /** What the next frame begins with. */
  #begin(segment: Segment, database: Database, serverId = this.#serverId) {
    this.#advance();
    segment.count++;
    segment.last.high = this.#stamp.high;
    segment.last.low = this.#stamp.low;
    this.#head.serverId = serverId;
    this.#head.database = database.index;
    return this.#head;
  }

  /** Stamps rise, whatever the clock does. */
  #advance(): void {
    const stamp = this.#stamp, now = this.#clock.now();
    if (now > this.#millisecond) {
      this.#millisecond = now;
      if (raise(stamp, now)) return;
    }
    stamp.low = (stamp.low + 1) >>> 0;
    if (stamp.low === 0) stamp.high++;
  }
}

/** A follower's way through a log. */
export class UpdateLogReader {
  readonly #log: UpdateLog;
  readonly #since: bigint;
  readonly #serverId: number;
  readonly #only: boolean;
  /** The segment that is read, and where in it. */
  #number: number;
  #offset = 0;
  /** Whether what was read so far had stamps up to `#since`. */
  #behind = true;
  #leftOut = 0;
  readonly #last: Stamp = { high: 0, low: 0 };

  /** Made by {@linkcode UpdateLog.reader}, which knows where to begin. */
  constructor(log: UpdateLog, number: number, since: bigint, serverId: number, only: boolean) {
    this.#log = log;
    this.#number = number;
    this.#since = since;
    this.#serverId = serverId;
    this.#only = only;
  }

  /** The stamp of the last update that was read, left-out ones included. */
  get last(): Readonly<Stamp> {
    return this.#last;
  }

  /** Writes some of the frames that are wanted; returns `false` at the end of the log. */
  read(out: ByteWriter): boolean {
    const number = this.#log.firstFrom(this.#number);
    if (number !== this.#number) {
      this.#number = number;
      this.#offset = 0;
    }
    const segment = this.#log.segment(number);
    if (segment === undefined) return false;
    if (this.#behind) this.#skip(segment);
    if (this.#offset < segment.used) this.#send(segment, out);
    if (this.#offset < segment.used) return true;
    if (this.#log.segment(number + 1) === undefined) return false;
    this.#number = number + 1;
    this.#offset = 0;
    return true;
  }

  /** Passes over what the follower has already. */
  #skip(segment: Segment): void {
    if (toBigInt(segment.last) <= this.#since) {
      this.#offset = segment.used;
      return;
    }
    while (stampAt(segment.bytes, this.#offset) <= this.#since) {
      this.#offset += frameSizeAt(segment.bytes, this.#offset);
    }
    this.#behind = false;
  }

  /** Frames that follow each other are sent in one piece. */
  #send(segment: Segment, out: ByteWriter): void {
    const { bytes } = segment, end = Math.min(segment.used, this.#offset + BATCH_SIZE);
    const serverId = this.#serverId, only = this.#only;
    let start = this.#offset, at = start, last = start;
    while (at < end) {
      const next = at + frameSizeAt(bytes, at);
      const origin = (bytes[at + UPDATE_HEADER_SIZE] << 8) | bytes[at + UPDATE_HEADER_SIZE + 1];
      last = at;
      if ((origin === serverId) === only) {
        this.#leftOut = 0;
      } else {
        put(out, bytes, start, at);
        start = next;
        if (++this.#leftOut === EMPTY_MESSAGE_AFTER) {
          this.#leftOut = 0;
          const empty = new Uint8Array(UPDATE_HEADER_SIZE);
          readStamp(bytes, at, this.#last);
          putUpdateHeader(empty, 0, this.#last, 0);
          out.bytes(empty);
        }
      }
      at = next;
    }
    put(out, bytes, start, at);
    this.#offset = at;
    readStamp(bytes, last, this.#last);
  }
}

function put(out: ByteWriter, bytes: Uint8Array, start: number, end: number): void {
  if (end - start >= REFERENCE_SIZE) out.bytes(bytes.subarray(start, end));
  else if (end > start) out.range(bytes, start, end);
}

function frameSizeAt(bytes: Uint8Array, at: number): number {
  return UPDATE_HEADER_SIZE + u32At(bytes, at + 9);
}

function stampAt(bytes: Uint8Array, at: number): bigint {
  return (BigInt(u32At(bytes, at + 1)) << 32n) | BigInt(u32At(bytes, at + 5));
}

function readStamp(bytes: Uint8Array, at: number, stamp: Stamp): void {
  stamp.high = u32At(bytes, at + 1);
  stamp.low = u32At(bytes, at + 5);
}

function toBigInt(stamp: Stamp): bigint {
  return (BigInt(stamp.high) << 32n) | BigInt(stamp.low);
}

/** Makes a stamp that of a millisecond since 1970, if that is later; returns whether it was. */
export function raise(stamp: Stamp, milliseconds: number): boolean {
  const later = BigInt(Math.max(0, Math.floor(milliseconds))) * STAMPS_PER_MILLISECOND;
  if (later <= toBigInt(stamp)) return false;
  stamp.high = Number(later >> 32n);
  stamp.low = Number(later & 0xffff_ffffn);
  return true;
}
