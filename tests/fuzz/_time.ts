/** Time that jumps to whatever is due next, so that a run of many timeouts takes no time. */

import { setImmediate } from "node:timers";
import type { Timers } from "../../src/transport/timers.ts";

interface Timer {
  at: number;
  fire: () => void;
}

/** One clock for everything in a simulation. */
export class SimulatedTime {
  #now = 0;
  /** In the order in which they were started, which decides among those that are due at once. */
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  start(ms: number, fire: () => void): () => void {
    if (ms === Infinity) return () => {};
    const timer = { at: this.#now + ms, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.start(ms, resolve));
  }

  /** Goes on to what is due next and lets it happen; `false`: nothing is due ever. */
  step(): boolean {
    let next: Timer | undefined;
    for (const timer of this.#timers) if (next === undefined || timer.at < next.at) next = timer;
    if (next === undefined) return false;
    this.#timers.delete(next);
    this.#now = Math.max(this.#now, next.at);
    next.fire();
    return true;
  }
}

/** The clock as the client gets it: what it leaves behind can be counted. */
export class ClientTimers implements Timers {
  readonly #time: SimulatedTime;
  /** How many timers run. */
  running = 0;

  constructor(time: SimulatedTime) {
    this.#time = time;
  }

  now(): number {
    return this.#time.now();
  }

  start(ms: number, _keepAlive: boolean, fire: () => void): () => void {
    if (ms === Infinity) return () => {};
    let runs = true;
    this.running++;
    const end = () => {
      if (runs) this.running--;
      runs = false;
    };
    const cancel = this.#time.start(ms, () => {
      end();
      fire();
    });
    return () => {
      end();
      cancel();
    };
  }
}

/** Lets everything happen that waits for nothing but its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
