/** Attempts to connect: one at a time, with growing waits between those that fail. */

import type { Timers } from "../transport/timers.ts";
import type { Backoff } from "./backoff.ts";

/** How often, and when. */
export interface ReconnectionOptions {
  /** Attempts in a row before those who wait are given up. */
  attempts: number;
  backoff: Backoff;
  timers: Timers;
}

/** Whoever needs connections. */
export interface Connecting<T> {
  /** Makes a connection. */
  dial(signal: AbortSignal | undefined): Promise<T>;
  /** Takes it. Throws where it is of no use any more. */
  adopt(made: T): void;
  /** Whether there is any connection, and whether anybody waits for the first one. */
  isConnected(): boolean;
  isAwaited(): boolean;
  /** Whether there are connections, and one more would be of use. */
  isShort(): boolean;
  /** An attempt will be made in so many milliseconds. */
  planned(attempt: number, delay: number): void;
  /** All attempts have failed. */
  gaveUp(reason: unknown): void;
}

/** Makes attempts to connect. */
export class Reconnection<T> {
  /** Why there is no connection, as far as that is known. */
  lastFailure: unknown;
  readonly #options: ReconnectionOptions;
  readonly #owner: Connecting<T>;
  #connecting = false;
  #closed = false;
  #cancelRetry: (() => void) | null = null;
  /** Attempts since a server last answered anything. */
  #failures = 0;

  constructor(options: ReconnectionOptions, owner: Connecting<T>) {
    this.#options = options;
    this.#owner = owner;
  }

  /** Makes one attempt; rejects when it fails. */
  async attempt(signal?: AbortSignal): Promise<void> {
    this.#connecting = true;
    let made: T;
    try {
      made = await this.#owner.dial(signal);
    } finally {
      this.#connecting = false;
    }
    this.#owner.adopt(made);
  }

  /** Starts an attempt unless one is under way or due. */
  soon(): void {
    if (this.#connecting || this.#cancelRetry !== null) return;
    const attempt = this.#failures + 1;
    const delay = this.#failures === 0 ? 0 : this.#options.backoff(this.#failures);
    if (attempt === 1) {
      this.#try();
    } else {
      this.#cancelRetry = this.#options.timers.start(delay, true, () => {
        this.#cancelRetry = null;
        if (this.#isNeeded() || this.#owner.isShort()) this.#try();
      });
    }
    this.#owner.planned(attempt, delay);
  }

  /** Starts an attempt if there is no connection and somebody waits for one. */
  ifNeeded(): void {
    if (this.#isNeeded()) this.soon();
  }

  #isNeeded(): boolean {
    return this.#owner.isAwaited() && !this.#owner.isConnected();
  }

  #try(): void {
    this.attempt().catch((error) => this.failed(error));
  }

  /** A server has answered. */
  succeeded(): void {
    this.#failures = 0;
  }

  /** One attempt did not lead to a connection that answered. */
  failed(reason: unknown): void {
    this.#failures++;
    this.lastFailure = reason;
    if (this.#closed || this.#owner.isConnected()) return;
    if (this.#failures < Math.max(1, this.#options.attempts)) return this.ifNeeded();
    // Nothing is left to hope for now; the next call begins anew.
    this.#failures = 0;
    this.#owner.gaveUp(reason);
  }

  /** Makes no more attempts. */
  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
  }
}
