/** What a server says about itself and its databases. */

import { ProtocolError } from "../errors.ts";
import type { ProcedureOutput } from "./output.ts";
import { callProcedure, lossyText, type RpcContext } from "./rpc_call.ts";

/** How much a database holds. */
export interface DatabaseSize {
  /**
   * How many records, expired ones included that have not been collected yet; -1 where the server does
   * not know, as with plain text.
   */
  count: number;
  /** Bytes that it takes up, in memory or in its file. */
  size: number;
  /** As on the server's command line, without options: `*`, `%`, or the path of a file. */
  path: string;
}

/** What `status` returns. */
export interface DatabaseStatus extends DatabaseSize {
  /** The kind of database, such as `"cache hash"` for `*`, `"cache tree"` for `%`, `"file tree"`. */
  type: string;
  /** Whether its records are in the order of their keys, so that cursors can go backwards. */
  ordered: boolean;
  /** All that the server says, by its own names; what there is depends on the kind. */
  rows: ReadonlyMap<string, string>;
}

/** How often something was done, and how often in vain. Records count, not requests. */
export interface OperationCount {
  /** All of them. */
  count: number;
  /** Those that failed, or found no record. */
  misses: number;
}

/** Whom a server follows, and how far it is behind. */
export interface MasterReport {
  /** Its host name or address. */
  hostname: string;
  /** Its port. */
  port: number;
  /** The time stamp up to which its updates have come. */
  timestamp: bigint;
  /** Milliseconds that slow the follower down. */
  interval: number;
  /** Milliseconds between that time stamp and now. */
  delay: number;
}

/** What `report` returns. */
export interface ServerReport {
  /** The databases, by index. */
  databases: DatabaseSize[];
  /** Records in all of them, as the server adds them up. */
  count: number;
  /** Bytes that all of them take up. */
  size: number;
  /** Open connections. */
  connections: number;
  /** Requests that wait for a thread. */
  tasks: number;
  /** Threads, each of which serves one request, one waiting caller or one follower at a time. */
  threads: number;
  /** The server's clock. */
  time: Date;
  /** Milliseconds since it was started. */
  uptime: number;
  /** The server's version. */
  version: string;
  /** Records stored, by whatever operation. */
  stored: OperationCount;
  /** Records removed. */
  removed: OperationCount;
  /** Records read. */
  read: OperationCount;
  /** Calls of scripts. */
  scripts: number;
  /** All other operations. */
  others: number;
  /** Whom it follows; `null`: nobody. */
  master: MasterReport | null;
  /** All that the server says, by its own names. */
  rows: ReadonlyMap<string, string>;
}

/** The kinds of databases by Kyoto Cabinet's numbers. */
const TYPES: Readonly<Record<number, string>> = {
  0x10: "prototype hash",
  0x11: "prototype tree",
  0x18: "stash",
  0x20: "cache hash",
  0x21: "cache tree",
  0x30: "file hash",
  0x31: "file tree",
  0x40: "directory hash",
  0x41: "directory tree",
  0x50: "plain text",
};

/** The state of a database. */
export function databaseStatus(context: RpcContext): Promise<DatabaseStatus> {
  return callProcedure(context, { name: "status", rows: [], pure: true, take: statusOf });
}

/** The state of a server. */
export function serverReport(context: RpcContext): Promise<ServerReport> {
  return callProcedure(context, { name: "report", rows: [], pure: true, take: reportOf });
}

function statusOf(output: ProcedureOutput): DatabaseStatus {
  const rows = rowsOf(output);
  const type = TYPES[numberRow(rows, "type")] ?? "other";
  return {
    count: numberRow(rows, "count", "-1"),
    size: numberRow(rows, "size"),
    path: rows.get("path") ?? "",
    type,
    ordered: type.endsWith("tree"),
    rows,
  };
}

function reportOf(output: ProcedureOutput): ServerReport {
  const rows = rowsOf(output);
  const operations = (name: string): OperationCount => ({
    count: numberRow(rows, name),
    misses: numberRow(rows, `${name}_misses`),
  });
  return {
    databases: databasesOf(rows),
    count: numberRow(rows, "db_total_count"),
    size: numberRow(rows, "db_total_size"),
    connections: numberRow(rows, "serv_conn_count"),
    tasks: numberRow(rows, "serv_task_count"),
    threads: numberRow(rows, "serv_thread_count"),
    time: new Date(millisecondsRow(rows, "serv_current_time")),
    uptime: millisecondsRow(rows, "serv_running_term"),
    version: rows.get("conf_kt_version") ?? "",
    stored: operations("cnt_set"),
    removed: operations("cnt_remove"),
    read: operations("cnt_get"),
    scripts: numberRow(rows, "cnt_script"),
    others: numberRow(rows, "cnt_misc"),
    master: masterOf(rows),
    rows,
  };
}

function databasesOf(rows: ReadonlyMap<string, string>): DatabaseSize[] {
  const databases: DatabaseSize[] = [];
  for (;;) {
    const text = rows.get(`db_${databases.length}`);
    if (text === undefined) return databases;
    const [, count, size, path] = /^count=(-?\d+) size=(-?\d+) path=(.*)$/s.exec(text) ?? [];
    if (path === undefined) {
      throw new ProtocolError(`Cannot read a reply: a database is reported as "${text}"`);
    }
    databases.push({ count: Number(count), size: Number(size), path });
  }
}

function masterOf(rows: ReadonlyMap<string, string>): MasterReport | null {
  const hostname = rows.get("repl_master_host");
  if (hostname === undefined || hostname === "") return null;
  return {
    hostname,
    port: numberRow(rows, "repl_master_port"),
    timestamp: BigInt.asUintN(64, BigInt(rows.get("repl_timestamp") ?? 0)),
    interval: millisecondsRow(rows, "repl_interval"),
    delay: millisecondsRow(rows, "repl_delay"),
  };
}

function rowsOf(output: ProcedureOutput): Map<string, string> {
  return new Map(Array.from(output, ([name, value]) => [lossyText(name), lossyText(value)]));
}

function numberRow(rows: ReadonlyMap<string, string>, name: string, otherwise = ""): number {
  const text = rows.get(name) ?? otherwise;
  if (!/^-?\d+(\.\d+)?$/.test(text)) {
    throw new ProtocolError(`Cannot read a reply: the row "${name}" is no number but "${text}"`);
  }
  return Number(text);
}

/** A row in seconds, as milliseconds. */
function millisecondsRow(rows: ReadonlyMap<string, string>, name: string): number {
  // Rounded to what the server keeps, microseconds.
  return Math.round(numberRow(rows, name) * 1e6) / 1000;
}
