/**
 * The calls of one connection: to be written, written and waiting for their replies. Replies come
 * strictly in the order of the requests. Pure: no socket, no clock.
 */

import type { ByteReader, Decoder } from "../codec/decoder.ts";
import type { ByteWriter } from "../codec/writer.ts";
import { ClosedError, ConnectionError, type KyotoTycoonError, ProtocolError } from "../errors.ts";
import {
  type Call,
  type ExchangeCall,
  GetCall,
  QUEUED,
  SetCall,
  SETTLED,
  WRITTEN,
} from "./call.ts";
import { Fifo } from "./fifo.ts";
import { ExchangeFrame, type Frame, GetFrame, SetFrame } from "./frame.ts";
import { KeySet, MAX_FRAME_KEYS } from "./key_set.ts";

/** How calls are put together; the bounds keep one reply from waiting for too many others. */
export interface BatchLimits {
  /** Most records of one request. 1: every call travels alone. */
  records: number;
  /** Most bytes of keys and values that one request gathers. */
  bytes: number;
}

/** As many records as the bench found to matter, and what fits a socket's buffer. */
export const DEFAULT_BATCH: BatchLimits = { records: 512, bytes: 64 * 1024 };

/** Stop encoding here, write, and go on: the buffer stays small. */
const WRITE_SIZE = 256 * 1024;

/** The calls of one connection. */
export class RequestQueue {
  #queued = new Fifo<Call>();
  #inFlight = new Fifo<Frame>();
  #keys = new KeySet();
  #batch: BatchLimits;
  #maxReplyBytes: number;
  /** How many requests of the last {@linkcode encode} carry several calls. */
  batches = 0;
  /** Calls without a reply, encoded by the last {@linkcode encode}. */
  #leaving: Call[] = [];

  constructor(batch: BatchLimits, maxReplyBytes: number) {
    this.#batch = { ...batch, records: Math.min(batch.records, MAX_FRAME_KEYS) };
    this.#maxReplyBytes = maxReplyBytes;
  }

  /** How many calls wait to be written. Those that were given up meanwhile count too. */
  get queued(): number {
    return this.#queued.length;
  }

  /** The request whose reply comes next. */
  get head(): Frame | undefined {
    return this.#inFlight.peek();
  }

  /** How many requests wait for their replies. */
  get inFlight(): number {
    return this.#inFlight.length;
  }

  push(call: Call): void {
    this.#queued.push(call);
  }

  /** Encodes queued calls in order, as many as one write should hold; returns how many requests. */
  encode(w: ByteWriter): number {
    let frames = 0;
    this.batches = 0;
    while (w.length < WRITE_SIZE) {
      const frame = this.#nextFrame();
      if (frame === null) break;
      // Before it is encoded: should that fail, the calls are not forgotten.
      if (frame.calls[0].noReply) this.#leaving.push(...frame.calls);
      else this.#inFlight.push(frame);
      frame.encode(w);
      frames++;
      if (frame.calls.length > 1) this.batches++;
    }
    return frames;
  }

  /** What {@linkcode encode} encoded has left. */
  left(): void {
    if (this.#leaving.length === 0) return;
    const calls = this.#leaving;
    this.#leaving = [];
    for (const call of calls) call.resolve(undefined);
  }

  #nextFrame(): Frame | null {
    const queued = this.#queued;
    let first = queued.shift();
    while (first !== undefined && first.state === SETTLED) first = queued.shift();
    if (first === undefined) return null;
    first.state = WRITTEN;
    if (first instanceof GetCall) {
      return this.#gather(first, new GetFrame(first, this.#maxReplyBytes));
    }
    if (first instanceof SetCall) return this.#gather(first, new SetFrame(first));
    return new ExchangeFrame(first as ExchangeCall);
  }

  /** Adds the calls behind `first` that may share its request. */
  #gather<T extends GetCall | SetCall>(first: T, frame: Frame & { calls: T[] }): Frame {
    const queued = this.#queued, { records, bytes } = this.#batch;
    const isGet = first instanceof GetCall;
    if (isGet && queued.length > 0 && records > 1) {
      this.#keys.clear();
      this.#keys.add(first);
    }
    let size = first.size;
    while (frame.calls.length < records) {
      const next = queued.peek();
      if (next === undefined) break;
      if (next.state === SETTLED) {
        queued.shift();
        continue;
      }
      size += next.size;
      if (size > bytes || next.constructor !== first.constructor) break;
      if (isGet) {
        if (!this.#keys.add(next as GetCall)) break;
      } else if (!sharesSet(first as SetCall, next as SetCall)) {
        break;
      }
      queued.shift();
      next.state = WRITTEN;
      frame.calls.push(next as T);
    }
    return frame;
  }

  /** Reads replies and settles calls, for ever; `progress` is told of each. */
  *replies(r: ByteReader, progress: () => void): Decoder<never> {
    for (;;) {
      if (r.available === 0) yield 1;
      let frame = this.#inFlight.peek();
      if (frame === undefined) {
        throw new ProtocolError("Cannot read a reply: the server sent bytes that nobody asked for");
      }
      const rest = frame.decode(r);
      if (rest !== null) yield* rest;
      // Or else it would keep what was read alive until the next reply.
      frame = undefined;
      this.#inFlight.shift();
      progress();
    }
  }

  /**
   * The connection is lost: settles what cannot go on and returns what can, in order - reads that
   * were written, once, and whatever was not written.
   *
   * @param reason Given to the request whose reply was being read if it is a {@linkcode ProtocolError},
   * and as the cause to all others.
   * @param retry Which of all connections that were ever made this is, and how many those are;
   * `null`: no read is sent again.
   */
  lose(reason: unknown, retry: { serial: number; made: number } | null): Call[] {
    const remaining: Call[] = [];
    const frames = this.#inFlight.drain();
    frames.forEach((frame, i) => {
      for (const call of frame.calls) {
        if (call.state === SETTLED) continue;
        if (i === 0 && reason instanceof ProtocolError) {
          call.reject(reason);
        } else if (retry !== null && mayGoOn(call, retry.serial)) {
          call.lostAt ||= retry.made;
          call.state = QUEUED;
          remaining.push(call);
        } else {
          call.reject(connectionLost(call, true, reason));
        }
      }
    });
    for (const call of this.#leaving) call.reject(connectionLost(call, true, reason));
    this.#leaving = [];
    for (const call of this.#queued.drain()) if (call.state === QUEUED) remaining.push(call);
    return remaining;
  }
}

/**
 * Whether a call may be sent again: a read, once. What was lost before it went out does not count - a
 * server that ends takes all its connections with it, and one is noticed after the other.
 */
function mayGoOn(call: Call, serial: number): boolean {
  return call.retryable && (call.lostAt === 0 || serial <= call.lostAt);
}

function sharesSet(a: SetCall, b: SetCall): boolean {
  return a.database === b.database && a.noReply === b.noReply;
}

/** The error of a call whose connection was lost, or closed by the user. */
export function connectionLost(call: Call, sent: boolean, cause: unknown): KyotoTycoonError {
  if (cause instanceof ClosedError) {
    return new ClosedError(`Cannot ${call.operation}: the client was closed`, {
      sent,
      cause: cause.cause,
    });
  }
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  return new ConnectionError(
    `Cannot ${call.operation}: the connection was lost${
      sent ? " before the reply came" : ""
    }${why}`,
    { sent, cause },
  );
}
