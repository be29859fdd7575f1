/** What the mock server was asked: a bounded list, and a way to wait for a request. */

import type { Clock } from "../storage/clock.ts";

/** The requests that are told apart. */
export type Operation =
  | "set_bulk"
  | "remove_bulk"
  | "get_bulk"
  | "play_script"
  | "replication"
  | "http";

/** A record of a request: its key, and what else stood there. */
export interface RequestedRecord {
  /** The index of the database; 0 for the input of a procedure. */
  readonly database: number;
  /** The key. */
  readonly key: Uint8Array;
  /** The value, where the request has one. */
  readonly value?: Uint8Array;
  /** The expiration as it was sent, in set_bulk. */
  readonly xt?: number;
}

/** A request that was read to its end. */
export interface RecordedRequest {
  /** Which request it was. */
  readonly operation: Operation;
  /** The connection that it came by; they are numbered from 1. */
  readonly connection: number;
  /** When it was read, in milliseconds since 1970 by the server's clock. */
  readonly time: number;
  /** Whether the client wanted no reply. */
  readonly noReply: boolean;
  /** How many records it had. */
  readonly count: number;
  /** The first of them, up to 64 and 64 KiB. */
  readonly records: readonly RequestedRecord[];
  /** The name of a procedure, or the request line of HTTP. */
  readonly name?: string;
}

/** The most records, and their most bytes, that are kept of one request. */
const RECORDS_KEPT = 64;
const BYTES_KEPT = 64 * 1024;
/** The most bytes of records that all requests in the list hold together. */
const TOTAL_BYTES = 16 * 1024 * 1024;

/** A request that is being read. */
export class RequestNote {
  readonly operation: Operation;
  readonly noReply: boolean;
  readonly records: RequestedRecord[] = [];
  count = 0;
  bytes = 0;
  name?: string;

  constructor(operation: Operation, noReply: boolean) {
    this.operation = operation;
    this.noReply = noReply;
  }

  /** Notes a record whose key, and value if `valueSize` says so, stand in `bytes` from `start` on. */
  add(
    database: number,
    bytes: Uint8Array,
    start: number,
    keySize: number,
    valueSize?: number,
    xt?: number,
  ): void {
    if (!this.#hasRoom(keySize + (valueSize ?? 0))) return;
    const end = start + keySize;
    this.records.push({
      database,
      key: bytes.slice(start, end),
      ...(valueSize === undefined ? {} : { value: bytes.slice(end, end + valueSize) }),
      ...(xt === undefined ? {} : { xt }),
    });
  }

  /** Notes a record of a procedure's input. */
  addInput(key: Uint8Array, value: Uint8Array): void {
    if (!this.#hasRoom(key.length + value.length)) return;
    this.records.push({ database: 0, key: key.slice(), value: value.slice() });
  }

  /** Counts a record; whether there is room to keep it. */
  #hasRoom(size: number): boolean {
    this.count++;
    if (this.records.length === RECORDS_KEPT || this.bytes + size > BYTES_KEPT) return false;
    this.bytes += size;
    return true;
  }
}

/** Someone who waits for a request. */
interface Waiter {
  predicate: (request: RecordedRequest) => boolean;
  resolve: (request: RecordedRequest) => void;
  reject: (reason: unknown) => void;
}

/**
 * The last requests, oldest first.
 *
 * @example
 * ```ts
 * import { connect } from "@kyoto/tycoon";
 * import { startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await startMockServer();
 * await using kt = await connect(server.url);
 * await kt.set("k", "v");
 * assertEquals(server.requests.last?.operation, "set_bulk");
 * ```
 */
export interface RequestLog extends Iterable<RecordedRequest> {
  /** How many requests are in the list. */
  readonly length: number;
  /** How many requests there have been since the start or the last `clear`. */
  readonly total: number;
  /** The last request. */
  readonly last: RecordedRequest | undefined;
  /** The requests in the list as an array. */
  toArray(): RecordedRequest[];
  /** Empties the list, and lets `total` count from 0. */
  clear(): void;
}

/** Keeps the last requests. */
export class Recorder implements RequestLog {
  readonly #limit: number;
  readonly #clock: Clock;
  /** A ring: the oldest stands at `#first`. */
  #ring: { request: RecordedRequest; bytes: number }[] = [];
  #first = 0;
  #bytes = 0;
  #total = 0;
  #waiters: Waiter[] = [];

  /** Keeps up to `limit` requests. */
  constructor(limit: number, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /** Whether anybody wants to know. */
  get active(): boolean {
    return this.#limit > 0 || this.#waiters.length > 0;
  }

  get length(): number {
    return this.#ring.length - this.#first;
  }

  get total(): number {
    return this.#total;
  }

  get last(): RecordedRequest | undefined {
    return this.#ring.at(-1)?.request;
  }

  *[Symbol.iterator](): Generator<RecordedRequest, void, void> {
    for (let i = this.#first; i < this.#ring.length; i++) yield this.#ring[i].request;
  }

  toArray(): RecordedRequest[] {
    return [...this];
  }

  clear(): void {
    this.#ring = [];
    this.#first = this.#bytes = this.#total = 0;
  }

  /** Adds a request to the list, at the cost of the oldest. */
  add(note: RequestNote, connection: number): void {
    const { operation, noReply, count, records, bytes, name } = note;
    const request: RecordedRequest = {
      operation,
      connection,
      time: this.#clock.now(),
      noReply,
      count,
      records,
      ...(name === undefined ? {} : { name }),
    };
    this.#total++;
    if (this.#limit > 0) {
      this.#ring.push({ request, bytes });
      this.#bytes += bytes;
      while (this.length > this.#limit || this.#bytes > TOTAL_BYTES) {
        this.#bytes -= this.#ring[this.#first].bytes;
        this.#first++;
      }
      if (this.#first > this.length) {
        this.#ring = this.#ring.slice(this.#first);
        this.#first = 0;
      }
    }
    if (this.#waiters.length === 0) return;
    this.#waiters = this.#waiters.filter(({ predicate, resolve, reject }) => {
      try {
        if (!predicate(request)) return true;
        resolve(request);
      } catch (error) {
        reject(error);
      }
      return false;
    });
  }

  /** Waits for the next request that `predicate` is true of. */
  next(predicate: (request: RecordedRequest) => boolean): Promise<RecordedRequest> {
    const { promise, resolve, reject } = Promise.withResolvers<RecordedRequest>();
    this.#waiters.push({ predicate, resolve, reject });
    // A test that has lost interest is not to end by the server's stop.
    promise.catch(() => {});
    return promise;
  }

  /** Lets go all who wait. */
  end(reason: unknown): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(reason);
  }
}
