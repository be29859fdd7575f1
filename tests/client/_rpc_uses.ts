/** Which method of the client calls a recorded procedure, and what its replies then mean. */

import type { Cursor, KyotoTycoon } from "../../mod.ts";
import { fromLatin1 as data, latin1 } from "./_rpc.ts";

/** Rows by name; both are texts of one character per byte. */
export type Rows = Map<string, string>;

/** A method that calls a procedure, and what that comes to. */
export interface Use {
  call: (kt: KyotoTycoon) => Promise<unknown>;
  /** What a success comes to. */
  success: (output: Rows) => unknown;
  /** What failures come to that are answers, by the database's code. */
  misses?: Record<number, unknown>;
}

/** The cursors of a connection, by the numbers that they had when they were recorded. */
export type Cursors = Map<string, { cursor: Cursor; database: number }>;

/** The options that most methods take. */
interface Options {
  database: number;
  wake?: string | { name: string; all: boolean };
}

/** Takes a row out of those that a method must account for. */
type Take = (name: string) => string | undefined;

/** A row that was recorded in bulk procedures, where it is no record; no method sends it. */
export const NO_RECORD = "plain";

const NEVER = 2 ** 40 - 1;

/** How a method of the client calls a procedure with these rows; `null`: none does. */
export function useOf(procedure: string, rows: Rows, cursors: Cursors): Use | null {
  const left = new Map(rows);
  const take: Take = (name) => {
    const value = left.get(name);
    left.delete(name);
    return value;
  };
  const database = take("DB") ?? "0", expiration = expirationOf(take("xt"));
  if (!/^(0|[1-9]\d*)$/.test(database) || expiration === null) return null;
  const signal = take("SIGNAL"), all = take("SIGNALBROAD") !== undefined;
  const wake = signal === undefined || !all ? signal : { name: signal, all };
  const options = { database: Number(database), wake, ...expiration };
  const use = procedure.startsWith("cur_")
    ? cursorUse(procedure, take, options, rows.has("DB"), cursors)
    : procedure.startsWith("match_")
    ? matchUse(procedure, take, options)
    : procedure.endsWith("_bulk")
    ? bulkUse(procedure, take, options, left)
    : orderUse(procedure, take, options) ?? recordUse(procedure, take, options);
  return left.size === 0 ? use : null;
}

/** Calls a procedure by `rpc`, which takes everything but cursors. */
export function rpcUse(procedure: string, rows: Rows): Use | null {
  if (rows.has("CUR")) return null;
  const input = [...rows].map(([name, value]) => [data(name), data(value)] as const);
  return {
    call: async (kt) =>
      [...await kt.rpc(procedure, input)].map(([name, value]) => [latin1(name), latin1(value)]),
    success: (output) => [...output],
  };
}

function expirationOf(xt: string | undefined) {
  if (xt === undefined) return {};
  const seconds = Number(xt);
  if (!/^-?\d+$/.test(xt) || Math.abs(seconds) >= NEVER) return null;
  return seconds < 0
    ? { expireAt: { epochMilliseconds: -seconds * 1000 } }
    : { expireIn: seconds * 1000 };
}

const nothing = () => undefined, yes = () => true;

/** What concerns a database as a whole, or the server. */
function orderUse(procedure: string, take: Take, options: Options): Use | null {
  const numberOf = (name: string) => {
    const text = take(name);
    return text === undefined ? undefined : Number(text);
  };
  switch (procedure) {
    case "void": {
      const { wake } = options;
      if (wake === undefined) return null;
      const { name, all } = typeof wake === "string" ? { name: wake, all: false } : wake;
      return {
        call: (kt) => kt.wake(name, { all }),
        success: (output) => Number(output.get("SIGNALED")),
      };
    }
    case "clear":
      return { call: (kt) => kt.clear(options), success: nothing };
    case "synchronize": {
      const hard = take("hard") !== undefined, command = take("command");
      return { call: (kt) => kt.synchronize({ ...options, hard, command }), success: nothing };
    }
    case "vacuum": {
      const steps = numberOf("step");
      if (Number.isNaN(steps)) return null;
      return { call: (kt) => kt.vacuum({ ...options, steps }), success: nothing };
    }
    case "ulog_remove": {
      const ts = take("ts"), until = ts === undefined ? undefined : BigInt(ts);
      return { call: (kt) => kt.removeUpdateLogs(until), success: nothing };
    }
    case "tune_replication":
      return { call: (kt) => kt.follow(null), success: nothing };
    default:
      return null;
  }
}

function matchUse(procedure: string, take: Take, options: Options): Use | null {
  const pattern = take({ match_prefix: "prefix", match_regex: "regex" }[procedure] ?? "origin");
  const max = take("max"), range = take("range"), utf8 = take("utf") !== undefined;
  if (pattern === undefined || Number(max ?? 0) < 0 || Number(range ?? 0) < 0) return null;
  const limit = max === undefined ? undefined : Number(max);
  const distance = range === undefined ? undefined : Number(range);
  const given = { ...options, limit, distance, utf8 };
  return {
    call: (kt) =>
      procedure === "match_prefix"
        ? kt.matchPrefix(data(pattern), given)
        : procedure === "match_regex"
        ? kt.matchRegex(pattern, given)
        : kt.matchSimilar(data(pattern), given),
    success: (output) =>
      [...output].filter(([name]) => name[0] === "_")
        .sort(([, a], [, b]) => Number(a) - Number(b))
        .map(([name]) => data(name.slice(1))),
  };
}

function recordUse(procedure: string, take: Take, options: Options): Use | null {
  const key = take("key");
  if (key === undefined) return null;
  const k = data(key), bytes = (text: string | undefined) => text === undefined ? null : data(text);
  switch (procedure) {
    case "set":
    case "add":
    case "replace":
    case "append": {
      const value = take("value");
      if (value === undefined || procedure === "set" && options.wake === undefined) return null;
      const call: Use["call"] = (kt) => kt[procedure](k, data(value), options);
      return procedure === "set" || procedure === "append"
        ? { call, success: nothing }
        : { call, success: yes, misses: { [procedure === "add" ? 6 : 7]: false } };
    }
    case "increment": {
      const num = take("num") ?? "", orig = take("orig");
      if (!/^-?\d+$/.test(num)) return null;
      return {
        call: (kt) =>
          kt.increment(k, BigInt(num), { ...options, initial: initialOf(orig, BigInt) }),
        success: (output) => BigInt(output.get("num")!),
      };
    }
    case "increment_double": {
      const num = (take("num") ?? "").replace("inf", "Infinity"), orig = take("orig");
      if (String(Number(num)) !== num) return null;
      const initial = initialOf(orig, Number);
      return {
        call: (kt) => kt.incrementDouble(k, Number(num), { ...options, initial }),
        success: (output) => Number(output.get("num")!.replace("inf", "Infinity")),
      };
    }
    case "cas": {
      const expected = bytes(take("oval")), next = bytes(take("nval"));
      const call: Use["call"] = (kt) => kt.cas(k, expected, next, options);
      return { call, success: yes, misses: { 8: false } };
    }
    case "check":
      return {
        call: (kt) => kt.check(k, options),
        success: (output) => ({ size: Number(output.get("vsiz")), expiresAt: dateOf(output) }),
        misses: { 7: null },
      };
    case "seize":
      return {
        call: (kt) => kt.seize(k, options),
        success: (output) => bytes(output.get("value")),
        misses: { 7: null },
      };
    default:
      // What has a binary form takes that.
      return null;
  }
}

function initialOf<N>(
  orig: string | undefined,
  parse: (text: string) => N,
): N | "must-exist" | "reset" | undefined {
  if (orig === undefined) return undefined;
  return orig === "try" ? "must-exist" : orig === "set" ? "reset" : parse(orig);
}

function dateOf(output: Rows): Date | null {
  const xt = output.get("xt");
  return xt === undefined ? null : new Date(Number(xt) * 1000);
}

function bulkUse(procedure: string, take: Take, options: Options, left: Rows): Use | null {
  if (take("atomic") === undefined) return null;
  take(NO_RECORD);
  const records = [...left].filter(([name]) => name[0] === "_")
    .map(([name, value]) => [data(name.slice(1)), data(value)] as const);
  for (const [name] of left) if (name[0] === "_") left.delete(name);
  const keys = records.map(([key]) => key), given = { ...options, atomic: true } as const;
  const count = (output: Rows) => Number(output.get("num"));
  switch (procedure) {
    case "set_bulk":
      return { call: (kt) => kt.setBulk(records, given), success: count };
    case "remove_bulk":
      return { call: (kt) => kt.removeBulk(keys, given), success: count };
    default:
      return {
        call: (kt) => kt.getBulk(keys, given),
        success: (output) =>
          keys.map((key) => ({ key, value: output.get(`_${latin1(key)}`) }))
            .filter(({ value }) => value !== undefined)
            .map(({ key, value }) => ({ key, value: data(value!), database: options.database })),
      };
  }
}

function cursorUse(
  procedure: string,
  take: Take,
  options: Options,
  named: boolean,
  cursors: Cursors,
): Use | null {
  const number = take("CUR"), key = take("key"), value = take("value");
  const step = take("step") !== undefined;
  if (number === undefined || !/^\d+$/.test(number)) return null;
  // A cursor belongs to the database that is named when it is made.
  const known = cursors.get(number);
  const { database } = known !== undefined && !named ? known : options;
  const entryOf = (output: Rows) => ({
    key: data(output.get("key")!),
    value: data(output.get("value")!),
    database,
    expiresAt: dateOf(output),
  });
  const moving = (call: (cursor: Cursor) => Promise<boolean>) => use(call, yes, false);
  const use = (
    call: (cursor: Cursor) => Promise<unknown>,
    success: Use["success"],
    nowhere: unknown,
  ): Use => ({
    call(kt) {
      const used = known?.database === database ? known : {
        cursor: kt.cursor({ database }),
        database,
      };
      cursors.set(number, used);
      return call(used.cursor);
    },
    success,
    misses: { 7: nowhere },
  });
  const at = key === undefined ? undefined : data(key);
  switch (procedure) {
    case "cur_jump":
      return moving((cursor) => cursor.jump(at));
    case "cur_jump_back":
      return moving((cursor) => cursor.jumpBack(at));
    case "cur_step":
      return moving((cursor) => cursor.step());
    case "cur_step_back":
      return moving((cursor) => cursor.stepBack());
    case "cur_remove":
      return moving((cursor) => cursor.remove());
    case "cur_set_value":
      if (value === undefined) return null;
      return moving((cursor) => cursor.setValue(data(value), { ...options, step }));
    case "cur_get_key":
      return use((cursor) => cursor.getKey({ step }), (output) => data(output.get("key")!), null);
    case "cur_get_value":
      return use(
        (cursor) => cursor.getValue({ step }),
        (output) => data(output.get("value")!),
        null,
      );
    case "cur_get":
      return use((cursor) => cursor.get({ step }), entryOf, null);
    case "cur_seize":
      return use((cursor) => cursor.seize(), entryOf, null);
    default:
      return null;
  }
}
