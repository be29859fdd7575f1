/** Carries out a plan over real sockets and in real time. */

import { ClosedError, connect, type KyotoTycoon, KyotoTycoonError } from "../../mod.ts";
import { Caller } from "./_caller.ts";
import { violations } from "./_check.ts";
import { History } from "./_history.ts";
import { keepsOrder, ownKeys, type Plan, type PlannedKey, type Step } from "./_plan.ts";
import type { Tally } from "./_report.ts";
import { BeatenServer } from "./_server.ts";

/** No call of a plan takes longer, in milliseconds: one that does hangs. */
const LONGEST = 15_000;
/** By how much calls may end too late on a busy machine, in milliseconds. */
const TOLERANCE = 3_000;

/** Carries out a plan, `rounds` times with one client; returns what went wrong, in words. */
export async function carryOut(plan: Plan, tally: Tally, rounds = 1): Promise<string[]> {
  const history = new History(), naps = new Naps(), wrong: string[] = [];
  const own = ownKeys(plan);
  for (const key of own) history.seed(key, "seed");
  await using beaten = new BeatenServer();
  await beaten.start(own.map(({ name }) => name), history);
  beaten.misbehave(plan.faults.filter(({ op }) => op === "connect"));
  try {
    const client = await connectTo(beaten.server.url, plan);
    wrong.push(...await work(client, { plan, rounds, beaten, history, own, naps }));
    tally.connections += client.stats.connected;
    tally.reconnects += client.stats.reconnects;
  } catch (error) {
    if (!(error instanceof KyotoTycoonError)) throw error;
  }
  const fired = await beaten.calm();
  await naps.over();
  wrong.push(...violations(history, {
    ordered: keepsOrder(plan),
    trustworthy: true,
    mayBreakProtocol: fired.has("wrong-magic") || fired.has("oversized"),
    mayRefuse: fired.has("error"),
  }));
  tally.count(history, fired);
  return wrong;
}

async function connectTo(url: string, { client }: Plan): Promise<KyotoTycoon> {
  const { attempts, batch, doors, ordered: _, ...options } = client;
  return await connect({
    ...options,
    servers: Array.from({ length: doors }, () => url),
    reconnect: attempts === 0 ? false : { attempts, minDelay: 5, maxDelay: 60 },
    batching: batch.records === 1 ? false : batch,
    maxReplyBytes: 2 ** 22,
  });
}

interface Work {
  plan: Plan;
  rounds: number;
  beaten: BeatenServer;
  history: History;
  own: PlannedKey[];
  naps: Naps;
}

async function work(client: KyotoTycoon, parts: Work): Promise<string[]> {
  const { plan, rounds, beaten, history, own, naps } = parts;
  const wrong: string[] = [];
  const caller = new Caller({
    client: plan.client.ordered ? client.ordered() : client,
    history,
    seconds: () => Math.floor(Date.now() / 1000),
    now: () => performance.now(),
    sleep: (ms) => naps.sleep(ms),
    start,
    tolerance: TOLERANCE,
  }, own);
  const end = (): Promise<void> => {
    history.close(plan.ending.how);
    if (plan.ending.how === "close") return client.close();
    client.destroy();
    return client.closed;
  };
  for (let round = 1; round <= rounds; round++) {
    beaten.misbehave(plan.faults.filter(({ op }) => op !== "connect" || round > 1));
    const cancels = plan.events.map(({ at, event }) => start(at, () => beaten.happen(event)));
    if (plan.ending.at !== undefined && round === rounds) cancels.push(start(plan.ending.at, end));
    const tasks = Promise.all(plan.tasks.map((task) => runTask(task, caller, naps)));
    if (!await inTime(tasks)) wrong.push(`${history.open} calls never ended`);
    for (const cancel of cancels) cancel();
  }
  if (!await inTime(end())) {
    wrong.push("the client was never closed");
    client.destroy();
  }
  if (caller.listeners > 0) wrong.push(`${caller.listeners} abort listeners are left`);
  const { pending, pendingBytes, connections } = client.stats;
  if (pending !== 0 || pendingBytes !== 0 || connections !== 0) {
    wrong.push(`${pending} calls, ${pendingBytes} bytes, ${connections} connections are pending`);
  }
  const error = await client.get("k").catch((error) => error);
  if (!(error instanceof ClosedError) || error.sent) wrong.push(`it is not closed: ${error}`);
  return wrong;
}

async function runTask(task: readonly Step[], caller: Caller, naps: Naps): Promise<void> {
  const calls: Promise<void>[] = [];
  for (const step of task) {
    if ("pause" in step) {
      await naps.sleep(step.pause);
    } else {
      const call = caller.make(step.call);
      if (step.awaited) await call;
      else calls.push(call);
    }
  }
  await Promise.all(calls);
}

async function inTime(promise: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), LONGEST);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Calls that are given up leave sources of records behind that still sleep. */
class Naps {
  readonly #sleeping = new Set<Promise<void>>();

  sleep(ms: number): Promise<void> {
    const nap = new Promise<void>((resolve) => setTimeout(resolve, ms));
    this.#sleeping.add(nap);
    return nap.finally(() => this.#sleeping.delete(nap));
  }

  async over(): Promise<void> {
    await Promise.all(this.#sleeping);
  }
}

function start(ms: number, fire: () => void): () => void {
  const timer = setTimeout(fire, ms);
  return () => clearTimeout(timer);
}
