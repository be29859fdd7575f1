/** The options of the mock server's command. */

import type { MockServerOptions } from "./options.ts";
import { type FaultRule, parseFault } from "./session/faults.ts";

/** What a command line asks for. */
export interface CliOptions {
  /** How the server is set up. */
  readonly server: MockServerOptions;
  /** Only an explanation is wanted. */
  readonly help: boolean;
  /** The file that the server's procedures come from. */
  readonly script?: string;
  /** The file of records to start with. */
  readonly seed?: string;
  /** The file to write the process id to. */
  readonly pidFile?: string;
  /** The file to log to. */
  readonly logFile?: string;
  /** What is logged. */
  readonly log: "all" | "errors" | "nothing";
  /** What is to go wrong. */
  readonly faults: readonly FaultRule[];
}

/** The command line is wrong. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Explains the command. */
export const HELP =
  `A mock Kyoto Tycoon server, in memory. It takes ktserver's options, with one dash or two.

  deno task mock [options] [database...]
  bun run mock [options] [database...]

Databases, in the order of their numbers (default: one, '*'):
  '*' ':' '-' name.kch     without order
  '%' '+' name.kct         in the order of the keys; nothing is read from files or written to them
  '*#ktopts=p'             one in which nothing ever expires; other options behind # have no effect

Where and how it serves:
  --host ADDRESS           listen on this address (127.0.0.1)
  --port PORT              listen on this port (1978); 0: any that is free
  --tout SECONDS           wait so long for the rest of a request (30)
  --max-connections N      close connections beyond so many
  --ord                    read-only: clients cannot modify anything

What it holds and does:
  --seed FILE              start with these records: JSON, a list of
                           {"database": 0, "key": "k", "value": "v", "expireIn": 60000}; instead of
                           "expireIn" (milliseconds) "expiresAt" with a date; a key or value of any
                           bytes is {"base64": "AAEC"}
  --scr FILE               a JavaScript or TypeScript module: the functions that it exports are the
                           procedures for play_script; its default export may be an object or a Map
                           from names to functions, for names that are no identifiers

Replication:
  --sid ID                 the server's id (0), 0 to 65535
  --ulog [DIRECTORY]       keep an update log, in memory. A directory may follow, as for ktserver, and
                           is not written to. What looks like a database or an option is not taken
                           for a directory
  --ulim BYTES             how much the update log keeps (ktserver's suffixes k, m, g are understood)
  --mhost ADDRESS          follow this server
  --mport PORT             its port (1978)
  --rts FILE               keep the stamp of the last update there; the next run asks for what comes
                           behind it, though its databases begin empty
  --riv MILLISECONDS       wait this much for each 100 updates (0.04)

Faults:
  --fault RULE             misbehave: OPERATION:NTH:ACTION, such as 'get_bulk:3:disconnect'; may be
                           given several times

The process:
  --log FILE               log to a file
  --le, --ls               log errors only; log nothing
  --pid FILE               write the process id to a file
  --th N                   has no effect
  --help                   this text

When it is ready it prints its address, such as kt://127.0.0.1:1978. Interrupt and terminate stop it.
`;

/** Options with a value. */
const WITH_VALUE = new Set([
  "host",
  "port",
  "tout",
  "th",
  "log",
  "pid",
  "sid",
  "ulim",
  "scr",
  "seed",
  "mhost",
  "mport",
  "rts",
  "riv",
  "max-connections",
  "fault",
]);

const FLAGS = new Set(["ord", "le", "ls", "help", "ulog"]);

/** A database as ktserver takes it, so no directory for an update log. */
const DATABASE = /(^|\/)([*%:+-]|[^/#]*\.kc[htdfx])(#.*)?$/;

/**
 * Reads a command line.
 *
 * @param args The arguments behind the command's name.
 * @throws {UsageError} An option is unknown, or lacks a value, or has a wrong one.
 */
export function parseArguments(args: readonly string[]): CliOptions {
  const values = new Map<string, string>(), flags = new Set<string>();
  const databases: string[] = [], faults: FaultRule[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (DATABASE.test(arg)) {
      databases.push(arg);
      continue;
    }
    if (!arg.startsWith("-")) throw new UsageError(`"${arg}" is no database`);
    const [, name, inline] = /^--?([^=]*)(?:=(.*))?$/s.exec(arg)!;
    if (WITH_VALUE.has(name)) {
      const value = inline ?? args[++i];
      if (value === undefined) throw new UsageError(`the option "${arg}" lacks a value`);
      if (name === "fault") faults.push(faultOf(value));
      else values.set(name, value);
    } else if (FLAGS.has(name)) {
      flags.add(name);
      const next = args[i + 1];
      if (name !== "ulog") {
        if (inline !== undefined) throw new UsageError(`the option "--${name}" takes no value`);
      } else if (
        inline === undefined && next !== undefined && !next.startsWith("-") && !DATABASE.test(next)
      ) {
        i++;
      }
    } else {
      throw new UsageError(`there is no option "${arg}"`);
    }
  }

  const number = (name: string, low: number, high: number, whole = true): number | undefined => {
    const text = values.get(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() === "" || !(value >= low && value <= high) || whole && value % 1 !== 0) {
      const range = high === Infinity ? `${low} or more` : `${low} to ${high}`;
      throw new UsageError(`"--${name}" is "${text}", not a number of ${range}`);
    }
    return value;
  };

  number("th", 1, Infinity);
  const seconds = number("tout", 0, Infinity, false);
  if (seconds === 0) throw new UsageError('"--tout" is 0, which does not mean "no limit"');
  return {
    server: {
      hostname: values.get("host"),
      port: number("port", 0, 65535) ?? 1978,
      databases: databases.length === 0 ? undefined : databases,
      timeout: seconds === undefined ? undefined : seconds * 1000,
      serverId: number("sid", 0, 65535),
      readOnly: flags.has("ord"),
      maxConnections: number("max-connections", 1, Infinity),
      requestLogSize: 0,
      updateLog: flags.has("ulog") && updateLogOptions(values.get("ulim")),
      follow: values.has("mhost") || values.has("rts")
        ? {
          hostname: values.get("mhost"),
          port: number("mport", 1, 65535),
          rts: values.get("rts"),
          interval: number("riv", 0, Infinity, false) ?? 0.04,
        }
        : undefined,
    },
    help: flags.has("help"),
    script: values.get("scr"),
    seed: values.get("seed"),
    pidFile: values.get("pid"),
    logFile: values.get("log"),
    log: flags.has("ls") ? "nothing" : flags.has("le") ? "errors" : "all",
    faults,
  };
}

function faultOf(text: string): FaultRule {
  try {
    return parseFault(text);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function updateLogOptions(limit: string | undefined): true | { maxBytes: number } {
  if (limit === undefined) return true;
  const match = /^(\d+)([kmgt]?)$/i.exec(limit);
  if (match === null) throw new UsageError(`"--ulim" is "${limit}", not a number of bytes`);
  return { maxBytes: Number(match[1]) * 1024 ** ("kmgt".indexOf(match[2].toLowerCase()) + 1) };
}
