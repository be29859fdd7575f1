/**
 * A call on its way: queued, written, settled. Pure: no socket, no clock.
 *
 * Bytes given as keys and values are read when the call is written, not when it is made.
 */

import type { ByteReader, Decoder } from "../codec/decoder.ts";
import type { ByteWriter } from "../codec/writer.ts";
import type { Observation } from "../diagnostics.ts";
import type { Key, Value } from "../types.ts";

/** Where a call is; it only moves forward, but for a read that is sent again. */
export const QUEUED = 0, WRITTEN = 1, SETTLED = 2;

/** What keeps calls on one connection of several. */
export interface Lane {
  /** The connection that it uses now; the pool's to set. */
  connection: unknown;
  /** Whether the lane ends with its connection, as a cursor does; otherwise it moves to another. */
  readonly fixed: boolean;
  /** The lane whose connection it begins on, if it is not to be any. */
  readonly beside?: Lane | null;
}

/** Told when a call ends, however it ends. */
export interface CallOwner {
  settled(call: Call): void;
}

/** A call of any kind. `T` is what its promise resolves to. */
export abstract class Call<T = unknown> {
  /** The database that it concerns; `null` if there are several or none. */
  abstract readonly database: number | null;
  /** The client's method, for messages. */
  readonly operation: string;
  readonly promise: Promise<T>;
  /** Whether it may be sent again when the connection broke before its reply. */
  readonly retryable: boolean;
  /** Whether no reply will come: the call ends when its bytes have left. */
  readonly noReply: boolean;
  state = QUEUED;
  /** How many connections there had been when it was first lost with its own; 0: it was not. */
  lostAt = 0;
  /** About how many bytes the call holds in memory. */
  size = 0;
  /** Whether it is let in however many there are: it gives back what the server holds. */
  isRelease = false;
  /** Milliseconds that it may take once all replies before its own have come, if not the default. */
  patience = 0;
  owner: CallOwner | null = null;
  /** Calls of one lane take the same connection, so that their order is kept. */
  lane: Lane | null = null;
  /** Releases timers and listeners; set by whoever guards the call. */
  release: (() => void) | null = null;
  /** Somebody watches it. */
  observation: Observation | null = null;
  #resolve!: (value: unknown) => void;
  #reject!: (reason: unknown) => void;

  constructor(operation: string, retryable: boolean, noReply: boolean) {
    this.operation = operation;
    this.retryable = retryable;
    this.noReply = noReply;
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve as (value: unknown) => void;
      this.#reject = reject;
    });
  }

  resolve(value: T): void {
    if (this.#settle(null)) this.#resolve(value);
  }

  reject(reason: unknown): void {
    if (this.#settle({ error: reason })) this.#reject(reason);
  }

  #settle(failure: { error: unknown } | null): boolean {
    if (this.state === SETTLED) return false;
    this.state = SETTLED;
    this.release?.();
    this.release = null;
    this.owner?.settled(this as Call);
    this.owner = null;
    this.observation?.end(failure);
    return true;
  }
}

/** Makes of a value that came what the caller gets; see {@linkcode GetVisitor} for the arguments. */
export type Convert<T> = (
  bytes: Uint8Array,
  start: number,
  end: number,
  owned: boolean,
  xt: number,
  key: Key,
  database: number,
) => T;

/** `get` and `getEntry`: neighbours travel as one get_bulk. */
export class GetCall<T = unknown> extends Call<T | null> {
  readonly database: number;
  readonly key: Key;
  readonly #convert: Convert<T>;
  /** The key as it is encoded and compared: `key`, or the bytes of text that is not ASCII. */
  wireKey: Key;

  constructor(operation: string, database: number, key: Key, convert: Convert<T>) {
    super(operation, true, false);
    this.database = database;
    this.key = this.wireKey = key;
    this.#convert = convert;
    this.size = key.length;
  }

  found(bytes: Uint8Array, start: number, end: number, owned: boolean, xt: number): void {
    if (this.state === SETTLED) return;
    try {
      this.resolve(this.#convert(bytes, start, end, owned, xt, this.key, this.database));
    } catch (error) {
      // The codec's own failure concerns this call alone.
      this.reject(error);
    }
  }
}

/** `set`: neighbours in the same database travel as one set_bulk. */
export class SetCall extends Call<void> {
  readonly database: number;
  readonly key: Key;
  readonly value: Value;
  readonly xt: number;

  constructor(database: number, key: Key, value: Value, xt: number, noReply: boolean) {
    super("set", false, noReply);
    this.database = database;
    this.key = key;
    this.value = value;
    this.xt = xt;
    this.size = key.length + value.length;
  }
}

/** What an {@linkcode ExchangeCall} is like. */
export interface CallKind {
  readonly retryable: boolean;
  readonly noReply: boolean;
  readonly size: number;
  /** Asked for only where somebody watches the call. */
  readonly database?: number | null;
}

/** One request and its reply, of any other kind. */
export class ExchangeCall<T = unknown> extends Call<T> {
  readonly #kind: CallKind;
  readonly encode: (w: ByteWriter) => void;
  readonly decode: (r: ByteReader) => Decoder<T> | null;

  /**
   * `decode` returns the result, or throws what the call alone rejects with: see {@linkcode Refused}.
   * Where all of the reply is at hand it may settle the call itself, and return `null`.
   */
  constructor(
    operation: string,
    kind: CallKind,
    encode: (w: ByteWriter) => void,
    decode: (r: ByteReader) => Decoder<T> | null,
  ) {
    super(operation, kind.retryable, kind.noReply);
    this.size = kind.size;
    this.#kind = kind;
    this.encode = encode;
    this.decode = decode;
  }

  get database(): number | null {
    return this.#kind.database ?? null;
  }
}

/** Thrown by a call's decoder after a whole reply: the call fails, and perhaps the connection too. */
export class Refused {
  readonly error: unknown;
  /** Whether the server closes the connection after such a reply. */
  readonly closes: boolean;

  constructor(error: unknown, closes: boolean) {
    this.error = error;
    this.closes = closes;
  }
}
