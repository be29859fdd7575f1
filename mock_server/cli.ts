/** The mock server as a command that can stand in for `ktserver`; cli_options.ts explains it. */

import { appendFileSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { type CliOptions, HELP, parseArguments, UsageError } from "./cli_options.ts";
import type { Procedure } from "./procedures/procedures.ts";
import { parseSeed } from "./seed.ts";
import { startMockServer } from "./server.ts";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

await main(process.argv.slice(2));

async function main(args: string[]): Promise<void> {
  try {
    const options = parseArguments(args);
    if (options.help) console.log(HELP.trimEnd());
    else await run(options);
  } catch (error) {
    const usage = error instanceof UsageError;
    const [message] = (error instanceof Error ? error.message : String(error)).split("\n");
    console.error(`mock server: ${message}${usage ? "; --help explains the options" : ""}`);
    process.exit(usage ? EXIT_USAGE : EXIT_FAILURE);
  }
}

async function run(options: CliOptions): Promise<void> {
  const { script, seed, pidFile } = options;
  const log = logger(options);
  const server = await startMockServer({
    ...options.server,
    seed: seed === undefined ? undefined : parseSeed(await readFile(seed, "utf8")),
    procedures: script === undefined ? undefined : await loadProcedures(script),
    onError: (error) => log(error instanceof Error ? `${error.stack}` : String(error), true),
  });
  for (const rule of options.faults) server.faults.add(rule);
  if (pidFile !== undefined) await writeFile(pidFile, `${process.pid}\n`);

  const stop = async () => {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
    await server.stop();
    if (pidFile !== undefined) await rm(pidFile, { force: true });
    log("stopped");
    process.exit(0);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  log(`listening on ${server.url}`);
  console.log(server.url);
}

/** The functions that a module exports, and those of its default export. */
async function loadProcedures(file: string): Promise<Map<string, Procedure>> {
  const { default: more, ...named } = await import(pathToFileURL(resolve(file)).href);
  const entries = more instanceof Map ? more : Object.entries(more ?? {});
  return new Map([...Object.entries(named), ...entries]) as Map<string, Procedure>;
}

/** Logs to a file where one is named; else errors go to where errors go. */
function logger({ log, logFile }: CliOptions): (message: string, isError?: boolean) => void {
  if (logFile !== undefined) appendFileSync(logFile, "");
  return (message, isError = false) => {
    if (log === "nothing" || log === "errors" && !isError) return;
    if (logFile !== undefined) {
      const kind = isError ? "ERROR" : "INFO";
      appendFileSync(logFile, `${new Date().toISOString()}: [${kind}]: ${message}\n`);
    } else if (isError) {
      console.error(message);
    }
  };
}
