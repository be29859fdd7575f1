/**
 * Carries out a plan: client and mock server in one process, connected in memory, in simulated time.
 * Apart from the faults that need real time on the server (`split` and `delay`), a run depends on its
 * plan alone.
 */

import { ClosedError, type KyotoTycoon, KyotoTycoonError } from "../../mod.ts";
import { MockServer } from "../../mock_server/mod.ts";
import { makeClient } from "../../src/client.ts";
import { exponentialBackoff } from "../../src/connection/backoff.ts";
import { Pool } from "../../src/connection/pool.ts";
import type { StatusEvent } from "../../src/connection/status.ts";
import { OwnConnections } from "../../src/operations/own_connections.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { bytes } from "../../src/value_codec.ts";
import { Caller } from "./_caller.ts";
import { type Conditions, violations } from "./_check.ts";
import { History } from "./_history.ts";
import { CALM, Link } from "./_link.ts";
import {
  DATABASE_NAMES,
  FOR_EVER,
  keepsOrder,
  ownKeys,
  type Plan,
  type PlannedKey,
  type ServerEvent,
  type Step,
} from "./_plan.ts";
import type { Tally } from "./_report.ts";
import { firedFaults, procedures } from "./_server.ts";
import { ClientTimers, SimulatedTime, turn } from "./_time.ts";

/** The server's clock at the beginning, in milliseconds since 1970. */
const EPOCH = 1_700_000_000_000;
/** Nothing in a plan takes longer, in milliseconds: a call that does hangs. */
const LONGEST = 120_000;
/** Real milliseconds for the server's own timers, all of which are set to none. */
const SERVER_TIMERS = 3;

/** What went wrong in a run, in words. */
export async function simulate(plan: Plan, trustworthy: boolean, tally: Tally): Promise<string[]> {
  const simulation = new Simulation(plan);
  try {
    return await simulation.run(trustworthy, tally);
  } finally {
    await simulation.clear();
  }
}

class Simulation {
  readonly #plan: Plan;
  readonly #time = new SimulatedTime();
  readonly #timers = new ClientTimers(this.#time);
  readonly #history = new History();
  readonly #server: MockServer;
  /** The connections, and which of its addresses they were made to. */
  readonly #links: { link: Link; door: number }[] = [];
  readonly #pool: Pool;
  readonly #client: KyotoTycoon;
  #attempts = 0;
  /** Addresses at which the server cannot be reached. */
  readonly #shut = new Set<number>();
  readonly #status: StatusEvent[] = [];
  #fired = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
    const { client } = plan;
    this.#server = new MockServer({
      databases: DATABASE_NAMES,
      clock: { now: () => EPOCH + this.#time.now() },
      procedures,
      requestLogSize: 0,
      onError: (error) => this.#history.complaints.push(`the server failed: ${error}`),
    });
    for (const rule of plan.faults) this.#server.faults.add(rule);
    const backoff = exponentialBackoff(10, 100, () => 0.5);
    const servers = Array.from({ length: client.doors }, (_, door) => ({
      connector: (signal: AbortSignal) => this.#connect(door, signal),
      address: `door ${door}`,
    }));
    this.#pool = new Pool({
      ...client,
      servers,
      backoff,
      maxReplyBytes: 2 ** 22,
      timers: this.#timers,
      onStatus: (event) => this.#status.push(event),
      observer: null,
    });
    const core = {
      pool: this.#pool,
      lane: null,
      maxReplyBytes: 2 ** 22,
      timers: this.#timers,
      connector: servers[0].connector,
      replication: { timers: this.#timers, backoff },
      apart: new OwnConnections(this.#pool, null),
      cursors: { count: 0 },
    };
    this.#client = makeClient(core, 0, bytes);
  }

  async #connect(door: number, signal: AbortSignal): Promise<Transport> {
    const plan = this.#plan.links[this.#attempts++] ?? CALM;
    if (plan.connect === "throw") throw new TypeError("the connector is broken");
    if (plan.connect === "hang") {
      await new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      throw signal.reason;
    }
    if (plan.delay > 0) await this.#time.sleep(plan.delay);
    if (plan.connect === "refuse" || this.#shut.has(door)) throw new Error("connection refused");
    const active = () => void this.#history.tick++;
    const link = new Link(this.#server.connectInMemory(), plan, this.#time, active);
    this.#links.push({ link, door });
    return link.transport;
  }

  async run(trustworthy: boolean, tally: Tally): Promise<string[]> {
    const { client, tasks, events, ending } = this.#plan;
    await this.#server.start();
    const own = this.#seed();
    this.#server.storage.updates = this.#history;

    const wrong: string[] = [];
    if (await this.#open(wrong)) {
      for (const { at, event } of events) this.#time.start(at, () => this.#happen(event));
      const caller = new Caller({
        client: client.ordered ? this.#client.ordered() : this.#client,
        history: this.#history,
        seconds: () => this.#server.storage.seconds(),
        now: () => this.#time.now(),
        tolerance: 0,
        sleep: (ms) => this.#time.sleep(ms),
        start: (ms, fire) => this.#time.start(ms, fire),
      }, own);
      if (ending.at !== undefined) this.#time.start(ending.at, () => this.#end());
      const work = Promise.all(tasks.map((task) => this.#carryOut(task, caller)));
      if (!await this.#until(work)) wrong.push(`${this.#history.open} calls never ended`);
      if (!await this.#until(this.#end())) wrong.push("the client was never closed");
      if (caller.listeners > 0) wrong.push(`${caller.listeners} abort listeners are left`);
      wrong.push(...await this.#afterEnd());
    }
    if (this.#timers.running > 0) wrong.push(`${this.#timers.running} timers are left`);
    // What is on its way to the server still arrives.
    while (this.#time.step()) await this.#settle();
    const open = this.#links.filter(({ link }) => !link.closed).length;
    if (open > 0) wrong.push(`${open} connections are left`);
    const conditions: Conditions = {
      ordered: keepsOrder(this.#plan),
      trustworthy,
      mayBreakProtocol: !trustworthy || this.#firedAny("wrong-magic", "oversized"),
      mayRefuse: !trustworthy || this.#firedAny("error"),
    };
    wrong.push(...violations(this.#history, conditions));
    this.#count(tally);
    return wrong;
  }

  /** Makes records that one call each is about. */
  #seed(): PlannedKey[] {
    const own = ownKeys(this.#plan);
    for (const key of own) {
      this.#history.seed(key, "seed");
      this.#server.storage.databases[0].set(encode(key.name), encode("seed"));
    }
    return own;
  }

  /** Connects, as `connect` does; `false`: that failed, rightly, and there is no client. */
  async #open(wrong: string[]): Promise<boolean> {
    let failure: { error: unknown } | undefined;
    const opening = this.#pool.open().catch((error) => failure = { error });
    if (!await this.#until(opening)) wrong.push("connecting never ended");
    else if (failure === undefined) return true;
    else if (!(failure.error instanceof KyotoTycoonError)) {
      wrong.push(`connecting failed with ${failure.error}`);
    }
    return false;
  }

  #happen(event: ServerEvent): void {
    const server = this.#server;
    if (event.what === "pause") {
      server.pause();
      this.#time.start(event.for, () => server.resume());
      return;
    }
    if (event.what === "drop") return server.dropConnections();
    for (let door = 0; door < this.#plan.client.doors; door++) {
      if (event.what === "restart" || door === 0) this.#shutDoor(door, event.down);
    }
  }

  #shutDoor(door: number, down: number): void {
    this.#shut.add(door);
    for (const { link, door: its } of this.#links) if (its === door) link.sever();
    if (down < FOR_EVER) this.#time.start(down, () => this.#shut.delete(door));
  }

  async #carryOut(task: Step[], caller: Caller): Promise<void> {
    const calls: Promise<void>[] = [];
    for (const step of task) {
      if ("pause" in step) {
        await this.#time.sleep(step.pause);
      } else {
        const call = caller.make(step.call);
        if (step.awaited) await call;
        else calls.push(call);
      }
    }
    await Promise.all(calls);
  }

  async #end(): Promise<void> {
    this.#history.close(this.#plan.ending.how);
    if (this.#plan.ending.how === "close") await this.#client.close();
    else this.#client.destroy();
    await this.#client.closed;
  }

  /** What is wrong with a client that is closed. */
  async #afterEnd(): Promise<string[]> {
    const wrong: string[] = [];
    const { pending, pendingBytes, connections } = this.#client.stats;
    if (pending !== 0 || pendingBytes !== 0 || connections !== 0) {
      wrong.push(`${pending} calls, ${pendingBytes} bytes, ${connections} connections are pending`);
    }
    const told = this.#status.map(({ status }) => status);
    if (told.indexOf("closed") !== told.length - 1) wrong.push(`it told ${told.join(", ")}`);
    for (const [i, status] of told.entries()) {
      const isNew = status !== told[i - 1] || status === "reconnecting" || status === "connected";
      if (!isNew) wrong.push(`it told ${status} twice: ${told.join(", ")}`);
    }
    const error = await this.#client.get("k").catch((error) => error);
    if (!(error instanceof ClosedError) || error.sent) wrong.push(`it is not closed: ${error}`);
    await this.#client.close();
    this.#client.destroy();
    return wrong;
  }

  /** Lets time pass until `promise` is settled; `false`: that would never be. */
  async #until(promise: Promise<unknown>): Promise<boolean> {
    let settled = false;
    promise.then(() => settled = true);
    for (;;) {
      await this.#settle();
      if (settled) return true;
      if (this.#time.now() > LONGEST) return false;
      if (!this.#time.step()) {
        await realTime();
        if (!settled && !this.#time.step()) return false;
      }
    }
  }

  /** Lets everything happen that does not need time to pass. */
  async #settle(): Promise<void> {
    for (let before = -1; before !== this.#history.tick;) {
      before = this.#history.tick;
      await turn();
      const fired = [...this.#server.faults].reduce((sum, fault) => sum + fault.fired, 0);
      if (fired === this.#fired) continue;
      this.#fired = fired;
      if (this.#plan.faults.some(takesTime)) {
        await realTime();
        this.#history.tick++;
      }
    }
  }

  #firedAny(...actions: unknown[]): boolean {
    return [...this.#server.faults].some(({ rule, fired }) =>
      fired > 0 && actions.includes(rule.action)
    );
  }

  #count(tally: Tally): void {
    tally.count(this.#history, firedFaults(this.#server));
    tally.connections += this.#links.length;
    tally.reconnects += this.#pool.stats.reconnects;
    for (const { event } of this.#plan.events) tally.fault(event.what);
    for (const plan of this.#plan.links.slice(0, this.#attempts)) {
      if (plan.connect !== "accept") tally.fault(`connect: ${plan.connect}`);
      for (const { breaks } of [plan.up, plan.down]) {
        if (breaks !== undefined) tally.fault(`network: ${breaks.how}`);
      }
    }
  }

  /** Ends everything that the run has left on purpose. */
  async clear(): Promise<void> {
    this.#client.destroy();
    await this.#server.stop();
    await turn();
    if (this.#server.connections > 0) throw new Error("the server has kept connections");
  }
}

function takesTime({ action }: { action: unknown }): boolean {
  return typeof action === "object" && action !== null && ("split" in action || "delay" in action);
}

function realTime(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SERVER_TIMERS));
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
