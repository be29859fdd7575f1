/** Tells how a client stands with its server. */

/** How a client stands with its server. */
export type Status = "connected" | "disconnected" | "reconnecting" | "closed";

/** A change of it. */
export interface StatusEvent {
  /** How it stands now. */
  status: Status;
  /** The server that it is about, as `host:port` or path; of several all, while none is connected. */
  server: string;
  /** Why; `undefined` where there is no reason but that somebody asked for it. */
  reason?: unknown;
  /** Which attempt in a row this will be, from 1; of `"reconnecting"` alone. */
  attempt?: number;
  /** Milliseconds until the attempt; of `"reconnecting"` alone. */
  delay?: number;
}

/** Is told of changes. What it throws is printed, and changes nothing. */
export type StatusListener = (event: StatusEvent) => void;

/** Tells a listener of changes, each once. The listener may do anything with the client, close it too. */
export class StatusReporter {
  readonly #listener: StatusListener | null;
  /** All servers, for messages. */
  readonly #servers: string;
  #status: Status | null = null;
  /** The server that was told of as connected. Several may have the same address. */
  #server: { readonly address: string } | null = null;

  constructor(listener: StatusListener | null, servers: string) {
    this.#listener = listener;
    this.#servers = servers;
  }

  connected(server: { readonly address: string }): void {
    if (this.#server === server) return;
    this.#server = server;
    this.#tell({ status: "connected", server: server.address });
  }

  /** The connection to that server was lost, or could not be made to any of them. */
  disconnected(reason: unknown, server: string = this.#servers): void {
    this.#server = null;
    if (this.#status !== "disconnected") this.#tell({ status: "disconnected", server, reason });
  }

  reconnecting(reason: unknown, attempt: number, delay: number): void {
    this.#tell({ status: "reconnecting", server: this.#servers, reason, attempt, delay });
  }

  closed(reason: unknown): void {
    this.#tell({ status: "closed", server: this.#servers, reason });
  }

  #tell(event: StatusEvent): void {
    this.#status = event.status;
    this.#listener?.(event);
  }
}

/** A listener whose failures are printed: they must not reach whoever tells it. */
export function safely(listener: StatusListener): StatusListener {
  const report = (error: unknown) => console.error('Failure in "onStatus":', error);
  return (event) => {
    try {
      // A function that returns nothing may return a promise all the same.
      const returned: unknown = listener(event);
      if (returned instanceof Promise) returned.catch(report);
    } catch (error) {
      report(error);
    }
  };
}
