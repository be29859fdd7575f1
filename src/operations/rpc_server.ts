/** Operations on a database as a whole, or on the server. */

import { checkData, describe } from "../arguments.ts";
import { parseDecimal, toByteText } from "../codec/byte_text.ts";
import type { Row } from "../codec/tsv.ts";
import { toBytes } from "../codec/writer.ts";
import { ProtocolError } from "../errors.ts";
import type { Key } from "../types.ts";
import { checkLimit } from "./keys.ts";
import type { Master, RpcInput, SynchronizeOptions, VacuumOptions } from "./options.ts";
import type { ProcedureOutput } from "./output.ts";
import { recordsOf } from "./records.ts";
import {
  callProcedure,
  integerRow,
  lossyText,
  procedureCall,
  row,
  type RpcContext,
} from "./rpc_call.ts";

/** A file of a server's update log. */
export interface UpdateLogFile {
  /** Where it is, as the server sees it. */
  path: string;
  /** In bytes. */
  size: number;
  /** The highest time stamp in it: milliseconds since 1970, times 1,000,000, plus a counter. */
  timestamp: bigint;
}

const DEFAULT_PORT = 1978;
const STAMPS_PER_MILLISECOND = 1_000_000n;
/** The server reads time stamps as signed numbers. */
const LAST_STAMP = 2n ** 63n - 1n;
/** Milliseconds that the server waits when it is not told how long. */
const DEFAULT_WAIT = 30_000;
/** Longer request lines are none to the server. */
const MAX_NAME = 8000;

/** Procedures that only read. */
const PURE: ReadonlySet<string> = new Set([
  ...["void", "echo", "report", "status", "get", "check", "get_bulk"],
  ...["match_prefix", "match_regex", "match_similar", "ulog_list"],
]);

/** Calls a procedure that comes to nothing. */
function order(context: RpcContext, name: string, rows: readonly Row[] = []): Promise<void> {
  return callProcedure(context, { name, rows, take: () => {} });
}

/** Removes all records of a database. */
export function clear(context: RpcContext): Promise<void> {
  return order(context, "clear");
}

/** Writes what a database holds to its file. */
export function synchronize(
  context: RpcContext,
  options: SynchronizeOptions | undefined,
): Promise<void> {
  const { hard = false, command } = options ?? {};
  const rows: Row[] = [];
  if (hard) rows.push(row("hard", ""));
  if (command !== undefined) {
    if (typeof command !== "string") {
      throw new TypeError(`Cannot synchronize: "command" is ${describe(command)}, not a string`);
    }
    rows.push(row("command", command));
  }
  return order(context, "synchronize", rows);
}

/** Collects expired records. */
export function vacuum(context: RpcContext, options: VacuumOptions | undefined): Promise<void> {
  const steps = options?.steps;
  // No steps mean all of them to the server.
  const rows = steps === undefined || checkLimit("vacuum", "steps", steps) === Infinity
    ? []
    : [row("step", Math.max(1, steps))];
  return order(context, "vacuum", rows);
}

/** The files of the update log, oldest first. */
export function listUpdateLogs(context: RpcContext): Promise<UpdateLogFile[]> {
  return callProcedure(context, {
    name: "ulog_list",
    rows: [],
    pure: true,
    take: (output) => Array.from(output, updateLogFile),
  });
}

function updateLogFile([path, value]: [Uint8Array, Uint8Array]): UpdateLogFile {
  const [, size, timestamp] = /^(\d+):(\d+)$/.exec(lossyText(value)) ?? [];
  if (size === undefined) {
    throw new ProtocolError("Cannot read a reply: a file of the update log has no size");
  }
  return { path: lossyText(path), size: Number(size), timestamp: BigInt(timestamp) };
}

/** Removes the files of the update log up to a stamp. */
export function removeUpdateLogs(
  context: RpcContext,
  until: bigint | Date | "now" | undefined,
): Promise<void> {
  return order(context, "ulog_remove", stampRows(context.operation, "until", until));
}

/** Tells the server whom to follow. */
export function follow(context: RpcContext, master: Master | null): Promise<void> {
  const { operation } = context;
  if (master === null) return order(context, "tune_replication");
  if (typeof master !== "object") {
    throw new TypeError(
      `Cannot ${operation}: the master is ${describe(master)}, not an object or null`,
    );
  }
  const { hostname, port = DEFAULT_PORT, since, interval } = master;
  if (typeof hostname !== "string" || hostname === "") {
    throw new TypeError(`Cannot ${operation}: "hostname" is ${describe(hostname)}, not a name`);
  }
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new RangeError(
      `Cannot ${operation}: "port" is ${describe(port)}, not a whole number from 1 to 65535`,
    );
  }
  const rows = [row("host", hostname), row("port", port)];
  rows.push(...stampRows(operation, "since", since === "beginning" ? 0n : since));
  if (interval !== undefined) {
    if (!(Number.isFinite(interval) && interval >= 0)) {
      throw new RangeError(
        `Cannot ${operation}: "interval" is ${describe(interval)}, not 0 or more milliseconds`,
      );
    }
    rows.push(row("iv", (interval / 1000).toFixed(6)));
  }
  return order(context, "tune_replication", rows);
}

/** A time stamp as a parameter. That of a moment is the last before its millisecond. */
function stampRows(
  operation: string,
  name: string,
  stamp: bigint | Date | "now" | undefined,
): Row[] {
  if (stamp === undefined) return [];
  if (stamp === "now") return [row("ts", stamp)];
  if (typeof stamp === "bigint") {
    if (stamp >= 0n && stamp <= LAST_STAMP) return [row("ts", stamp)];
    throw new RangeError(`Cannot ${operation}: "${name}" is ${stamp}, out of the server's 64 bits`);
  }
  if (!(stamp instanceof Date)) {
    throw new TypeError(
      `Cannot ${operation}: "${name}" is ${describe(stamp)}, not a time stamp, a Date or "now"`,
    );
  }
  const milliseconds = stamp.getTime();
  if (Number.isNaN(milliseconds)) {
    throw new RangeError(`Cannot ${operation}: "${name}" is an invalid date`);
  }
  const before = BigInt(milliseconds) * STAMPS_PER_MILLISECOND - 1n;
  return [row("ts", before < 0n ? 0n : before > LAST_STAMP ? LAST_STAMP : before)];
}

/** Wakes who waits; returns how many that were. The name is in the context's options. */
export function wake(context: RpcContext): Promise<number> {
  return callProcedure(context, {
    name: "void",
    rows: [],
    take: (output) => Number(integerRow(output, "SIGNALED")),
  });
}

/** Waits to be woken, at most so many milliseconds; returns whether it was. */
export function waitFor(context: RpcContext, name: Key, timeout: number): Promise<boolean> {
  const { operation, options, core } = context;
  if (!(Number.isFinite(timeout) && timeout > 0)) {
    throw new RangeError(
      `Cannot ${operation}: the timeout is ${describe(timeout)}, not a number above 0`,
    );
  }
  const milliseconds = Math.ceil(timeout);
  const call = procedureCall<boolean>(context, {
    name: "void",
    rows: [
      row("WAIT", checkData(operation, "name", name)),
      row("WAITTIME", (milliseconds / 1000).toFixed(3)),
    ],
    take: () => true,
    misses: { 503: false },
  });
  return core.apart.submit(call, milliseconds, options);
}

/** Calls any procedure. */
export function callAny(
  context: RpcContext,
  name: string,
  input: RpcInput,
): Promise<ProcedureOutput> {
  const { operation, core, options } = context;
  checkName(operation, name);
  const rows: Row[] = [];
  const given = new Map<string, Uint8Array>();
  for (const item of recordsOf(operation, input) as Iterable<readonly [Key, Key]>) {
    if (!Array.isArray(item)) {
      throw new TypeError(`Cannot ${operation}: a row is ${describe(item)}, not a pair`);
    }
    const [key, value] = item;
    const bytes = toBytes(checkData(operation, "name of a row", key));
    const valueBytes = toBytes(checkData(operation, "value of a row", value));
    rows.push([bytes, valueBytes]);
    given.set(toByteText(bytes, 0, bytes.length), valueBytes);
  }
  if (given.has("CUR")) {
    throw new TypeError(`Cannot ${operation}: a cursor belongs to a connection; use "cursor"`);
  }
  const shared = given.has("DB") ? { ...context, database: null } : context;
  const procedure = {
    name,
    rows,
    pure: PURE.has(name) && !given.has("SIGNAL") && !given.has("WAIT"),
    take: (output: ProcedureOutput) => output,
  };
  if (!given.has("WAIT")) return callProcedure(shared, procedure);
  const seconds = parseDecimal(lossyText(given.get("WAITTIME") ?? new Uint8Array(0)));
  const waiting = seconds > 0 ? seconds * 1000 : DEFAULT_WAIT;
  return core.apart.submit(procedureCall(shared, procedure), waiting, options);
}

function checkName(operation: string, name: string): void {
  if (typeof name !== "string" || !name.isWellFormed()) {
    throw new TypeError(`Cannot ${operation}: the procedure is ${describe(name)}, not a name`);
  }
  if (name === "" || encodeURIComponent(name).length > MAX_NAME) {
    throw new RangeError(`Cannot ${operation}: the procedure's name is empty or too long`);
  }
}
