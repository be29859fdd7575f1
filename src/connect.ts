/**
 * Connecting: puts together what was asked for.
 *
 * @module
 */

import { checkCallOptions, checkCodec, checkDatabase } from "./arguments.ts";
import { type KyotoTycoon, makeClient } from "./client.ts";
import {
  batchLimits,
  checkNames,
  connectionCounts,
  diagnostics,
  positive,
  reconnection,
  statusListener,
  whenFull,
} from "./connect/checks.ts";
import type { ConnectOptions } from "./connect/options.ts";
import { serversOf } from "./connect/servers.ts";
import { parseUrl } from "./connect/url.ts";
import { Pool, type PoolOptions } from "./connection/pool.ts";
import { loadObserver } from "./diagnostics.ts";
import { OwnConnections } from "./operations/own_connections.ts";
import { systemTimers } from "./transport/timers.ts";
import type { Value } from "./types.ts";
import { bytes, type Codec } from "./value_codec.ts";

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
    observer: diagnostics(given) ? await loadObserver() : null,
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
