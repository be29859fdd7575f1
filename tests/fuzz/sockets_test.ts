/** The same as model_test.ts over real sockets, in real time, with a server that stops and starts. */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import process from "node:process";
import { test } from "../_harness.ts";
import { type Plan, plans } from "./_plan.ts";
import { carryOut } from "./_real.ts";
import { Tally, Unhandled } from "./_report.ts";

const RUNS = Number(process.env.FUZZ_RUNS ?? 100);
/** Runs at a time: most of a run is waiting. */
const TOGETHER = 10;

test(`${RUNS} random runs over sockets keep every promise`, { timeout: 90_000 }, async () => {
  const { FUZZ_SEED } = process.env;
  const seed = FUZZ_SEED === undefined ? Date.now() % 2 ** 31 : Number(FUZZ_SEED);
  const tally = new Tally();
  const waiting = fc.sample(plans, { numRuns: RUNS, seed }).entries();
  using unhandled = new Unhandled();
  const run = async (i: number, plan: Plan) => {
    const wrong = await carryOut(plan, tally);
    assertEquals(wrong, [], `run ${i} of FUZZ_SEED=${seed}: ${JSON.stringify(plan)}`);
  };
  await Promise.all(Array.from({ length: TOGETHER }, async () => {
    for (const [i, plan] of waiting) await run(i, plan);
  }));
  assertEquals(unhandled.take(), [], `FUZZ_SEED=${seed}`);
  console.log(String(tally));
});
