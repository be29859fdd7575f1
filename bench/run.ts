/**
 * The bench: `deno task bench` or `bun run bench`, `--help` for what can be asked for. README.md says
 * how each row is measured.
 */

import { writeFile } from "node:fs/promises";
import process from "node:process";
import { parseArgs } from "node:util";
import { Bench, type Figures, FULL, NotAvailable, QUICK, type Row } from "./bench.ts";
import { rows as allocation } from "./groups/allocation.ts";
import { rows as bulk } from "./groups/bulk.ts";
import { rows as codec } from "./groups/codec.ts";
import { rows as concurrent } from "./groups/concurrent.ts";
import { rows as large } from "./groups/large.ts";
import { rows as memory } from "./groups/memory.ts";
import { rows as mockServer } from "./groups/mock_server.ts";
import { rows as replication } from "./groups/replication.ts";
import { rows as rpc } from "./groups/rpc.ts";
import { rows as sequential } from "./groups/sequential.ts";
import { rows as startUp } from "./groups/start_up.ts";
import { machine, runtimeVersion } from "./runtime.ts";
import { json, type Outcome, table } from "./table.ts";

/** Those that load a Redis client into this process come last, for it does not leave V8 as it was. */
const groups: Record<string, Row[]> = {
  sequential,
  large,
  codec,
  mock: mockServer,
  rpc,
  replication,
  memory,
  allocation,
  startup: startUp,
  concurrent,
  bulk,
};

const HELP = `usage: deno task bench [option ...]

  --only NAME    only groups, rows and baselines with NAME in their names; may be given several times.
                 Groups: ${Object.keys(groups).join(", ")}
  --quick        fewer and shorter rounds: less than a minute, and less exact
  --json FILE    write the figures to a file as well
  --help         this text

KT_SERVER=host:port in the environment: the server under the client's rows, instead of the mock.`;

interface Options {
  only?: string[];
  quick?: boolean;
  json?: string;
  help?: boolean;
}

const options = readOptions();
if (options.help) console.log(HELP);
else await run(chosen(options), options);

function readOptions(): Options {
  try {
    return parseArgs({
      options: {
        only: { type: "string", multiple: true },
        quick: { type: "boolean" },
        json: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

/** The rows that were asked for, by group. */
function chosen({ only }: Options): Row[][] {
  const isChosen = (group: string, { name, against }: Row) =>
    only === undefined ||
    only.some((part) => [group, name, against].some((text) => text.includes(part)));
  const rows = Object.entries(groups).map(([group, rows]) =>
    rows.filter((row) => isChosen(group, row))
  );
  return rows.flat().length > 0 ? rows : refuse(`no row is called "${only?.join('" or "')}"`);
}

function refuse(why: string): never {
  console.error(`bench: ${why}; --help explains the options`);
  process.exit(2);
}

async function run(groups: Row[][], { quick = false, json: file }: Options): Promise<void> {
  const about = {
    date: new Date().toISOString().slice(0, 10),
    runtime: runtimeVersion,
    machine: machine(),
    server: process.env.KT_SERVER ?? "mock server",
    quick,
  };
  const outcomes: Outcome[] = [];
  let current: Bench | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, async () => {
      await current?.[Symbol.asyncDispose]();
      process.exit(1);
    });
  }
  for (const rows of groups) {
    await using bench = current = new Bench(quick ? QUICK : FULL);
    for (const row of rows) {
      process.stderr.write(`${row.name} against ${row.against}\n`);
      outcomes.push({ row, figures: await measure(row, bench) });
    }
  }
  console.log(table(about, outcomes));
  if (file !== undefined) await writeFile(file, json(about, outcomes));
}

async function measure(row: Row, bench: Bench): Promise<Figures | NotAvailable> {
  try {
    return await row.measure(bench);
  } catch (error) {
    if (error instanceof NotAvailable) return error;
    throw error;
  }
}
