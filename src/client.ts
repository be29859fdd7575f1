/**
 * The client: checks what callers give, makes calls of it, and hands them to the pool.
 *
 * @module
 */

import { checkCallOptions, checkCodec, checkData, checkDatabase } from "./arguments.ts";
import { removeBulkCall } from "./operations/calls.ts";
import { getBulk, getBulkStream, removeBulk, setBulk, writable } from "./operations/bulk.ts";
import type { ClientCore } from "./operations/core.ts";
import { type Cursor, makeCursor } from "./operations/cursor.ts";
import { iterate } from "./operations/entries.ts";
import type {
  AtomicOptions,
  CursorOptions,
  EntriesOptions,
  IncrementOptions,
  Master,
  MatchOptions,
  ModifyOptions,
  NoReplyOptions,
  RecordOptions,
  RpcInput,
  RpcOptions,
  ScriptOptions,
  SetOptions,
  SimilarOptions,
  StoreOptions,
  SynchronizeOptions,
  VacuumOptions,
  WakeOptions,
} from "./operations/options.ts";
import type { ProcedureOutput } from "./operations/output.ts";
import {
  type AtomicEntry,
  getAtomically,
  isAtomic,
  removeAtomically,
  setAtomically,
} from "./operations/rpc_atomic.ts";
import type { DatabaseContext, RpcContext } from "./operations/rpc_call.ts";
import { matchPrefix, matchRegex, matchSimilar } from "./operations/rpc_match.ts";
import {
  addRecord,
  appendToRecord,
  checkRecord,
  checkReplied,
  compareAndSwap,
  incrementRecord,
  incrementRecordDouble,
  type RecordInfo,
  removeRecord,
  replaceRecord,
  seizeRecord,
  setRecord,
} from "./operations/rpc_records.ts";
import {
  callAny,
  clear,
  follow,
  listUpdateLogs,
  removeUpdateLogs,
  synchronize,
  type UpdateLogFile,
  vacuum,
  waitFor,
  wake,
} from "./operations/rpc_server.ts";
import {
  type DatabaseStatus,
  databaseStatus,
  type ServerReport,
  serverReport,
} from "./operations/status.ts";
import { expirationToXt, xtToDate } from "./codec/expiration.ts";
import type { Convert } from "./connection/call.ts";
import { GetCall, SetCall } from "./connection/call.ts";
import { pingCall } from "./connection/ping.ts";
import type { Pool } from "./connection/pool.ts";
import type { Stats } from "./connection/stats.ts";
import type { ReplicationOptions } from "./replication/options.ts";
import { ReplicationStream } from "./replication/stream.ts";
import type { BulkItem, BulkKey, BulkRecords, ScriptInput } from "./operations/records.ts";
import { playScript } from "./operations/script.ts";
import type { CallOptions, Entry, Key, Value } from "./types.ts";
import { type Codec, type RangeDecoder, rangeDecoder } from "./value_codec.ts";

/** Makes a client; for `connect` alone. */
export let makeClient: <V, In>(
  core: ClientCore,
  database: number,
  codec: Codec<V, In>,
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
  readonly #core: ClientCore;
  readonly #pool: Pool;
  readonly #database: number;
  readonly #codec: Codec<V, In>;
  readonly #toValue: RangeDecoder<V>;
  readonly #toEntry: Convert<Entry<V>>;

  static {
    makeClient = (core, database, codec) => new KyotoTycoon(core, database, codec);
  }

  private constructor(core: ClientCore, database: number, codec: Codec<V, In>) {
    this.#core = core;
    this.#pool = core.pool;
    this.#database = database;
    this.#codec = codec;
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
        this.#core.lane,
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
        this.#core.lane,
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
   * @param options Expiration, database, signal, timeout, `noReply`; or `wake`, which takes HTTP.
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
  set(key: Key, value: In, options?: SetOptions & WakeOptions): Promise<void> {
    try {
      if (options?.wake !== undefined) return this.#setAndWake(key, value, options);
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
        this.#core.lane,
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Removes a record.
   *
   * @param key The key.
   * @param options Database, signal, timeout, `noReply`; or `wake`, which takes HTTP.
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
  /** The same with a reply: whether there was one. */
  remove(
    key: Key,
    options?: NoReplyOptions & WakeOptions & { noReply?: false },
  ): Promise<boolean>;
  /** One or the other, as the options say. */
  remove(key: Key, options?: NoReplyOptions & WakeOptions): Promise<boolean | void>;
  async remove(key: Key, options?: NoReplyOptions & WakeOptions): Promise<boolean | void> {
    if (options?.wake !== undefined) {
      checkReplied("remove", "wake", options);
      return await removeRecord(this.#context("remove", options), key);
    }
    const database = this.#check("remove", options);
    const records = [{ database, key: checkData("remove", "key", key) }];
    const noReply = options?.noReply ?? false;
    const call = removeBulkCall("remove", records, noReply);
    const count = await this.#pool.submit(call, options, this.#core.lane);
    return noReply ? undefined : count === 1;
  }

  /**
   * Stores a record unless there is one with the same key.
   *
   * @param key The key.
   * @param value The value, as the codec takes it.
   * @param options Expiration, `wake`, database, signal, timeout.
   * @returns Whether it was stored; `false`: there is one already.
   * @throws {ServerError} The database does not exist, or the server is read-only.
   * @throws {KyotoTycoonError} The way to the server failed; `sent` tells whether it may be stored.
   *
   * @example
   * ```ts
   * import { connect, text } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url, { codec: text });
   * assertEquals(await kt.add("k", "first"), true);
   * assertEquals(await kt.add("k", "second"), false);
   * assertEquals(await kt.get("k"), "first");
   * ```
   */
  async add(key: Key, value: In, options?: StoreOptions): Promise<boolean> {
    const context = this.#context("add", options);
    return await addRecord(context, key, this.#codec.encode(value), options);
  }

  /**
   * Stores a record in place of one with the same key, its expiration included.
   *
   * @param key The key.
   * @param value The value, as the codec takes it.
   * @param options Expiration, `wake`, database, signal, timeout.
   * @returns Whether it was stored; `false`: there is none to be replaced.
   * @throws {ServerError} The database does not exist, or the server is read-only.
   * @throws {KyotoTycoonError} The way to the server failed; `sent` tells whether it may be stored.
   *
   * @example
   * ```ts
   * import { connect, text } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url, { codec: text });
   * assertEquals(await kt.replace("k", "v"), false);
   * await kt.set("k", "old");
   * assertEquals(await kt.replace("k", "new"), true);
   * assertEquals(await kt.get("k"), "new");
   * ```
   */
  async replace(key: Key, value: In, options?: StoreOptions): Promise<boolean> {
    const context = this.#context("replace", options);
    return await replaceRecord(context, key, this.#codec.encode(value), options);
  }

  /**
   * Puts bytes behind a value; where there is no record, it stores one. The expiration is set anew,
   * to never if nothing is said.
   *
   * @param key The key.
   * @param value What to put behind, as the codec takes it.
   * @param options Expiration, `wake`, database, signal, timeout.
   * @throws {ServerError} The database does not exist, or the server is read-only.
   * @throws {KyotoTycoonError} The way to the server failed; `sent` tells whether it may be stored.
   *
   * @example
   * ```ts
   * import { connect, text } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url, { codec: text });
   * await kt.append("log", "one,");
   * await kt.append("log", "two,");
   * assertEquals(await kt.get("log"), "one,two,");
   * ```
   */
  async append(key: Key, value: In, options?: StoreOptions): Promise<void> {
    const context = this.#context("append", options);
    await appendToRecord(context, key, this.#codec.encode(value), options);
  }

  /**
   * Adds to a whole number. The server keeps such as 8 bytes, signed, the highest first; beyond 64
   * bits they wrap round. The expiration is set anew, to never if nothing is said. To add 0 only reads.
   *
   * @param key The key.
   * @param by What to add, a safe integer or a bigint of 64 bits. Default 1.
   * @param options What to count from (`initial`), expiration, `wake`, database, signal, timeout.
   * @returns The sum, of the type of `by`.
   * @throws {ServerError} The value has not 8 bytes, or there is none and `initial` is `"must-exist"`;
   * the server does not tell which. Also where the sum is -2^63, which is stored all the same.
   * @throws {RangeError} The sum is not a safe integer and `by` no bigint; it is stored all the same.
   * @throws {KyotoTycoonError} The way to the server failed; `sent` tells whether it may be stored.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url);
   * assertEquals(await kt.increment("hits"), 1);
   * assertEquals(await kt.increment("hits", -8), -7);
   * assertEquals(await kt.increment("next-id", 1n, { initial: 2n ** 60n }), 2n ** 60n + 1n);
   * ```
   */
  increment(key: Key, by?: number, options?: IncrementOptions): Promise<number>;
  /** The same with bigints, which hold all that the server can. */
  increment(key: Key, by: bigint, options?: IncrementOptions): Promise<bigint>;
  increment(
    key: Key,
    by: number | bigint = 1,
    options?: IncrementOptions,
  ): Promise<number | bigint> {
    try {
      return incrementRecord(this.#context("increment", options), key, by, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Adds to a number with a fraction. The server keeps such as 16 bytes: a whole number and a count of
   * 10^-15, both signed, the highest byte first; and it says the sum to six decimals. The expiration
   * is set anew, to never if nothing is said. To add 0 only reads.
   *
   * @param key The key.
   * @param by What to add. The server looks at 16 digits.
   * @param options What to count from (`initial`), expiration, `wake`, database, signal, timeout.
   * @returns The sum, to six decimals.
   * @throws {ServerError} The value has not 16 bytes, or there is none and `initial` is `"must-exist"`;
   * the server does not tell which.
   * @throws {KyotoTycoonError} The way to the server failed; `sent` tells whether it may be stored.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url);
   * assertEquals(await kt.incrementDouble("total", 1.5), 1.5);
   * assertEquals(await kt.incrementDouble("total", -0.25), 1.25);
   * ```
   */
  async incrementDouble(
    key: Key,
    by: number,
    options?: IncrementOptions<number>,
  ): Promise<number> {
    const context = this.#context("incrementDouble", options);
    return await incrementRecordDouble(context, key, by, options);
  }

  /**
   * Compares and swaps: stores a value, or removes the record, only if nobody has changed it.
   *
   * @param key The key.
   * @param expected The value that must be there, compared as the bytes that the codec makes of it;
   * `null`: there must be no record.
   * @param next The value to store; `null`: remove the record.
   * @param options Expiration, `wake`, database, signal, timeout.
   * @returns Whether it was done; `false`: the record was not as expected.
   * @throws {ServerError} The database does not exist, or the server is read-only.
   * @throws {KyotoTycoonError} The way to the server failed; `sent` tells whether it may be done.
   *
   * @example
   * ```ts
   * import { connect, text } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url, { codec: text });
   * assertEquals(await kt.cas("lock", null, "mine", { expireIn: 10_000 }), true);
   * assertEquals(await kt.cas("lock", null, "yours"), false);
   * assertEquals(await kt.cas("lock", "mine", null), true);
   * assertEquals(await kt.get("lock"), null);
   * ```
   */
  async cas(
    key: Key,
    expected: In | null,
    next: In | null,
    options?: StoreOptions,
  ): Promise<boolean> {
    const context = this.#context("cas", options);
    const encode = (value: In | null) => value === null ? null : this.#codec.encode(value);
    return await compareAndSwap(context, key, encode(expected), encode(next), options);
  }

  /**
   * Whether there is a record, how large its value is, and when it ends, without the value.
   *
   * @param key The key.
   * @param options Database, signal, timeout.
   * @returns The size of the value in bytes and the expiration; `null` when there is no record.
   * @throws {KyotoTycoonError} The server, or the way to it, failed.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url);
   * await kt.set("k", "value");
   * assertEquals(await kt.check("k"), { size: 5, expiresAt: null });
   * assertEquals(await kt.check("missing"), null);
   * ```
   */
  async check(key: Key, options?: RecordOptions): Promise<RecordInfo | null> {
    return await checkRecord(this.#context("check", options), key);
  }

  /**
   * Removes a record and returns its value, in one step.
   *
   * @param key The key.
   * @param options `wake`, database, signal, timeout.
   * @returns The value, or `null` when there was none.
   * @throws {ServerError} The server is read-only.
   * @throws {KyotoTycoonError} The way to the server failed; `sent` tells whether it may be removed.
   *
   * @example
   * ```ts
   * import { connect, text } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url, { codec: text });
   * await kt.set("job", "work");
   * assertEquals(await kt.seize("job"), "work");
   * assertEquals(await kt.seize("job"), null);
   * ```
   */
  async seize(key: Key, options?: ModifyOptions): Promise<V | null> {
    return await seizeRecord(this.#context("seize", options), key, this.#codec);
  }

  /**
   * Several records in one request, or in several where there are more than 1024 keys or 1 MiB of
   * them. What is missing is left out.
   *
   * @param keys Keys, or keys with databases of their own.
   * @param options Database of the keys that name none, signal, timeout (of each request). `atomic`:
   * all as they are at one moment, in one request over HTTP; one database, and no expirations.
   * @returns The records found, in the order of the keys; a key asked for twice comes twice.
   * @throws {BulkError} It took several requests and broke off.
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
  getBulk(
    keys: Iterable<BulkKey> | AsyncIterable<BulkKey>,
    options: RecordOptions & { atomic: true },
  ): Promise<AtomicEntry<V>[]>;
  /** The same, each as it is when its turn comes; with expirations. */
  getBulk(
    keys: Iterable<BulkKey> | AsyncIterable<BulkKey>,
    options?: RecordOptions & { atomic?: false },
  ): Promise<Entry<V>[]>;
  /** One or the other, as the options say. */
  getBulk(
    keys: Iterable<BulkKey> | AsyncIterable<BulkKey>,
    options?: RecordOptions & { atomic?: boolean },
  ): Promise<Entry<V>[] | AtomicEntry<V>[]>;
  async getBulk(
    keys: Iterable<BulkKey> | AsyncIterable<BulkKey>,
    options?: RecordOptions & { atomic?: boolean },
  ): Promise<Entry<V>[] | AtomicEntry<V>[]> {
    const context = this.#context("getBulk", options);
    return options?.atomic
      ? await getAtomically(context, keys, this.#codec)
      : await getBulk(context, keys, this.#toEntry);
  }

  /**
   * Any number of records, as they come: the keys are asked for in requests of a moderate size, a few
   * of them ahead of the consumer.
   *
   * @param keys Keys, or keys with databases of their own; may be asynchronous and endless.
   * @param options Database of the keys that name none, signal, timeout (of each request).
   * @returns The records found, in the order of the keys.
   * @throws {BulkError} It broke off; `cause` says why.
   *
   * @example
   * ```ts
   * import { connect, text } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url, { codec: text });
   * await kt.setBulk({ a: "1", b: "2" });
   * for await (const { key, value } of kt.getBulkStream(["a", "missing", "b"])) {
   *   console.log(key, value); // a 1, b 2
   * }
   * ```
   */
  getBulkStream(
    keys: Iterable<BulkKey> | AsyncIterable<BulkKey>,
    options?: RecordOptions,
  ): AsyncGenerator<Entry<V>, void, void> {
    return getBulkStream(() => this.#context("getBulkStream", options), keys, this.#toEntry);
  }

  /**
   * Stores records one after the other: others see them as they arrive. They leave in one request, or
   * in several where there are more than 1024 or 1 MiB of them, or their source is asynchronous.
   *
   * @param records Objects with their own expiration and database, pairs, a `Map`, or an object; any
   * number of them.
   * @param options Expiration and database of the records that name none, signal, timeout (of each
   * request), `noReply`. `atomic`: nobody sees some of them without the others, in one request over
   * HTTP; one database and one expiration for all; `wake` is possible then.
   * @returns How many were stored: all but those whose database does not exist. With `noReply` nothing.
   * @throws {BulkError} It took several requests, or an asynchronous source, and broke off.
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
  setBulk(records: BulkRecords<In>, options: SetOptions & { noReply: true }): Promise<void>;
  /** The same with a reply: how many were stored. */
  setBulk(
    records: BulkRecords<In>,
    options?: SetOptions & AtomicOptions & { noReply?: false },
  ): Promise<number>;
  /** One or the other, as the options say. */
  setBulk(
    records: BulkRecords<In>,
    options?: SetOptions & AtomicOptions,
  ): Promise<number | void>;
  async setBulk(
    records: BulkRecords<In>,
    options?: SetOptions & AtomicOptions,
  ): Promise<number | void> {
    const context = this.#context("setBulk", options);
    const xt = expirationToXt(options);
    return isAtomic("setBulk", options)
      ? await setAtomically(context, records, this.#codec, xt)
      : await setBulk(context, records, this.#codec, xt, options?.noReply);
  }

  /**
   * A stream that stores what is written to it, to be piped to. Records leave in requests of a moderate
   * size, a few in flight; a slow server slows the writer down.
   *
   * @param options Expiration and database of the records that name none, signal, timeout, `noReply`.
   * @returns The stream. Closing it waits for the last answer. It fails with a `BulkError`.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url);
   * const numbers = ReadableStream.from([1, 2, 3].map((n) => [`key${n}`, `value ${n}`] as const));
   * await numbers.pipeTo(kt.writable({ expireIn: 60_000 }));
   * assertEquals((await kt.getBulk(["key1", "key2", "key3"])).length, 3);
   * ```
   */
  writable(options?: SetOptions): WritableStream<BulkItem<In>> {
    return writable(() => {
      const bulk = this.#context("writable", options);
      return { bulk, codec: this.#codec, xt: expirationToXt(options), noReply: options?.noReply };
    });
  }

  /**
   * Removes several records, in one request or more as `setBulk` does.
   *
   * @param keys Keys, or keys with databases of their own; any number of them.
   * @param options Database of the keys that name none, signal, timeout (of each request), `noReply`;
   * `atomic` and `wake` as for `setBulk`.
   * @returns How many there were; with `noReply` nothing.
   * @throws {BulkError} It took several requests, or an asynchronous source, and broke off.
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
    keys: Iterable<BulkKey> | AsyncIterable<BulkKey>,
    options: NoReplyOptions & { noReply: true },
  ): Promise<void>;
  /** The same with a reply: how many there were. */
  removeBulk(
    keys: Iterable<BulkKey> | AsyncIterable<BulkKey>,
    options?: NoReplyOptions & AtomicOptions & { noReply?: false },
  ): Promise<number>;
  /** One or the other, as the options say. */
  removeBulk(
    keys: Iterable<BulkKey> | AsyncIterable<BulkKey>,
    options?: NoReplyOptions & AtomicOptions,
  ): Promise<number | void>;
  async removeBulk(
    keys: Iterable<BulkKey> | AsyncIterable<BulkKey>,
    options?: NoReplyOptions & AtomicOptions,
  ): Promise<number | void> {
    const context = this.#context("removeBulk", options);
    return isAtomic("removeBulk", options)
      ? await removeAtomically(context, keys)
      : await removeBulk(context, keys, options?.noReply);
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
  /** The same with a reply, whose keys are given as bytes. */
  playScript(
    name: string,
    input: ScriptInput<In> | undefined,
    options: ScriptOptions & { noReply?: false; keys: "bytes" },
  ): Promise<Map<Uint8Array, V>>;
  /** The same with a reply, whose keys are given as text. */
  playScript(
    name: string,
    input?: ScriptInput<In>,
    options?: ScriptOptions & { noReply?: false; keys?: "text" },
  ): Promise<Map<string, V>>;
  /** One of these, as the options say. */
  playScript(
    name: string,
    input?: ScriptInput<In>,
    options?: ScriptOptions,
  ): Promise<Map<string, V> | Map<Uint8Array, V> | void>;
  async playScript(
    name: string,
    input: ScriptInput<In> = [],
    options?: ScriptOptions,
  ): Promise<Map<string, V> | Map<Uint8Array, V> | void> {
    if (options !== undefined) checkCallOptions("playScript", options);
    return await playScript(this.#core, name, input, options, this.#codec);
  }

  /**
   * The keys of a database that begin in a certain way. The server looks through all of them, except
   * in an ordered database. Keys of records that have expired may be among them.
   *
   * @param prefix How they begin.
   * @param options How keys are given, `limit`, database, signal, timeout.
   * @returns The keys: in order from an ordered database, else as the server keeps them.
   * @throws {TypeError} A key is not UTF-8 and `keys` is `"text"`.
   * @throws {KyotoTycoonError} The server, or the way to it, failed.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer({ databases: ["%"] });
   * await using kt = await connect(server.url);
   * await kt.setBulk({ apple: "1", apricot: "2", banana: "3" });
   * assertEquals(await kt.matchPrefix("ap", { keys: "text" }), ["apple", "apricot"]);
   * ```
   */
  matchPrefix(prefix: Key, options: MatchOptions & { keys: "text" }): Promise<string[]>;
  /** The same, with keys as bytes. */
  matchPrefix(prefix: Key, options?: MatchOptions & { keys?: "bytes" }): Promise<Uint8Array[]>;
  /** One or the other, as the options say. */
  matchPrefix(prefix: Key, options?: MatchOptions): Promise<string[] | Uint8Array[]>;
  async matchPrefix(prefix: Key, options?: MatchOptions): Promise<Key[]> {
    return await matchPrefix(this.#context("matchPrefix", options), prefix, options);
  }

  /**
   * The keys of a database in which a regular expression finds something. The server looks through all
   * of them. Keys of records that have expired may be among them.
   *
   * @param regex An expression in the server's syntax, which is POSIX's extended one: `[0-9]` or
   * `[[:digit:]]`, but neither `\d` nor `(?:…)` nor `+?`. `.` is one byte. Of keys with NULs the
   * server looks at what stands before the first.
   * @param options How keys are given, `limit`, database, signal, timeout.
   * @returns The keys: in order from an ordered database, else as the server keeps them.
   * @throws {ServerError} The server cannot make sense of the expression.
   * @throws {TypeError} A key is not UTF-8 and `keys` is `"text"`.
   * @throws {KyotoTycoonError} The way to the server failed.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer({ databases: ["%"] });
   * await using kt = await connect(server.url);
   * await kt.setBulk({ apple: "1", apricot: "2", banana: "3" });
   * assertEquals(await kt.matchRegex("^a.*e$", { keys: "text" }), ["apple"]);
   * ```
   */
  matchRegex(regex: string, options: MatchOptions & { keys: "text" }): Promise<string[]>;
  /** The same, with keys as bytes. */
  matchRegex(regex: string, options?: MatchOptions & { keys?: "bytes" }): Promise<Uint8Array[]>;
  /** One or the other, as the options say. */
  matchRegex(regex: string, options?: MatchOptions): Promise<string[] | Uint8Array[]>;
  async matchRegex(regex: string, options?: MatchOptions): Promise<Key[]> {
    return await matchRegex(this.#context("matchRegex", options), regex, options);
  }

  /**
   * The keys of a database that are similar to one: few insertions, removals and replacements apart.
   * The server looks through all of them. Keys of records that have expired may be among them.
   *
   * @param origin The key to compare with.
   * @param options `distance`, `utf8`, how keys are given, `limit`, database, signal, timeout.
   * @returns The keys, the most similar ones first.
   * @throws {TypeError} A key is not UTF-8 and `keys` is `"text"`.
   * @throws {KyotoTycoonError} The server, or the way to it, failed.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url);
   * await kt.setBulk({ apple: "1", Apple: "2", banana: "3" });
   * assertEquals(await kt.matchSimilar("apple", { keys: "text" }), ["apple", "Apple"]);
   * ```
   */
  matchSimilar(origin: Key, options: SimilarOptions & { keys: "text" }): Promise<string[]>;
  /** The same, with keys as bytes. */
  matchSimilar(origin: Key, options?: SimilarOptions & { keys?: "bytes" }): Promise<Uint8Array[]>;
  /** One or the other, as the options say. */
  matchSimilar(origin: Key, options?: SimilarOptions): Promise<string[] | Uint8Array[]>;
  async matchSimilar(origin: Key, options?: SimilarOptions): Promise<Key[]> {
    return await matchSimilar(this.#context("matchSimilar", options), origin, options);
  }

  /**
   * All records of a database, one after the other, read a few ahead of the consumer. A record that is
   * changed meanwhile comes as it is when its turn comes. Leaving the loop, by whatever way, lets the
   * server forget the place; an iterator that is not used up must be closed (`return()`).
   *
   * In an ordered database they come by the bytes of their keys. Elsewhere there is no order, and no
   * way to go in `reverse`; records that are stored meanwhile may be left out.
   *
   * @param options Where to begin, `reverse`, `keysOnly`, `limit`, how keys are given, database,
   * signal, timeout (of each request).
   * @returns The entries, or with `keysOnly` the keys.
   * @throws {ServerError} `reverse`, and the database has no order.
   * @throws {ConnectionError} The connection was lost: the place is lost with it.
   * @throws {TypeError} A key is not UTF-8 and `keys` is `"text"`.
   * @throws {KyotoTycoonError} The server, or the way to it, failed.
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
   * const seen: string[] = [];
   * for await (const { key, value } of kt.entries({ from: "b", keys: "text" })) {
   *   seen.push(`${key} ${value}`);
   * }
   * assertEquals(seen, ["banana 2", "cherry 3"]);
   * ```
   */
  entries(
    options: EntriesOptions & { keysOnly: true; keys: "text" },
  ): AsyncGenerator<string, void, void>;
  /** The keys alone, as bytes. */
  entries(
    options: EntriesOptions & { keysOnly: true; keys?: "bytes" },
  ): AsyncGenerator<Uint8Array, void, void>;
  /** Entries, with keys as text. */
  entries(
    options: EntriesOptions & { keysOnly?: false; keys: "text" },
  ): AsyncGenerator<Entry<V, string>, void, void>;
  /** Entries, with keys as bytes. */
  entries(
    options?: EntriesOptions & { keysOnly?: false; keys?: "bytes" },
  ): AsyncGenerator<Entry<V, Uint8Array>, void, void>;
  /** One of these, as the options say. */
  entries(
    options?: EntriesOptions,
  ): AsyncGenerator<Entry<V, Key> | Key, void, void>;
  entries(
    options?: EntriesOptions,
  ): AsyncGenerator<Entry<V, Key> | Key, void, void> {
    return iterate(() => this.#context("entries", options), options, this.#codec);
  }

  /**
   * A place in a database, to move and to work at. It holds on to one connection while it lives, which
   * others use too; dispose it in the end.
   *
   * @param options How keys are given, database.
   * @returns The cursor, which is nowhere until a jump.
   * @throws {TypeError | RangeError} The options are wrong.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer({ databases: ["%"] });
   * await using kt = await connect(server.url);
   * await kt.setBulk({ apple: "1", banana: "2" });
   * await using cursor = kt.cursor({ keys: "text" });
   * await cursor.jumpBack();
   * assertEquals((await cursor.get())?.key, "banana");
   * assertEquals(await cursor.stepBack(), true);
   * assertEquals(await cursor.remove(), true); // the apple
   * ```
   */
  cursor(options: CursorOptions & { keys: "text" }): Cursor<V, In, string>;
  /** The same, with keys as bytes. */
  cursor(options?: CursorOptions & { keys?: "bytes" }): Cursor<V, In, Uint8Array>;
  /** One or the other, as the options say. */
  cursor(options?: CursorOptions): Cursor<V, In, Key>;
  cursor(options?: CursorOptions): Cursor<V, In, Key> {
    const { database, core } = this.#context("cursor", options);
    return makeCursor({ database, core, codec: this.#codec }, options);
  }

  /**
   * Removes all records of a database.
   *
   * @param options `wake`, database, signal, timeout.
   * @throws {ServerError} The database does not exist, or the server is read-only.
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
   * await kt.set("k", "v");
   * await kt.clear();
   * assertEquals((await kt.status()).count, 0);
   * ```
   */
  async clear(options?: ModifyOptions): Promise<void> {
    await clear(this.#context("clear", options));
  }

  /**
   * Has a database written to its file. Others wait meanwhile.
   *
   * @param options `hard`, `command`, `wake`, database, signal, timeout.
   * @throws {ServerError} The database does not exist, or the command failed.
   * @throws {KyotoTycoonError} The way to the server failed.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   *
   * await using server = await startMockServer({ databases: ["records.kct"] });
   * await using kt = await connect(server.url);
   * await kt.synchronize({ hard: true });
   * ```
   */
  async synchronize(options?: SynchronizeOptions): Promise<void> {
    await synchronize(this.#context("synchronize", options), options);
  }

  /**
   * Has the space of expired records set free, which otherwise happens little by little.
   *
   * @param options `steps`, `wake`, database, signal, timeout.
   * @throws {ServerError} The database does not exist.
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
   * await kt.set("k", "v", { expireAt: new Date(0) });
   * await kt.vacuum();
   * assertEquals((await kt.status()).count, 0);
   * ```
   */
  async vacuum(options?: VacuumOptions): Promise<void> {
    await vacuum(this.#context("vacuum", options), options);
  }

  /**
   * How much a database holds, and of what kind it is.
   *
   * @param options Database, signal, timeout.
   * @returns The state of the database, with all rows as the server names them.
   * @throws {ServerError} The database does not exist.
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
   * await kt.set("k", "v");
   * const { count, path, type, ordered } = await kt.status();
   * assertEquals({ count, path, type, ordered }, {
   *   count: 1,
   *   path: "*",
   *   type: "cache hash",
   *   ordered: false,
   * });
   * ```
   */
  async status(options?: RecordOptions): Promise<DatabaseStatus> {
    return await databaseStatus(this.#context("status", options));
  }

  /**
   * What the server is, holds and has done.
   *
   * @param options Signal, timeout.
   * @returns The state of the server, with all rows as the server names them.
   * @throws {KyotoTycoonError} The server, or the way to it, failed.
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
   * const { count, stored, master } = await kt.report();
   * assertEquals({ count, stored, master }, {
   *   count: 1,
   *   stored: { count: 1, misses: 0 },
   *   master: null,
   * });
   * ```
   */
  async report(options?: CallOptions): Promise<ServerReport> {
    return await serverReport(this.#server("report", options));
  }

  /**
   * The files of the server's update log.
   *
   * @param options Signal, timeout.
   * @returns The files, oldest first.
   * @throws {ServerError} The server keeps no update log.
   * @throws {KyotoTycoonError} The way to the server failed.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer({ updateLog: true });
   * await using kt = await connect(server.url);
   * await kt.set("k", "v");
   * assertEquals((await kt.updateLogs()).length, 1);
   * ```
   */
  async updateLogs(options?: CallOptions): Promise<UpdateLogFile[]> {
    return await listUpdateLogs(this.#server("updateLogs", options));
  }

  /**
   * Removes files of the server's update log: those that hold nothing newer than a time stamp or
   * moment, but never the newest file.
   *
   * @param until Up to where; `"now"` is that of the server's clock. Default: all but the newest file.
   * @param options Signal, timeout.
   * @throws {ServerError} The server keeps no update log, or cannot remove a file.
   * @throws {KyotoTycoonError} The way to the server failed.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   *
   * await using server = await startMockServer({ updateLog: true });
   * await using kt = await connect(server.url);
   * await kt.removeUpdateLogs(new Date(Date.now() - 24 * 3600_000));
   * ```
   */
  async removeUpdateLogs(until?: bigint | Date | "now", options?: CallOptions): Promise<void> {
    await removeUpdateLogs(this.#server("removeUpdateLogs", options), until);
  }

  /**
   * Tells the server to follow another one, its master, or nobody any more.
   *
   * @param master Whom to follow, and from where on; `null`: nobody.
   * @param options Signal, timeout.
   * @throws {ServerError} The server cannot follow (it was started without `-rts`).
   * @throws {KyotoTycoonError} The way to the server failed.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using master = await startMockServer({ serverId: 1, updateLog: true });
   * await using server = await startMockServer({ serverId: 2, follow: {} });
   * await using kt = await connect(server.url);
   * await kt.follow({ hostname: "127.0.0.1", port: master.port, since: "beginning" });
   * assertEquals((await kt.report()).master?.port, master.port);
   * await kt.follow(null);
   * assertEquals((await kt.report()).master, null);
   * ```
   */
  async follow(master: Master | null, options?: CallOptions): Promise<void> {
    await follow(this.#server("follow", options), master);
  }

  /**
   * Waits on the server until somebody wakes those who wait for a name: by `wake`, or by an operation
   * with the option of this name. What happened before does not count.
   *
   * It takes a connection of its own while it lasts, beside those that `stats` counts, and one of the
   * server's threads, also after it was given up by a signal.
   *
   * @param name What to wait for.
   * @param timeout Milliseconds. Default 30000.
   * @param options Signal.
   * @returns Whether it was woken; `false`: the time passed.
   * @throws {ClosedError} The client was closed meanwhile; no waiting holds that up.
   * @throws {KyotoTycoonError} The server, or the way to it, failed.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url);
   * const woken = kt.waitFor("ready", 5000);
   * while (await kt.wake("ready") === 0);
   * assertEquals(await woken, true);
   * ```
   */
  async waitFor(
    name: Key,
    timeout = 30_000,
    options?: Pick<CallOptions, "signal">,
  ): Promise<boolean> {
    const signal = options?.signal;
    const context = this.#server("waitFor", signal === undefined ? undefined : { signal });
    return await waitFor(context, name, timeout);
  }

  /**
   * Wakes one who waits for a name, or with `all` everybody who does.
   *
   * @param name What they wait for.
   * @param options `all`, signal, timeout.
   * @returns How many were woken.
   * @throws {KyotoTycoonError} The server, or the way to it, failed.
   *
   * @example
   * ```ts
   * import { connect } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url);
   * assertEquals(await kt.wake("ready", { all: true }), 0); // nobody waits
   * ```
   */
  async wake(name: Key, options: CallOptions & { all?: boolean } = {}): Promise<number> {
    const { all, signal, timeout } = options;
    return await wake(this.#server("wake", { signal, timeout, wake: { name, all } }));
  }

  /**
   * Calls any procedure of the server over HTTP, with rows as it takes them. Where there is a method
   * for it, use that: it knows what the rows mean.
   *
   * A row `DB` is added for a database other than 0, unless there is one. With a row `WAIT` it takes a
   * connection of its own. Cursors (`CUR`) are only for `cursor`.
   *
   * @param procedure The procedure's name, such as `"play_script"`.
   * @param rows Names and values.
   * @param options `wake`, database, signal, timeout.
   * @returns The rows that came back.
   * @throws {ServerError} It failed, for whatever reason: see `status`, `serverCode`, `serverMessage`.
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
   * const output = await kt.rpc("increment", { key: "n", num: "5", orig: "100" });
   * assertEquals(output.text("num"), "105");
   * ```
   */
  async rpc(
    procedure: string,
    rows: RpcInput = [],
    options?: RpcOptions,
  ): Promise<ProcedureOutput> {
    return await callAny(this.#context("rpc", options), procedure, rows);
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
    await this.#pool.submit(pingCall(), options, this.#core.lane);
  }

  /**
   * Every update that the server makes, as a stream, over a socket of its own. The server must keep an
   * update log (`-ulog`). The stream connects when the first update is asked for, and again, for ever,
   * when the connection breaks, unless `resume` is `false`.
   *
   * @param options Where to begin, whose updates, codec, checkpoint, signal.
   * @returns The updates, to be read with `for await` or piped by `.readable`. Closing the client does
   * not close the stream; leaving the loop does.
   *
   * @example
   * ```ts
   * import { connect, text } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer({ updateLog: true });
   * await using kt = await connect(server.url, { codec: text });
   * await kt.set("k", "v");
   * for await (const update of kt.replicate({ keys: "text", since: "beginning" })) {
   *   assertEquals([update.op, update.key, update.value], ["set", "k", "v"]);
   *   break;
   * }
   * ```
   */
  replicate(
    options: Omit<ReplicationOptions<V>, "codec"> & { keys: "text" },
  ): ReplicationStream<V, string>;
  /** With another codec than the client's, and keys as text. */
  replicate<W>(
    options: ReplicationOptions<W> & { codec: Codec<W, never>; keys: "text" },
  ): ReplicationStream<W, string>;
  /** With another codec than the client's, and keys as bytes. */
  replicate<W>(
    options: ReplicationOptions<W> & { codec: Codec<W, never>; keys?: "bytes" },
  ): ReplicationStream<W, Uint8Array>;
  /** With another codec than the client's, and keys as the options say. */
  replicate<W>(
    options: ReplicationOptions<W> & { codec: Codec<W, never> },
  ): ReplicationStream<W, Key>;
  /** With the client's codec, and keys as bytes. */
  replicate(
    options?: Omit<ReplicationOptions<V>, "codec"> & { keys?: "bytes" },
  ): ReplicationStream<V, Uint8Array>;
  /** With the client's codec, and keys as the options say. */
  replicate(options?: Omit<ReplicationOptions<V>, "codec">): ReplicationStream<V, Key>;
  replicate<W>(options: ReplicationOptions<W> = {}): ReplicationStream<W, Key> {
    const codec = options.codec ?? this.#codec as unknown as Codec<W, never>;
    const { connector, replication } = this.#core;
    return new ReplicationStream<W, Key>(connector, { ...options, codec }, replication);
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
    return new KyotoTycoon(this.#core, database, this.#codec);
  }

  /**
   * The same client with another codec for values.
   *
   * @param codec `bytes`, `text`, `json()`, or your own.
   * @returns A view on the same connections; closing either closes both.
   * @throws {TypeError} Not a codec.
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
    return new KyotoTycoon(this.#core, this.#database, checkCodec("select a codec", codec));
  }

  /**
   * A view whose calls the server sees in the order in which they are made: all of them take one
   * connection, whichever is free first. Without it, a client with several `connections` keeps the
   * order on each of them, not between them. With one connection it makes no difference.
   *
   * Should the connection be lost, they go on together on another one: reads that are sent again
   * before those that had not been sent.
   *
   * @returns The view, on the same connections.
   *
   * @example
   * ```ts
   * import { connect, text } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer();
   * await using kt = await connect(server.url, { codec: text, connections: 4 });
   * const ordered = kt.ordered();
   * ordered.set("k", "v");
   * assertEquals(await ordered.get("k"), "v"); // without waiting for the set
   * ```
   */
  ordered(): KyotoTycoon<V, In> {
    const lane = { connection: null, fixed: false };
    return new KyotoTycoon({ ...this.#core, lane }, this.#database, this.#codec);
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
    return this.#pool.stats;
  }

  async #setAndWake(key: Key, value: In, options: SetOptions & WakeOptions): Promise<void> {
    checkReplied("set", "wake", options);
    await setRecord(this.#context("set", options), key, this.#codec.encode(value), options);
  }

  /** What an operation on a database is called with. */
  #context(operation: string, options: (RecordOptions & WakeOptions) | undefined): DatabaseContext {
    return { operation, database: this.#check(operation, options), options, core: this.#core };
  }

  /** What an operation on the server is called with. */
  #server(operation: string, options: (CallOptions & WakeOptions) | undefined): RpcContext {
    if (options !== undefined) checkCallOptions(operation, options);
    return { operation, database: null, options, core: this.#core };
  }

  #check(operation: string, options: RecordOptions | undefined): number {
    if (options === undefined) return this.#database;
    checkCallOptions(operation, options);
    const { database } = options;
    return database === undefined ? this.#database : checkDatabase(operation, database);
  }
}
