/**
 * Cursors: places in a database, kept by the server for one connection.
 *
 * @module
 */

import { checkCallOptions, checkData } from "../arguments.ts";
import { expirationToXt, xtToDate } from "../codec/expiration.ts";
import type { Row } from "../codec/tsv.ts";
import type { Lane } from "../connection/call.ts";
import { ClosedError } from "../errors.ts";
import type { CallOptions, Entry, ExpirationOptions, Key, Value } from "../types.ts";
import type { Codec } from "../value_codec.ts";
import type { ClientCore } from "./core.ts";
import { type KeyDecoder, keyDecoder } from "./keys.ts";
import type { KeyOptions, WakeOptions } from "./options.ts";
import type { ProcedureOutput } from "./output.ts";
import {
  callProcedure,
  expirationRow,
  expirationRows,
  NO_RECORD,
  procedureCall,
  requiredRow,
  row,
} from "./rpc_call.ts";

/** What the calls of a cursor take that may move it. */
export interface StepOptions extends CallOptions {
  /** Whether to move on afterwards, the way it was moved last. Default `false`. */
  step?: boolean;
}

/** What `setValue` of a cursor takes. */
export interface CursorSetOptions extends StepOptions, ExpirationOptions, WakeOptions {}

/** What `remove` and `seize` of a cursor take. */
export interface CursorRemoveOptions extends CallOptions, WakeOptions {}

/** What a cursor is made for. */
export interface CursorContext<V, In> {
  readonly database: number;
  readonly core: ClientCore;
  readonly codec: Codec<V, In>;
}

const STEP = row("step", "");

/** Makes a cursor; for the client alone. */
export let makeCursor: <V, In, K extends Key>(
  context: CursorContext<V, In>,
  options: KeyOptions | undefined,
) => Cursor<V, In, K>;

/**
 * A place in a database, which the server keeps for one connection. Made by `cursor`; at first it is
 * nowhere, until a jump. `V` is the type of values that come back, `In` of those that may be given,
 * `K` of keys.
 *
 * Only ordered databases have an order of keys, and a way back. In others the records come as the
 * server happens to keep them, and records that are stored meanwhile may be left out.
 *
 * Where a call moves on by itself, it goes the way that the cursor was moved last, by a jump or step;
 * in a prototype tree (`+`) always forward. When others remove the record that it stands on, it moves
 * to the next one, and stays there though the record is stored again.
 *
 * When its connection is lost, so is the cursor: all calls reject with a `ConnectionError` from then
 * on. Dispose it, so that the server forgets it. A call that is given up after it was sent moves the
 * cursor all the same.
 *
 * @example
 * ```ts
 * import { connect, text } from "@kyoto/tycoon";
 * import { startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await startMockServer({ databases: ["%"] });
 * await using kt = await connect(server.url, { codec: text });
 * await kt.setBulk({ apple: "1", banana: "2", cherry: "3" });
 *
 * await using cursor = kt.cursor({ keys: "text" });
 * await cursor.jump("b");
 * assertEquals(await cursor.getKey(), "banana");
 * await cursor.setValue("two", { step: true });
 * assertEquals(await cursor.seize().then((entry) => entry?.value), "3");
 * assertEquals(await cursor.get(), null); // past the end
 * ```
 *
 * @example Backwards, removing some
 * ```ts
 * import { connect, text } from "@kyoto/tycoon";
 * import { startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await startMockServer({ databases: ["%"] });
 * await using kt = await connect(server.url, { codec: text });
 * await kt.setBulk({ apple: "1", banana: "", cherry: "3" });
 *
 * await using cursor = kt.cursor({ keys: "text" });
 * for (let more = await cursor.jumpBack(); more; more = await cursor.stepBack()) {
 *   if (await cursor.getValue() === "") await cursor.remove(); // and on to "cherry"
 * }
 * assertEquals(await kt.matchPrefix("", { keys: "text" }), ["apple", "cherry"]);
 * ```
 */
export class Cursor<V = Uint8Array, In = Value, K extends Key = Uint8Array>
  implements AsyncDisposable {
  readonly #context: CursorContext<V, In>;
  readonly #decodeKey: KeyDecoder;
  readonly #id: number;
  readonly #lane: Lane;
  /** Calls that have not ended. */
  #pending = 0;
  #closed: Promise<void> | null = null;

  static {
    makeCursor = (context, options) => new Cursor(context, options);
  }

  private constructor(context: CursorContext<V, In>, options: KeyOptions | undefined) {
    this.#decodeKey = keyDecoder("cursor", options);
    this.#context = context;
    this.#lane = cursorLane(context.core);
    this.#id = ++context.core.cursors.count;
  }

  /**
   * Moves to the first record, or with a key to the first that is not before it. In a database without
   * an order the key itself must be there.
   *
   * @param key Where to.
   * @param options Signal, timeout.
   * @returns Whether there is one; if not, the cursor is nowhere.
   * @throws {KyotoTycoonError} The server, or the way to it, failed.
   */
  jump(key?: Key, options?: CallOptions): Promise<boolean> {
    return this.#move("jump", "cur_jump", options, key);
  }

  /**
   * Moves to the last record, or with a key to the last that is not behind it.
   *
   * @param key Where to.
   * @param options Signal, timeout.
   * @returns Whether there is one; if not, the cursor is nowhere.
   * @throws {ServerError} The database has no order.
   */
  jumpBack(key?: Key, options?: CallOptions): Promise<boolean> {
    return this.#move("jumpBack", "cur_jump_back", options, key);
  }

  /**
   * Moves to the next record.
   *
   * @param options Signal, timeout.
   * @returns Whether there is one; if not, the cursor is nowhere.
   * @throws {KyotoTycoonError} The server, or the way to it, failed.
   */
  step(options?: CallOptions): Promise<boolean> {
    return this.#move("step", "cur_step", options);
  }

  /**
   * Moves to the record before.
   *
   * @param options Signal, timeout.
   * @returns Whether there is one; if not, the cursor is nowhere.
   * @throws {ServerError} The database has no order.
   */
  stepBack(options?: CallOptions): Promise<boolean> {
    return this.#move("stepBack", "cur_step_back", options);
  }

  /**
   * The record.
   *
   * @param options Whether to move on afterwards; signal, timeout.
   * @returns The record; `null` when the cursor is nowhere.
   * @throws {KyotoTycoonError} The server, or the way to it, failed.
   */
  get(options?: StepOptions): Promise<Entry<V, K> | null> {
    return this.#call("get", "cur_get", options, stepRows(options), this.#toEntry, null);
  }

  /**
   * The key of the record.
   *
   * @param options Whether to move on afterwards; signal, timeout.
   * @returns The key; `null` when the cursor is nowhere.
   * @throws {KyotoTycoonError} The server, or the way to it, failed.
   */
  getKey(options?: StepOptions): Promise<K | null> {
    const take = (output: ProcedureOutput): K => this.#keyOf(output);
    return this.#call("getKey", "cur_get_key", options, stepRows(options), take, null);
  }

  /**
   * The value of the record.
   *
   * @param options Whether to move on afterwards; signal, timeout.
   * @returns The value; `null` when the cursor is nowhere.
   * @throws {KyotoTycoonError} The server, or the way to it, failed.
   */
  getValue(options?: StepOptions): Promise<V | null> {
    const take = (output: ProcedureOutput): V => this.#valueOf(output);
    return this.#call("getValue", "cur_get_value", options, stepRows(options), take, null);
  }

  /**
   * Stores another value under the key of the record.
   *
   * @param value The value, as the codec takes it.
   * @param options Expiration, whether to move on afterwards, `wake`, signal, timeout.
   * @returns Whether there is a record; `false` when the cursor is nowhere.
   * @throws {ServerError} The server is read-only.
   */
  async setValue(value: In, options?: CursorSetOptions): Promise<boolean> {
    const encoded = checkData("cursor.setValue", "value", this.#context.codec.encode(value));
    const rows = [
      row("value", encoded),
      ...stepRows(options),
      ...expirationRows(expirationToXt(options)),
    ];
    return await this.#call("setValue", "cur_set_value", options, rows, () => true, false);
  }

  /**
   * Removes the record and moves on.
   *
   * @param options `wake`, signal, timeout.
   * @returns Whether there was a record; `false` when the cursor is nowhere.
   * @throws {ServerError} The server is read-only.
   */
  remove(options?: CursorRemoveOptions): Promise<boolean> {
    return this.#call("remove", "cur_remove", options, [], () => true, false);
  }

  /**
   * Removes the record, moves on, and returns what was removed.
   *
   * @param options `wake`, signal, timeout.
   * @returns The record; `null` when the cursor is nowhere.
   * @throws {ServerError} The server is read-only.
   */
  seize(options?: CursorRemoveOptions): Promise<Entry<V, K> | null> {
    return this.#call("seize", "cur_seize", options, [], this.#toEntry, null);
  }

  /**
   * Lets the server forget the cursor. Idempotent; never rejects.
   *
   * @returns Resolves when it has.
   */
  close(): Promise<void> {
    return this.#closed ??= this.#delete();
  }

  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #delete(): Promise<void> {
    if (this.#lane.connection === null && this.#pending === 0) return;
    await deleteCursor(this.#context.core, this.#id, this.#lane);
  }

  #move(method: string, name: string, options?: CallOptions, key?: Key): Promise<boolean> {
    try {
      const rows = key === undefined ? [] : [row("key", checkData(`cursor.${method}`, "key", key))];
      return this.#call(method, name, options, rows, () => true, false);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #call<T>(
    method: string,
    name: string,
    options: (CallOptions & WakeOptions) | undefined,
    rows: readonly Row[],
    take: (output: ProcedureOutput) => T,
    nowhere: T,
  ): Promise<T> {
    const operation = `cursor.${method}`;
    if (options !== undefined) checkCallOptions(operation, options);
    if (this.#closed !== null) throw new ClosedError(`Cannot ${operation}: the cursor is closed`);
    const { database, core } = this.#context;
    this.#pending++;
    try {
      return await callProcedure(
        { operation, database, options, core },
        { name, rows: [row("CUR", this.#id), ...rows], take, misses: { [NO_RECORD]: nowhere } },
        this.#lane,
      );
    } finally {
      this.#pending--;
    }
  }

  #keyOf(output: ProcedureOutput): K {
    return this.#decodeKey(requiredRow(output, "key")) as K;
  }

  #valueOf(output: ProcedureOutput): V {
    return this.#context.codec.decode(requiredRow(output, "value"));
  }

  readonly #toEntry = (output: ProcedureOutput): Entry<V, K> => ({
    key: this.#keyOf(output),
    value: this.#valueOf(output),
    database: this.#context.database,
    expiresAt: xtToDate(expirationRow(output)),
  });
}

/** What keeps a cursor on its connection. */
export function cursorLane(core: ClientCore): Lane {
  return { connection: null, fixed: true, beside: core.lane };
}

/** Lets the server forget a cursor. */
export async function deleteCursor(core: ClientCore, id: number, lane: Lane): Promise<void> {
  const context = { operation: "cursor.close", database: null, options: undefined, core };
  // With a database that does not exist: a cursor that is not there is not made for this, either.
  const rows = [row("CUR", id), row("DB", -1)];
  const call = procedureCall(context, { name: "cur_delete", rows, take: () => {} });
  call.isRelease = true;
  // Whatever is wrong, it is gone, or goes with its connection.
  await core.pool.submit(call, undefined, lane).catch(() => {});
  core.pool.release(lane);
}

function stepRows(options: StepOptions | undefined): Row[] {
  return options?.step ? [STEP] : [];
}
