/**
 * Who may have a call under way: bounds how many there are and how much they hold, lets others wait or
 * turns them away, and ends a call by its signal or its time.
 */

import { ClosedError, QueueFullError, TimeoutError } from "../errors.ts";
import type { CallOptions } from "../types.ts";
import { type Call, type CallOwner, type Lane, QUEUED, SETTLED } from "./call.ts";
import { Fifo } from "./fifo.ts";
import type { Timers } from "../transport/timers.ts";

/** What becomes of a call for which there is no room. */
export type WhenFull = "reject" | "wait";

/** The bounds. */
export interface AdmissionOptions {
  /** Most calls at a time. */
  maxQueue: number;
  /** Most bytes of keys and values in them. */
  maxQueueBytes: number;
  whenFull: WhenFull;
  /** Milliseconds; a call with a longer time of its own may take that long. */
  replyTimeout: number;
  timers: Timers;
}

/** Whoever has the calls carried out. */
export interface Carrier {
  /** Takes a call that there is room for. */
  place(call: Call): void;
  /** The last call has ended. */
  drained(): void;
  /** Why there is no connection, if that is known. */
  lastFailure(): unknown;
}

/** Lets calls in. */
export class Admission implements CallOwner {
  readonly #options: AdmissionOptions;
  readonly #carrier: Carrier;
  /** Calls that wait outside, in order. */
  #outside = new Fifo<Call>();
  #admitting = false;
  #closed = false;
  /** Calls that were ever made. */
  calls = 0;
  /** Calls that are in and have not ended, and the bytes that they hold. */
  pending = 0;
  pendingBytes = 0;

  constructor(options: AdmissionOptions, carrier: Carrier) {
    this.#options = options;
    this.#carrier = carrier;
  }

  /** Whether all calls have ended. */
  get idle(): boolean {
    return this.pending === 0 && this.#outside.length === 0;
  }

  /** How many wait outside. */
  get waiting(): number {
    return this.#outside.length;
  }

  /** Takes a call; its promise tells how it ended. */
  submit<T>(call: Call<T>, options: CallOptions | undefined, lane: Lane | null): Promise<T> {
    if (this.#closed) {
      call.reject(new ClosedError(`Cannot ${call.operation}: the client is closed`));
      return call.promise;
    }
    const obstacle = this.#obstacle(call as Call);
    if (obstacle !== null && this.#options.whenFull === "reject") {
      call.reject(new QueueFullError(`Cannot ${call.operation}: ${obstacle}`));
      return call.promise;
    }
    this.calls++;
    call.lane = lane;
    if (options !== undefined && !this.#guard(call as Call, options)) return call.promise;
    const mayPass = call.isRelease || this.#outside.length === 0;
    if (obstacle === null && mayPass) this.#admit(call as Call);
    else this.#leaveOutside(call as Call);
    return call.promise;
  }

  #admit(call: Call): void {
    this.pending++;
    this.pendingBytes += call.size;
    call.owner = this;
    this.#carrier.place(call);
  }

  #leaveOutside(call: Call): void {
    // Calls that were given up must not pile up.
    const outside = this.#outside;
    if (outside.length > 2 * this.#options.maxQueue + 1024) {
      outside.unshift(outside.drain().filter(({ state }) => state !== SETTLED));
    }
    outside.push(call);
  }

  /** Why there is no room for a call; `null`: there is. */
  #obstacle(call: Call): string | null {
    const { maxQueue, maxQueueBytes } = this.#options;
    if (call.isRelease) return null;
    if (this.pending >= maxQueue) {
      return `${this.pending} calls are pending ("maxQueue" is ${maxQueue})`;
    }
    // A call that is larger than the bound by itself passes when it is alone.
    if (this.pendingBytes + call.size > maxQueueBytes && this.pending > 0) {
      return `${this.pendingBytes} bytes are pending ("maxQueueBytes" is ${maxQueueBytes})`;
    }
    return null;
  }

  settled(call: Call): void {
    this.pending--;
    this.pendingBytes -= call.size;
    if (this.#outside.length > 0) this.#admitSoon();
    else if (this.pending === 0) this.#carrier.drained();
  }

  /** Not at once: a call may end in the middle of its connection's end. */
  #admitSoon(): void {
    if (this.#admitting) return;
    this.#admitting = true;
    queueMicrotask(() => {
      this.#admitting = false;
      for (let call = this.#outside.peek(); call !== undefined; call = this.#outside.peek()) {
        if (call.state !== SETTLED && this.#obstacle(call) !== null) return;
        this.#outside.shift();
        if (call.state !== SETTLED) this.#admit(call);
      }
      if (this.pending === 0) this.#carrier.drained();
    });
  }

  /** Takes no more calls. Those that wait outside are still let in, unless `end` ends them. */
  close(end?: (call: Call) => void): void {
    this.#closed = true;
    if (end === undefined) return;
    for (const call of this.#outside.drain()) end(call);
  }

  /** Ends the call by its signal or its time; `false` when it has ended already. */
  #guard(call: Call, { signal, timeout }: CallOptions): boolean {
    if (signal?.aborted) {
      call.reject(signal.reason);
      return false;
    }
    let cancel: (() => void) | undefined;
    if (timeout !== undefined) {
      if (timeout > this.#options.replyTimeout) call.patience = timeout;
      cancel = this.#options.timers.start(timeout, true, () => {
        const sent = call.state !== QUEUED;
        const cause = sent ? undefined : this.#carrier.lastFailure();
        const what = sent ? "no reply" : "no turn on a connection";
        call.reject(
          new TimeoutError(`Cannot ${call.operation}: ${what} within ${timeout} ms`, {
            phase: sent ? "reply" : "queue",
            sent,
            cause,
          }),
        );
      });
    }
    const abort = () => call.reject(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    call.release = () => {
      cancel?.();
      signal?.removeEventListener("abort", abort);
    };
    return true;
  }
}
