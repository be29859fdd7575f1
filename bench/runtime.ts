/** What the bench needs to know of the runtime that it runs on, and processes of the same runtime. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpus } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";

export type Runtime = "deno" | "bun";

export const runtime: Runtime = "Deno" in globalThis ? "deno" : "bun";

const names: Record<Runtime, string> = { deno: "Deno", bun: "Bun" };

/** Such as "Deno 2.9.6". */
export const runtimeVersion = `${names[runtime]} ${process.versions[runtime]}`;

/** Such as "2 x Some CPU @ 2.0 GHz". */
export function machine(): string {
  const all = cpus();
  return `${all.length} x ${all[0]?.model.trim() ?? "unknown"}`;
}

export interface ProcessOptions {
  /** Deno only: flags of `deno run`. */
  flags?: string[];
  env?: Record<string, string>;
}

/** A process that the bench started, and ends. */
export class Process {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | null>;
  #output = "";
  #ended = false;
  #wake = () => {};

  constructor(command: string, args: string[], env: Record<string, string> = {}) {
    const child = spawn(command, args, {
      env: { ...process.env, NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#child = child;
    this.pid = child.pid ?? -1;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#output += text;
      this.#wake();
    });
    this.#exit = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve(code));
    });
    this.#exit.catch(() => {}).then(() => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** The first line of the output that matches; rejects when the process ends without one. */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const complete = this.#output.split("\n").slice(0, -1);
      const found = complete.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (this.#ended) {
        throw new Error(`Cannot read a line: the process ended (${await this.#exit})`);
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Waits for the end; rejects when that is not a good one. */
  async end(): Promise<string> {
    const code = await this.#exit;
    if (code !== 0) throw new Error(`Cannot go on: a process ended with exit code ${code}`);
    return this.#output;
  }

  async stop(): Promise<void> {
    if (!this.#ended) this.#child.kill("SIGTERM");
    await this.#exit.catch(() => {});
  }
}

/**
 * Keeps this process and some others on one CPU while something is measured, where the system has
 * `taskset`. Two processes that take turns are three times faster on one CPU than on two that fall
 * asleep in between, and which it will be is up to the system.
 */
export async function onOneCpu<T>(pids: number[], measure: () => Promise<T>): Promise<T> {
  const all = [process.pid, ...pids];
  const affinity = /list: ([\d,-]+)/.exec(taskset("-cp", `${process.pid}`))?.[1];
  if (affinity === undefined) return await measure();
  const [first] = affinity.split(/[,-]/);
  try {
    for (const pid of all) taskset("-acp", first, `${pid}`);
    return await measure();
  } finally {
    for (const pid of all) taskset("-acp", affinity, `${pid}`);
  }
}

/** Runs the program; what it prints, or nothing where there is no such program. */
function taskset(...args: string[]): string {
  return spawnSync("taskset", args, { encoding: "utf8" }).stdout ?? "";
}

/** Starts a script of the project, given by its path from the root, on this runtime. */
export function startScript(
  path: string,
  args: string[] = [],
  { flags = [], env }: ProcessOptions = {},
): Process {
  const script = fileURLToPath(new URL(`../${path}`, import.meta.url));
  const deno = ["run", "--quiet", "--allow-all", "--no-lock", ...flags];
  return new Process(process.execPath, [...(runtime === "deno" ? deno : []), script, ...args], env);
}
