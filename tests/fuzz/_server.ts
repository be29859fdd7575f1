/** The mock server as an opponent: what happens to it, and what is noted of it. */

import {
  type FaultRule,
  MockServer,
  ProcedureError,
  type Procedures,
  type UpdateSink,
} from "../../mock_server/mod.ts";
import { DATABASE_NAMES, FOR_EVER, type ServerEvent } from "./_plan.ts";
import { turn } from "./_time.ts";

/** The procedures: they store what they are given, at once or later, or fail. */
export const procedures: Procedures = {
  store: (input, { databases }) => {
    for (const [key, value] of input) databases[0].set(key, value);
    return input;
  },
  later: async (input, { databases }) => {
    await turn();
    for (const [key, value] of input) databases[0].set(key, value);
    return input;
  },
  fail: () => {
    throw new ProcedureError(3);
  },
};

/** How long connections may take to end by themselves, in milliseconds. */
const GRACE = 200;
/** How long they may take at most. */
const LONGEST_END = 5_000;
const encoder = new TextEncoder();

/** How often each kind of fault has fired. */
export function firedFaults(server: MockServer): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { rule: { action }, fired } of server.faults) {
    const name = typeof action === "string" ? action : Object.keys(action)[0];
    if (fired > 0) counts.set(name, (counts.get(name) ?? 0) + fired);
  }
  return counts;
}

/** A mock server that listens, and is stopped and started and worse. */
export class BeatenServer implements AsyncDisposable {
  readonly server: MockServer;
  readonly #errors: unknown[] = [];
  /** What is being done to it. */
  #happening = Promise.resolve();
  readonly #pending = new Set<() => void>();
  readonly #happened = new Map<string, number>();

  constructor() {
    this.server = new MockServer({
      databases: DATABASE_NAMES,
      procedures,
      requestLogSize: 0,
      onError: (error) => this.#errors.push(error),
    });
  }

  /** Starts it with records of these names; `sink` hears of all that is stored from then on. */
  async start(names: readonly string[], sink: UpdateSink): Promise<void> {
    const { storage } = this.server;
    await this.server.start();
    for (const name of names) {
      storage.databases[0].set(encoder.encode(name), encoder.encode("seed"));
    }
    storage.updates = sink;
  }

  /** Adds faults; if it was stopped for ever, it is started again. */
  misbehave(rules: readonly FaultRule[]): void {
    for (const rule of rules) this.server.faults.add(rule);
    this.#restart();
  }

  happen(event: ServerEvent): void {
    const { server } = this;
    // It has one address only.
    if (event.what === "shut") return;
    this.#happened.set(event.what, (this.#happened.get(event.what) ?? 0) + 1);
    if (event.what === "drop") return server.dropConnections();
    if (event.what === "pause") {
      server.pause();
      this.#after(event.for, () => server.resume());
      return;
    }
    this.#happening = this.#happening.then(() => server.stop());
    if (event.down < FOR_EVER) this.#after(event.down, () => this.#restart());
  }

  #restart(): void {
    this.#happening = this.#happening.then(() => this.server.start());
  }

  #after(ms: number, event: () => void): void {
    const timer = setTimeout(() => {
      this.#pending.delete(cancel);
      event();
    }, ms);
    const cancel = () => clearTimeout(timer);
    this.#pending.add(cancel);
  }

  /** Ends everything that is being done to it; returns what happened, and how often. */
  async calm(): Promise<Map<string, number>> {
    for (const cancel of this.#pending) cancel();
    this.#pending.clear();
    const { server } = this;
    this.#restart();
    await this.#happening;
    server.resume();
    const fired = new Map([...firedFaults(server), ...this.#happened]);
    server.faults.clear();
    const start = performance.now();
    while (server.connections > 0 && performance.now() - start < LONGEST_END) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      // Some hang, as they were told to; and some arrive only now, to be closed at once.
      if (performance.now() - start > GRACE) server.dropConnections();
    }
    if (server.connections > 0) throw new Error("the server has kept connections");
    for (let i = 0; i < 20; i++) await turn();
    if (this.#errors.length > 0) throw new AggregateError(this.#errors, "the server failed");
    return fired;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cancel of this.#pending) cancel();
    await this.#happening;
    await this.server.stop();
  }
}
