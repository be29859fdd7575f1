/** The options of `connect`, checked: what was asked for, or what is asked for by default. */

import { checkPositive, describe } from "../arguments.ts";
import { type Backoff, exponentialBackoff } from "../connection/backoff.ts";
import type { WhenFull } from "../connection/admission.ts";
import { type BatchLimits, DEFAULT_BATCH } from "../connection/request_queue.ts";
import { safely, type StatusListener } from "../connection/status.ts";
import type { AnyOptions, BatchingOptions, ConnectOptions, NumericOption } from "./options.ts";

const OPTION_NAMES: ReadonlySet<string> = new Set(
  [
    "hostname",
    "port",
    "path",
    "tls",
    "connector",
    "servers",
    "failbackInterval",
    "transport",
    "database",
    "codec",
    "connections",
    "minConnections",
    "idleTimeout",
    "pingInterval",
    "connectTimeout",
    "replyTimeout",
    "queueTimeout",
    "reconnect",
    "batching",
    "maxReplyBytes",
    "maxQueue",
    "maxQueueBytes",
    "whenFull",
    "onStatus",
    "diagnostics",
    "signal",
  ] satisfies (keyof ConnectOptions)[],
);

/** Whether all of them are options that there are. */
export function checkNames<T extends object>(options: T): T {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `Cannot connect: the options are ${describe(options)}, not an object or URL`,
    );
  }
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.has(name)) throw new TypeError(`Cannot connect: unknown option "${name}"`);
  }
  return options;
}

/** A number above 0. */
export function positive(
  options: { [K in NumericOption]?: number },
  name: NumericOption,
  otherwise: number,
): number {
  return checkPositive("connect", name, options[name] ?? otherwise);
}

function whole(
  options: { [K in NumericOption]?: number },
  name: NumericOption,
  otherwise: number,
): number {
  const value = positive(options, name, otherwise);
  if (!Number.isInteger(value)) {
    throw new RangeError(`Cannot connect: "${name}" is ${value}, not a whole number`);
  }
  return value;
}

/** An option that is a switch, or an object with options of its own. */
export function nested<T extends object>(
  name: string,
  value: boolean | T,
  known: readonly (keyof T & string)[],
): boolean | T {
  if (typeof value === "boolean") return value;
  if (typeof value !== "object" || value === null) {
    throw new TypeError(
      `Cannot connect: "${name}" is ${describe(value)}, not true, false or an object`,
    );
  }
  for (const key of Object.keys(value)) {
    if (!known.some((other) => other === key)) {
      throw new TypeError(`Cannot connect: unknown option "${name}.${key}"`);
    }
  }
  return value;
}

/** How often a lost connection is tried to be replaced, and after which waits. */
export function reconnection(
  { reconnect = true, transport }: AnyOptions,
): { attempts: number; backoff: Backoff } {
  const given = nested("reconnect", reconnect, ["attempts", "minDelay", "maxDelay"]);
  const { attempts = 10, minDelay = 50, maxDelay = 2000 } = typeof given === "object" ? given : {};
  checkPositive("connect", "reconnect.attempts", attempts);
  checkPositive("connect", "reconnect.minDelay", minDelay);
  checkPositive("connect", "reconnect.maxDelay", maxDelay);
  const never = reconnect === false || transport !== undefined;
  return { attempts: never ? 0 : attempts, backoff: exponentialBackoff(minDelay, maxDelay) };
}

/** How calls are put together. */
export function batchLimits(batching: boolean | BatchingOptions = true): BatchLimits {
  const given = nested("batching", batching, ["records", "bytes"]);
  if (given === false) return { records: 1, bytes: 0 };
  if (given === true) return DEFAULT_BATCH;
  const { records = DEFAULT_BATCH.records, bytes = DEFAULT_BATCH.bytes } = given;
  checkPositive("connect", "batching.records", records);
  checkPositive("connect", "batching.bytes", bytes);
  return { records, bytes };
}

/** How many connections there are at most, and how many while they are idle. */
export function connectionCounts(
  options: AnyOptions,
): { connections: number; minConnections: number } {
  const connections = whole(options, "connections", 1);
  const { minConnections = 1 } = options;
  if (!Number.isInteger(minConnections) || minConnections < 0 || minConnections > connections) {
    throw new RangeError(
      `Cannot connect: "minConnections" is ${describe(minConnections)}, not a whole number ` +
        `from 0 to "connections", which is ${connections}`,
    );
  }
  return { connections, minConnections };
}

/** What becomes of calls beyond the bounds. */
export function whenFull({ whenFull = "reject" }: AnyOptions): WhenFull {
  if (whenFull === "reject" || whenFull === "wait") return whenFull;
  throw new TypeError(
    `Cannot connect: "whenFull" is ${describe(whenFull)}, neither "reject" nor "wait"`,
  );
}

/** Whether calls are to be published. */
export function diagnostics({ diagnostics = false }: AnyOptions): boolean {
  if (typeof diagnostics === "boolean") return diagnostics;
  throw new TypeError(
    `Cannot connect: "diagnostics" is ${describe(diagnostics)}, not true or false`,
  );
}

/** Who is told of changes of the status. */
export function statusListener({ onStatus }: AnyOptions): StatusListener | null {
  if (onStatus === undefined) return null;
  if (typeof onStatus === "function") return safely(onStatus);
  throw new TypeError(`Cannot connect: "onStatus" is ${describe(onStatus)}, not a function`);
}
