/**
 * Bulk work of any length: gathers items to frames, keeps a bounded number of requests in flight, and
 * takes no more items from their source than the server keeps up with.
 */

import { BulkError } from "../errors.ts";
import type { Timers } from "../transport/timers.ts";

/** Most items, and most bytes of keys and values, of one request. */
export interface FrameLimits {
  records: number;
  bytes: number;
}

/** Larger requests are no faster, and what they hold outlives the young generation of a collector. */
export const FRAME_LIMITS: FrameLimits = { records: 1024, bytes: 1024 * 1024 };

/** Requests in flight: enough that the server never waits for the client. */
const WINDOW = 4;
/** Milliseconds after which a frame leaves though it is not full: its source has paused. */
const LINGER = 2;

/** How a {@linkcode FrameSink} is made. */
export interface FrameSinkOptions<Item, R> {
  operation: string;
  /** The bounds of the next frame; may change from frame to frame. */
  limits: () => FrameLimits;
  /** Sends a frame. */
  send: (frame: Item[]) => Promise<R>;
  /** Takes the results in order; while it waits, the frame counts as in flight. */
  take: (result: R, frame: Item[]) => void | Promise<void>;
  timers: Timers;
  /** Gives up; for {@linkcode sendAll}, which may be waiting for its source. */
  signal?: AbortSignal;
  /** Told of the first failure, at once. */
  stopped?: (cause: unknown) => void;
}

/** Takes items one by one and sends them in frames. */
export class FrameSink<Item, R> {
  readonly #options: FrameSinkOptions<Item, R>;
  #frame: Item[] = [];
  #bytes = 0;
  #limits: FrameLimits;
  #inFlight = 0;
  /** Results are taken one after the other, in the order of the frames. */
  #taken: Promise<void> = Promise.resolve();
  #confirmed = 0;
  /** Whether a frame has failed; those behind it may have succeeded. */
  #hasGap = false;
  #failure: { cause: unknown } | null = null;
  #cancelLinger: (() => void) | null = null;
  #roomMade: PromiseWithResolvers<void> | null = null;

  constructor(options: FrameSinkOptions<Item, R>) {
    this.#options = options;
    this.#limits = options.limits();
  }

  /** Takes an item of `size` bytes. A promise: no further one before it resolves. */
  add(item: Item, size: number): Promise<void> | undefined {
    if (this.#failure !== null) return this.end();
    if (this.#frame.length > 0 && this.#bytes + size > this.#limits.bytes) this.#flush();
    this.#frame.push(item);
    this.#bytes += size;
    if (this.#frame.length >= this.#limits.records || this.#bytes >= this.#limits.bytes) {
      this.#flush();
    } else {
      this.#cancelLinger ??= this.#options.timers.start(LINGER, true, () => this.#flush());
    }
    return this.#inFlight >= WINDOW ? this.#room() : undefined;
  }

  /** Sends what is left and resolves when everything has been answered; rejects if anything failed. */
  async end(): Promise<void> {
    if (this.#failure === null) this.#flush();
    await this.#taken;
    if (this.#failure !== null) throw this.#error(this.#failure.cause);
  }

  /** Gives up: what is in flight is waited for, so that the error can say how far it came. */
  async abort(cause: unknown): Promise<never> {
    this.#stop(cause);
    await this.#taken;
    throw this.#error(cause);
  }

  #error(cause: unknown): BulkError {
    if (cause instanceof BulkError) return cause;
    const { operation } = this.#options;
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    return new BulkError(
      `Cannot finish ${operation}: it broke off after ${this.#confirmed} confirmed records${why}`,
      { confirmed: this.#confirmed, cause },
    );
  }

  #stop(cause: unknown): void {
    if (this.#failure === null) {
      this.#failure = { cause };
      this.#options.stopped?.(cause);
    }
    this.#frame = [];
    this.#cancelLinger?.();
    this.#cancelLinger = null;
    this.#roomMade?.resolve();
    this.#roomMade = null;
  }

  #flush(): void {
    this.#cancelLinger?.();
    this.#cancelLinger = null;
    if (this.#frame.length === 0) return;
    const frame = this.#frame;
    this.#frame = [];
    this.#bytes = 0;
    this.#inFlight++;
    const result = this.#options.send(frame);
    this.#taken = Promise.all([result, this.#taken]).then(async ([result]) => {
      await this.#options.take(result, frame);
      // What comes behind a gap does not tell how far the operation came.
      if (!this.#hasGap) this.#confirmed += frame.length;
    }).catch((error) => {
      this.#hasGap = true;
      this.#stop(error);
    }).then(() => {
      this.#inFlight--;
      this.#limits = this.#options.limits();
      this.#roomMade?.resolve();
      this.#roomMade = null;
    });
  }

  async #room(): Promise<void> {
    this.#roomMade ??= Promise.withResolvers<void>();
    await this.#roomMade.promise;
    if (this.#failure !== null) throw this.#error(this.#failure.cause);
  }
}

/** Makes ready to be sent what callers give. */
export interface Preparer<T, Item> {
  prepare(given: T): Item;
  /** About how many bytes it takes. */
  sizeOf(item: Item): number;
}

/** Sends the items that are ready, and then all of a source. */
export async function sendAll<T, Item, R>(
  ready: readonly Item[],
  source: Iterable<T> | AsyncIterable<T>,
  { prepare, sizeOf }: Preparer<T, Item>,
  options: FrameSinkOptions<Item, R>,
): Promise<void> {
  const { signal } = options;
  let giveUp: (cause: unknown) => void = () => {};
  const sink = new FrameSink({ ...options, stopped: (cause) => giveUp(cause) });
  const add = (given: T) => {
    const item = prepare(given);
    return sink.add(item, sizeOf(item));
  };
  try {
    signal?.throwIfAborted();
    for (const item of ready) await sink.add(item, sizeOf(item));
    if (Symbol.asyncIterator in source) {
      await forEach(source, add, signal, (breakOff) => giveUp = breakOff);
    } else {
      for (const given of source) {
        const room = add(given);
        if (room !== undefined) await room;
      }
    }
  } catch (error) {
    await sink.abort(error);
  }
  await sink.end();
}

/**
 * Gives each item of a source to `take`. The signal, and the function that `begin` is given, break off,
 * also while the source is waited for, which may be long.
 */
export async function forEach<T>(
  source: AsyncIterable<T>,
  take: (given: T) => Promise<void> | undefined,
  signal: AbortSignal | undefined,
  begin: (breakOff: (cause: unknown) => void) => void = () => {},
): Promise<void> {
  signal?.throwIfAborted();
  const iterator = source[Symbol.asyncIterator]();
  let isWaiting = false;
  let failure: { cause: unknown } | null = null;
  let stopWaiting: (cause: unknown) => void = () => {};
  const breakOff = (cause: unknown) => {
    failure ??= { cause };
    stopWaiting(cause);
  };
  begin(breakOff);
  const abort = () => breakOff(signal!.reason);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    for (;;) {
      if (failure !== null) throw (failure as { cause: unknown }).cause;
      isWaiting = true;
      const step = await new Promise<IteratorResult<T>>((resolve, reject) => {
        stopWaiting = reject;
        iterator.next().then(resolve, reject);
      });
      isWaiting = false;
      if (step.done) return;
      const room = take(step.value);
      if (room !== undefined) await room;
    }
  } catch (error) {
    const returned = (async () => await iterator.return?.())().catch(() => {});
    // A source that stalls hears of it when it goes on.
    if (!isWaiting) await returned;
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/**
 * The items at the front of a source that need not be waited for, as many as one request holds;
 * `rest` is what is left of the source, `null` when that was all.
 */
export function takeFrame<T, Item>(
  source: Iterable<T> | AsyncIterable<T>,
  { prepare, sizeOf }: Preparer<T, Item>,
): { ready: Item[]; rest: Iterable<T> | AsyncIterable<T> | null } {
  if (Symbol.asyncIterator in source) return { ready: [], rest: source };
  const ready: Item[] = [];
  let bytes = 0;
  const iterator = source[Symbol.iterator]();
  for (;;) {
    const step = iterator.next();
    if (step.done) return { ready, rest: null };
    try {
      const item = prepare(step.value);
      bytes += sizeOf(item);
      ready.push(item);
    } catch (error) {
      iterator.return?.();
      throw error;
    }
    if (ready.length >= FRAME_LIMITS.records || bytes >= FRAME_LIMITS.bytes) break;
  }
  return { ready, rest: { [Symbol.iterator]: () => iterator } };
}
