/**
 * The load test: `deno task load` or `bun run load`, `--help` for what can be asked for. Clients of one
 * process call one server, each call as soon as the one before has ended.
 */

import { writeFile } from "node:fs/promises";
import process from "node:process";
import { parseArgs } from "node:util";
import { connect, type KyotoTycoon, text } from "../mod.ts";
import { Latencies } from "./load_latency.ts";
import { plot, type Second } from "./load_plot.ts";
import { machine, runtimeVersion } from "./runtime.ts";
import { startMock } from "./servers.ts";

const HELP = `usage: deno task load [option ...]
       bun run load [option ...]

  --clients N      clients, with a connection each (50)
  --in-flight N    calls that each client has under way (1)
  --seconds N      how long (20), behind two seconds that do not count
  --svg FILE       draw the course into this file
  --help           this text

KT_SERVER=host:port in the environment: the server, instead of the mock. Records with keys from
"load:0" to "load:9999" are stored there, and removed at the end.`;

type Client = KyotoTycoon<string, string>;

interface Kind {
  name: string;
  /** How many of a hundred calls are of this kind. */
  share: number;
  /** Makes a call; fails where the result cannot be right. */
  call(kt: Client, n: number): Promise<void>;
}

const RECORDS = 10_000;
/** Bytes of a value, and records of a bulk call. */
const VALUE_SIZE = 100, BULK = 10;
const WARM_UP = 2_000;

const keyOf = (n: number) => `load:${n % RECORDS}`;
const valueOf = (n: number) => keyOf(n).padEnd(VALUE_SIZE, ".");
const manyOf = <T>(n: number, make: (n: number) => T) =>
  Array.from({ length: BULK }, (_, i) => make(n + i));

function check(right: boolean, what: string): void {
  if (!right) throw new Error(`"${what}" brought something else`);
}

const kinds: Kind[] = [
  {
    name: "get",
    share: 55,
    async call(kt, n) {
      const value = await kt.get(keyOf(n));
      check(value === null || value === valueOf(n), "get");
    },
  },
  { name: "set", share: 20, call: (kt, n) => kt.set(keyOf(n), valueOf(n)) },
  {
    name: "getBulk of 10",
    share: 8,
    async call(kt, n) {
      const entries = await kt.getBulk(manyOf(n, keyOf));
      check(entries.every(({ key, value }) => value.startsWith(`${key}.`)), "getBulk");
    },
  },
  {
    name: "setBulk of 10",
    share: 4,
    async call(kt, n) {
      check(await kt.setBulk(manyOf(n, (n) => [keyOf(n), valueOf(n)])) === BULK, "setBulk");
    },
  },
  { name: "remove", share: 5, call: async (kt, n) => void await kt.remove(keyOf(n)) },
  { name: "add", share: 4, call: async (kt, n) => void await kt.add(keyOf(n), valueOf(n)) },
  {
    name: "increment",
    share: 3,
    async call(kt, n) {
      check(await kt.increment(`load:n${n % 10}`, 1) > 0, "increment");
    },
  },
  {
    name: "cas",
    share: 1,
    call: async (kt, n) => void await kt.cas(keyOf(n), valueOf(n), valueOf(n)),
  },
];

const { values: options } = parseArgs({
  options: {
    clients: { type: "string", default: "50" },
    "in-flight": { type: "string", default: "1" },
    seconds: { type: "string", default: "20" },
    svg: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
const [clientCount, inFlight, seconds] = (["clients", "in-flight", "seconds"] as const).map(
  (name) => {
    const number = Number(options[name]);
    if (Number.isInteger(number) && number > 0) return number;
    console.error(`load: "--${name}" is "${options[name]}", not a whole number above 0`);
    process.exit(2);
  },
);

/** What came of the calls. */
const byKind = new Map(kinds.map(({ name }) => [name, new Latencies()]));
const bySecond = Array.from({ length: seconds }, () => new Latencies());
const errors = new Map<string, number>();
/** A hundred kinds, as many of each as its share. */
const mix = kinds.flatMap((kind) => Array<Kind>(kind.share).fill(kind));

async function work(kt: Client, begin: number): Promise<void> {
  const end = begin + seconds * 1000;
  for (let start = performance.now(); start < end;) {
    const { name, call } = mix[Math.floor(Math.random() * mix.length)];
    let failure: unknown;
    try {
      await call(kt, Math.floor(Math.random() * RECORDS));
    } catch (error) {
      failure = error;
    }
    const now = performance.now();
    const second = Math.floor((now - begin) / 1000);
    if (start >= begin && second < seconds) {
      if (failure === undefined) {
        byKind.get(name)!.add(now - start);
        bySecond[second].add(now - start);
      } else {
        const what = `${name}: ${failure instanceof Error ? failure.message : failure}`;
        errors.set(what, (errors.get(what) ?? 0) + 1);
      }
    }
    start = now;
  }
}

const given = process.env.KT_SERVER;
const mock = given === undefined ? await startMock() : null;
const url = mock === null ? `kt://${given}` : `kt://${mock.hostname}:${mock.port}`;
try {
  const clients = await Promise.all(
    Array.from({ length: clientCount }, () => connect(url, { codec: text })),
  );
  const all = Array.from({ length: RECORDS }, (_, n) => n);
  await clients[0].setBulk(all.map((n) => [keyOf(n), valueOf(n)]));
  const begin = performance.now() + WARM_UP;
  await Promise.all(
    clients.flatMap((kt) => Array.from({ length: inFlight }, () => work(kt, begin))),
  );
  await clients[0].removeBulk([...all.map(keyOf), ...manyOf(0, (n) => `load:n${n}`)]);
  await Promise.all(clients.map((kt) => kt.close()));
} finally {
  await mock?.stop();
}

const total = new Latencies();
for (const latencies of byKind.values()) total.addAll(latencies);
const about = `${runtimeVersion}, ${machine()}, server: ${given ?? "mock server"}; ` +
  `${clientCount} clients, ${inFlight} in flight each, ${seconds} s`;
console.log(`${about}\n`);
const rows = [...byKind, ["all", total] as const].map(([name, latencies]) => [
  name,
  `${latencies.count}`,
  (latencies.count / seconds).toFixed(),
  ...[0.5, 0.99, 0.999].map((part) => latencies.percentile(part).toFixed(2)),
  latencies.max.toFixed(2),
]);
const head = ["call", "calls", "calls/s", "p50 ms", "p99 ms", "p99.9 ms", "longest ms"];
const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i].length)));
const line = (cells: string[]) =>
  `| ${
    cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join(" | ")
  } |`;
const rule = widths.map((width, i) => i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`);
console.log([line(head), line(rule), ...rows.map(line)].join("\n"));
const failures = [...errors.values()].reduce((sum, n) => sum + n, 0);
console.log(`\n${failures} errors`);
for (const [what, n] of errors) console.log(`  ${n} x ${what}`);

if (options.svg !== undefined) {
  const course = bySecond.map((latencies): Second => ({
    callsPerSecond: latencies.count,
    p50: latencies.percentile(0.5),
    p99: latencies.percentile(0.99),
    p999: latencies.percentile(0.999),
  }));
  await writeFile(options.svg, plot(about, course));
  console.log(`\nThe course of it is in ${options.svg}`);
}
process.exitCode = failures > 0 ? 1 : 0;
