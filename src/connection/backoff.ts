/** How long to wait before the next attempt to connect. */

/** The wait in milliseconds before attempt `attempt`, counted from 1. */
export type Backoff = (attempt: number) => number;

/**
 * Waits that double from `minDelay` up to `maxDelay`, each drawn evenly from zero to that ("full
 * jitter"), so that the clients of a server that returns do not all come at once.
 */
export function exponentialBackoff(
  minDelay: number,
  maxDelay: number,
  random: () => number = Math.random,
): Backoff {
  return (attempt) => random() * Math.min(maxDelay, minDelay * 2 ** (attempt - 1));
}
