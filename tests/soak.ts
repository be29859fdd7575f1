/**
 * Random calls of many clients on mock servers that fail in all the ways they know, for as long as one
 * likes: `deno task soak [seconds]`, `bun run soak [seconds]`; ten minutes by default. What is checked
 * is what fuzz/sockets_test.ts checks, here with clients that live longer. Ends with the status 1 at
 * the first broken promise. SOAK_SEED in the environment makes the same plans again. One at a time on a
 * machine: a server that was stopped wants its port back, which another soak may have been given.
 */

import fc from "fast-check";
import process from "node:process";
import { plans } from "./fuzz/_plan.ts";
import { carryOut } from "./fuzz/_real.ts";
import { Tally, Unhandled } from "./fuzz/_report.ts";
import { runtime } from "./_harness.ts";
import { heldMemory, mebibytes } from "./memory.ts";

const DEFAULT_SECONDS = 600;
/** Clients at a time: most of a client's life is waiting. */
const TOGETHER = 24;
/** How often each client carries out its plan. */
const ROUNDS = 15;
/** Plans that are made at a time. */
const BATCH = 100;
/** Milliseconds between lines of progress. */
const PROGRESS = 30_000;

const seconds = Number(process.argv[2] ?? DEFAULT_SECONDS);
if (!(seconds > 0)) {
  console.error(`soak: "${process.argv[2]}" is not a number of seconds`);
  process.exit(2);
}
const seed = Number(process.env.SOAK_SEED ?? Date.now() % 2 ** 31);
console.log(`soak: ${seconds} s on ${runtime}, SOAK_SEED=${seed}`);

const tally = new Tally();
using unhandled = new Unhandled();
const begin = performance.now(), end = begin + seconds * 1000;
let heldAtStart = 0, residentAtStart = 0;

/** Everything behind the first plans: the code is compiled, and caches are as large as they get. */
async function markStart(): Promise<void> {
  heldAtStart = await heldMemory();
  residentAtStart = process.memoryUsage().rss;
}

function* allPlans() {
  for (let batch = 0;; batch++) {
    const made = fc.sample(plans, { seed: seed + batch, numRuns: BATCH });
    for (const [i, plan] of made.entries()) yield { plan, name: `plan ${i} of batch ${batch}` };
  }
}

const waiting = allPlans();

async function runUntil(deadline: number): Promise<void> {
  while (performance.now() < deadline) {
    const { plan, name } = waiting.next().value!;
    const wrong = [...await carryOut(plan, tally, ROUNDS), ...unhandled.take()];
    if (wrong.length === 0) continue;
    console.error(`${name}, SOAK_SEED=${seed}:\n${wrong.join("\n")}\n${JSON.stringify(plan)}`);
    process.exit(1);
  }
}

async function runTogether(deadline: number): Promise<void> {
  await Promise.all(Array.from({ length: TOGETHER }, () => runUntil(deadline)));
}

await runTogether(Math.min(end, begin + seconds * 100));
await markStart();
const progress = setInterval(() => {
  const elapsed = ((performance.now() - begin) / 1000).toFixed();
  const { rss } = process.memoryUsage();
  console.log(
    `${elapsed} s: ${tally.runs} clients, ${tally.calls} calls, ${tally.faultCount} faults, ` +
      `${mebibytes(rss)} resident`,
  );
}, PROGRESS);
await runTogether(end);
clearInterval(progress);

const { runs, calls, resolved, rejected, connections, reconnects, faultCount, faultsText } = tally;
console.log(`
clients      ${runs}
calls        ${calls}, of which ${resolved} resolved and ${rejected} rejected
connections  ${connections}
reconnects   ${reconnects}
faults       ${faultCount}: ${faultsText}
broken       0 promises
memory       held ${mebibytes(heldAtStart)} at the start, ${
  mebibytes(await heldMemory())
} at the end
             resident ${mebibytes(residentAtStart)}, ${mebibytes(process.memoryUsage().rss)}`);
