/** One connection: bytes in, replies out, time limits. */

import { type ByteReader, type Decoder, Feed } from "../../src/codec/decoder.ts";
import type { ByteWriter } from "../../src/codec/writer.ts";
import { ProtocolError } from "../../src/errors.ts";
import type { Channel } from "../../src/transport/channel.ts";
import { Outbox } from "./outbox.ts";
import type { ReplyShape } from "./reply_shape.ts";
import type { ServerState } from "./state.ts";

/** What `setTimeout` can take. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Why a wait for bytes ended without them. */
export class Interruption extends Error {
  /** Whether the stream ended, or the time ran out. */
  readonly kind: "end" | "timeout";

  /** Makes the reason. */
  constructor(kind: "end" | "timeout") {
    super(`Cannot read a request: ${kind === "end" ? "the stream ended" : "the time is up"}`);
    this.kind = kind;
  }
}

/** What serves a connection's requests: one decoder for its whole life. */
export type Serve = (session: Session, reader: ByteReader) => Decoder<void>;

/** What a session is made of. */
export interface SessionParts {
  /** Connections are numbered from 1. */
  readonly id: number;
  readonly state: ServerState;
  readonly channel: Channel;
  readonly serve: Serve;
  /** Closes the socket with a reset, where the runtime can. */
  readonly reset?: () => void;
  /** Is told when the session is closed, by whichever side. */
  readonly onClose: (session: Session) => void;
}

/**
 * Drives the decoder that serves a connection. The decoder writes to `out`; all that it has written
 * when it waits for bytes leaves in one write. When it returns or throws, that is still sent, and the
 * connection closed.
 */
export class Session {
  /** Connections are numbered from 1. */
  readonly id: number;
  readonly state: ServerState;
  /**
   * Whether the decoder waits between requests, where neither time runs nor an end of the stream
   * cuts anything off.
   */
  idle = true;
  readonly #parts: SessionParts;
  readonly #channel: Channel;
  readonly #outbox: Outbox;
  readonly #feed: Feed;
  #status: "open" | "finishing" | "closed" = "open";
  /** Whether the decoder waits for a promise. */
  #busy = false;
  /** Whether the server's `pause` holds this session. */
  #held = false;
  #ended = false;
  #closed: PromiseWithResolvers<void> | null = null;
  readonly #sleepers = new Set<() => void>();
  #readDeadline = Infinity;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** Makes the session of a channel. */
  constructor(parts: SessionParts) {
    const { id, state, channel, serve } = parts;
    this.id = id;
    this.state = state;
    this.#parts = parts;
    this.#channel = channel;
    this.#outbox = new Outbox(channel, state.timeout, {
      sending: () => this.#arm(),
      emptied: () => {
        if (this.#status === "finishing") this.close();
      },
      broken: () => this.close(),
      sleep: (milliseconds) => this.sleep(milliseconds),
    });
    this.#feed = new Feed((reader) => serve(this, reader));
  }

  /** Begins to read. */
  start(): void {
    this.#channel.start({
      data: (chunk) => this.#drive(chunk, null),
      end: () => this.#end(),
      error: () => this.close(),
    });
  }

  /** Where replies are written to. Ask anew after anything that sends. */
  get out(): ByteWriter {
    return this.#outbox.out;
  }

  /** Changes what leaves, while a fault is at work. */
  set shape(shape: ReplyShape | null) {
    this.#outbox.shape = shape;
  }

  /** Resolves when the session is closed, by whichever side. */
  get closed(): Promise<void> {
    this.#closed ??= Promise.withResolvers<void>();
    if (this.isClosed) this.#closed.resolve();
    return this.#closed.promise;
  }

  /** Whether the session is closed. */
  get isClosed(): boolean {
    return this.#status === "closed";
  }

  /**
   * Sends what was written. Returns a promise that the decoder is to wait for when more waits than
   * ought to.
   */
  flush(): Promise<void> | undefined {
    return this.#outbox.flush();
  }

  /** The same, but only when much was written since the last time. */
  flushIfMuch(): Promise<void> | undefined {
    return this.#outbox.flushIfMuch();
  }

  /** Sends what was written; resolves when all of it has left. */
  drain(): Promise<void> {
    return this.#outbox.drain();
  }

  /** Sends what was written and lets some milliseconds pass; less when the session is closed. */
  sleep(milliseconds: number): Promise<void> {
    this.#outbox.send();
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.min(milliseconds, LONGEST_TIMER));
      this.#sleepers.add(wake);
      if (this.isClosed) wake();
    });
  }

  /** Stops reading until `resume`; meanwhile no time runs. */
  pause(): void {
    this.#held = true;
    this.#readDeadline = Infinity;
    this.#channel.pause();
  }

  /** Reads again. */
  resume(): void {
    if (!this.#held) return;
    this.#held = false;
    if (this.#busy || this.#status !== "open") return;
    this.#expectMore();
    this.#channel.resume();
  }

  /** Gives up the connection at once; what waits to be sent is lost. */
  close(): void {
    if (this.isClosed) return;
    this.#status = "closed";
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#channel.close();
    this.#outbox.close();
    this.#closed?.resolve();
    for (const wake of this.#sleepers) wake();
    this.#parts.onClose(this);
  }

  /** Gives up the connection with a reset, where the runtime can. */
  reset(): void {
    if (!this.isClosed) this.#parts.reset?.();
    this.close();
  }

  #end(): void {
    this.#ended = true;
    if (!this.#busy) this.#interrupt("end");
  }

  #interrupt(kind: "end" | "timeout"): void {
    this.#drive(null, new Interruption(kind));
  }

  /** Gives the decoder what has arrived, or the reason why nothing does. */
  #drive(chunk: Uint8Array | null, reason: Interruption | null): void {
    if (this.#status !== "open") return;
    this.#readDeadline = Infinity;
    try {
      const waiting = chunk !== null ? this.#feed.push(chunk) : this.#feed.interrupt(reason);
      if (waiting !== undefined) {
        this.#wait(waiting);
        return;
      }
    } catch (error) {
      return this.#fail(error);
    }
    this.#settle();
  }

  /** Reads nothing until the decoder's promise is settled. */
  async #wait(waiting: Promise<void>): Promise<void> {
    this.#busy = true;
    this.#channel.pause();
    this.#outbox.send();
    try {
      await waiting;
    } catch (error) {
      return this.#fail(error);
    } finally {
      this.#busy = false;
    }
    this.#settle();
    if (this.#ended) this.#interrupt("end");
    if (!this.#busy && !this.#held && this.#status === "open") this.#channel.resume();
  }

  /** What follows when the decoder waits for bytes, or has returned. */
  #settle(): void {
    if (this.#status !== "open") return;
    this.#outbox.send();
    if (this.#feed.done) this.#finish();
    else this.#expectMore();
  }

  /** Lets the time run for the rest of a request. */
  #expectMore(): void {
    if (this.idle || this.#held) return;
    this.#readDeadline = performance.now() + this.state.timeout;
    this.#arm();
  }

  #fail(error: unknown): void {
    if (!(error instanceof Interruption || error instanceof ProtocolError)) {
      this.state.report(error);
    }
    if (this.#status !== "open") return;
    this.#outbox.send();
    this.#finish();
  }

  /** Closes as soon as everything has been sent. */
  #finish(): void {
    this.#status = "finishing";
    if (this.#outbox.isEmpty) this.close();
    else this.#channel.pause();
  }

  /** Sees to it that the deadlines are looked at. There is one timer, and often none. */
  #arm(): void {
    if (this.#timer === null && !this.isClosed) this.#setTimer(this.state.timeout);
  }

  #setTimer(milliseconds: number): void {
    this.#timer = setTimeout(() => this.#tick(), Math.min(milliseconds, LONGEST_TIMER));
    (this.#timer as { unref?(): void }).unref?.();
  }

  #tick(): void {
    this.#timer = null;
    const now = performance.now();
    if (this.#outbox.deadline <= now) return this.close();
    if (this.#readDeadline <= now) this.#interrupt("timeout");
    if (this.isClosed) return;
    const next = Math.min(this.#outbox.deadline, this.#readDeadline);
    // What the interruption has made of it may have started one already.
    if (next < Infinity && this.#timer === null) this.#setTimer(Math.max(next - now, 1));
  }
}
