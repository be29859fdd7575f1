/**
 * The connections of a client: opens them, gives each call to the one with the least to do, replaces
 * those that are lost, and keeps what cannot leave yet.
 */

import {
  ClosedError,
  ConnectionError,
  KyotoTycoonError,
  QueueFullError,
  TimeoutError,
} from "../errors.ts";
import type { Connector, Transport } from "../transport/transport.ts";
import type { Backoff } from "./backoff.ts";
import type { CallOptions } from "../types.ts";
import { type Call, type CallOwner, type Lane, QUEUED, SETTLED } from "./call.ts";
import { Connection, type Counters } from "./connection.ts";
import { Fifo } from "./fifo.ts";
import { type BatchLimits, connectionLost } from "./request_queue.ts";
import type { Timers } from "./timers.ts";

/** What a pool is told once. Times in milliseconds. */
export interface PoolOptions {
  connector: Connector;
  /** What is connected to, for messages. */
  address: string;
  /** Most connections at a time. */
  connections: number;
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
  timers: Timers;
}

/** What a pool has done so far, and what it holds now. */
export interface PoolStats extends Counters {
  connections: number;
  connected: number;
  calls: number;
  pending: number;
  pendingBytes: number;
}

/** The connections of a client. */
export class Pool implements CallOwner {
  readonly #options: PoolOptions;
  #connections: Connection[] = [];
  #waiting = new Fifo<{ call: Call; since: number }>();
  readonly #counters: Counters = { bytesSent: 0, bytesReceived: 0, requests: 0 };
  #pending = 0;
  #pendingBytes = 0;
  #calls = 0;
  #connected = 0;
  #state: "open" | "closing" | "closed" = "open";
  /** The attempt to connect that is under way: it may be given up. */
  #connecting: AbortController | null = null;
  #cancelRetry: (() => void) | null = null;
  #cancelQueueWatch: (() => void) | null = null;
  /** Attempts since a server last answered anything. */
  #failures = 0;
  #lastFailure: unknown;
  readonly #closed = Promise.withResolvers<void>();

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  get stats(): PoolStats {
    return {
      ...this.#counters,
      connections: this.#connections.length,
      connected: this.#connected,
      calls: this.#calls,
      pending: this.#pending,
      pendingBytes: this.#pendingBytes,
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
    await this.#connect(signal);
  }

  /** Takes a call; its promise tells how it ended. */
  submit<T>(call: Call<T>, options?: CallOptions, lane: Lane | null = null): Promise<T> {
    const refusal = this.#refusal(call as Call);
    if (refusal !== null) {
      call.reject(refusal);
      return call.promise;
    }
    this.#calls++;
    this.#pending++;
    this.#pendingBytes += call.size;
    call.owner = this;
    call.lane = lane;
    if (options !== undefined && !this.#guard(call as Call, options)) return call.promise;
    this.#place(call as Call);
    return call.promise;
  }

  #refusal(call: Call): Error | null {
    const { maxQueue, maxQueueBytes } = this.#options;
    if (this.#state !== "open") {
      return new ClosedError(`Cannot ${call.operation}: the client is closed`);
    }
    if (this.#pending >= maxQueue) {
      return new QueueFullError(
        `Cannot ${call.operation}: ${this.#pending} calls are pending ("maxQueue" is ${maxQueue})`,
      );
    }
    // A call that is larger than the bound by itself passes when it is alone.
    if (this.#pendingBytes + call.size > maxQueueBytes && this.#pending > 0) {
      return new QueueFullError(
        `Cannot ${call.operation}: ${this.#pendingBytes} bytes are pending ` +
          `("maxQueueBytes" is ${maxQueueBytes})`,
      );
    }
    return null;
  }

  settled(call: Call): void {
    this.#pending--;
    this.#pendingBytes -= call.size;
    if (this.#pending > 0) return;
    if (this.#state === "closing") return this.destroy();
    // Replies to calls that were given up may still be owed; nobody waits for them.
    for (const connection of this.#connections) connection.reference();
  }

  /** Ends the call by its signal or its time; `false` when it has ended already. */
  #guard(call: Call, { signal, timeout }: CallOptions): boolean {
    if (signal?.aborted) {
      call.reject(signal.reason);
      return false;
    }
    let cancel: (() => void) | undefined;
    if (timeout !== undefined) {
      if (timeout > this.#options.replyTimeout) call.patience = timeout;
      cancel = this.#options.timers.start(timeout, true, () => {
        const sent = call.state !== QUEUED;
        call.reject(
          new TimeoutError(
            `Cannot ${call.operation}: ${
              sent ? "no reply" : "no turn on a connection"
            } within ${timeout} ms`,
            { phase: sent ? "reply" : "queue", sent, cause: sent ? undefined : this.#lastFailure },
          ),
        );
      });
    }
    const abort = () => call.reject(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    call.release = () => {
      cancel?.();
      signal?.removeEventListener("abort", abort);
    };
    return true;
  }

  /** Gives the call to the connection with the least to do, or lets it wait for one. */
  #place(call: Call): void {
    const { lane } = call;
    if (lane === null) return this.#connectionFor(call)?.submit(call);
    const held = this.#connections.find((connection) => connection === lane.connection);
    if (held === undefined && lane.fixed && lane.connection !== null) {
      return call.reject(connectionLost(call, false, this.#lastFailure));
    }
    const connection = held ?? this.#connectionFor(call);
    if (connection === null) return;
    lane.connection = connection;
    connection.submit(call);
  }

  /** The connection with the least to do; `null` when there is none and the call waits for one. */
  #connectionFor(call: Call): Connection | null {
    const connections = this.#connections;
    let best: Connection | undefined = connections[0];
    if (best === undefined) {
      this.#wait(call);
      return null;
    }
    let load = best.load;
    for (let i = 1; i < connections.length && load > 0; i++) {
      const other = connections[i].load;
      if (other < load) {
        best = connections[i];
        load = other;
      }
    }
    if (load > 0 && connections.length < this.#options.connections) this.#connectSoon();
    return best;
  }

  #wait(call: Call): void {
    if (this.#options.attempts === 0) {
      return call.reject(connectionLost(call, false, this.#lastFailure));
    }
    // Calls that were given up must not pile up while no connection comes.
    if (this.#waiting.length > 2 * this.#pending + 1024) {
      this.#waiting.unshift(
        this.#waiting.drain().filter(({ call }) => call.state !== SETTLED),
      );
    }
    this.#waiting.push({ call, since: this.#options.timers.now() });
    this.#watchQueue();
    this.#connectSoon();
  }

  /** Starts an attempt to connect unless one is under way or due. */
  #connectSoon(): void {
    if (this.#connecting !== null || this.#cancelRetry !== null) return;
    if (this.#failures === 0) {
      this.#attempt();
      return;
    }
    const delay = this.#options.backoff(this.#failures);
    this.#cancelRetry = this.#options.timers.start(delay, true, () => {
      this.#cancelRetry = null;
      if (this.#needsConnection() || this.#couldUseAnother()) this.#attempt();
    });
  }

  /** Whether there are connections, all of them busy, and there may be one more. */
  #couldUseAnother(): boolean {
    const connections = this.#connections;
    return connections.length > 0 && connections.length < this.#options.connections &&
      connections.every(({ load }) => load > 0);
  }

  #needsConnection(): boolean {
    this.#dropSettled();
    return this.#waiting.length > 0 && this.#connections.length === 0;
  }

  #attempt(): void {
    this.#connect().catch((error) => this.#failed(error));
  }

  /** One attempt did not lead to a connection that answered. */
  #failed(reason: unknown): void {
    this.#failures++;
    this.#lastFailure = reason;
    if (this.#state === "closed" || this.#connections.length > 0) return;
    if (this.#failures >= Math.max(1, this.#options.attempts)) {
      // Nothing is left to hope for now; the next call begins anew.
      this.#failures = 0;
      for (const { call } of this.#waiting.drain()) {
        call.reject(
          new ConnectionError(
            `Cannot ${call.operation}: cannot connect to ${this.#options.address}`,
            {
              sent: false,
              cause: reason,
            },
          ),
        );
      }
      return;
    }
    if (this.#needsConnection()) this.#connectSoon();
  }

  /** Makes one connection and gives it what waits. */
  async #connect(signal?: AbortSignal): Promise<void> {
    const controller = this.#connecting = new AbortController();
    const { connectTimeout, timers, address, connector } = this.#options;
    const cancel = timers.start(connectTimeout, true, () => {
      controller.abort(
        new TimeoutError(`Cannot connect to ${address}: no answer within ${connectTimeout} ms`, {
          phase: "connect",
          sent: false,
        }),
      );
    });
    const abort = () => controller.abort(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    let transport: Transport;
    try {
      transport = await connectOrAbort(connector, controller.signal);
    } catch (error) {
      if (controller.signal.aborted) throw controller.signal.reason;
      throw error instanceof KyotoTycoonError ? error : new ConnectionError(
        `Cannot connect to ${address}: ${error instanceof Error ? error.message : error}`,
        { sent: false, cause: error },
      );
    } finally {
      cancel();
      signal?.removeEventListener("abort", abort);
      this.#connecting = null;
    }
    if (controller.signal.aborted) {
      closeTransport(transport);
      throw controller.signal.reason;
    }
    this.#connected++;
    const connection = new Connection(
      transport,
      { ...this.#options, counters: this.#counters, awaited: () => this.#pending > 0 },
      (connection, reason, remaining) => this.#lost(connection, reason, remaining),
    );
    this.#connections.push(connection);
    connection.start();
    this.#serveWaiting();
  }

  #serveWaiting(): void {
    for (const { call } of this.#waiting.drain()) {
      if (call.state !== SETTLED) this.#place(call);
    }
  }

  #lost(connection: Connection, reason: unknown, remaining: Call[]): void {
    const i = this.#connections.indexOf(connection);
    if (i >= 0) this.#connections.splice(i, 1);
    if (connection.proven) this.#failures = 0;
    if (this.#state === "closed") {
      for (const call of remaining) call.reject(connectionLost(call, call.retried, reason));
      return;
    }
    this.#lastFailure = reason;
    remaining = remaining.filter((call) => {
      if (!call.lane?.fixed) return true;
      call.reject(connectionLost(call, call.retried, reason));
      return false;
    });
    if (this.#options.attempts === 0) {
      for (const call of remaining) call.reject(connectionLost(call, call.retried, reason));
      return;
    }
    const since = this.#options.timers.now();
    this.#waiting.unshift(remaining.map((call) => ({ call, since })));
    if (this.#connections.length > 0) return this.#serveWaiting();
    this.#watchQueue();
    if (!connection.proven) return this.#failed(reason);
    if (this.#needsConnection()) this.#connectSoon();
  }

  /** Calls that ended while they waited need no place. */
  #dropSettled(): void {
    while (this.#waiting.peek()?.call.state === SETTLED) this.#waiting.shift();
  }

  /** Gives up calls that have waited too long; the oldest comes first. */
  #watchQueue(): void {
    if (this.#cancelQueueWatch !== null) return;
    this.#dropSettled();
    const oldest = this.#waiting.peek();
    if (oldest === undefined) return;
    const { queueTimeout, timers } = this.#options;
    const delay = Math.max(0, oldest.since + queueTimeout - timers.now());
    this.#cancelQueueWatch = timers.start(delay, false, () => {
      this.#cancelQueueWatch = null;
      for (;;) {
        const next = this.#waiting.peek();
        if (next === undefined || next.since + queueTimeout > timers.now()) break;
        this.#waiting.shift();
        next.call.reject(
          new TimeoutError(
            `Cannot ${next.call.operation}: no connection to ${this.#options.address} ` +
              `within ${queueTimeout} ms`,
            { phase: "queue", sent: false, cause: this.#lastFailure },
          ),
        );
      }
      this.#watchQueue();
    });
  }

  /** Takes no more calls; closes when those that are pending have ended. */
  close(): Promise<void> {
    if (this.#state === "open") {
      this.#state = "closing";
      if (this.#pending === 0) this.destroy();
    }
    return this.closed;
  }

  /** Ends everything at once; pending calls reject. */
  destroy(reason?: unknown): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#cancelRetry?.();
    this.#cancelQueueWatch?.();
    this.#connecting?.abort(new ClosedError("Cannot connect: the client was closed"));
    const closed = new ClosedError("the client was closed", { cause: reason });
    for (const { call } of this.#waiting.drain()) {
      call.reject(connectionLost(call, call.retried, closed));
    }
    for (const connection of [...this.#connections]) connection.destroy(closed);
    this.#closed.resolve();
  }
}

/** Connects, or fails as soon as `signal` is aborted; what comes too late is closed. */
function connectOrAbort(connector: Connector, signal: AbortSignal): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) return abort();
    new Promise<Transport>((made) => made(connector(signal))).then((transport) => {
      signal.removeEventListener("abort", abort);
      if (signal.aborted) closeTransport(transport);
      else resolve(transport);
    }, (error) => {
      signal.removeEventListener("abort", abort);
      reject(error);
    });
  });
}

function closeTransport(transport: Transport): void {
  if (transport.close !== undefined) return transport.close();
  transport.readable.cancel().catch(() => {});
  transport.writable.abort().catch(() => {});
}
