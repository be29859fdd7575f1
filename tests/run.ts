/**
 * The one test command: every check on every runtime, one part after the other.
 * `deno task test --help` lists the parts.
 */

import config from "../deno.json" with { type: "json" };

/** What a part is, the program it runs, and how to read counts of tests from its output. */
interface Part {
  about: string;
  command: string[];
  counts?: Record<"passed" | "failed" | "skipped", RegExp>;
}

interface Outcome {
  code: number;
  output: string;
  late: boolean;
}

const root = new URL("..", import.meta.url);
const deno = Deno.execPath();
// The npm package calls it so on every system.
const bun = "node_modules/bun/bin/bun.exe";

const jsrTimeout = 2_000;
const installTimeout = 180_000;
const partTimeout = 180_000;

const denoCounts = {
  passed: /^(?:ok|FAILED) \| (\d+) passed/gm,
  failed: /^(?:ok|FAILED) \| .*\| (\d+) failed/gm,
  skipped: /^(?:ok|FAILED) \| .*\| (\d+) ignored/gm,
};
const bunCounts = {
  passed: /^ *(\d+) pass$/gm,
  failed: /^ *(\d+) fail$/gm,
  skipped: /^ *(\d+) skip$/gm,
};

/** `files` is what to run of the suite, `std` the options that say where `@std` comes from. */
function allParts(files: string[], std: string[]): Record<string, Part> {
  const tmp = Deno.env.get("TMPDIR") ?? Deno.env.get("TEMP") ?? "/tmp";
  const permissions = [
    "--no-prompt",
    // Not narrower: a socket in a fresh temporary folder has no address to name in advance.
    "--allow-net",
    `--allow-read=.,${tmp}`,
    `--allow-write=${tmp}`,
    `--allow-run=${deno}`,
    "--allow-env",
  ];
  const entries = Object.values(config.exports);
  return {
    deno: {
      about: "the suite on Deno",
      // A type that does not fit is a failure of `check`, not of every test.
      command: [deno, "test", "--no-check", ...std, ...permissions, ...files],
      counts: denoCounts,
    },
    bun: {
      about: "the suite on Bun",
      command: [bun, "test", ...files],
      counts: bunCounts,
    },
    fmt: { about: "the format", command: [deno, "fmt", "--check"] },
    lint: { about: "the lint rules", command: [deno, "lint"] },
    check: {
      about: "the types, tests and examples included",
      command: [deno, "check", ...std, "."],
    },
    "doc-lint": {
      about: "whether everything public is documented",
      command: [deno, "doc", "--lint", ...std, ...entries],
    },
    doc: {
      about: "the examples in the documentation and the README",
      command: [
        ...[deno, "test", "--doc", ...std, ...permissions],
        ...["mod.ts", "src", "mock_server", "README.md"],
      ],
      counts: denoCounts,
    },
    publish: {
      about: "whether JSR would take the package",
      command: [deno, "publish", "--dry-run", "--allow-dirty", "--no-lock"],
    },
  };
}

async function run(command: string[], timeout: number): Promise<Outcome> {
  const signal = AbortSignal.timeout(timeout);
  const [program, ...args] = command;
  const child = new Deno.Command(program, {
    args,
    signal,
    cwd: root,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  const collect = async (stream: ReadableStream<BufferSource>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) output += text;
  };
  await Promise.all([collect(child.stdout), collect(child.stderr)]);
  const { code } = await child.status;
  return { code, output, late: signal.aborted };
}

/**
 * The options that say where `@std` comes from. JSR is not reachable from every machine; where Deno
 * cannot get the packages in time, neither from its cache nor from JSR, `tests/std/` stands in.
 *
 * `--no-lock`: a lock file with JSR's packages cannot be made without JSR, so deno.lock holds only
 * what comes from npm, and a run with JSR would add to it. JSR's versions never change and are named
 * exactly in deno.json; npm's are held to the lock by `deno install --frozen`.
 */
async function standardLibrary(): Promise<string[]> {
  const packages = Object.values(config.imports);
  const { code } = await run([deno, "cache", "--no-lock", ...packages], jsrTimeout);
  if (code === 0) {
    console.log("@std comes from JSR");
    return ["--no-lock"];
  }
  console.log("JSR does not answer: tests/std/ stands in for @std");
  return ["--no-lock", "--import-map=tests/std/import_map.json"];
}

/** Runs a part and prints its closing line. */
async function report(name: string, part: Part, verbose: boolean): Promise<[number, number]> {
  const start = performance.now();
  const { code, output, late } = await run(part.command, partTimeout);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);

  const read = (pattern: RegExp) => Number([...output.matchAll(pattern)].at(-1)?.[1] ?? 0);
  const passed = part.counts ? read(part.counts.passed) : Number(code === 0);
  let failed = part.counts ? read(part.counts.failed) : Number(code !== 0);
  const skipped = part.counts ? read(part.counts.skipped) : 0;
  const problem = late
    ? `stopped after ${partTimeout / 1000} s`
    : failed > 0
    ? ""
    : code !== 0
    ? `exit code ${code}`
    : passed === 0
    ? "ran no test to its end"
    : "";
  if (problem !== "") failed ||= 1;

  if (verbose) console.log(output.trimEnd());
  else if (failed > 0) {
    console.log(output.replace(/^(\(pass\) .*|.* \.\.\. ok \(.*|Check .*)\n/gm, "").trim());
  }
  if (problem !== "") console.log(`${name}: ${problem}`);
  const rest = skipped > 0 ? `, ${skipped} skipped` : "";
  console.log(`${name}: ${passed} passed, ${failed} failed${rest} (${seconds} s)`);
  return [passed, failed];
}

async function main(args: string[]): Promise<number> {
  const split = args.indexOf("--");
  const names = split === -1 ? args : args.slice(0, split);
  const files = split === -1 ? ["./tests"] : args.slice(split + 1);

  const known = allParts(files, []);
  if (names.includes("--help") || names.includes("-h")) {
    console.log("usage: deno task test [part ...] [-- file ...]\n\nparts, all by default:");
    for (const [name, { about }] of Object.entries(known)) {
      console.log(`  ${name.padEnd(10)}${about}`);
    }
    console.log(
      "\nFiles narrow the suite of deno and bun down, for example to ./tests/std_test.ts.",
    );
    return 0;
  }
  const unknown = names.find((name) => !(name in known));
  if (unknown !== undefined) {
    console.error(`Cannot run "${unknown}": no such part (see --help)`);
    return 2;
  }

  // Bun, fast-check and Node's types, as locked. Not what comes from JSR, hence --no-remote.
  const install = await run([deno, "install", "--frozen", "--no-remote"], installTimeout);
  if (install.code !== 0) {
    console.log(`${install.output.trimEnd()}\ninstall: 0 passed, 1 failed\n0 passed, 1 failed`);
    return 1;
  }

  let passed = 0;
  let failed = 0;
  const parts = allParts(files, await standardLibrary());
  for (const [name, part] of Object.entries(parts)) {
    if (names.length > 0 && !names.includes(name)) continue;
    const [p, f] = await report(name, part, names.length > 0);
    passed += p;
    failed += f;
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

// The counts are read from what the parts print, so that must be plain.
Deno.env.delete("FORCE_COLOR");
Deno.env.set("NO_COLOR", "1");
Deno.exit(await main(Deno.args));
