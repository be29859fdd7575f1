/**
 * One suite for every runtime: `test()` registers with the runtime's own test runner, and
 * `runScript()` and `startScript()` run a script of the project in a process of the same runtime.
 */

import { fileURLToPath } from "node:url";

export type Runtime = "deno" | "bun" | "node";

/** The runtime this suite runs on. */
export const runtime: Runtime = "Deno" in globalThis
  ? "deno"
  : "Bun" in globalThis
  ? "bun"
  : "node";

const root = fileURLToPath(new URL("..", import.meta.url));

// Deno also has `node:test`, but its sanitizers do not cover it.
const nodeTest = runtime === "deno" ? undefined : (await import("node:test")).test;

export type TestOptions =
  & {
    /** Milliseconds before the test counts as failed. Default 30,000. */
    timeout?: number;
    /** Deno only: the permissions of this test, when fewer than the suite's. */
    permissions?: Deno.PermissionOptions;
  }
  // A test for one runtime is still listed by the others, with the reason why they skip it.
  & ({ only: Runtime; reason: string } | { only?: undefined; reason?: undefined });

export type TestFunction = () => void | Promise<void>;

/** Registers a test, in Deno with all sanitizers on, so that a leaked socket or timer fails. */
export function test(name: string, fn: TestFunction): void;
export function test(name: string, options: TestOptions, fn: TestFunction): void;
export function test(
  name: string,
  optionsOrFn: TestOptions | TestFunction,
  maybeFn?: TestFunction,
): void {
  const [options, fn] = maybeFn === undefined
    ? [{} as TestOptions, optionsOrFn as TestFunction]
    : [optionsOrFn as TestOptions, maybeFn];
  const { only, reason, timeout = 30_000, permissions } = options;
  const skip = only !== undefined && only !== runtime;
  if (only !== undefined) name += ` (${only} only: ${reason})`;

  if (nodeTest !== undefined) {
    nodeTest(name, { skip, timeout }, async () => {
      await fn();
      // A rejection nobody handled is reported one turn later: wait, so that it fails this test.
      await new Promise((resolve) => setTimeout(resolve));
    });
  } else {
    Deno.test({
      name,
      ignore: skip,
      timeout,
      permissions,
      sanitizeOps: true,
      sanitizeResources: true,
      sanitizeExit: true,
      fn,
    });
  }
}

type Signal = "SIGTERM" | "SIGINT" | "SIGKILL";

export interface ScriptOptions {
  /** Deno only: the flags of `deno run`, such as `--allow-net=127.0.0.1`. Default: none. */
  permissions?: string[];
  /** What the script reads from its standard input. Default: nothing. */
  stdin?: string;
  /** Added to the environment. */
  env?: Record<string, string>;
}

export interface ScriptStatus {
  /** The exit code; 128 + the signal's number when a signal ended the script. */
  code: number;
  signal: string | null;
}

/** A process, in the words that both ways to start one share. */
interface Child {
  pid: number;
  stdout: AsyncIterable<Uint8Array>;
  stderr: AsyncIterable<Uint8Array>;
  exit: Promise<ScriptStatus>;
  kill(signal: Signal): void;
  write(input: string): Promise<void>;
}

/** A running script of the project. Disposing it kills it and waits for its end. */
export class Script implements AsyncDisposable {
  readonly pid: number;
  /** Everything written to stdout so far. */
  stdout = "";
  /** Everything written to stderr so far. */
  stderr = "";
  /** Settles when the script has ended and its output is read. */
  readonly status: Promise<ScriptStatus>;
  readonly #child: Child;
  #ended = false;
  #read = 0;
  #wake = () => {};

  constructor(child: Child) {
    this.#child = child;
    this.pid = child.pid;
    this.status = this.#run();
  }

  async #run(): Promise<ScriptStatus> {
    const collect = async (chunks: AsyncIterable<Uint8Array>, name: "stdout" | "stderr") => {
      const decoder = new TextDecoder();
      for await (const chunk of chunks) {
        this[name] += decoder.decode(chunk, { stream: true });
        this.#wake();
      }
    };
    const { stdout, stderr, exit } = this.#child;
    const [status] = await Promise.all([
      exit,
      collect(stdout, "stdout"),
      collect(stderr, "stderr"),
    ]);
    this.#ended = true;
    this.#wake();
    return status;
  }

  /** The next line of stdout. Rejects when the script ends without another one. */
  async nextLine(): Promise<string> {
    for (;;) {
      const end = this.stdout.indexOf("\n", this.#read);
      if (end !== -1) {
        const line = this.stdout.slice(this.#read, end);
        this.#read = end + 1;
        return line;
      }
      if (this.#ended) throw new Error(`Cannot read a line: the script ended\n${this.stderr}`);
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  kill(signal: Signal = "SIGTERM"): void {
    if (!this.#ended) this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.status;
  }
}

/** Starts a script, given by its path in the project, in a process of this runtime. */
export async function startScript(
  path: string,
  args: string[] = [],
  options: ScriptOptions = {},
): Promise<Script> {
  const { permissions = [], stdin, env } = options;
  const spawn = runtime === "deno" ? spawnInDeno : spawnInNode;
  const deno = ["run", "--quiet", "--no-prompt", "--no-lock", ...permissions];
  const child = await spawn([...(runtime === "deno" ? deno : []), path, ...args], {
    NO_COLOR: "1",
    ...env,
  });
  const script = new Script(child);
  await child.write(stdin ?? "");
  return script;
}

export interface ScriptResult {
  code: number;
  stdout: string;
  stderr: string;
  /** How long the script ran, in milliseconds. */
  ms: number;
}

/** Runs a script to its end. Rejects when it takes longer than `timeoutMs` (default 20,000). */
export async function runScript(
  path: string,
  args: string[] = [],
  options: ScriptOptions & { timeoutMs?: number } = {},
): Promise<ScriptResult> {
  const { timeoutMs = 20_000 } = options;
  const start = performance.now();
  const script = await startScript(path, args, options);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    script.kill("SIGKILL");
  }, timeoutMs);
  const { code } = await script.status;
  clearTimeout(timer);
  const { stdout, stderr } = script;
  if (late) throw new Error(`"${path}" ran for more than ${timeoutMs} ms\n${stdout}\n${stderr}`);
  return { code, stdout, stderr, ms: performance.now() - start };
}

// deno-lint-ignore require-await -- as spawnInNode, which has to wait
async function spawnInDeno(args: string[], env: Record<string, string>): Promise<Child> {
  const child = new Deno.Command(Deno.execPath(), {
    args,
    env,
    cwd: root,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return {
    pid: child.pid,
    stdout: child.stdout,
    stderr: child.stderr,
    exit: child.status.then(({ code, signal }) => ({ code, signal })),
    kill: (signal) => child.kill(signal),
    async write(input) {
      // A script that has already ended does not read: that is no failure here.
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(input)).catch(() => {});
      await writer.close().catch(() => {});
    },
  };
}

async function spawnInNode(args: string[], env: Record<string, string>): Promise<Child> {
  const { spawn } = await import("node:child_process");
  const { constants } = await import("node:os");
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: "pipe",
  });
  child.stdin.on("error", () => {});
  return {
    pid: child.pid ?? -1,
    stdout: child.stdout,
    stderr: child.stderr,
    exit: new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => {
        resolve({ code: code ?? 128 + constants.signals[signal!], signal });
      });
    }),
    kill: (signal) => child.kill(signal),
    write: (input) => new Promise((resolve) => child.stdin.end(input, () => resolve())),
  };
}
