/** Types that several layers share. */

/** A key: a string stands for its UTF-8 bytes. May be empty; at most 2^28 bytes. */
export type Key = string | Uint8Array;

/** A value: a string stands for its UTF-8 bytes. May be empty; at most 2^28 bytes. */
export type Value = string | Uint8Array;

/** When a record ends. Neither given: never. */
export interface ExpirationOptions {
  /** Milliseconds from now, rounded up to the server's whole seconds; 0 or more. */
  expireIn?: number;
  /** A moment: a `Date`, or anything with `epochMilliseconds`, such as a `Temporal.Instant`. */
  expireAt?: Date | { readonly epochMilliseconds: number };
}

/** A record as the server returned it. */
export interface Entry<V = Uint8Array, K extends Key = Key> {
  /** The key: as the caller gave it, or as a cursor was asked to give it. */
  key: K;
  /** The value, as the codec decoded it. */
  value: V;
  /** The index of the database. */
  database: number;
  /** When the record ends, in whole seconds; `null`: never. */
  expiresAt: Date | null;
}

/** What every call takes. */
export interface CallOptions {
  /** Gives the call up; it rejects with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Milliseconds from the call to its end, whatever it waits for; more than 0. Default: no limit of
   * its own, but those of the client (`queueTimeout`, `replyTimeout`).
   */
  timeout?: number;
}
