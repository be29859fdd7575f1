/** All records of a database, one after the other: a cursor that reads ahead. */

import { checkData } from "../arguments.ts";
import { xtToDate } from "../codec/expiration.ts";
import { decodeRpcReply } from "../codec/http_reply.ts";
import { encodeRpcRequest } from "../codec/http_request.ts";
import type { ByteReader, Decoder } from "../codec/decoder.ts";
import type { Row } from "../codec/tsv.ts";
import { ByteWriter } from "../codec/writer.ts";
import { ExchangeCall, type Lane } from "../connection/call.ts";
import { ProtocolError } from "../errors.ts";
import type { Codec } from "../value_codec.ts";
import type { Entry, Key } from "../types.ts";
import { cursorLane, deleteCursor } from "./cursor.ts";
import { checkLimit, keyDecoder } from "./keys.ts";
import type { EntriesOptions } from "./options.ts";
import { ProcedureOutput } from "./output.ts";
import {
  callProcedure,
  type DatabaseContext,
  expirationRow,
  failureOf,
  NO_RECORD,
  requiredRow,
  row,
  serverCloses,
} from "./rpc_call.ts";

/** Records asked for at a time: at first, and at most. */
const FIRST_BATCH = 16, LARGEST_BATCH = 128;
/** Bytes that one batch should not exceed by much. */
const BATCH_BYTES = 1024 * 1024;

const STEP_BACK = "cur_step_back";

/** What came of several steps of a cursor. */
interface Batch<T> {
  items: T[];
  /** Bytes of the rows. */
  bytes: number;
  /** Whether the cursor has passed the last record. */
  ended: boolean;
  /** What a codec threw behind the last of the items. */
  failure: { error: unknown } | null;
}

/** What `entries` yields: entries, or keys. */
type Item<V> = Entry<V> | Key;

/** The records, or the keys, of a database. `start` throws where arguments are wrong. */
export async function* iterate<V>(
  start: () => DatabaseContext,
  options: EntriesOptions | undefined,
  codec: Codec<V, never>,
): AsyncGenerator<Item<V>, void, void> {
  const walk = new Walk(start(), options, codec);
  try {
    const jumped = walk.jump();
    let next = walk.ask();
    if (!await jumped) return;
    while (next !== null) {
      const { items, ended, failure } = await next;
      // The next ones travel while the consumer is busy with these.
      next = ended || failure !== null ? null : walk.ask();
      for (const item of items) {
        yield item;
        options?.signal?.throwIfAborted();
      }
      if (failure !== null) throw failure.error;
    }
  } finally {
    walk.close();
  }
}

/** A cursor that walks through a database in one direction. */
class Walk<V> {
  readonly #context: DatabaseContext;
  readonly #lane: Lane;
  readonly #id: number;
  readonly #cursor: Row;
  readonly #from: Key | undefined;
  readonly #reverse: boolean;
  readonly #get: string;
  /** The requests of one step. */
  readonly #step: Uint8Array;
  readonly #toItem: (output: ProcedureOutput) => Item<V>;
  /** How many more are wanted. */
  #wanted: number;
  #batchSize = FIRST_BATCH;
  /** The key of the record that came last, backwards. */
  #last: Uint8Array | null = null;

  constructor(context: DatabaseContext, options: EntriesOptions = {}, codec: Codec<V, never>) {
    const { operation, database, core } = context;
    const { from, reverse = false, keysOnly = false, limit = Infinity } = options;
    this.#context = context;
    this.#from = from === undefined ? undefined : checkData(operation, "key", from);
    this.#reverse = reverse;
    this.#wanted = checkLimit(operation, "limit", limit);
    this.#get = keysOnly ? "cur_get_key" : "cur_get";
    const decodeKey = keyDecoder(operation, options);
    const keyOf = (output: ProcedureOutput) => decodeKey(requiredRow(output, "key"));
    this.#toItem = keysOnly ? keyOf : (output) => ({
      key: keyOf(output),
      value: codec.decode(requiredRow(output, "value")),
      database,
      expiresAt: xtToDate(expirationRow(output)),
    });
    this.#lane = cursorLane(core);
    this.#id = ++core.cursors.count;
    this.#cursor = row("CUR", this.#id);
    const w = new ByteWriter();
    if (reverse) {
      // Not "step": which way it goes depends on the kind of database.
      encodeRpcRequest(w, this.#get, [this.#cursor]);
      encodeRpcRequest(w, STEP_BACK, [this.#cursor]);
    } else {
      encodeRpcRequest(w, this.#get, [this.#cursor, row("step", "")]);
    }
    this.#step = w.copy();
  }

  /** Makes the cursor and puts it where it begins; `false`: there is nothing. */
  jump(): Promise<boolean> {
    const rows = [this.#cursor];
    if (this.#from !== undefined) rows.push(row("key", this.#from));
    return handled(callProcedure(this.#context, {
      name: this.#reverse ? "cur_jump_back" : "cur_jump",
      rows,
      take: () => true,
      misses: { [NO_RECORD]: false },
    }, this.#lane));
  }

  /** Asks for the next records; `null`: no more are wanted. */
  ask(): Promise<Batch<Item<V>>> | null {
    const size = Math.min(this.#wanted, this.#batchSize);
    if (size === 0) return null;
    this.#wanted -= size;
    const { core: { pool }, options } = this.#context;
    return handled(pool.submit(this.#batchCall(size), options, this.#lane));
  }

  /** Lets the server forget the cursor. Nobody waits for that: what fails or is given up is over. */
  close(): void {
    if (this.#lane.connection !== null) deleteCursor(this.#context.core, this.#id, this.#lane);
  }

  /** So many steps as one call: their requests leave together. */
  #batchCall(size: number): ExchangeCall<Batch<Item<V>>> {
    const { operation, database } = this.#context;
    const call: ExchangeCall<Batch<Item<V>>> = new ExchangeCall(
      operation,
      { retryable: false, noReply: false, size: 0, database },
      (w) => {
        for (let i = 0; i < size; i++) w.bytes(this.#step);
      },
      (r) => this.#decode(r, size, call),
    );
    return call;
  }

  *#decode(
    r: ByteReader,
    size: number,
    call: ExchangeCall<Batch<Item<V>>>,
  ): Decoder<Batch<Item<V>>> {
    const batch: Batch<Item<V>> = { items: [], bytes: 0, ended: false, failure: null };
    for (let i = 0; i < size; i++) {
      const output = yield* this.#reply(r, this.#get, batch, call);
      if (output !== null) this.#take(output, batch);
      if (this.#reverse) yield* this.#reply(r, STEP_BACK, batch, call);
    }
    const { items, bytes } = batch;
    const fitting = Math.floor(BATCH_BYTES * items.length / Math.max(1, bytes));
    this.#batchSize = Math.max(1, Math.min(this.#batchSize * 2, LARGEST_BATCH, fitting));
    return batch;
  }

  /** The output of one step; `null` when the cursor was nowhere. */
  *#reply(
    r: ByteReader,
    name: string,
    batch: Batch<Item<V>>,
    call: ExchangeCall<Batch<Item<V>>>,
  ): Decoder<ProcedureOutput | null> {
    const { operation, core: { maxReplyBytes } } = this.#context;
    const { status, keepAlive, rows } = yield* decodeRpcReply(r, maxReplyBytes);
    const output = new ProcedureOutput(rows);
    if (status !== 200) {
      const error = failureOf(operation, name, status, output);
      if (error.serverCode === NO_RECORD) batch.ended = true;
      else batch.failure ??= { error };
    }
    if (!keepAlive) {
      call.reject(batch.failure?.error ?? serverCloses(operation).error);
      throw serverCloses(operation);
    }
    return status === 200 ? output : null;
  }

  #take(output: ProcedureOutput, batch: Batch<Item<V>>): void {
    for (const [name, value] of output) batch.bytes += name.length + value.length;
    // From its end a prototype tree steps back to its other end.
    if (batch.ended || batch.failure !== null) return;
    try {
      if (this.#reverse && this.#isLast(requiredRow(output, "key"))) {
        this.#wanted++;
        return;
      }
      batch.items.push(this.#toItem(output));
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      batch.failure = { error };
    }
  }

  /** A cursor whose record is removed moves forward: the record that it came from comes again. */
  #isLast(key: Uint8Array): boolean {
    const last = this.#last;
    this.#last = key.slice();
    return last !== null && last.length === key.length && last.every((byte, i) => byte === key[i]);
  }
}

/** A promise whose rejection counts as handled, though it is looked at later, or never. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
