/** Opens connections to the first of several servers that answers. */

import { ClosedError, ConnectionError, KyotoTycoonError, TimeoutError } from "../errors.ts";
import { closeTransport, connectOrAbort } from "../transport/connecting.ts";
import type { Connector, Transport } from "../transport/transport.ts";
import type { Timers } from "../transport/timers.ts";

/** A server that can be connected to. */
export interface Server {
  readonly connector: Connector;
  /** For messages. */
  readonly address: string;
}

/** Makes of a socket what is wanted, before `signal` is aborted. */
export type Make<T> = (transport: Transport, server: Server, signal: AbortSignal) => T | Promise<T>;

/** Opens connections; the servers are in the order in which they are preferred. */
export class Dialer<T> {
  readonly servers: readonly Server[];
  readonly #timers: Timers;
  readonly #make: Make<T>;
  /** Servers that failed last: they come after the others. */
  readonly #suspects = new Set<Server>();
  /** The attempts that are under way: they may be given up. */
  readonly #attempts = new Set<AbortController>();

  constructor(servers: readonly Server[], timers: Timers, make: Make<T>) {
    this.servers = servers;
    this.#timers = timers;
    this.#make = make;
  }

  /** All servers, for messages. */
  get address(): string {
    return this.servers.map(({ address }) => address).join(", ");
  }

  /** Remembers whether a server was as it should be. */
  judge(server: Server, good: boolean): void {
    if (good) this.#suspects.delete(server);
    else this.#suspects.add(server);
  }

  /** The servers in the order in which to try them. */
  get order(): Server[] {
    const isSuspect = (server: Server) => this.#suspects.has(server);
    return [...this.servers.filter((s) => !isSuspect(s)), ...this.servers.filter(isSuspect)];
  }

  /** The servers that are preferred to one. */
  before(server: Server): Server[] {
    return this.servers.slice(0, this.servers.indexOf(server));
  }

  /**
   * One attempt: each server in turn, until one answers.
   *
   * @param timeout Milliseconds for each of them.
   */
  async dial(servers: readonly Server[], timeout: number, signal?: AbortSignal): Promise<T> {
    const failures: unknown[] = [];
    for (const server of servers) {
      try {
        const made = await this.#dial(server, timeout, signal);
        this.judge(server, true);
        return made;
      } catch (error) {
        if (signal?.aborted || error instanceof ClosedError) throw error;
        this.judge(server, false);
        failures.push(error);
      }
    }
    if (failures.length === 1) throw failures[0];
    throw new ConnectionError(
      `Cannot connect to any of ${servers.length} servers: ${failures.map(messageOf).join("; ")}`,
      { sent: false, cause: new AggregateError(failures) },
    );
  }

  async #dial(server: Server, timeout: number, outer?: AbortSignal): Promise<T> {
    outer?.throwIfAborted();
    const { address, connector } = server;
    const attempt = new AbortController();
    this.#attempts.add(attempt);
    const cancel = this.#timers.start(timeout, true, () => {
      attempt.abort(
        new TimeoutError(`Cannot connect to ${address}: no answer within ${timeout} ms`, {
          phase: "connect",
          sent: false,
        }),
      );
    });
    const abort = () => attempt.abort(outer!.reason);
    outer?.addEventListener("abort", abort, { once: true });
    try {
      const transport = await connectOrAbort(connector, attempt.signal).catch((error) => {
        throw error instanceof KyotoTycoonError ? error : new ConnectionError(
          `Cannot connect to ${address}: ${messageOf(error)}`,
          { sent: false, cause: error },
        );
      });
      if (attempt.signal.aborted) {
        closeTransport(transport);
        throw attempt.signal.reason;
      }
      return await this.#make(transport, server, attempt.signal);
    } catch (error) {
      throw attempt.signal.aborted ? attempt.signal.reason : error;
    } finally {
      cancel();
      outer?.removeEventListener("abort", abort);
      this.#attempts.delete(attempt);
    }
  }

  /** Gives up all attempts; each rejects with a {@linkcode ClosedError}. */
  close(): void {
    const reason = new ClosedError("Cannot connect: the client was closed");
    for (const attempt of this.#attempts) attempt.abort(reason);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
