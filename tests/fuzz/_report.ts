/** What runs came to, in words. */

import process from "node:process";
import type { History } from "./_history.ts";

/** What runs were made of. */
export class Tally {
  runs = 0;
  calls = 0;
  resolved = 0;
  rejected = 0;
  /** Connections that the clients made. */
  connections = 0;
  /** How often they replaced one that was lost. */
  reconnects = 0;
  /** How often each fault of the server fired, or of the network happened. */
  readonly faults = new Map<string, number>();

  fault(name: string, n = 1): void {
    this.faults.set(name, (this.faults.get(name) ?? 0) + n);
  }

  /** Adds a run. */
  count({ calls }: History, fired: ReadonlyMap<string, number>): void {
    this.runs++;
    this.calls += calls.length;
    for (const { outcome } of calls) {
      if (outcome.kind === "resolved") this.resolved++;
      if (outcome.kind === "rejected") this.rejected++;
    }
    for (const [name, n] of fired) this.fault(name, n);
  }

  get faultCount(): number {
    return [...this.faults.values()].reduce((sum, n) => sum + n, 0);
  }

  /** Such as "drop 12, hang 3", the most frequent first. */
  get faultsText(): string {
    return [...this.faults].sort(([, a], [, b]) => b - a).map((fault) => fault.join(" ")).join(
      ", ",
    );
  }

  toString(): string {
    const { runs, calls, resolved, rejected, connections, reconnects } = this;
    return `${runs} runs, ${calls} calls (${resolved} resolved, ${rejected} rejected), ` +
      `${connections} connections, ${reconnects} reconnects, ${this.faultCount} faults: ${this.faultsText}`;
  }
}

/** Rejections that nobody handles: collected, so that they can be told together with their run. */
export class Unhandled implements Disposable {
  #reasons: unknown[] = [];
  readonly #note = (reason: unknown) => void this.#reasons.push(reason);

  constructor() {
    process.on("unhandledRejection", this.#note);
  }

  /** Those since the last time, in words. */
  take(): string[] {
    const reasons = this.#reasons;
    this.#reasons = [];
    return reasons.map((reason) =>
      `nobody handled ${reason instanceof Error ? reason.stack : String(reason)}`
    );
  }

  [Symbol.dispose](): void {
    process.off("unhandledRejection", this.#note);
  }
}
