/**
 * Random calls from several tasks, under random faults, against a model of what each call may come to:
 * _check.ts says what must be true. A failure prints its seed and path; FUZZ_SEED and FUZZ_PATH in
 * the environment repeat it, FUZZ_RUNS makes more or fewer runs.
 */

import fc from "fast-check";
import process from "node:process";
import { test } from "../_harness.ts";
import { found } from "./_found.ts";
import { corruptPlans, type Plan, plans } from "./_plan.ts";
import { simulate } from "./_simulation.ts";
import { Tally, Unhandled } from "./_report.ts";

const RUNS = Number(process.env.FUZZ_RUNS ?? 1900);
const CORRUPT_RUNS = Math.ceil(RUNS / 19);

async function fuzz(plans: fc.Arbitrary<Plan>, runs: number, trustworthy: boolean): Promise<void> {
  const { FUZZ_SEED, FUZZ_PATH } = process.env;
  const tally = new Tally();
  using unhandled = new Unhandled();
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      const wrong = await simulate(plan, trustworthy, tally);
      wrong.push(...unhandled.take());
      if (wrong.length > 0) throw new Error(`\n${wrong.join("\n")}\n`);
    }),
    {
      numRuns: runs,
      examples: trustworthy ? found.map((plan) => [plan]) : [],
      ...(FUZZ_SEED === undefined ? {} : { seed: Number(FUZZ_SEED) }),
      ...(FUZZ_PATH === undefined ? {} : { path: FUZZ_PATH }),
      interruptAfterTimeLimit: Number(process.env.FUZZ_LIMIT ?? 100_000),
    },
  );
  console.log(String(tally));
}

test(`${RUNS} random runs under faults keep every promise`, { timeout: 400_000 }, async () => {
  await fuzz(plans, RUNS, true);
});

test(
  `${CORRUPT_RUNS} random runs with wrong bytes in replies end, and store nothing twice`,
  { timeout: 400_000 },
  async () => {
    await fuzz(corruptPlans, CORRUPT_RUNS, false);
  },
);
