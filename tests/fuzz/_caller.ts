/** Makes planned calls on a client, and notes in the history what they came to. */

import { Attempt, type CallerParts } from "./_attempt.ts";
import { callInBinary } from "./_binary_calls.ts";
import type { CallRecord } from "./_history.ts";
import type { CallLimits, PlannedCall, PlannedKey } from "./_plan.ts";
import { callProcedure } from "./_rpc_calls.ts";

/** Makes the calls of one run. */
export class Caller {
  readonly #parts: CallerParts;
  /** Records that one call each is about; they are there from the beginning. */
  readonly #own: PlannedKey[];
  /** Listeners that wait for an abort. */
  listeners = 0;

  constructor(parts: CallerParts, own: PlannedKey[]) {
    this.#parts = parts;
    this.#own = [...own];
  }

  /** Makes a call. The promise resolves when it has ended, whatever it came to. */
  async make(planned: PlannedCall): Promise<void> {
    const { history } = this.#parts;
    const call = history.begin(planned.op, `${planned.op} ${history.calls.length}`);
    call.noReply = "noReply" in planned && planned.noReply;
    const { timeout, abortAfter } = planned.limits;
    const start = this.#parts.now();
    const { signal, cancel } = this.#abortion(call, abortAfter);
    try {
      const attempt = new Attempt(this.#parts, call, { signal, timeout }, this.#own);
      await (callInBinary(attempt, planned) ?? callProcedure(attempt, planned));
      history.end(call, { kind: "resolved" });
    } catch (error) {
      history.end(call, { kind: "rejected", error });
    } finally {
      cancel();
      this.#checkTime(call, planned.limits, start);
    }
  }

  /** Whoever gives a call up need not wait for its end. */
  #checkTime(call: CallRecord, { timeout, abortAfter }: CallLimits, start: number): void {
    const { tolerance } = this.#parts;
    const lasted = this.#parts.now() - start;
    if (abortAfter !== undefined && lasted > Math.max(0, abortAfter) + tolerance) {
      this.#parts.history.complaints.push(`${call.about} went on after it was aborted`);
    }
    // A call of several requests gives each of them this time.
    if (timeout !== undefined && call.inOrder && lasted > timeout + tolerance) {
      this.#parts.history.complaints.push(`${call.about} went on after its time`);
    }
  }

  #abortion(call: CallRecord, after: number | undefined) {
    if (after === undefined) return { signal: undefined, cancel: () => {} };
    const controller = new AbortController(), { signal } = controller;
    const reason = new Error("given up");
    call.expected.add(reason);
    this.#watch(signal);
    if (after >= 0) {
      return { signal, cancel: this.#parts.start(after, () => controller.abort(reason)) };
    }
    controller.abort(reason);
    call.stillborn = true;
    return { signal, cancel: () => {} };
  }

  /** Counts the listeners of a signal, all of which are to be told once. */
  #watch(signal: AbortSignal): void {
    const { addEventListener, removeEventListener } = signal;
    const listeners = new Set<unknown>();
    const count = (change: () => void) => {
      this.listeners -= listeners.size;
      change();
      this.listeners += listeners.size;
    };
    addEventListener.call(signal, "abort", () => count(() => listeners.clear()));
    signal.addEventListener = (...args: unknown[]) => {
      count(() => listeners.add(args[1]));
      addEventListener.apply(signal, args as Parameters<typeof addEventListener>);
    };
    signal.removeEventListener = (...args: unknown[]) => {
      count(() => listeners.delete(args[1]));
      removeEventListener.apply(signal, args as Parameters<typeof removeEventListener>);
    };
  }
}
