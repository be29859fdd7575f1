/** Calls that wait on the server, and so must not hold up others: each has a connection of its own. */

import type { ExchangeCall } from "../connection/call.ts";
import type { Pool } from "../connection/pool.ts";
import { ClosedError } from "../errors.ts";
import type { CallOptions } from "../types.ts";

/** Makes what opens one connection, whose replies may take so much longer (milliseconds). */
export type MakePool = (waiting: number) => Pool;

/** The connections of calls that wait. */
export class OwnConnections {
  readonly #shared: Pool;
  readonly #make: MakePool | null;
  readonly #pools = new Set<Pool>();

  /** They end with the connections that all other calls share. `make` is `null` if there are no more. */
  constructor(shared: Pool, make: MakePool | null) {
    this.#shared = shared;
    this.#make = make;
    shared.closed.then(() => {
      for (const pool of this.#pools) pool.destroy();
    });
  }

  /** Makes a call that waits on the server for up to so many milliseconds. */
  async submit<T>(
    call: ExchangeCall<T>,
    waiting: number,
    options: CallOptions | undefined,
  ): Promise<T> {
    const { operation } = call;
    if (!this.#shared.isOpen) throw new ClosedError(`Cannot ${operation}: the client is closed`);
    if (this.#make === null) {
      throw new TypeError(
        `Cannot ${operation}: it needs a connection of its own, and "transport" is only one`,
      );
    }
    const pool = this.#make(waiting);
    this.#pools.add(pool);
    try {
      return await pool.submit(call, options);
    } finally {
      this.#pools.delete(pool);
      pool.destroy();
    }
  }
}
