/** Named conditions, on which requests wait until others signal them. */

/** What `setTimeout` can take. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The conditions of a server. */
export class Conditions {
  readonly #waiters = new Map<string, Set<() => void>>();

  /**
   * Waits until the condition is signalled. Returns whether it was, and not given up: after some
   * milliseconds, or when `end` is settled.
   */
  async wait(name: string, milliseconds: number, end: Promise<void>): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const wake = () => resolve(true);
    const giveUp = () => resolve(false);
    const waiters = this.#waiters.get(name) ?? new Set();
    this.#waiters.set(name, waiters.add(wake));
    const timer = setTimeout(giveUp, Math.min(milliseconds, LONGEST_TIMER));
    end.then(giveUp);
    const signalled = await promise;
    clearTimeout(timer);
    waiters.delete(wake);
    if (waiters.size === 0 && this.#waiters.get(name) === waiters) this.#waiters.delete(name);
    return signalled;
  }

  /** Wakes who has waited longest, or everybody; returns how many that were. */
  signal(name: string, everybody: boolean): number {
    const waiters = this.#waiters.get(name);
    if (waiters === undefined) return 0;
    let woken = 0;
    for (const wake of waiters) {
      waiters.delete(wake);
      wake();
      woken++;
      if (!everybody) break;
    }
    return woken;
  }
}
