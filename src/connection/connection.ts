/**
 * One socket: writes what its queue holds, reads replies in one loop, and has one place where it
 * fails, which settles everything exactly once.
 */

import { Feed } from "../codec/decoder.ts";
import { ByteWriter } from "../codec/writer.ts";
import { ConnectionError, TimeoutError } from "../errors.ts";
import { type Channel, channelOf } from "../transport/channel.ts";
import type { Transport } from "../transport/transport.ts";
import { type Call, type Lane, Refused, SETTLED } from "./call.ts";
import type { Server } from "./dialer.ts";
import { pingCall } from "./ping.ts";
import { type BatchLimits, RequestQueue } from "./request_queue.ts";
import type { Counters } from "./stats.ts";
import type { Timers } from "../transport/timers.ts";

/** What a connection is told once, by whoever owns it. */
export interface ConnectionOptions {
  batch: BatchLimits;
  maxReplyBytes: number;
  /** Milliseconds without a byte in either direction after which the peer is taken to be gone. */
  replyTimeout: number;
  timers: Timers;
  counters: Counters;
  /** Which of its owner's connections it is, from 1, and how many of them there have been. */
  serial: number;
  made(): number;
  /** Whether anybody waits for a call to end, on this connection or another one. */
  awaited(): boolean;
}

/** Told once when a connection is over, with the calls that can go on elsewhere. */
export type ConnectionLost = (connection: Connection, reason: unknown, remaining: Call[]) => void;

/** Larger parts leave in pieces of this many bytes, so that a slow peer's progress can be seen. */
const PIECE_SIZE = 1024 * 1024;

/** A timer that is this many milliseconds late tells that this process was held up, not the peer. */
const HELD_UP = 100;
/** Milliseconds in which the process then may look at what has come. */
const GRACE = 50;

/** One socket. */
export class Connection {
  /** Whose it is. */
  readonly server: Server;
  /** The lanes that end with it: while there are any, it is not closed for being idle. */
  readonly lanes = new Set<Lane>();
  readonly #channel: Channel;
  readonly #options: ConnectionOptions;
  readonly #onLost: ConnectionLost;
  readonly #queue: RequestQueue;
  readonly #writer = new ByteWriter();
  readonly #feed: Feed;
  #state: "open" | "lost" = "open";
  /** Why it takes no more calls, and closes when the last one is settled. */
  #retired: string | null = null;
  /** Whether a request has ever left, and whether a call was made since somebody asked. */
  #used = false;
  #usedLately = false;
  #flushing = false;
  #writing = false;
  #referenced = true;
  /** Whether a reply has come: the peer speaks the protocol. */
  #proven = false;
  /** When a byte last moved while something was owed, and when the watch looks next. */
  #progressAt = 0;
  /** Requests in flight that had left before the write under way: their replies are due. */
  #ahead = 0;
  #watchAt = Infinity;
  /** Whether this silence has been excused by the process having been held up. */
  #excused = false;
  #cancelWatch: (() => void) | null = null;

  constructor(
    transport: Transport,
    server: Server,
    options: ConnectionOptions,
    onLost: ConnectionLost,
  ) {
    this.server = server;
    this.#channel = channelOf(transport);
    this.#options = options;
    this.#onLost = onLost;
    this.#queue = new RequestQueue(options.batch, options.maxReplyBytes);
    const progress = () => {
      this.#proven = true;
      if (this.#ahead > 0) this.#ahead--;
      this.#watch();
    };
    this.#feed = new Feed((r) => this.#queue.replies(r, progress));
  }

  /** Begins to receive. The connection may be lost at once, before this returns. */
  start(): void {
    this.#channel.start({
      data: (chunk) => this.#received(chunk),
      end: () => this.#lose(new Error("the server closed the connection")),
      error: (reason) => this.#lose(reason),
    });
    this.reference();
  }

  /** Calls and requests that are not finished: what a new call would have to wait for. */
  get load(): number {
    return this.#queue.queued + this.#queue.inFlight;
  }

  /** Whether anything is to be written or read. */
  get busy(): boolean {
    return this.load > 0 || this.#writing;
  }

  /** Calls that have not been written. */
  get queued(): number {
    return this.#queue.queued;
  }

  /** Whether it takes no more calls but those of lanes that end with it. */
  get retired(): boolean {
    return this.#retired !== null;
  }

  /** Whether it is over. */
  get lost(): boolean {
    return this.#state === "lost";
  }

  /** Whether a reply has ever come. */
  get proven(): boolean {
    return this.#proven;
  }

  /** Takes a call; it leaves with all others of this tick. */
  submit(call: Call): void {
    this.#usedLately = true;
    this.#queue.push(call);
    if (this.#flushing || this.#writing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  /** Asks the server for a sign of life. */
  ping(): Promise<void> {
    const call = pingCall();
    // Nobody but this connection can give it.
    call.lane = { connection: this, fixed: true };
    const usedLately = this.#usedLately;
    this.submit(call as Call);
    this.#usedLately = usedLately;
    return call.promise;
  }

  /** Whether a call was made since the last time that this was asked. */
  takeUsed(): boolean {
    const used = this.#usedLately;
    this.#usedLately = false;
    return used;
  }

  /** Closes when the last call is settled and the last lane that ends with it is over. */
  close(reason: string): void {
    this.#retired = reason;
    this.closeIfDone();
  }

  /** Gives up at once: every call that was written fails. */
  destroy(reason: unknown): void {
    this.#lose(reason, false);
  }

  #flush(): void {
    while (!this.#writing && this.#queue.queued > 0 && this.#state !== "lost") {
      this.#ahead = this.#queue.inFlight;
      this.#writer.reset();
      let requests: number;
      try {
        requests = this.#queue.encode(this.#writer);
      } catch (error) {
        return this.#lose(error);
      }
      if (requests === 0) break;
      this.#count(requests);
      if (this.#ahead === 0) this.#progressAt = this.#options.timers.now();
      this.#send(this.#writer.take(), 0, 0);
      this.#watch();
    }
    this.reference();
    this.closeIfDone();
  }

  #count(requests: number): void {
    const { counters } = this.#options;
    counters.requests += requests;
    counters.reused += this.#used ? requests : requests - 1;
    counters.batches += this.#queue.batches;
    this.#used = true;
  }

  /** Writes the parts from `start` in part `i` on; when the socket takes its time, the rest follows. */
  #send(parts: readonly Uint8Array[], i: number, start: number): void {
    try {
      while (i < parts.length) {
        const part = parts[i];
        const end = Math.min(start + PIECE_SIZE, part.length);
        const taken = this.#channel.write(
          end - start === part.length ? part : part.subarray(start, end),
        );
        this.#options.counters.bytesSent += end - start;
        const next = end === part.length ? i + 1 : i, nextStart = end === part.length ? 0 : end;
        if (taken !== undefined) {
          this.#writing = true;
          taken.then(() => this.#sent(parts, next, nextStart), (reason) => this.#lose(reason));
          return;
        }
        i = next;
        start = nextStart;
      }
      this.#queue.left();
    } catch (error) {
      this.#lose(error);
    }
  }

  /** The socket has taken a piece; the rest follows. */
  #sent(parts: readonly Uint8Array[], i: number, start: number): void {
    if (this.#state === "lost") return;
    this.#writing = false;
    // While an earlier reply is due, bytes that leave do not excuse the peer's silence.
    if (this.#ahead === 0) this.#progressAt = this.#options.timers.now();
    this.#send(parts, i, start);
    this.#flush();
  }

  #received(chunk: Uint8Array): void {
    this.#options.counters.bytesReceived += chunk.length;
    this.#excused = false;
    try {
      this.#feed.push(chunk);
    } catch (error) {
      if (!(error instanceof Refused)) return this.#lose(error);
      // It refuses in the protocol's own words.
      this.#proven = true;
      return this.#lose(error.error);
    }
    if (this.#queue.inFlight > 0) this.#progressAt = this.#options.timers.now();
    this.reference();
    this.closeIfDone();
  }

  /** The one place where a connection fails. */
  #lose(reason: unknown, mayRetry = true): void {
    if (this.#state === "lost") return;
    this.#state = "lost";
    this.#cancelWatch?.();
    this.#channel.close();
    const { serial, made } = this.#options;
    const retry = mayRetry ? { serial, made: made() } : null;
    this.#onLost(this, reason, this.#queue.lose(reason, retry));
  }

  /** Closes if it is retired and nothing is left for it to do. */
  closeIfDone(): void {
    if (this.#retired !== null && this.lanes.size === 0 && !this.busy) {
      this.#lose(new ConnectionError(this.#retired, { sent: false }));
    }
  }

  /** Keeps the process alive while something is owed to somebody, and lets it end otherwise. */
  reference(): void {
    const needed = this.busy && this.#options.awaited();
    if (needed === this.#referenced || this.#state === "lost") return;
    this.#referenced = needed;
    if (needed) this.#channel.ref();
    else this.#channel.unref();
  }

  /**
   * Sees to it that a peer which owes a reply, or does not take what is sent, is noticed. The clock
   * runs from the last byte that moved, and for the request whose turn it is: calls behind a slow one
   * do not pay for it. One timer; it looks again by itself, so that quick replies never touch it.
   */
  #watch(): void {
    // The last reply may have closed the connection while it was being read.
    if (this.#state === "lost") return;
    const at = this.#progressAt + this.#patience();
    if (at >= this.#watchAt) return;
    this.#cancelWatch?.();
    this.#watchAt = at;
    const { timers } = this.#options;
    this.#cancelWatch = timers.start(Math.max(0, at - timers.now()), false, () => {
      this.#watchAt = Infinity;
      this.#cancelWatch = null;
      if (this.#queue.inFlight === 0 && !this.#writing) return;
      const now = timers.now(), patience = this.#patience();
      if (now < this.#progressAt + patience) return this.#watch();
      if (now - at <= HELD_UP || this.#excused) return this.#timeOut(patience);
      // The reply may be there: sockets are looked at after timers.
      this.#excused = true;
      this.#progressAt = now + GRACE - patience;
      this.#watch();
    });
  }

  #patience(): number {
    return this.#queue.head?.patience || this.#options.replyTimeout;
  }

  #timeOut(milliseconds: number): void {
    const head = this.#queue.head;
    const describe = (operation: string) =>
      new TimeoutError(`Cannot ${operation}: no reply within ${milliseconds} ms`, {
        phase: "reply",
        sent: true,
      });
    for (const call of head?.calls ?? []) {
      if (call.state !== SETTLED) call.reject(describe(call.operation));
    }
    this.#lose(describe(head?.calls[0].operation ?? "write"));
  }
}
