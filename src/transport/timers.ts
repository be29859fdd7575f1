/** Time as the client and the mock server use it; tests put in their own. */
export interface Timers {
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /** Calls `fire` once after `ms`; returns how to cancel it. `keepAlive`: the process waits for it. */
  start(ms: number, keepAlive: boolean, fire: () => void): () => void;
}

/** The most that a timer of the runtimes can wait; longer waits look again and start anew. */
const MAX_DELAY = 0x7fff_ffff;

/** The runtime's own clock and timers. */
export const systemTimers: Timers = {
  now: () => performance.now(),
  start(ms, keepAlive, fire) {
    if (ms === Infinity) return () => {};
    const timer = setTimeout(fire, Math.min(ms, MAX_DELAY));
    if (!keepAlive) (timer as { unref?(): void }).unref?.();
    return () => clearTimeout(timer);
  },
};
