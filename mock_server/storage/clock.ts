/** Where the mock server takes the time from, so that tests can make it pass. */

/** Tells the time; `Date` itself is one. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
}

/** The clock of the machine. */
export const systemClock: Clock = { now: () => Date.now() };
