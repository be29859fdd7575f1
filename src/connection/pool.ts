/**
 * The connections of a client: gives each call to the one with the least to do, opens as many as are
 * needed, replaces those that are lost, and keeps what cannot leave yet.
 */

import type { Observer } from "../diagnostics.ts";
import { ClosedError, ConnectionError, TimeoutError } from "../errors.ts";
import type { Timers } from "../transport/timers.ts";
import type { Transport } from "../transport/transport.ts";
import type { CallOptions } from "../types.ts";
import { Admission, type WhenFull } from "./admission.ts";
import type { Backoff } from "./backoff.ts";
import { type Call, type Lane, SETTLED } from "./call.ts";
import { Connection } from "./connection.ts";
import { Dialer, type Server } from "./dialer.ts";
import { Failback } from "./failback.ts";
import { Reconnection } from "./reconnection.ts";
import { type BatchLimits, connectionLost } from "./request_queue.ts";
import type { Counters, Stats } from "./stats.ts";
import { type StatusListener, StatusReporter } from "./status.ts";
import { Upkeep } from "./upkeep.ts";
import { WaitingCalls } from "./waiting_calls.ts";

/** What a pool is told once. Times in milliseconds. */
export interface PoolOptions {
  /** In the order in which they are preferred. */
  servers: readonly Server[];
  /** Most connections at a time. */
  connections: number;
  /** How many of them stay open while they are idle. */
  minConnections: number;
  idleTimeout: number;
  pingInterval: number;
  /** How often it is seen whether a server that is preferred to the present one is back. */
  failbackInterval: number;
  connectTimeout: number;
  replyTimeout: number;
  /** How long a call may wait for a connection. */
  queueTimeout: number;
  /** Attempts in a row before the calls that wait are given up; 0: a lost connection fails them. */
  attempts: number;
  backoff: Backoff;
  batch: BatchLimits;
  maxReplyBytes: number;
  maxQueue: number;
  maxQueueBytes: number;
  whenFull: WhenFull;
  timers: Timers;
  /** Is told how the client stands with its server; must not throw. */
  onStatus: StatusListener | null;
  /** Watches calls. */
  observer: Observer | null;
}

/** The connections of a client. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #dialer: Dialer<Connection>;
  readonly #admission: Admission;
  readonly #waiting: WaitingCalls;
  readonly #upkeep: Upkeep;
  readonly #failback: Failback<Connection>;
  readonly #reconnection: Reconnection<Connection>;
  readonly #status: StatusReporter;
  readonly #counters: Counters = {
    bytesSent: 0,
    bytesReceived: 0,
    requests: 0,
    batches: 0,
    reused: 0,
  };
  /** Those that take calls, all of one server. */
  #connections: Connection[] = [];
  /** Those that only finish what they have. */
  readonly #retired = new Set<Connection>();
  #state: "open" | "closing" | "closed" = "open";
  /** Sockets that were ever made, and those of them that became connections. */
  #made = 0;
  #connected = 0;
  #reconnects = 0;
  readonly #closed = Promise.withResolvers<void>();

  constructor(options: PoolOptions) {
    this.#options = options;
    const { servers, queueTimeout, timers } = options;
    this.#dialer = new Dialer(servers, timers, (...made) => this.#make(...made));
    this.#status = new StatusReporter(options.onStatus, this.#dialer.address);
    this.#reconnection = new Reconnection(options, {
      dial: (signal) => this.#dial(signal),
      adopt: (connection) => this.#adopt(connection),
      isConnected: () => this.#connections.length > 0,
      isAwaited: () => this.#waiting.length > 0,
      isShort: () => this.#isShort(),
      planned: (attempt, delay) => {
        if (this.#connections.length > 0) return;
        this.#status.reconnecting(this.#lastFailure, attempt, delay);
      },
      gaveUp: (reason) => this.#giveUp(reason),
    });
    this.#admission = new Admission(options, {
      place: (call) => this.#place(call),
      drained: () => this.#drained(),
      lastFailure: () => this.#lastFailure,
    });
    this.#waiting = new WaitingCalls(queueTimeout, timers, (call) => this.#waitedTooLong(call));
    this.#upkeep = new Upkeep(options, () => this.#connections);
    this.#failback = new Failback(options, {
      dialer: this.#dialer,
      present: () => this.#connections[0]?.server,
      calls: () => this.#admission.calls,
      idle: () => this.#admission.idle,
      adopt: (connection) => this.#adopt(connection),
    });
  }

  get stats(): Stats {
    const { calls, pending, pendingBytes, waiting } = this.#admission;
    let queued = waiting + this.#waiting.length;
    for (const connection of this.#connections) queued += connection.queued;
    return {
      ...this.#counters,
      server: this.#connections[0]?.server.address ?? null,
      connections: this.#connections.length + this.#retired.size,
      connected: this.#connected,
      reconnects: this.#reconnects,
      calls,
      pending,
      pendingBytes,
      queued,
    };
  }

  /** Whether it takes calls. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Resolves when the pool is closed, by whatever way. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Opens the first connection; one attempt. */
  async open(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.#reconnection.attempt(signal);
  }

  /** Takes a call; its promise tells how it ended. */
  submit<T>(call: Call<T>, options?: CallOptions, lane: Lane | null = null): Promise<T> {
    const { observer } = this.#options;
    if (observer !== null && observer.active) {
      call.observation = observer.begin(call.operation, call.database, call.size);
    }
    return this.#admission.submit(call, options, lane);
  }

  /** A lane is over: its connection may be closed for being idle again. */
  release(lane: Lane): void {
    const { connection } = lane;
    if (!(connection instanceof Connection)) return;
    connection.lanes.delete(lane);
    connection.closeIfDone();
  }

  get #lastFailure(): unknown {
    return this.#reconnection.lastFailure;
  }

  #drained(): void {
    if (this.#state === "closing") return this.destroy();
    // Replies to calls that were given up may still be owed; nobody waits for them.
    for (const connection of [...this.#connections, ...this.#retired]) connection.reference();
  }

  /** Gives the call to the connection with the least to do, or lets it wait for one. */
  #place(call: Call): void {
    if (this.#state === "closed") {
      return call.reject(connectionLost(call, false, this.#lastFailure));
    }
    const connection = call.lane === null ? this.#leastBusy() : this.#connectionOf(call.lane, call);
    if (connection === null) return this.#wait(call);
    if (call.observation !== null) call.observation.message.server = connection.server.address;
    connection.submit(call);
  }

  /** The connection of a lane; `null` when there is none and the call waits for one. */
  #connectionOf(lane: Lane, call: Call): Connection | null {
    const held = lane.connection as Connection | null;
    if (held !== null && !held.lost && (lane.fixed || !held.retired)) return held;
    if (held !== null && lane.fixed) {
      call.reject(connectionLost(call, false, this.#lastFailure));
      return null;
    }
    const connection = lane.beside ? this.#connectionOf(lane.beside, call) : this.#leastBusy();
    if (connection !== null) {
      lane.connection = connection;
      if (lane.fixed) connection.lanes.add(lane);
    }
    return connection;
  }

  /** The connection with the least to do. */
  #leastBusy(): Connection | null {
    const connections = this.#connections;
    let best = connections[0];
    if (best === undefined) return null;
    let load = best.load;
    for (let i = 1; i < connections.length && load > 0; i++) {
      const other = connections[i].load;
      if (other < load) {
        best = connections[i];
        load = other;
      }
    }
    if (load > 0 && connections.length < this.#options.connections) this.#reconnection.soon();
    return best;
  }

  #wait(call: Call): void {
    if (call.state === SETTLED) return;
    if (this.#options.attempts === 0) {
      return call.reject(connectionLost(call, false, this.#lastFailure));
    }
    this.#waiting.push(call, this.#admission.pending);
    this.#reconnection.soon();
  }

  #waitedTooLong(call: Call): void {
    const { queueTimeout } = this.#options;
    call.reject(
      new TimeoutError(
        `Cannot ${call.operation}: no connection to ${this.#dialer.address} ` +
          `within ${queueTimeout} ms`,
        { phase: "queue", sent: false, cause: this.#lastFailure },
      ),
    );
  }

  /** Whether there are connections, all of them busy, and there may be one more. */
  #isShort(): boolean {
    const connections = this.#connections;
    return connections.length > 0 && connections.length < this.#options.connections &&
      connections.every(({ load }) => load > 0);
  }

  /** No connection could be made: those who wait for one are told. */
  #giveUp(reason: unknown): void {
    this.#status.disconnected(reason);
    for (const call of this.#waiting.drain()) {
      call.reject(
        new ConnectionError(
          `Cannot ${call.operation}: cannot connect to ${this.#dialer.address}`,
          { sent: false, cause: reason },
        ),
      );
    }
  }

  /** Makes one connection. */
  async #dial(signal: AbortSignal | undefined): Promise<Connection> {
    const replaces = this.#connections.length === 0 && this.#connected > 0;
    // More connections are to be those of the same server.
    const present = this.#connections[0]?.server;
    const servers = present === undefined ? this.#dialer.order : [present];
    const connection = await this.#dialer.dial(servers, this.#options.connectTimeout, signal);
    if (replaces) this.#reconnects++;
    return connection;
  }

  /** Makes a connection of a socket. One of several servers must have answered before it counts. */
  async #make(transport: Transport, server: Server, signal: AbortSignal): Promise<Connection> {
    const connection = new Connection(
      transport,
      server,
      {
        ...this.#options,
        counters: this.#counters,
        serial: ++this.#made,
        made: () => this.#made,
        awaited: () => !this.#admission.idle,
      },
      (...lost) => this.#lost(...lost),
    );
    if (this.#dialer.servers.length === 1) return connection;
    connection.start();
    const abort = () => connection.destroy(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await connection.ping();
    } finally {
      signal.removeEventListener("abort", abort);
    }
    return connection;
  }

  /** A connection is ready for use. */
  #adopt(connection: Connection): void {
    const { server } = connection;
    if (this.#state === "closed") {
      connection.destroy(new ClosedError("Cannot connect: the client was closed"));
    }
    if (connection.lost) {
      throw new ConnectionError(
        `Cannot connect to ${server.address}: the connection was lost at once`,
        { sent: false },
      );
    }
    this.#connected++;
    const present = this.#connections[0]?.server;
    if (present !== undefined && present !== server) {
      const isBetter = this.#dialer.before(present).includes(server);
      this.#retire(isBetter ? this.#connections.splice(0) : [connection]);
      if (!isBetter) return;
    }
    this.#connections.push(connection);
    this.#upkeep.watch();
    this.#failback.watch();
    // Before anybody is told: calls made then come behind those that wait.
    this.#serveWaiting();
    this.#status.connected(server);
    // One of several servers has been listened to already.
    if (this.#dialer.servers.length === 1 && !connection.lost) connection.start();
  }

  /** These connections only finish what they have. */
  #retire(connections: Connection[]): void {
    for (const connection of connections) {
      this.#retired.add(connection);
      connection.close("a server that comes before this one is back");
    }
  }

  #serveWaiting(): void {
    for (const call of this.#waiting.drain()) this.#place(call);
  }

  #lost(connection: Connection, reason: unknown, remaining: Call[]): void {
    const i = this.#connections.indexOf(connection);
    if (i >= 0) this.#connections.splice(i, 1);
    this.#retired.delete(connection);
    const { proven, retired, server } = connection;
    if (proven) this.#reconnection.succeeded();
    if (!retired) this.#dialer.judge(server, proven && !(reason instanceof TimeoutError));
    const mayMove = this.#state !== "closed" && this.#options.attempts > 0;
    const moving = remaining.filter((call) => {
      if (mayMove && !call.lane?.fixed) return true;
      call.reject(connectionLost(call, call.lostAt > 0, reason));
      return false;
    });
    if (this.#state === "closed") return;
    if (!retired) this.#reconnection.lastFailure = reason;
    this.#waiting.unshift(moving);
    if (i >= 0 && this.#connections.length === 0) this.#status.disconnected(reason, server.address);
    if (this.#connections.length > 0) return this.#serveWaiting();
    // An attempt that did not come to an answer is told by itself.
    if (i >= 0 && !proven && !retired) return this.#reconnection.failed(reason);
    this.#reconnection.ifNeeded();
  }

  /** Takes no more calls; closes when those that are pending have ended. */
  close(): Promise<void> {
    if (this.#state === "open") {
      this.#state = "closing";
      this.#admission.close();
      if (this.#admission.idle) this.destroy();
    }
    return this.closed;
  }

  /** Ends everything at once; pending calls reject. */
  destroy(reason?: unknown): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#reconnection.close();
    this.#failback.close();
    this.#upkeep.close();
    this.#dialer.close();
    const closed = new ClosedError("the client was closed", { cause: reason });
    const end = (call: Call) => call.reject(connectionLost(call, call.lostAt > 0, closed));
    this.#admission.close(end);
    for (const call of this.#waiting.drain()) end(call);
    for (const connection of [...this.#connections, ...this.#retired]) connection.destroy(closed);
    this.#status.closed(reason);
    this.#closed.resolve();
  }
}
