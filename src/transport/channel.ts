/**
 * The direct path: what this package's own adapters offer beside their Web Streams, because streams
 * cost more than the socket itself (a round trip over `conn.readable` takes three times that of
 * `conn.read`). Only this file knows which transports have one; everything else asks
 * {@linkcode channelOf} and gets the same interface over any transport's streams.
 */

import type { Transport } from "./transport.ts";

/** Who is told what a channel receives. No call comes after `end`, `error` or the channel's `close`. */
export interface Receiver {
  /** `chunk` is a plain `Uint8Array`, not empty, and only valid during the call. */
  data(chunk: Uint8Array): void;
  /** The peer is done sending; writing may still be possible. */
  end(): void;
  /** The channel broke, in either direction. */
  error(reason: unknown): void;
}

/** A connected socket with callbacks. */
export interface Channel {
  /** Begins to receive. Once. */
  start(receiver: Receiver): void;
  /**
   * Sends `chunk`, which must not change until then: at once (`undefined`) or when the promise
   * resolves, which is when the system has taken all of it. One write at a time.
   */
  write(chunk: Uint8Array): Promise<void> | undefined;
  /** Tells the peer that nothing more will come. */
  closeWrite(): Promise<void>;
  /** No more data is delivered until `resume`, and the peer is slowed down by the socket itself. */
  pause(): void;
  resume(): void;
  /** Gives up both directions; what was written before still arrives. Idempotent. */
  close(): void;
  ref(): void;
  unref(): void;
}

const CHANNEL = Symbol("channel");

/**
 * The direct path of a transport, or the same over its streams.
 *
 * @throws {TypeError} It has no streams, or they are in use.
 */
export function channelOf(transport: Transport): Channel {
  const own = (transport as { [CHANNEL]?: Channel } | undefined)?.[CHANNEL];
  if (own !== undefined) return own;
  const { readable, writable } = transport ?? {};
  if (typeof readable?.getReader !== "function" || typeof writable?.getWriter !== "function") {
    throw new TypeError('Cannot use a transport: it has no streams "readable" and "writable"');
  }
  if (readable.locked || writable.locked) {
    throw new TypeError("Cannot use a transport: its streams are in use already");
  }
  return new StreamChannel(transport);
}

/** A channel as a transport; the streams are made when they are first asked for. */
export function transportOf(channel: Channel): Transport {
  let streams: { readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> };
  const made = () => streams ??= streamsOf(channel);
  return {
    [CHANNEL]: channel,
    get readable() {
      return made().readable;
    },
    get writable() {
      return made().writable;
    },
    close: () => channel.close(),
    ref: () => channel.ref(),
    unref: () => channel.unref(),
  } as Transport;
}

function streamsOf(channel: Channel) {
  let settled = false;
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      channel.start({
        data(chunk) {
          controller.enqueue(chunk.slice());
          if ((controller.desiredSize ?? 0) <= 0) channel.pause();
        },
        end() {
          settled = true;
          controller.close();
        },
        error(reason) {
          settled = true;
          controller.error(reason);
        },
      });
    },
    pull() {
      if (!settled) channel.resume();
    },
    cancel() {
      channel.close();
    },
  }, { highWaterMark: 65536, size: (chunk) => chunk.length });
  const writable = new WritableStream<Uint8Array>({
    write: (chunk) => channel.write(chunk),
    close: () => channel.closeWrite(),
    abort: () => channel.close(),
  });
  return { readable, writable };
}

/** A channel over anybody's pair of streams. */
class StreamChannel implements Channel {
  #transport: Transport;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #closed = false;
  #paused: PromiseWithResolvers<void> | null = null;
  #written: PromiseWithResolvers<void> | null = null;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.#reader = transport.readable.getReader();
    this.#writer = transport.writable.getWriter();
    // Failures are reported by the calls that meet them.
    this.#reader.closed.catch(() => {});
    this.#writer.closed.catch(() => {});
    this.#writer.ready.catch(() => {});
  }

  start(receiver: Receiver): void {
    this.#receive(receiver);
  }

  async #receive(receiver: Receiver): Promise<void> {
    try {
      for (;;) {
        if (this.#paused !== null) await this.#paused.promise;
        const { done, value } = await this.#reader.read();
        if (this.#closed) return;
        if (this.#paused !== null) await this.#paused.promise;
        if (this.#closed) return;
        if (done) return receiver.end();
        if (!(value instanceof Uint8Array)) {
          throw new TypeError("Cannot read from the transport: a chunk is no Uint8Array");
        }
        // Not a Buffer, or whatever else it may be: its slice() might share memory.
        const plain = new Uint8Array(value.buffer, value.byteOffset, value.length);
        if (plain.length > 0) receiver.data(plain);
      }
    } catch (error) {
      if (!this.#closed) receiver.error(error);
    }
  }

  write(chunk: Uint8Array): Promise<void> {
    const written = this.#written = Promise.withResolvers<void>();
    // A stream may keep what it is given for longer than the write takes, and may transfer it.
    this.#writer.write(chunk.slice()).then(() => {
      this.#written = null;
      written.resolve();
    }, written.reject);
    return written.promise;
  }

  async closeWrite(): Promise<void> {
    await this.#writer.close();
  }

  pause(): void {
    this.#paused ??= Promise.withResolvers<void>();
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = null;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.resume();
    this.#reader.cancel().catch(() => {});
    if (this.#written === null) {
      this.#writer.close().catch(() => this.#writer.abort().catch(() => {}));
    } else {
      // It would wait for the peer to take what is being written.
      const reason = new Error("the transport was closed");
      this.#written.reject(reason);
      this.#writer.abort(reason).catch(() => {});
    }
    this.#transport.close?.();
  }

  ref(): void {
    this.#transport.ref?.();
  }

  unref(): void {
    this.#transport.unref?.();
  }
}
