/** A pool whose server, sockets and time are the test's. */

import { Pool, type PoolOptions } from "../../src/connection/pool.ts";
import type { Server } from "../../src/connection/dialer.ts";
import { DEFAULT_BATCH } from "../../src/connection/request_queue.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { pingCall } from "../../src/connection/ping.ts";
import { FakeTimers, turn } from "../fake_timers.ts";
import { replies } from "../scripted_server.ts";
import { FakeSocket } from "./_fake_socket.ts";

/** Where the pool connects to. */
export class FakeServer {
  /** What becomes of attempts to connect. */
  mode: "accept" | "refuse" | "hang" = "accept";
  /** How many there were. */
  attempts = 0;
  /** The connections that were accepted. */
  readonly sockets: FakeSocket[] = [];
  /** The signals of attempts that hang. */
  readonly signals: AbortSignal[] = [];
  #hanging: ((transport: Transport) => void)[] = [];

  readonly connector = (signal: AbortSignal): Transport | Promise<Transport> => {
    this.attempts++;
    if (this.mode === "refuse") throw new Error("connection refused");
    if (this.mode === "accept") return this.#accept();
    this.signals.push(signal);
    return new Promise((resolve) => this.#hanging.push(resolve));
  };

  /** As a pool is told of it. */
  readonly address: Server;

  constructor(address = "server:1978") {
    this.address = { connector: this.connector, address };
  }

  #accept(): Transport {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    return socket.transport;
  }

  /** Accepts an attempt that hangs. */
  accept(): void {
    this.#hanging.shift()!(this.#accept());
  }

  /** The latest connection. */
  get socket(): FakeSocket {
    return this.sockets.at(-1)!;
  }
}

export interface Setting {
  pool: Pool;
  server: FakeServer;
  timers: FakeTimers;
}

/** A pool that has not connected yet. The n-th wait between attempts takes n seconds. */
export function unconnected(options: Partial<PoolOptions> = {}): Setting {
  const server = new FakeServer(), timers = new FakeTimers();
  const pool = new Pool({
    servers: [server.address],
    connections: 1,
    minConnections: 1,
    idleTimeout: Infinity,
    pingInterval: Infinity,
    failbackInterval: 5_000,
    connectTimeout: 4_000,
    replyTimeout: 10_000,
    queueTimeout: 20_000,
    attempts: 3,
    backoff: (attempt) => attempt * 1_000,
    batch: DEFAULT_BATCH,
    maxReplyBytes: 2 ** 20,
    maxQueue: 1_000,
    maxQueueBytes: 2 ** 30,
    whenFull: "reject",
    timers,
    onStatus: null,
    observer: null,
    ...options,
  });
  return { pool, server, timers };
}

/** A pool with a connection on which the server has answered once. */
export async function connected(options: Partial<PoolOptions> = {}): Promise<Setting> {
  const setting = unconnected(options);
  const { pool, server } = setting;
  await pool.open();
  const ping = pool.submit(pingCall());
  await turn();
  server.socket.receive(replies.get());
  await ping;
  server.socket.writes.length = 0;
  return setting;
}
