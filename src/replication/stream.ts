/**
 * Following a server: every update that it makes, one after the other.
 *
 * @module
 */

import { xtToDate } from "../codec/expiration.ts";
import { FrameKind, type UpdateFrame } from "../codec/update_log.ts";
import type { Connector } from "../transport/transport.ts";
import type { Key } from "../types.ts";
import { bytes, type Codec, type RangeDecoder, rangeDecoder, text } from "../value_codec.ts";
import { Checkpoint } from "./checkpoint.ts";
import { checkOptions, type ReplicationOptions, stampOf, type Update } from "./options.ts";
import { type StreamTimers, UpdateSource } from "./source.ts";

/** Nobody's id, by convention: followed by default are the updates of all servers. */
const NO_SERVER = 0xffff;
/** Key and value of up to this many bytes together share their memory. */
const SHARED_SIZE = 128;

/** What a stream is made with beside its options. */
export interface ReplicationParts {
  timers: StreamTimers;
  /** The wait in milliseconds before attempt `attempt`, from 1 on, to connect again; `null`: give up. */
  backoff: (attempt: number) => number | null;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/**
 * The updates of a server, in the order in which it made them, over a socket of their own. Made by
 * `replicate`; connects when the first one is asked for.
 *
 * Memory is constant: a consumer that does not read stops the socket, and with it the server. One
 * that is merely slow is kept connected as long as what waits for it has room (256 KiB); if the
 * server gives up nevertheless, what was received is still delivered, and the stream goes on from
 * there, losing and repeating nothing.
 *
 * Leaving a `for await` loop, aborting, disposing or cancelling `.readable` closes the socket.
 *
 * Bytes that were given belong to the consumer. A small key and its value share one buffer, which
 * holds nothing else.
 *
 * @example Follow a server
 * ```ts
 * import { connect, text } from "@kyoto/tycoon";
 * import { startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await startMockServer({ updateLog: true });
 * await using kt = await connect({ port: server.port, codec: text });
 * await kt.set("japan", "tokyo");
 * await kt.remove("japan");
 *
 * const seen: string[] = [];
 * for await (const { op, key, value } of kt.replicate({ keys: "text" })) {
 *   seen.push(`${op} ${key} ${value}`);
 *   if (seen.length === 2) break;
 * }
 * assertEquals(seen, ["set japan tokyo", "remove japan null"]);
 * ```
 */
export class ReplicationStream<V = Uint8Array, K extends Key = Uint8Array>
  implements AsyncIterableIterator<Update<V, K>, undefined, void>, AsyncDisposable {
  readonly #source: UpdateSource;
  /** Whether keys and values are given as bytes. */
  readonly #plain: boolean;
  readonly #decodeKey: RangeDecoder<Key>;
  readonly #decodeValue: RangeDecoder<V>;
  readonly #signal: AbortSignal | undefined;
  readonly #checkpoint: Checkpoint | null = null;
  #loaded = false;
  /** Whether the consumer has an update that it may not be done with. */
  #inHand = false;
  /** Calls of `next` that wait, and when the last of them has its turn. */
  #waiting = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #readable: ReadableStream<Update<V, K>> | undefined;

  /** Makes a stream over connections that `connector` makes; arguments are checked by `next`. */
  constructor(connector: Connector, options: ReplicationOptions<V>, parts: ReplicationParts) {
    const { serverId = NO_SERVER, only = false, resume = true, persistent = [] } = options;
    const { timers, backoff, now = Date.now } = parts;
    const wrong = checkOptions(options);
    this.#source = new UpdateSource({
      connector,
      since: wrong === null ? stampOf(options.since ?? "beginning", now) : 0n,
      serverId,
      only,
      isPersistent: (database) => persistent.includes(database),
      retry: (failures, accepted) => resume && accepted ? backoff(failures) : null,
      timers,
    });
    this.#plain = options.keys !== "text" && (options.codec ?? bytes) === bytes as unknown;
    this.#decodeKey = rangeDecoder<Key>(options.keys === "text" ? text : bytes);
    this.#decodeValue = rangeDecoder(options.codec ?? bytes as unknown as Codec<V, never>);
    if (wrong !== null) {
      this.#source.stop(wrong);
      return;
    }
    const { checkpoint, signal } = options;
    if (checkpoint !== undefined) {
      const fail = (error: unknown) => this.#source.stop(error);
      this.#checkpoint = new Checkpoint(checkpoint, this.#source.position, timers, fail);
    }
    this.#signal = signal;
    signal?.addEventListener("abort", this.#abort, { once: true });
    if (signal?.aborted) this.#abort();
  }

  /**
   * The stamp of the last update that the consumer was given, or of what the server said since: a
   * stream that begins there (`since`) repeats nothing and loses nothing.
   *
   * @example
   * ```ts
   * import { connect, text } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer({ updateLog: true });
   * await using kt = await connect({ port: server.port, codec: text });
   * await kt.setBulk({ a: "1", b: "2" });
   * const first = kt.replicate({ keys: "text" });
   * for await (const _update of first) break;
   * const second = kt.replicate({ keys: "text", since: first.lastTimestamp });
   * for await (const { key } of second) {
   *   assertEquals(key, "b");
   *   break;
   * }
   * ```
   */
  get lastTimestamp(): bigint {
    return this.#source.position;
  }

  /**
   * The same updates as a stream, to be piped. To be used instead of the iterator, not beside it.
   *
   * @example
   * ```ts
   * import { connect, text } from "@kyoto/tycoon";
   * import { startMockServer } from "@kyoto/tycoon/mock-server";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await startMockServer({ updateLog: true });
   * await using kt = await connect({ port: server.port, codec: text });
   * await kt.set("k", "v");
   * const reader = kt.replicate({ keys: "text" }).readable.getReader();
   * const { value } = await reader.read();
   * assertEquals(value?.key, "k");
   * await reader.cancel();
   * ```
   */
  get readable(): ReadableStream<Update<V, K>> {
    return this.#readable ??= new ReadableStream<Update<V, K>>({
      pull: async (controller) => {
        const { done, value } = await this.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => this[Symbol.asyncDispose](),
    }, { highWaterMark: 0 });
  }

  /** The stream is its own iterator: there is one sequence of updates, whoever asks for the next. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * The next update. Calls that do not wait for each other are answered in order.
   *
   * @returns The update; `done` once the stream was closed.
   * @throws {ServerError} The server keeps no update log.
   * @throws {ConnectionError} The connection could not be made, or broke and `resume` is `false`.
   * @throws {ProtocolError} The server sent a damaged message.
   * @throws {TypeError | RangeError} The options are wrong.
   * @throws The signal's reason, or what `codec` or `checkpoint` threw.
   */
  next(): Promise<IteratorResult<Update<V, K>, undefined>> {
    if (this.#waiting === 0) {
      try {
        const update = this.#take();
        if (update !== null) return Promise.resolve({ done: false, value: update });
      } catch (error) {
        return this.#fail(error);
      }
    }
    this.#waiting++;
    const result = this.#wait(this.#turn);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** Closes the stream; what leaving a `for await` loop does. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    await this[Symbol.asyncDispose]();
    return { done: true, value: undefined };
  }

  /** Closes the stream: the socket is closed, the checkpoint written, and who waits gets `done`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#source.stop();
    await this.#settle();
  }

  async #wait(turn: Promise<unknown>): Promise<IteratorResult<Update<V, K>, undefined>> {
    try {
      await turn;
      if (!this.#loaded) await this.#load();
      for (;;) {
        const update = this.#take();
        if (update !== null) return { done: false, value: update };
        if (!await this.#source.ready()) break;
      }
    } catch (error) {
      return await this.#fail(error);
    } finally {
      this.#waiting--;
    }
    await this.#settle();
    return { done: true, value: undefined };
  }

  /** Begins where the checkpoint's file says. */
  async #load(): Promise<void> {
    this.#loaded = true;
    const stamp = await this.#checkpoint?.load();
    if (stamp !== undefined) this.#source.position = stamp;
  }

  /** The next update, if it is at hand; the one before it is done. */
  #take(): Update<V, K> | null {
    const source = this.#source;
    this.#inHand = false;
    this.#checkpoint?.note(source.position);
    if (!source.read()) {
      this.#checkpoint?.note(source.position);
      return null;
    }
    try {
      const update = this.#updateOf(source.frame);
      this.#inHand = true;
      return update;
    } catch (error) {
      source.position = source.before;
      throw error;
    }
  }

  #updateOf(frame: UpdateFrame): Update<V, K> {
    const { kind, timestamp, serverId, database } = frame;
    if (kind === FrameKind.CLEAR) {
      return {
        timestamp,
        serverId,
        database,
        op: "clear",
        key: null,
        value: null,
        expiresAt: null,
      };
    }
    if (kind === FrameKind.SET && this.#plain && isSmall(frame)) {
      const [key, value] = copyPair(frame) as unknown as [K, V];
      const expiresAt = xtToDate(frame.expires);
      return { timestamp, serverId, database, op: "set", key, value, expiresAt };
    }
    const key = this.#keyOf(frame) as K;
    if (kind === FrameKind.REMOVE) {
      return { timestamp, serverId, database, op: "remove", key, value: null, expiresAt: null };
    }
    const value = decodePart(this.#decodeValue, frame, frame.valueStart, frame.valueEnd);
    const expiresAt = xtToDate(frame.expires);
    return { timestamp, serverId, database, op: "set", key, value, expiresAt };
  }

  #keyOf(frame: UpdateFrame): Key {
    try {
      return decodePart(this.#decodeKey, frame, frame.keyStart, frame.keyEnd);
    } catch (cause) {
      const message = `Cannot read the update ${frame.timestamp}: its key is not UTF-8`;
      throw new TypeError(message, { cause });
    }
  }

  readonly #abort = (): void => {
    this.#source.stop(this.#signal?.reason);
    // Whoever asks for the next update is told the reason, not what became of the checkpoint.
    this.#settle().catch(() => {});
  };

  async #fail(error: unknown): Promise<never> {
    this.#source.stop(error);
    await this.#settle().catch(() => {});
    throw error;
  }

  async #settle(): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#abort);
    const { position, before } = this.#source;
    await this.#checkpoint?.flush(this.#inHand ? before : position);
  }
}

function isSmall({ keyStart, valueEnd }: UpdateFrame): boolean {
  return valueEnd - keyStart <= SHARED_SIZE;
}

/** Two arrays over one piece of memory: taking memory twice would cost more than all the rest. */
function copyPair(frame: UpdateFrame): [key: Uint8Array, value: Uint8Array] {
  const { bytes, keyStart, keyEnd, valueStart, valueEnd } = frame;
  const keySize = keyEnd - keyStart, valueSize = valueEnd - valueStart;
  const memory = new ArrayBuffer(keySize + valueSize);
  const key = new Uint8Array(memory, 0, keySize), value = new Uint8Array(memory, keySize);
  for (let i = 0; i < keySize; i++) key[i] = bytes[keyStart + i];
  for (let i = 0; i < valueSize; i++) value[i] = bytes[valueStart + i];
  return [key, value];
}

/**
 * Decodes a part of a frame. What was gathered for this frame alone is not copied once more, as long
 * as it is mostly that part: a small value is not to keep a large key in memory.
 */
function decodePart<T>(
  decode: RangeDecoder<T>,
  { bytes, owned }: UpdateFrame,
  start: number,
  end: number,
): T {
  const size = end - start;
  return owned && size > bytes.length / 2
    ? decode(bytes.subarray(start, end), 0, size, true)
    : decode(bytes, start, end, false);
}
