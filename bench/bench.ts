/** What a row of the table is, and how two things are compared. */

import process from "node:process";
import type { Runtime } from "./runtime.ts";
import {
  type Address,
  type Server,
  startCannedServer,
  startMaster,
  startMock,
  startRedis,
} from "./servers.ts";

/** Does something so many times. */
export type Work = (calls: number) => Promise<void> | void;

export interface Row {
  name: string;
  /** What the row is compared with. */
  against: string;
  /** What is counted, such as "calls/s". */
  unit: string;
  /** Whether more of the unit is better. Default: yes. */
  lessIsBetter?: boolean;
  goal?: Goal;
  measure(bench: Bench): Promise<Figures>;
}

/** What is to be reached, or not to be exceeded when less is better. */
export type Goal =
  /** By product to baseline. */
  | { ratio: number | Record<Runtime, number> }
  /** By the product's own figure. */
  | { figure: number }
  /** By product minus baseline. */
  | { difference: number };

export interface Figures {
  baseline: number;
  product: number;
  /** Product to baseline. */
  ratio: number;
}

/** Why a row cannot be measured here. */
export class NotAvailable extends Error {}

/** How long things take; milliseconds. */
export interface Effort {
  warmUp: number;
  round: number;
  rounds: number;
  /** Records that stream through in the memory rows. */
  streamed: number;
  /** Updates that a replication row makes. */
  updates: number;
  /** Seconds in which a slow consumer takes an update each. */
  slow: number;
  /** Calls of the allocation row. */
  counted: number;
  /** Processes started, of each kind, in the start-up row. */
  starts: number;
}

export const FULL: Effort = {
  warmUp: 500,
  round: 120,
  rounds: 21,
  streamed: 10_000_000,
  updates: 1_000_000,
  slow: 20,
  counted: 100_000,
  starts: 11,
};

export const QUICK: Effort = {
  warmUp: 150,
  round: 50,
  rounds: 5,
  streamed: 300_000,
  updates: 200_000,
  slow: 3,
  counted: 10_000,
  starts: 3,
};

/** A group of rows being measured: how thoroughly, and the servers that were started for it. */
export class Bench implements AsyncDisposable {
  readonly effort: Effort;
  readonly #started = new Map<() => Promise<Server>, Promise<Server>>();

  constructor(effort: Effort) {
    this.effort = effort;
  }

  /** The server under the client's rows: the mock, or what KT_SERVER names. */
  async server(): Promise<Address> {
    const given = process.env.KT_SERVER;
    if (given === undefined) return await this.mock();
    const [, hostname, port] = /^(.+):(\d+)$/.exec(given) ?? [];
    if (port === undefined) throw new Error(`Cannot use KT_SERVER: "${given}" is not host:port`);
    return { hostname, port: Number(port) };
  }

  mock(): Promise<Server> {
    return this.#once(startMock);
  }

  /** A mock server that can be followed. */
  master(): Promise<Server> {
    return this.#once(startMaster);
  }

  canned(): Promise<Server> {
    return this.#once(startCannedServer);
  }

  redis(): Promise<Server> {
    return this.#once(startRedis);
  }

  #once(start: () => Promise<Server>): Promise<Server> {
    let server = this.#started.get(start);
    if (server === undefined) this.#started.set(start, server = start());
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = [...this.#started.values()].map((server) => server.then((s) => s.stop()));
    this.#started.clear();
    await Promise.allSettled(stopped);
  }

  /**
   * Alternates rounds of the baseline and of the product, so that whatever else the machine does
   * meets both alike. Before each come calls that do not count, in which the machine turns from the
   * one to the other: its caches, and the garbage that is left. `units` is what one call counts for,
   * of the product where that differs.
   */
  async compare(
    baseline: Work,
    product: Work,
    units = 1,
    productUnits = units,
  ): Promise<Figures> {
    const { warmUp, round, rounds } = this.effort;
    const baselineCalls = await calibrate(baseline, warmUp, round);
    const productCalls = await calibrate(product, warmUp, round);
    const baselineRates: number[] = [], productRates: number[] = [];
    for (let i = 0; i < rounds; i++) {
      await baseline(Math.ceil(baselineCalls / 4));
      baselineRates.push(await rate(baseline, baselineCalls) * units);
      await product(Math.ceil(productCalls / 4));
      productRates.push(await rate(product, productCalls) * productUnits);
    }
    return figures(baselineRates, productRates);
  }
}

/** Medians of figures that were taken in pairs; the ratio is that of the typical pair. */
export function figures(baseline: number[], product: number[]): Figures {
  return {
    baseline: median(baseline),
    product: median(product),
    ratio: median(product.map((figure, i) => figure / baseline[i])),
  };
}

export function median(numbers: number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Calls a second. */
async function rate(work: Work, calls: number): Promise<number> {
  const start = performance.now();
  await work(calls);
  return calls * 1000 / (performance.now() - start);
}

/** Warms up, and finds how many calls fill a round. */
async function calibrate(work: Work, warmUp: number, round: number): Promise<number> {
  let calls = 1, perSecond = 0;
  for (const start = performance.now(); performance.now() - start < warmUp;) {
    perSecond = await rate(work, calls);
    calls = Math.max(1, Math.min(calls * 2, Math.round(perSecond * warmUp / 10_000)));
  }
  return Math.max(1, Math.round(perSecond * round / 1000));
}
