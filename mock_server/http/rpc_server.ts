/** The procedures that concern a database as a whole, or the server. */

import { formatDecimal, fromByteText, parseDecimal } from "../../src/codec/byte_text.ts";
import type { Database } from "../storage/storage.ts";
import {
  COMMAND_FAILED,
  type Failure,
  INVALID_PARAMETERS,
  NO_PERMISSION,
  NO_SCRIPTING,
  NO_TIMESTAMP_FILE,
  NO_UPDATE_LOG,
} from "./failures.ts";
import { onDatabase, type RpcCall, type RpcProcedure } from "./rpc_call.ts";

/** By name. */
export const serverProcedures: readonly (readonly [string, RpcProcedure])[] = [
  ["void", () => {}],
  ["echo", echo],
  ["report", report],
  ["status", onDatabase(status)],
  ["clear", onDatabase(clear)],
  ["synchronize", onDatabase(synchronize)],
  ["vacuum", onDatabase(vacuum)],
  ["play_script", playScript],
  ["tune_replication", tuneReplication],
  ["ulog_list", listUpdateLogs],
  ["ulog_remove", removeUpdateLogs],
];

/** Milliseconds times this make the unit of time stamps. */
const STAMPS_PER_MILLISECOND = 1_000_000n;
const DEFAULT_PORT = 1978;
/** As many workers as the real server has unless it is told otherwise. */
const THREADS = 16;

/** The numbers that Kyoto Cabinet has for the types of databases, by the name or its ending. */
const TYPES: Readonly<Record<string, readonly [type: number, realType: number]>> = {
  "-": [0x10, 0x10],
  "+": [0x11, 0x11],
  ":": [0x18, 0x18],
  "*": [0x20, 0x20],
  "%": [0x21, 0x20],
  kch: [0x30, 0x30],
  kct: [0x31, 0x30],
  kcd: [0x40, 0x40],
  kcf: [0x41, 0x40],
  kcx: [0x50, 0x50],
};

function echo(call: RpcCall): void {
  for (const [name, value] of call.input) call.give(name, value);
}

function report(call: RpcCall): void {
  const { storage, counters, connections } = call.state;
  let totalCount = 0, totalSize = 0;
  for (const { index, count, size, path } of storage.databases) {
    call.give(`db_${index}`, new TextEncoder().encode(`count=${count} size=${size} path=${path}`));
    totalCount += count;
    totalSize += size;
  }
  const now = storage.clock.now();
  const rows = {
    db_total_count: totalCount,
    db_total_size: totalSize,
    serv_conn_count: connections,
    serv_task_count: 0,
    serv_thread_count: THREADS,
    serv_current_time: formatDecimal(now / 1000),
    serv_running_term: formatDecimal((now - call.server.startedAt) / 1000),
    serv_proc_id: 1,
    cnt_set: counters.set,
    cnt_set_misses: counters.setMisses,
    cnt_remove: counters.remove,
    cnt_remove_misses: counters.removeMisses,
    cnt_get: counters.get,
    cnt_get_misses: counters.getMisses,
    cnt_script: counters.script,
    cnt_misc: counters.misc,
    conf_kt_version: "0.9.56b (2.19)",
    conf_kt_features: "(mock)",
    conf_kc_version: "1.2.76 (16.13)",
    conf_kc_features: "(mock)",
    conf_os_name: "Linux",
    ...masterRows(call, now),
  };
  for (const [name, value] of Object.entries(rows)) call.give(name, value);
}

function masterRows(call: RpcCall, now: number): Record<string, string | number | bigint> {
  const { follower } = call.server;
  if (follower === null || follower.master === null) return {};
  const { master, timestamp, interval } = follower;
  const delay = stampOf(now) - timestamp;
  return {
    repl_master_host: master.hostname,
    repl_master_port: master.port,
    repl_timestamp: timestamp,
    repl_interval: formatDecimal(interval),
    repl_delay: formatDecimal(delay > 0n ? Number(delay) / 1e9 : 0),
  };
}

function status(call: RpcCall, database: Database): void {
  call.state.counters.misc++;
  const { path, name, count, size, persistent } = database;
  const [type, realType] = TYPES[name] ?? TYPES[name.slice(-3)];
  call.give("count", count);
  call.give("size", size);
  call.give("path", new TextEncoder().encode(path));
  call.give("type", type);
  call.give("realtype", realType);
  call.give("ktopts", persistent ? 2 : 0);
  call.give("ktcapcnt", -1);
  call.give("ktcapsiz", -1);
}

function clear(call: RpcCall, database: Database): Failure | void {
  call.state.counters.misc++;
  // The kinds without a tree and a file do not ask whether they may.
  if (call.state.storage.readOnly && !["*", ":", "-", "+"].includes(database.name)) {
    return NO_PERMISSION;
  }
  database.clear();
}

function synchronize(call: RpcCall): Failure | void {
  call.state.counters.misc++;
  // There are no commands to be executed, so that calling any one fails.
  return (call.text("command") ?? "") === "" ? undefined : COMMAND_FAILED;
}

function vacuum(call: RpcCall, database: Database): void {
  call.state.counters.misc++;
  const step = call.integer("step") ?? 0n;
  if (call.state.storage.readOnly) return;
  if (step > 0n) database.collect(Number(step));
  else database.vacuum();
}

async function playScript(call: RpcCall): Promise<Failure | void> {
  const { procedures, counters, report } = call.state;
  if (procedures === null) return NO_SCRIPTING;
  const name = call.text("name") ?? "";
  if (!/^[A-Za-z0-9]+$/.test(name)) return INVALID_PARAMETERS;
  counters.script++;
  const outcome = await procedures.call(fromByteText(name), call.records());
  if (outcome.error !== undefined) report(outcome.error);
  switch (outcome.code) {
    case 0:
      for (const [key, value] of outcome.output) call.giveRecord(key, value);
      return undefined;
    case 1:
      return { status: 501, message: "no such scripting procedure" };
    case 2:
      return { status: 400, message: SCRIPT_FAILED };
    case 3:
      return { status: 450, message: SCRIPT_FAILED };
    case 4:
      return { status: 503, message: SCRIPT_FAILED };
    default:
      return { status: 500, message: SCRIPT_FAILED };
  }
}

const SCRIPT_FAILED = "the scripting procedure failed";

function tuneReplication(call: RpcCall): Failure | void {
  const { follower } = call.server;
  if (follower === null) return NO_TIMESTAMP_FILE;
  const hostname = call.text("host") ?? "";
  const port = Number(call.integer("port") ?? 0n);
  const interval = parseDecimal(call.text("iv") ?? "-1");
  follower.tune(
    hostname === "" ? null : { hostname, port: port < 1 ? DEFAULT_PORT : port },
    stampParameter(call),
    interval < 0 ? null : interval,
  );
}

function listUpdateLogs(call: RpcCall): Failure | void {
  const { updateLog } = call.server;
  if (updateLog === null) return NO_UPDATE_LOG;
  for (const { path, size, timestamp } of updateLog.files()) {
    call.give(path, `${size}:${timestamp}`);
  }
}

function removeUpdateLogs(call: RpcCall): Failure | void {
  const { updateLog } = call.server;
  if (updateLog === null) return NO_UPDATE_LOG;
  updateLog.removeFiles(stampParameter(call));
}

/** The parameter `ts`: a time stamp, or `now`; `null` when it is not there. */
function stampParameter(call: RpcCall): bigint | null {
  if (call.text("ts") === "now") return stampOf(call.state.storage.clock.now());
  const stamp = call.integer("ts");
  return stamp === undefined ? null : BigInt.asUintN(64, stamp);
}

function stampOf(milliseconds: number): bigint {
  return BigInt(Math.floor(milliseconds)) * STAMPS_PER_MILLISECOND;
}
