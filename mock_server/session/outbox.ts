/** The sending side of a session: replies are gathered, leave together, and never pile up. */

import { ByteWriter } from "../../src/codec/writer.ts";
import type { Channel } from "../../src/transport/channel.ts";
import type { ReplyShape } from "./reply_shape.ts";

/** Replies that may wait for the client to read those before. */
const HIGH_WATER_MARK = 256 * 1024;
/** As much leaves without waiting for what comes behind it, so that the client can begin. */
const SEND_SIZE = 6 * 1024;
/** A larger reply is written in pieces, so that a slow reader's progress can be seen. */
const PIECE_SIZE = 1024 * 1024;

/** Who is told about an outbox. */
export interface OutboxOwner {
  /** A write is under way, so that `deadline` has begun to count. */
  sending(): void;
  /** Everything has left. */
  emptied(): void;
  /** Nothing more will leave: the client is gone, or a fault cut the reply off. */
  broken(): void;
  /** Lets milliseconds pass. */
  sleep(milliseconds: number): Promise<void>;
}

/** Sends what is written to `out`. */
export class Outbox {
  /** Where replies are written to; another one after each `send`. */
  out: ByteWriter = new ByteWriter();
  /** Changes what leaves, while a fault is at work. */
  shape: ReplyShape | null = null;
  /** When the client must have read more, on the clock of `performance`; `Infinity`: nothing to read. */
  deadline = Infinity;
  readonly #channel: Channel;
  readonly #timeout: number;
  readonly #owner: OutboxOwner;
  /** What is being sent, or nothing. */
  #leaving = new ByteWriter();
  #isSending = false;
  #isClosed = false;
  #relieved: PromiseWithResolvers<void> | null = null;
  #emptied: PromiseWithResolvers<void> | null = null;

  /** Sends by `channel`, which must take each piece within `timeout` milliseconds. */
  constructor(channel: Channel, timeout: number, owner: OutboxOwner) {
    this.#channel = channel;
    this.#timeout = timeout;
    this.#owner = owner;
  }

  /** Whether everything has left. */
  get isEmpty(): boolean {
    return !this.#isSending && this.out.length === 0;
  }

  /**
   * Sends what was written. Returns a promise, to be waited for before more is written, when more
   * waits than ought to.
   */
  flush(): Promise<void> | undefined {
    this.send();
    if (!this.#isSending || this.out.length < HIGH_WATER_MARK) return undefined;
    this.#relieved ??= Promise.withResolvers<void>();
    return this.#relieved.promise;
  }

  /** The same, but only when much was written since the last time. */
  flushIfMuch(): Promise<void> | undefined {
    return this.out.length < SEND_SIZE ? undefined : this.flush();
  }

  /** Sends what was written; resolves when all of it has left. */
  async drain(): Promise<void> {
    this.send();
    while (this.#isSending && !this.#isClosed) {
      this.#emptied ??= Promise.withResolvers<void>();
      await this.#emptied.promise;
    }
  }

  /** Sends what was written, unless something is being sent: then it follows that. */
  send(): void {
    if (this.#isSending || this.#isClosed || this.out.length === 0) return;
    const writer = this.out;
    this.out = this.#leaving;
    this.#leaving = writer;
    const { shape } = this;
    const pieces = shape === null ? writer.take() : shape.apply(writer.copy());
    if (shape === null && pieces.length === 1 && pieces[0].length <= PIECE_SIZE) {
      const promise = this.#channel.write(pieces[0]);
      if (promise === undefined) writer.reset();
      else this.#finish(promise, []);
    } else {
      this.#finish(undefined, pieces);
    }
  }

  /** Lets go all who wait. */
  close(): void {
    this.#isClosed = true;
    this.deadline = Infinity;
    this.#relieved?.resolve();
    this.#emptied?.resolve();
  }

  /** Sends piece after piece, and then what has been written meanwhile. */
  async #finish(first: Promise<void> | undefined, pieces: Uint8Array[]): Promise<void> {
    this.#isSending = true;
    this.#expectProgress();
    const { shape } = this;
    try {
      await first;
      for (const [i, piece] of pieces.entries()) {
        if (shape !== null && i > 0) {
          this.deadline = Infinity;
          await this.#owner.sleep(shape.gap);
        }
        for (let at = 0; at < piece.length; at += PIECE_SIZE) {
          if (this.#isClosed) return;
          const promise = this.#channel.write(piece.subarray(at, at + PIECE_SIZE));
          if (promise === undefined) continue;
          this.#expectProgress();
          await promise;
        }
      }
    } catch {
      return this.#owner.broken();
    }
    this.#isSending = false;
    if (this.#isClosed) return;
    this.deadline = Infinity;
    this.#leaving.reset();
    if (shape?.isCutOff === true) return this.#owner.broken();
    this.send();
    if (!this.#isSending || this.out.length < HIGH_WATER_MARK) {
      this.#relieved?.resolve();
      this.#relieved = null;
    }
    if (this.#isSending) return;
    this.#emptied?.resolve();
    this.#emptied = null;
    this.#owner.emptied();
  }

  #expectProgress(): void {
    this.deadline = performance.now() + this.#timeout;
    this.#owner.sending();
  }
}
