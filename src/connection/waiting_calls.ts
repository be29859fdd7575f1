/** Calls that wait for a connection, in order, each no longer than it may. */

import { type Call, SETTLED } from "./call.ts";
import { Fifo } from "./fifo.ts";
import type { Timers } from "../transport/timers.ts";

/** Calls that wait for a connection. */
export class WaitingCalls {
  readonly #timers: Timers;
  /** Milliseconds. */
  readonly #queueTimeout: number;
  readonly #timeOut: (call: Call) => void;
  #calls = new Fifo<{ call: Call; since: number }>();
  #cancelWatch: (() => void) | null = null;

  /** `timeOut` is told of a call that has waited for `queueTimeout` milliseconds. */
  constructor(queueTimeout: number, timers: Timers, timeOut: (call: Call) => void) {
    this.#queueTimeout = queueTimeout;
    this.#timers = timers;
    this.#timeOut = timeOut;
  }

  /** How many there are. Those that ended meanwhile count too, but not at the head. */
  get length(): number {
    while (this.#calls.peek()?.call.state === SETTLED) this.#calls.shift();
    return this.#calls.length;
  }

  /** Takes a call; of about `pending` calls that have not ended, all may be here. */
  push(call: Call, pending: number): void {
    // Calls that were given up must not pile up while no connection comes.
    if (this.#calls.length > 2 * pending + 1024) {
      this.#calls.unshift(this.#calls.drain().filter(({ call }) => call.state !== SETTLED));
    }
    this.#calls.push({ call, since: this.#timers.now() });
    this.#watch();
  }

  /** Takes calls that come before all others. */
  unshift(calls: readonly Call[]): void {
    const since = this.#timers.now();
    this.#calls.unshift(calls.map((call) => ({ call, since })));
    this.#watch();
  }

  /** Takes out all that have not ended. */
  drain(): Call[] {
    this.#cancelWatch?.();
    this.#cancelWatch = null;
    return this.#calls.drain().map(({ call }) => call).filter(({ state }) => state !== SETTLED);
  }

  /** Gives up calls that have waited too long; the oldest comes first. */
  #watch(): void {
    if (this.#cancelWatch !== null || this.length === 0) return;
    const delay = Math.max(0, this.#calls.peek()!.since + this.#queueTimeout - this.#timers.now());
    this.#cancelWatch = this.#timers.start(delay, false, () => {
      this.#cancelWatch = null;
      for (;;) {
        const next = this.#calls.peek();
        if (next === undefined || next.since + this.#queueTimeout > this.#timers.now()) break;
        this.#calls.shift();
        if (next.call.state !== SETTLED) this.#timeOut(next.call);
      }
      this.#watch();
    });
  }
}
