/** The mock server does, byte for byte, what a real one was recorded to do. */

import { assert, assertEquals, assertLess, fail } from "@std/assert";
import { type MockServerOptions, startMockServer } from "../../mock_server/mod.ts";
import { KyotoTycoonError } from "../../src/errors.ts";
import { test } from "../_harness.ts";
import otherProcedures, * as script from "../golden/procedures.ts";
import { skipped } from "../golden/skipped.ts";
import { replay } from "../replay.ts";
import {
  type Config,
  loadConfigs,
  loadScenarios,
  type Scenario,
  usesHttp,
  usesReplication,
  waitingTime,
} from "../transcripts.ts";

/** Scenarios that wait for as long as this, in milliseconds, are played side by side. */
const SLOW_MS = 100;

const scenarios = await loadScenarios();
const configs = await loadConfigs();
const { default: _, ...procedures } = script;

function optionsOf(config: Config): MockServerOptions {
  return {
    databases: config.dbs.map((database) => database.replace("{dir}/", "")),
    serverId: config.sid,
    updateLog: config.ulog,
    // Whom to follow is told later.
    follow: config.args.includes("-rts") ? {} : undefined,
    procedures: config.script ? { ...procedures, ...otherProcedures } : undefined,
    readOnly: config.readonly,
    timeout: config.tout * 1000,
  };
}

/** Plays a scenario against a server that has just been started for it. */
async function play(scenario: Scenario): Promise<void> {
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  await using server = await startMockServer({ ...optionsOf(configs[scenario.config]), onError });
  await replay(scenario, server);
  assertEquals(errors.filter((error) => !isExpected(error, scenario)), []);
}

/** Exceptions that some scenarios are about: a procedure raises one, a master hangs up. */
function isExpected(error: unknown, { needs = [] }: Scenario): boolean {
  return error instanceof KyotoTycoonError
    ? needs.includes("slave")
    : error instanceof Error && error.message === "raised on purpose";
}

const played = scenarios.filter(({ name }) => !(name in skipped));
const isSlow = (scenario: Scenario) =>
  waitingTime(scenario) >= SLOW_MS || usesReplication(scenario);
const slow = played.filter(isSlow);
const fast = played.filter((scenario) => !isSlow(scenario));

for (const scenario of fast) test(`${scenario.name}: ${scenario.title}`, () => play(scenario));

test(`${slow.length} scenarios that take their time, side by side`, async () => {
  const results = await Promise.allSettled(slow.map(play));
  const failures = results.flatMap((result, i) =>
    result.status === "rejected" ? `${slow[i].name}: ${result.reason}` : []
  );
  if (failures.length > 0) fail(failures.join("\n"));
});

test("only scenarios that exist are skipped", () => {
  const names = new Set(scenarios.map(({ name }) => name));
  assertEquals(Object.keys(skipped).filter((name) => !names.has(name)), []);
});

test("of the ordinary binary scenarios only the one about Lua's library is skipped", () => {
  const ordinary = scenarios.filter((scenario) =>
    !usesHttp(scenario) && !usesReplication(scenario)
  );
  const left = ordinary.map(({ name }) => name).filter((name) => name in skipped);
  assertEquals(left, ["script-lua-globals"]);
});

test("every recorded scenario is played or skipped, and none of them twice", () => {
  assertEquals(scenarios.length, 196);
  assertEquals(new Set(scenarios.map(({ name }) => name)).size, scenarios.length);
  assertEquals(fast.length + slow.length + Object.keys(skipped).length, scenarios.length);
  assert(scenarios.every(({ config }) => config in configs));
  assertLess(Math.max(...slow.map(waitingTime)), 20_000);
});
