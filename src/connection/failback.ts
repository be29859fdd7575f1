/** While calls go to a server that is not the first, looks whether one before it is back. */

import type { Timers } from "../transport/timers.ts";
import type { Dialer, Server } from "./dialer.ts";

/** When. Times in milliseconds. */
export interface FailbackOptions {
  /** How often it looks. */
  failbackInterval: number;
  connectTimeout: number;
  timers: Timers;
}

/** What it looks after. */
export interface Served<T> {
  readonly dialer: Dialer<T>;
  /** The server that calls go to; `undefined` while there is none. */
  present(): Server | undefined;
  /** How many calls were ever made, and whether all have ended. */
  calls(): number;
  idle(): boolean;
  /** A server that is preferred has answered. May throw. */
  adopt(made: T): void;
}

/** A server that is back must answer within so many milliseconds. */
const LONGEST = 1000;

/** Looks for servers that are preferred. Its timer does not keep the process alive. */
export class Failback<T> {
  readonly #options: FailbackOptions;
  readonly #served: Served<T>;
  #cancel: (() => void) | null = null;
  #closed = false;

  constructor(options: FailbackOptions, served: Served<T>) {
    this.#options = options;
    this.#served = served;
  }

  /** Calls go to some server: looks from time to time, as long as another one is preferred. */
  watch(): void {
    if (this.#cancel !== null || this.#closed || this.#preferred().length === 0) return;
    const calls = this.#served.calls();
    const { timers, failbackInterval } = this.#options;
    this.#cancel = timers.start(failbackInterval, false, async () => {
      // Nobody needs it where no calls are made, and looking would keep the process alive.
      if (this.#served.calls() > calls || !this.#served.idle()) await this.#look();
      this.#cancel = null;
      this.watch();
    });
  }

  #preferred(): Server[] {
    const present = this.#served.present();
    return present === undefined ? [] : this.#served.dialer.before(present);
  }

  async #look(): Promise<void> {
    const preferred = this.#preferred();
    if (preferred.length === 0) return;
    const { dialer } = this.#served;
    try {
      const timeout = Math.min(this.#options.connectTimeout, LONGEST);
      this.#served.adopt(await dialer.dial(preferred, timeout));
    } catch {
      // Not yet, then.
    }
  }

  /** Looks no more. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }
}
