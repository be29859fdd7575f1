/** Time that moves only when a test says so. */

import { setImmediate } from "node:timers";
import type { Timers } from "../src/transport/timers.ts";

interface Timer {
  at: number;
  keepAlive: boolean;
  fire: () => void;
}

export class FakeTimers implements Timers {
  #now = 0;
  /** In the order in which they were started. */
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  start(ms: number, keepAlive: boolean, fire: () => void): () => void {
    if (ms === Infinity) return () => {};
    const timer = { at: this.#now + ms, keepAlive, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How many timers run. */
  get running(): number {
    return this.#timers.size;
  }

  /** How many of them the process would wait for. */
  get keepingAlive(): number {
    return [...this.#timers].filter(({ keepAlive }) => keepAlive).length;
  }

  /** Milliseconds until the next one fires. */
  get next(): number {
    return Math.min(...[...this.#timers].map(({ at }) => at)) - this.#now;
  }

  /** The process is held up for `ms` milliseconds: nothing happens meanwhile, and all of it late. */
  hold(ms: number): void {
    this.#now += ms;
  }

  /** Lets `ms` milliseconds pass; whatever is due happens in its order and has its consequences. */
  async advance(ms: number): Promise<void> {
    await turn();
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at).at(0);
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.fire();
      await turn();
    }
    this.#now = end;
  }
}

/** Lets everything happen that waits for nothing but its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
