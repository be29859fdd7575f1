/**
 * Connecting: what can be asked for, checked and put together.
 *
 * @module
 */

import {
  checkCallOptions,
  checkCodec,
  checkDatabase,
  checkPositive,
  describe,
} from "./arguments.ts";
import { type KyotoTycoon, makeClient } from "./client.ts";
import { exponentialBackoff } from "./connection/backoff.ts";
import type { WhenFull } from "./connection/admission.ts";
import type { Server } from "./connection/dialer.ts";
import { Pool, type PoolOptions } from "./connection/pool.ts";
import { type BatchLimits, DEFAULT_BATCH } from "./connection/request_queue.ts";
import { safely, type StatusEvent } from "./connection/status.ts";
import { loadObserver } from "./diagnostics.ts";
import { systemTimers } from "./transport/timers.ts";
import { OwnConnections } from "./operations/own_connections.ts";
import { runtimeConnector } from "./transport/detect.ts";
import type { Address, Connector, TlsOptions, Transport } from "./transport/transport.ts";
import type { Value } from "./types.ts";
import { bytes, type Codec } from "./value_codec.ts";

/** How a lost connection is replaced. */
export interface ReconnectOptions {
  /**
   * Attempts in a row before the calls that wait are given up; `Infinity` never gives up. The next
   * call begins anew. Default 10.
   */
  attempts?: number;
  /** Milliseconds before the second attempt, doubled with each further one, drawn at random below. Default 50. */
  minDelay?: number;
  /** The most milliseconds between attempts. Default 2000. */
  maxDelay?: number;
}

/** How calls of one tick are put together. */
export interface BatchingOptions {
  /** Most records of one request, 1 to 1024. Default 512. */
  records?: number;
  /** Most bytes of keys and values that are gathered in one request. Default 65536. */
  bytes?: number;
}

/** Where a server is. */
export interface ServerOptions {
  /** Host name or address. Default `"127.0.0.1"`. */
  hostname?: string;
  /** TCP port. Default 1978. */
  port?: number;
  /** A Unix socket, instead of host and port. */
  path?: string;
  /** TLS, for servers behind a TLS proxy. Default `false`. */
  tls?: boolean | TlsOptions;
  /** Makes the connections, instead of this runtime's sockets. */
  connector?: Connector;
}

/** What `connect` takes. All times are milliseconds. */
export interface ConnectOptions<V = Uint8Array, In = Value> extends ServerOptions {
  /**
   * Several servers, in the order in which they are preferred, each an address or a URL; instead of
   * one. All calls go to the first that answers.
   */
  servers?: readonly (string | URL | ServerOptions)[];
  /** How often it is seen whether a server before the present one is back. Default 5000. */
  failbackInterval?: number;
  /** A connection that is there already, such as a pair of streams. It is not replaced when lost. */
  transport?: Transport;
  /** The database of calls that name none, 0 to 65535. Default 0. */
  database?: number;
  /** How values are turned into bytes and back. Default `bytes`. */
  codec?: Codec<V, In>;
  /** Most connections at a time; order is kept on each, not between them. Default 1. */
  connections?: number;
  /** How many of them stay open while they are idle. Default 1. */
  minConnections?: number;
  /** How long the others stay open while they are idle. Default 60000. */
  idleTimeout?: number;
  /**
   * How long a connection may be idle before the server is asked for a sign of life, so that one that
   * is gone without a word is found before it is needed. Default `Infinity`: never.
   */
  pingInterval?: number;
  /** How long connecting may take. Default 10000. */
  connectTimeout?: number;
  /** How long nothing may come once a reply is due. Default 10000. */
  replyTimeout?: number;
  /** How long a call may wait for a connection. Default 10000. */
  queueTimeout?: number;
  /** Whether, and how, a lost connection is replaced. Default `true`. */
  reconnect?: boolean | ReconnectOptions;
  /** Whether, and how, neighbouring calls share a request. Default `true`. */
  batching?: boolean | BatchingOptions;
  /** Most bytes of keys and values in one reply. Default 2^29 (512 MiB). */
  maxReplyBytes?: number;
  /** Most calls that may be pending. Default 1000000. */
  maxQueue?: number;
  /** Most bytes of keys and values in calls that are pending. Default 2^29 (512 MiB). */
  maxQueueBytes?: number;
  /**
   * What becomes of a call beyond these two bounds: it rejects with a `QueueFullError`, or waits for
   * its turn. Default `"reject"`.
   */
  whenFull?: WhenFull;
  /** Is told when the client is connected, disconnected, reconnecting and closed, and why. */
  onStatus?: (event: StatusEvent) => void;
  /**
   * Whether calls are published on the channels `kyoto-tycoon:call:start` and `kyoto-tycoon:call:end`
   * of `node:diagnostics_channel`, while somebody subscribes to them. Default `false`.
   */
  diagnostics?: boolean;
  /** Gives up connecting. */
  signal?: AbortSignal;
}

/** The options whose types do not depend on the codec. */
type AnyOptions = Omit<ConnectOptions, "codec">;

const DEFAULT_PORT = 1978;
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

/**
 * Connects to a Kyoto Tycoon server.
 *
 * A URL names the server - `kt://host:1978`, `kts://` with TLS, `kt+unix:///path` - and may set numeric
 * options, as in `kt://127.0.0.1:1978?database=1&replyTimeout=2000`.
 *
 * @param target Where to, and how; or a URL.
 * @param options More options, beside a URL.
 * @returns The client, connected. It reconnects by itself from then on.
 * @throws {ConnectionError} The server cannot be reached.
 * @throws {TimeoutError} It does not answer within `connectTimeout`.
 * @throws {TypeError | RangeError} An option is wrong.
 *
 * @example
 * ```ts
 * import { connect } from "@kyoto/tycoon";
 * import { startMockServer } from "@kyoto/tycoon/mock-server";
 *
 * await using server = await startMockServer();
 * await using kt = await connect({ port: server.port, connectTimeout: 1000 });
 * await kt.ping();
 * ```
 */
export async function connect<V = Uint8Array, In = Value>(
  target: ConnectOptions<V, In> | string | URL = {},
  options: ConnectOptions<V, In> = {},
): Promise<KyotoTycoon<V, In>> {
  checkNames(options);
  const given: ConnectOptions<V, In> = typeof target === "string" || target instanceof URL
    ? { ...options, ...parseUrl<V, In>(target, options.tls) }
    : { ...checkNames(target), ...options };
  checkCallOptions("connect", { signal: given.signal });
  const maxReplyBytes = positive(given, "maxReplyBytes", 2 ** 29);
  const database = checkDatabase("connect", given.database ?? 0);
  const codec = checkCodec("connect", given.codec ?? bytes as unknown as Codec<V, In>);
  const servers = await serversOf(given);
  const { attempts, backoff } = reconnection(given);
  const poolOptions: PoolOptions = {
    servers,
    ...connectionCounts(given),
    idleTimeout: positive(given, "idleTimeout", 60_000),
    pingInterval: positive(given, "pingInterval", Infinity),
    failbackInterval: positive(given, "failbackInterval", 5_000),
    connectTimeout: positive(given, "connectTimeout", 10_000),
    replyTimeout: positive(given, "replyTimeout", 10_000),
    queueTimeout: positive(given, "queueTimeout", 10_000),
    attempts,
    backoff,
    batch: batchLimits(given.batching),
    maxReplyBytes,
    maxQueue: positive(given, "maxQueue", 1_000_000),
    maxQueueBytes: positive(given, "maxQueueBytes", 2 ** 29),
    whenFull: whenFull(given),
    timers: systemTimers,
    onStatus: statusListener(given),
    observer: flag(given, "diagnostics") ? await loadObserver() : null,
  };
  const pool = new Pool(poolOptions);
  await pool.open(given.signal);
  const timers = systemTimers;
  const core = {
    pool,
    lane: null,
    maxReplyBytes,
    timers,
    // Each server has an update log of its own: a stream cannot go on with another one's.
    connector: servers[0].connector,
    replication: { timers, backoff },
    apart: new OwnConnections(pool, given.transport === undefined ? ownPool(poolOptions) : null),
    cursors: { count: 0 },
  };
  return makeClient(core, database, codec);
}

/** Makes pools of one connection for one call, whose reply may take so much longer. */
function ownPool(options: PoolOptions): (waiting: number) => Pool {
  return (waiting) =>
    new Pool({
      ...options,
      connections: 1,
      minConnections: 1,
      attempts: 1,
      onStatus: null,
      replyTimeout: options.replyTimeout + waiting,
    });
}

type NumericOption = {
  [K in keyof ConnectOptions]-?: ConnectOptions[K] extends number | undefined ? K : never;
}[keyof ConnectOptions];

function checkNames<T extends object>(options: T): T {
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

function positive(
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
function nested<T extends object>(
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

function reconnection({ reconnect = true, transport }: AnyOptions) {
  const given = nested("reconnect", reconnect, ["attempts", "minDelay", "maxDelay"]);
  const { attempts = 10, minDelay = 50, maxDelay = 2000 } = typeof given === "object" ? given : {};
  checkPositive("connect", "reconnect.attempts", attempts);
  checkPositive("connect", "reconnect.minDelay", minDelay);
  checkPositive("connect", "reconnect.maxDelay", maxDelay);
  const never = reconnect === false || transport !== undefined;
  return { attempts: never ? 0 : attempts, backoff: exponentialBackoff(minDelay, maxDelay) };
}

function batchLimits(batching: boolean | BatchingOptions = true): BatchLimits {
  const given = nested("batching", batching, ["records", "bytes"]);
  if (given === false) return { records: 1, bytes: 0 };
  if (given === true) return DEFAULT_BATCH;
  const { records = DEFAULT_BATCH.records, bytes = DEFAULT_BATCH.bytes } = given;
  checkPositive("connect", "batching.records", records);
  checkPositive("connect", "batching.bytes", bytes);
  return { records, bytes };
}

function connectionCounts(options: AnyOptions): { connections: number; minConnections: number } {
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

function whenFull({ whenFull = "reject" }: AnyOptions): WhenFull {
  if (whenFull === "reject" || whenFull === "wait") return whenFull;
  throw new TypeError(
    `Cannot connect: "whenFull" is ${describe(whenFull)}, neither "reject" nor "wait"`,
  );
}

function flag(options: AnyOptions, name: "diagnostics"): boolean {
  const value = options[name] ?? false;
  if (typeof value === "boolean") return value;
  throw new TypeError(`Cannot connect: "${name}" is ${describe(value)}, not true or false`);
}

function statusListener({ onStatus }: AnyOptions): ((event: StatusEvent) => void) | null {
  if (onStatus === undefined) return null;
  if (typeof onStatus === "function") return safely(onStatus);
  throw new TypeError(`Cannot connect: "onStatus" is ${describe(onStatus)}, not a function`);
}

const SERVER_NAMES: ReadonlySet<string> = new Set(
  ["hostname", "port", "path", "tls", "connector"] satisfies (keyof ServerOptions)[],
);

async function serversOf(options: AnyOptions): Promise<Server[]> {
  const { servers } = options;
  if (servers === undefined) return [await serverOf(options)];
  if (!Array.isArray(servers) || servers.length === 0) {
    throw new TypeError('Cannot connect: "servers" is not an array of at least one server');
  }
  const other = [...SERVER_NAMES, "transport"].find((name) => name in options);
  if (other !== undefined) {
    throw new TypeError(`Cannot connect: "${other}" is of one server, and "servers" are given`);
  }
  return await Promise.all(servers.map((server: unknown) => {
    const one = typeof server === "string" || server instanceof URL
      ? parseUrl(server, undefined)
      : server;
    if (typeof one !== "object" || one === null) {
      throw new TypeError(`Cannot connect: a server is ${describe(one)}, not an object or URL`);
    }
    for (const name of Object.keys(one)) {
      if (SERVER_NAMES.has(name)) continue;
      throw new TypeError(`Cannot connect: "${name}" cannot be set for one of several servers`);
    }
    return serverOf(one);
  }));
}

async function serverOf(options: AnyOptions): Promise<Server> {
  const { connector, transport, path, hostname = "127.0.0.1", port = DEFAULT_PORT } = options;
  const ways = [connector, transport, path, options.hostname ?? options.port]
    .filter((way) => way !== undefined);
  if (ways.length > 1) {
    throw new TypeError(
      'Cannot connect: give only one of "connector", "transport", "path", and "hostname" with "port"',
    );
  }
  const tls = tlsOptions(options.tls ?? false);
  if (tls !== undefined && (connector ?? transport ?? path) !== undefined) {
    // Ignored, it would leave somebody unprotected who believes to be.
    throw new TypeError('Cannot connect: "tls" is only for "hostname" and "port"');
  }
  if (connector !== undefined) {
    if (typeof connector !== "function") {
      throw new TypeError(`Cannot connect: "connector" is ${describe(connector)}, not a function`);
    }
    return { connector, address: "the connector's server" };
  }
  if (transport !== undefined) {
    return { connector: () => transport, address: "the transport's server" };
  }
  if (path !== undefined) {
    return { connector: await runtimeConnector({ path: name("path", path) }), address: path };
  }
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new RangeError(
      `Cannot connect: "port" is ${describe(port)}, not a whole number from 1 to 65535`,
    );
  }
  const address: Address = { hostname: name("hostname", hostname), port, tls };
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return { connector: await runtimeConnector(address), address: `${host}:${port}` };
}

function name(option: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new TypeError(`Cannot connect: "${option}" is ${describe(value)}, not a name`);
}

function tlsOptions(tls: boolean | TlsOptions): TlsOptions | undefined {
  const given = nested("tls", tls, ["caCerts", "serverName"]);
  if (typeof given === "boolean") return given ? {} : undefined;
  const { caCerts, serverName } = given;
  if (caCerts !== undefined && !Array.isArray(caCerts)) {
    throw new TypeError(
      `Cannot connect: "tls.caCerts" is ${describe(caCerts)}, not an array of texts in PEM`,
    );
  }
  if (serverName !== undefined) name("tls.serverName", serverName);
  return given;
}

/** Options that a URL may set. */
const URL_OPTIONS = [
  "database",
  "connections",
  "minConnections",
  "idleTimeout",
  "pingInterval",
  "connectTimeout",
  "replyTimeout",
  "queueTimeout",
  "maxReplyBytes",
  "maxQueue",
  "maxQueueBytes",
] as const satisfies readonly NumericOption[];

/** `kt://host:port`, `kts://host:port`, `kt+unix:///path`, each with numeric options behind `?`. */
function parseUrl<V, In>(
  url: string | URL,
  tls: boolean | TlsOptions | undefined,
): ConnectOptions<V, In> {
  const text = String(url);
  if (!URL.canParse(text)) throw new TypeError(`Cannot connect: "${text}" is not a URL`);
  const { protocol, hostname, port, pathname, searchParams, username, password, hash } = new URL(
    text,
  );
  const options: ConnectOptions<V, In> = {};
  if (username !== "" || password !== "" || hash !== "") {
    throw new TypeError("Cannot connect: the URL has a user, password or fragment");
  }
  if (protocol === "kt+unix:") {
    if (hostname !== "" || pathname === "" || pathname === "/") {
      throw new TypeError(
        `Cannot connect: "${text}" does not name a path, as kt+unix:///path does`,
      );
    }
    try {
      options.path = decodeURIComponent(pathname);
    } catch (cause) {
      throw new TypeError(`Cannot connect: "${text}" is not a URL`, { cause });
    }
  } else if (protocol === "kt:" || protocol === "kts:") {
    if (hostname === "") throw new TypeError(`Cannot connect: "${text}" does not name a host`);
    if (pathname !== "" && pathname !== "/") {
      throw new TypeError(
        `Cannot connect: "${text}" has a path; a database is given as "?database=1"`,
      );
    }
    options.hostname = hostname.replace(/^\[(.*)\]$/, "$1");
    options.port = port === "" ? DEFAULT_PORT : Number(port);
    if (protocol === "kts:") options.tls = typeof tls === "object" ? tls : true;
  } else {
    throw new TypeError(
      `Cannot connect: the URL begins with "${protocol}", not "kt:", "kts:" or "kt+unix:"`,
    );
  }
  for (const [name, value] of searchParams) {
    const option = URL_OPTIONS.find((known) => known === name);
    if (option === undefined) {
      throw new TypeError(`Cannot connect: unknown option "${name}" in the URL`);
    }
    if (value.trim() === "" || Number.isNaN(Number(value))) {
      throw new RangeError(`Cannot connect: "${name}" is "${value}" in the URL, not a number`);
    }
    options[option] = Number(value);
  }
  return options;
}
