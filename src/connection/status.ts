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
