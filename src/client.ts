/**
 * The client: checks what callers give, makes calls of it, and hands them to the pool.
 *
 * @module
 */

import { checkCallOptions, checkData, checkDatabase, describe } from "./arguments.ts";
import { getBulkCall, pingCall, removeBulkCall, scriptCall, setBulkCall } from "./bulk.ts";
import { expirationToXt, xtToDate } from "./codec/expiration.ts";
import type { WireKey, WireRecord } from "./codec/request.ts";
import type { Convert } from "./connection/call.ts";
import { GetCall, SetCall } from "./connection/call.ts";
import type { Pool, PoolStats } from "./connection/pool.ts";
import type { CallOptions, Entry, ExpirationOptions, Key, Value } from "./types.ts";
import { type Codec, type RangeDecoder, rangeDecoder } from "./value_codec.ts";

/** What a call on records takes. */
export interface RecordOptions extends CallOptions {
  /** The index of the database, 0 to 65535. Default: that of the client or view. */
  database?: number;
}

/** What a call that may go unanswered takes. */
export interface NoReplyOptions extends RecordOptions {
  /**
   * Asks for no reply: the call resolves, to nothing, when its bytes have left, and nobody learns
   * whether it succeeded.
   */
  noReply?: boolean;
}

/** What `set` and `setBulk` take. */
export interface SetOptions extends NoReplyOptions, ExpirationOptions {}

/** What `playScript` takes. */
export interface ScriptOptions extends CallOptions {
  /** Asks for no reply: the call resolves, to nothing, when its bytes have left. */
  noReply?: boolean;
  /** How the keys of the output are given. Default `"text"`, which rejects what is not UTF-8. */
  keys?: "text" | "bytes";
}

/** A key of a bulk call that may name its own database. */
export type BulkKey = Key | { readonly key: Key; readonly database?: number };

/** A record of `setBulk` that may have its own expiration and database. */
export interface BulkRecord<In = Value> extends ExpirationOptions {
  readonly key: Key;
  readonly value: In;
  readonly database?: number;
}

/** Records: objects, pairs, or an object whose properties they are. */
export type BulkRecords<In = Value> =
  | Iterable<BulkRecord<In> | readonly [key: Key, value: In]>
  | { readonly [key: string]: In };

/** The input of a procedure. */
export type ScriptInput<In = Value> =
  | Iterable<readonly [key: Key, value: In]>
  | { readonly [key: string]: In };

/** What a client has done, and what it holds. */
export interface Stats {
  /** Open connections. */
  connections: number;
  /** Connections made since the beginning. */
  connected: number;
  /** Calls made. */
  calls: number;
  /** Requests sent; fewer than calls where calls travel together. */
  requests: number;
  /** Calls that have not ended, and the bytes of their keys and values. */
  pending: number;
  /** Bytes of keys and values in calls that have not ended. */
  pendingBytes: number;
  /** Bytes written to the server. */
  bytesSent: number;
  /** Bytes read from the server. */
  bytesReceived: number;
}

/** Makes a client of a pool; for `connect` alone. */
export let makeClient: <V, In>(
  pool: Pool,
  database: number,
  codec: Codec<V, In>,
  maxReplyBytes: number,
) => KyotoTycoon<V, In>;

/**
 * A client of a Kyoto Tycoon server, or a view of one with another database or codec. Made by
 * `connect`. `V` is the type of values that come back, `In` of those that may be given.
 *
 * Calls made in one tick leave in one write, and neighbours of one kind in one request; each resolves
 * by itself. Bytes given as keys and values must not change until their call has ended.
 *
 * @example
 * ```ts
 * import { connect, text } from "@kyoto/tycoon";
 * import { startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await startMockServer();
 * await using kt = await connect({ port: server.port, codec: text });
 * await kt.set("greeting", "hello", { expireIn: 60_000 });
 * assertEquals(await kt.get("greeting"), "hello");
 * ```
 */
export class KyotoTycoon<V = Uint8Array, In = Value> {
  readonly #pool: Pool;
  readonly #database: number;
  readonly #codec: Codec<V, In>;
  readonly #maxReplyBytes: number;
  readonly #toValue: RangeDecoder<V>;
  readonly #toEntry: Convert<Entry<V>>;

  static {
    makeClient = (pool, database, codec, maxReplyBytes) =>
      new KyotoTycoon(pool, database, codec, maxReplyBytes);
  }

  private constructor(pool: Pool, database: number, codec: Codec<V, In>, maxReplyBytes: number) {
    this.#pool = pool;
    this.#database = database;
    this.#codec = codec;
    this.#maxReplyBytes = maxReplyBytes;
    const decode = this.#toValue = rangeDecoder(codec);
    this.#toEntry = (bytes, start, end, owned, xt, key, database) => ({
      key,
      value: decode(bytes, start, end, owned),
      database,
      expiresAt: xtToDate(xt),
    });
  }

  /**
   * The value of a key.
   *
   * @param key The key.
   * @param options Database, signal, timeout.
   * @returns The value, or `null` when there is none.
   * @throws {KyotoTycoonError} The server, or the way to it, failed.
   *
   * @example
   * ```ts
   * import { connect, text } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect({ port: server.port, codec: text });
   * assertEquals(await kt.get("missing"), null);
   * ```
   */
  get(key: Key, options?: RecordOptions): Promise<V | null> {
    try {
      const database = this.#check("get", options);
      return this.#pool.submit(
        new GetCall("get", database, checkData("get", "key", key), this.#toValue),
        options,
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * A whole record: value, database and expiration.
   *
   * @param key The key.
   * @param options Database, signal, timeout.
   * @returns The record, or `null` when there is none.
   * @throws {KyotoTycoonError} The server, or the way to it, failed.
   *
   * @example
   * ```ts
   * import { connect, text } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect({ port: server.port, codec: text });
   * await kt.set("k", "v");
   * assertEquals(await kt.getEntry("k"), { key: "k", value: "v", database: 0, expiresAt: null });
   * ```
   */
  getEntry(key: Key, options?: RecordOptions): Promise<Entry<V> | null> {
    try {
      const database = this.#check("getEntry", options);
      return this.#pool.submit(
        new GetCall("getEntry", database, checkData("getEntry", "key", key), this.#toEntry),
        options,
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Stores a record, in place of any with the same key, its expiration included.
   *
   * @param key The key.
   * @param value The value, as the codec takes it.
   * @param options Expiration, database, signal, timeout, `noReply`.
   * @throws {ServerError} The database does not exist, or the server is read-only.
   * @throws {KyotoTycoonError} The way to the server failed; `sent` tells whether it may be stored.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url);
   * await kt.set("session", Uint8Array.of(1, 2, 3), { expireIn: 30 * 60_000 });
   * ```
   */
  set(key: Key, value: In, options?: SetOptions): Promise<void> {
    try {
      const database = this.#check("set", options);
      return this.#pool.submit(
        new SetCall(
          database,
          checkData("set", "key", key),
          checkData("set", "value", this.#codec.encode(value)),
          expirationToXt(options),
          options?.noReply ?? false,
        ),
        options,
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Removes a record.
   *
   * @param key The key.
   * @param options Database, signal, timeout, `noReply`.
   * @returns Whether there was one; with `noReply` nothing.
   * @throws {ServerError} The server is read-only.
   * @throws {KyotoTycoonError} The way to the server failed.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url);
   * assertEquals(await kt.remove("missing"), false);
   * ```
   */
  remove(key: Key, options: NoReplyOptions & { noReply: true }): Promise<void>;
  remove(key: Key, options?: NoReplyOptions): Promise<boolean>;
  async remove(key: Key, options?: NoReplyOptions): Promise<boolean | void> {
    const database = this.#check("remove", options);
    const records = [{ database, key: checkData("remove", "key", key) }];
    const noReply = options?.noReply ?? false;
    const count = await this.#pool.submit(removeBulkCall("remove", records, noReply), options);
    return noReply ? undefined : count === 1;
  }

  /**
   * Several records in one request. What is missing is left out.
   *
   * @param keys Keys, or keys with databases of their own.
   * @param options Database of the keys that name none, signal, timeout.
   * @returns The records found, in the order of the keys; a key asked for twice comes twice.
   * @throws {KyotoTycoonError} The server, or the way to it, failed.
   *
   * @example
   * ```ts
   * import { connect, text } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer({ databases: 2 });
   * await using kt = await connect({ port: server.port, codec: text });
   * await kt.setBulk({ a: "1", b: "2" });
   * const entries = await kt.getBulk(["a", "missing", "b", { key: "a", database: 1 }]);
   * assertEquals(entries.map(({ key, value }) => [key, value]), [["a", "1"], ["b", "2"]]);
   * ```
   */
  async getBulk(keys: Iterable<BulkKey>, options?: RecordOptions): Promise<Entry<V>[]> {
    const wanted = this.#wireKeys("getBulk", keys, options);
    return await this.#pool.submit(
      getBulkCall("getBulk", wanted, this.#maxReplyBytes, this.#toEntry),
      options,
    );
  }

  /**
   * Stores several records in one request, one after the other: others see them as they arrive.
   *
   * @param records Objects with their own expiration and database, pairs, a `Map`, or an object.
   * @param options Expiration and database of the records that name none, signal, timeout, `noReply`.
   * @returns How many were stored: all but those whose database does not exist. With `noReply` nothing.
   * @throws {ServerError} The server is read-only.
   * @throws {KyotoTycoonError} The way to the server failed.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url);
   * assertEquals(await kt.setBulk([["a", "1"], { key: "b", value: "2", expireIn: 5000 }]), 2);
   * ```
   */
  setBulk(
    records: BulkRecords<In>,
    options: SetOptions & { noReply: true },
  ): Promise<void>;
  setBulk(records: BulkRecords<In>, options?: SetOptions): Promise<number>;
  async setBulk(records: BulkRecords<In>, options?: SetOptions): Promise<number | void> {
    const wire = this.#wireRecords(records, options);
    const noReply = options?.noReply ?? false;
    return await this.#pool.submit(setBulkCall("setBulk", wire, noReply), options);
  }

  /**
   * Removes several records in one request.
   *
   * @param keys Keys, or keys with databases of their own.
   * @param options Database of the keys that name none, signal, timeout, `noReply`.
   * @returns How many there were; with `noReply` nothing.
   * @throws {ServerError} The server is read-only.
   * @throws {KyotoTycoonError} The way to the server failed.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url);
   * await kt.set("a", "1");
   * assertEquals(await kt.removeBulk(["a", "missing"]), 1);
   * ```
   */
  removeBulk(
    keys: Iterable<BulkKey>,
    options: NoReplyOptions & { noReply: true },
  ): Promise<void>;
  removeBulk(keys: Iterable<BulkKey>, options?: NoReplyOptions): Promise<number>;
  async removeBulk(keys: Iterable<BulkKey>, options?: NoReplyOptions): Promise<number | void> {
    const wire = this.#wireKeys("removeBulk", keys, options);
    const noReply = options?.noReply ?? false;
    return await this.#pool.submit(removeBulkCall("removeBulk", wire, noReply), options);
  }

  /**
   * Calls a procedure on the server.
   *
   * @param name The procedure's name.
   * @param input Records for it; of equal keys the last one counts. Values as the codec takes them.
   * @param options Signal, timeout, `noReply`, and `keys` for output whose keys are not text.
   * @returns The procedure's output, sorted by key as the server sorts it; with `noReply` nothing.
   * @throws {ServerError} There is no such procedure, or it failed: the protocol does not say which.
   * @throws {TypeError} A key of the output is not UTF-8 and `keys` is not `"bytes"`.
   * @throws {KyotoTycoonError} The way to the server failed.
   *
   * @example
   * ```ts
   * import { connect, text } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer({
   *   procedures: { greet: (input) => ({ greeting: `hello ${input.text("name")}` }) },
   * });
   * await using kt = await connect({ port: server.port, codec: text });
   * const output = await kt.playScript("greet", { name: "world" });
   * assertEquals(output.get("greeting"), "hello world");
   * ```
   */
  playScript(
    name: string,
    input: ScriptInput<In> | undefined,
    options: ScriptOptions & { noReply: true },
  ): Promise<void>;
  playScript(
    name: string,
    input: ScriptInput<In> | undefined,
    options: ScriptOptions & { keys: "bytes" },
  ): Promise<Map<Uint8Array, V>>;
  playScript(
    name: string,
    input?: ScriptInput<In>,
    options?: ScriptOptions,
  ): Promise<Map<string, V>>;
  async playScript(
    name: string,
    input: ScriptInput<In> = [],
    options?: ScriptOptions,
  ): Promise<Map<string, V> | Map<Uint8Array, V> | void> {
    if (options !== undefined) checkCallOptions("playScript", options);
    if (typeof name !== "string") {
      throw new TypeError(`Cannot playScript: the name is ${describe(name)}, not a string`);
    }
    const records = pairs("playScript", input).map(([key, value]) =>
      [
        checkData("playScript", "key", key),
        checkData("playScript", "value", this.#codec.encode(value)),
      ] as const
    );
    const noReply = options?.noReply ?? false;
    const output = await this.#pool.submit(
      scriptCall(name, records, noReply, this.#maxReplyBytes),
      options,
    );
    if (noReply) return;
    const decoded = output.map(([key, value]) => [key, this.#codec.decode(value)] as const);
    return options?.keys === "bytes"
      ? new Map(decoded)
      : new Map(decoded.map(([key, value]) => [textKey(name, key), value]));
  }

  /**
   * Asks the server for nothing, to see that it answers.
   *
   * @param options Signal, timeout.
   * @throws {KyotoTycoonError} It does not.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url);
   * await kt.ping({ timeout: 1000 });
   * ```
   */
  async ping(options?: CallOptions): Promise<void> {
    if (options !== undefined) checkCallOptions("ping", options);
    await this.#pool.submit(pingCall(), options);
  }

  /**
   * The same client with another database as its default.
   *
   * @param database The index of the database, 0 to 65535, as the server's command line counts them.
   * @returns A view on the same connections; closing either closes both.
   * @throws {RangeError} Not an index.
   *
   * @example
   * ```ts
   * import { connect, text } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer({ databases: 2 });
   * await using kt = await connect({ port: server.port, codec: text });
   * const sessions = kt.database(1);
   * await sessions.set("k", "v");
   * assertEquals(await kt.get("k"), null);
   * ```
   */
  database(database: number): KyotoTycoon<V, In> {
    checkDatabase("select a database", database);
    return new KyotoTycoon(this.#pool, database, this.#codec, this.#maxReplyBytes);
  }

  /**
   * The same client with another codec for values.
   *
   * @param codec `bytes`, `text`, `json()`, or your own.
   * @returns A view on the same connections; closing either closes both.
   *
   * @example
   * ```ts
   * import { connect, json } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url);
   * const users = kt.withCodec(json<{ name: string }>());
   * await users.set("1", { name: "Ada" });
   * assertEquals(await users.get("1"), { name: "Ada" });
   * ```
   */
  withCodec<W, WIn>(codec: Codec<W, WIn>): KyotoTycoon<W, WIn> {
    return new KyotoTycoon(this.#pool, this.#database, codec, this.#maxReplyBytes);
  }

  /**
   * Takes no more calls, waits for those that are pending, and closes. Idempotent; never rejects.
   *
   * @returns Resolves when everything is closed, as `closed` does.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   *
   * await using server = await startMockServer();
   * const kt = await connect(server.url);
   * const pending = kt.get("k");
   * await kt.close();
   * await pending; // has come before the end
   * ```
   */
  close(): Promise<void> {
    return this.#pool.close();
  }

  /**
   * Closes at once; pending calls reject with a `ClosedError`. Idempotent.
   *
   * @param reason The `cause` of these errors.
   *
   * @example
   * ```ts
   * import { ClosedError, connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertRejects } from "@std/assert";
   *
   * await using server = await startMockServer();
   * const kt = await connect(server.url);
   * const pending = assertRejects(() => kt.get("k"), ClosedError);
   * kt.destroy();
   * await pending;
   * ```
   */
  destroy(reason?: unknown): void {
    this.#pool.destroy(reason);
  }

  /** The same as `close`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Resolves when the client is closed, by whatever way; never rejects. */
  get closed(): Promise<void> {
    return this.#pool.closed;
  }

  /** What this client has done, and what it holds now; shared by all its views. */
  get stats(): Stats {
    return this.#pool.stats satisfies PoolStats;
  }

  #check(operation: string, options: RecordOptions | undefined): number {
    if (options === undefined) return this.#database;
    checkCallOptions(operation, options);
    const { database } = options;
    return database === undefined ? this.#database : checkDatabase(operation, database);
  }

  #wireKeys(operation: string, keys: Iterable<BulkKey>, options?: RecordOptions): WireKey[] {
    const database = this.#check(operation, options);
    const wire: WireKey[] = [];
    for (const item of iterable(operation, "keys", keys)) {
      if (typeof item === "string" || item instanceof Uint8Array) {
        wire.push({ database, key: checkData(operation, "key", item) });
      } else {
        wire.push({
          database: item?.database === undefined
            ? database
            : checkDatabase(operation, item.database),
          key: checkData(operation, "key", item?.key),
        });
      }
    }
    return wire;
  }

  #wireRecords(records: BulkRecords<In>, options?: SetOptions): WireRecord[] {
    const database = this.#check("setBulk", options);
    const xt = expirationToXt(options);
    const wire: WireRecord[] = [];
    for (const item of pairs<In, BulkRecord<In>>("setBulk", records)) {
      const own: Partial<BulkRecord<In>> = Array.isArray(item)
        ? { key: item[0], value: item[1] }
        : item as BulkRecord<In>;
      wire.push({
        database: own.database === undefined ? database : checkDatabase("setBulk", own.database),
        key: checkData("setBulk", "key", own.key),
        value: checkData("setBulk", "value", this.#codec.encode(own.value as In)),
        xt: own.expireIn === undefined && own.expireAt === undefined ? xt : expirationToXt(own),
      });
    }
    return wire;
  }
}

function iterable<T>(operation: string, what: string, items: Iterable<T>): Iterable<T> {
  if (typeof items !== "object" || items === null || !(Symbol.iterator in items)) {
    throw new TypeError(`Cannot ${operation}: the ${what} are ${describe(items)}, not an iterable`);
  }
  return items;
}

/** The items of an iterable, or the properties of an object. */
function pairs<In, Item = never>(
  operation: string,
  input: Iterable<Item | readonly [Key, In]> | { readonly [key: string]: In },
): (Item | readonly [Key, In])[] {
  if (typeof input !== "object" || input === null) {
    throw new TypeError(`Cannot ${operation}: the records are ${describe(input)}, not an object`);
  }
  return Symbol.iterator in input
    ? [...input as Iterable<Item | readonly [Key, In]>]
    : Object.entries(input);
}

const strictText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textKey(name: string, key: Uint8Array): string {
  try {
    return strictText.decode(key);
  } catch (cause) {
    throw new TypeError(
      `Cannot playScript "${name}": a key of the output is not UTF-8; ask for keys as "bytes"`,
      { cause },
    );
  }
}
