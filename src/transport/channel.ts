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

/** The direct path of a transport, or the same over its streams. */
export function channelOf(transport: Transport): Channel {
  return (transport as { [CHANNEL]?: Channel })[CHANNEL] ?? new StreamChannel(transport);
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
        if (value.length > 0) receiver.data(value);
      }
    } catch (error) {
      if (!this.#closed) receiver.error(error);
    }
  }

  async write(chunk: Uint8Array): Promise<void> {
    // A stream may keep what it is given for longer than the write takes, and may transfer it.
    await this.#writer.write(chunk.slice());
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
    this.#writer.close().catch(() => this.#writer.abort().catch(() => {}));
    this.#transport.close?.();
  }

  ref(): void {
    this.#transport.ref?.();
  }

  unref(): void {
    this.#transport.unref?.();
  }
}
