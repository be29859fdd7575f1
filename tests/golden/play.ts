/**
 * Plays the recorded scenarios against a real ktserver, one that is started anew for each. For a new
 * recording, and to see whether another version of the server still does what is recorded.
 *
 *     deno run -A tests/golden/play.ts /usr/bin/ktserver [part of a name...]
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { replay } from "../replay.ts";
import { type Config, loadConfigs, loadScenarios, type Scenario } from "../transcripts.ts";

/** ktserver does not connect to ports above 32767, nor should it have one. */
const FIRST_PORT = 21_000;
const PORTS = 1000;
/** Milliseconds to wait for a server that has been started, in steps. */
const PATIENCE = 5000, STEP = 20;

const pass = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const script = fileURLToPath(new URL("procedures.lua", import.meta.url));

const [ktserver, ...wanted] = process.argv.slice(2);
if (ktserver === undefined) throw new Error("usage: play.ts KTSERVER [PART OF A NAME...]");
const configs = await loadConfigs();
const scenarios = (await loadScenarios()).filter(({ name }) =>
  wanted.length === 0 || wanted.some((part) => name.includes(part))
);
let failed = 0;
for (const [i, scenario] of scenarios.entries()) {
  try {
    await play(scenario, configs[scenario.config], FIRST_PORT + i % PORTS);
    console.log(`ok      ${scenario.name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${scenario.name}: ${(error as Error).message}`);
  }
}
console.log(`${scenarios.length - failed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);

async function play(scenario: Scenario, config: Config, port: number): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "ktserver-"));
  await mkdir(join(dir, "ulog"));
  const filled = [...config.args, ...config.dbs]
    .map((arg) => arg.replace("{dir}", dir).replace("{script}", script));
  const args = ["-host", "127.0.0.1", "-port", `${port}`, "-ls", ...filled];
  const server = spawn(ktserver, args, { stdio: "ignore" });
  const ended = once(server, "exit");
  try {
    await listening(port);
    await replay(scenario, { hostname: "127.0.0.1", port });
  } finally {
    server.kill("SIGKILL");
    await ended;
    await rm(dir, { recursive: true });
  }
}

async function listening(port: number): Promise<void> {
  for (let waited = 0; waited < PATIENCE; waited += STEP) {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return;
    } catch {
      await pass(STEP);
    } finally {
      socket.destroy();
    }
  }
  throw new Error("the server does not listen");
}
