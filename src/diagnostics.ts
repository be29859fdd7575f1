/**
 * What happens to calls, for whoever listens: published on the channels of the runtime's own
 * `node:diagnostics_channel`, which Deno, Bun and Node have.
 *
 * @module
 */

/** What is published of a call: when it is made, and once more when it has ended. */
export interface CallMessage {
  /** The client's method, such as `"get"`. */
  readonly operation: string;
  /** The index of the database; `null` if there are several or none. */
  readonly database: number | null;
  /** About how many bytes of keys and values were given. */
  readonly bytes: number;
  /** When it was made, in milliseconds since 1970. */
  readonly startTime: number;
  /** The server that it went to, as `host:port` or path; `null` as long as it has not. */
  server: string | null;
  /** Milliseconds until it ended; `null` before. */
  duration: number | null;
  /** What it rejected with, in an object of its own; `null` if it has not. */
  failure: { readonly error: unknown } | null;
}

/** The channel on which calls are published when they are made. */
export const CALL_START = "kyoto-tycoon:call:start";
/** The channel on which calls are published when they have ended: the same objects. */
export const CALL_END = "kyoto-tycoon:call:end";

/** What is watched of a call. */
export interface Observation {
  readonly message: CallMessage;
  /** The call has ended. */
  end(failure: { readonly error: unknown } | null): void;
}

/** Watches calls. */
export interface Observer {
  /** Whether anybody listens. */
  readonly active: boolean;
  /** A call begins. */
  begin(operation: string, database: number | null, bytes: number): Observation;
}

/** Makes what publishes calls. */
export async function loadObserver(): Promise<Observer> {
  // Where nobody wants it, loading it would make the start of a program slower.
  const { channel } = await import("node:diagnostics_channel");
  const starts = channel(CALL_START), ends = channel(CALL_END);
  return {
    get active() {
      return starts.hasSubscribers || ends.hasSubscribers;
    },
    begin(operation, database, bytes) {
      const started = performance.now();
      const message: CallMessage = {
        operation,
        database,
        bytes,
        startTime: performance.timeOrigin + started,
        server: null,
        duration: null,
        failure: null,
      };
      starts.publish(message);
      return {
        message,
        end(failure) {
          message.duration = performance.now() - started;
          message.failure = failure;
          ends.publish(message);
        },
      };
    },
  };
}
