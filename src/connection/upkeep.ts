/** Looks after connections that nobody uses: asks whether they still work, and closes those too many. */

import type { Connection } from "./connection.ts";
import type { Timers } from "../transport/timers.ts";

/** When. Times in milliseconds; `Infinity`: never. */
export interface UpkeepOptions {
  /** How long a connection may be idle before it is closed. */
  idleTimeout: number;
  /** How many stay open all the same. */
  minConnections: number;
  /** How long a connection may be idle before the server is asked for a sign of life. */
  pingInterval: number;
  timers: Timers;
}

/** How often in each of these times it looks: what is due is done late by no more than that part. */
const LOOKS = 4;

/** Looks after the connections of a pool. Its timer does not keep the process alive. */
export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #connections: () => readonly Connection[];
  readonly #period: number;
  readonly #idleSince = new WeakMap<Connection, number>();
  readonly #pingedAt = new WeakMap<Connection, number>();
  #cancel: (() => void) | null = null;

  constructor(options: UpkeepOptions, connections: () => readonly Connection[]) {
    this.#options = options;
    this.#connections = connections;
    this.#period = Math.min(options.idleTimeout, options.pingInterval) / LOOKS;
  }

  /** There is a connection: looks from time to time, until there is none or nothing to be done. */
  watch(): void {
    if (this.#cancel !== null || !this.#isNeeded()) return;
    this.#cancel = this.#options.timers.start(this.#period, false, () => {
      this.#cancel = null;
      this.#look();
      this.watch();
    });
  }

  #isNeeded(): boolean {
    const { minConnections, pingInterval } = this.#options;
    const { length } = this.#connections();
    return length > (pingInterval === Infinity ? minConnections : 0);
  }

  #look(): void {
    const { idleTimeout, minConnections, pingInterval, timers } = this.#options;
    const now = timers.now();
    let surplus = this.#connections().length - minConnections;
    for (const connection of [...this.#connections()]) {
      const idle = now - this.#since(connection, now);
      if (idle >= idleTimeout && surplus > 0 && connection.lanes.size === 0) {
        surplus--;
        connection.close(`the connection was idle for ${idleTimeout} ms`);
      } else if (idle >= pingInterval) {
        const pinged = this.#pingedAt.get(connection) ?? -Infinity;
        if (now - pinged < pingInterval) continue;
        this.#pingedAt.set(connection, now);
        // If it fails the connection is lost, and that is all there is to it.
        connection.ping().catch(() => {});
      }
    }
  }

  /** When the connection was first seen idle. */
  #since(connection: Connection, now: number): number {
    let since = this.#idleSince.get(connection);
    if (since === undefined || connection.takeUsed() || connection.busy) {
      since = now;
      this.#idleSince.set(connection, since);
    }
    return since;
  }

  /** Looks no more. */
  close(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
