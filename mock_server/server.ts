/** The mock server: listens, serves connections, starts and stops. */

import { expirationToXt } from "../src/codec/expiration.ts";
import { toBytes } from "../src/codec/writer.ts";
import { channelOf } from "../src/transport/channel.ts";
import { memoryPair } from "../src/transport/memory.ts";
import type { Transport } from "../src/transport/transport.ts";
import { serve } from "./binary/requests.ts";
import { httpServer } from "./http/http_session.ts";
import { listen, type Listener } from "./listen.ts";
import type { MockServerOptions, SeedRecord } from "./options.ts";
import { ProcedureRegistry } from "./procedures/procedures.ts";
import { ReplicationFollower } from "./replication/follower.ts";
import { serveReplicationFrom } from "./replication/master.ts";
import { UpdateLog } from "./replication/update_log.ts";
import { Counters } from "./session/counters.ts";
import { Faults } from "./session/faults.ts";
import { type RecordedRequest, Recorder, type RequestLog } from "./session/recorder.ts";
import { Session } from "./session/session.ts";
import type { ServerState } from "./session/state.ts";
import { systemClock } from "./storage/clock.ts";
import { Storage } from "./storage/storage.ts";

/** How long expired records may stay when nothing else happens, in milliseconds. */
const COLLECT_INTERVAL = 1000;
/** Slots of a database's table that are looked at each time: so many, or as a part of its records. */
const COLLECT_SLOTS = 20_000;
const COLLECT_PART = 1 / 4;

/**
 * Starts a server that speaks Kyoto Tycoon's protocol as the real one does, in this process and in
 * memory.
 *
 * @param options Where to listen, the databases, the procedures, and more.
 * @returns The server, which listens.
 * @throws {TypeError} An option is of the wrong kind, or a database is not one that ktserver knows.
 * @throws {RangeError} An option is out of its range.
 *
 * @example In a test
 * ```ts
 * import { connect, text } from "@kyoto/tycoon";
 * import { startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await startMockServer({ seed: [{ key: "greeting", value: "hello" }] });
 * await using kt = (await connect(server.url)).withCodec(text);
 * assertEquals(await kt.get("greeting"), "hello");
 * ```
 */
export async function startMockServer(options: MockServerOptions = {}): Promise<MockServer> {
  const server = new MockServer(options);
  await server.start();
  return server;
}

/**
 * A mock server; {@linkcode startMockServer} makes one. Leaving the scope of `await using` stops it.
 */
export class MockServer implements AsyncDisposable {
  /** The databases, to look into and to modify. */
  readonly storage: Storage;
  /** What was asked, as far as `requestLogSize` reaches. */
  readonly requests: RequestLog;
  /** What is to go wrong. */
  readonly faults: Faults = new Faults();
  readonly #recorder: Recorder;
  readonly #options: MockServerOptions;
  readonly #state: ServerState;
  readonly #sessions = new Set<Session>();
  readonly #path: string | undefined;
  readonly #follower: ReplicationFollower | null;
  #port: number;
  #listener: Listener | null = null;
  #running = false;
  #paused = false;
  #referenced = true;
  #sessionCount = 0;
  #collector: ReturnType<typeof setInterval> | null = null;

  /** Makes a server that does not listen yet. */
  constructor(options: MockServerOptions = {}) {
    const {
      port = 0,
      path,
      timeout = 30_000,
      serverId = 0,
      updateLog = false,
      heartbeatInterval,
      follow,
      databases,
      clock = systemClock,
      readOnly,
      procedures,
      requestLogSize = 1000,
      onError = (error) => console.error(error),
    } = options;
    checkRange("port", port, 0, 65535);
    checkRange("serverId", serverId, 0, 65535);
    checkRange("timeout", timeout, 1, Infinity);
    if (typeof databases === "number") checkRange("databases", databases, 1, 65536);
    this.#options = options;
    this.#port = port;
    this.#path = path;
    this.storage = new Storage({ databases, clock, readOnly });
    this.requests = this.#recorder = new Recorder(requestLogSize, clock);
    const { maxBytes } = typeof updateLog === "object" ? updateLog : {};
    const log = updateLog === false ? null : new UpdateLog({ serverId, clock, maxBytes });
    this.storage.updates = log;
    this.#follower = follow === undefined ? null : new ReplicationFollower({
      storage: this.storage,
      serverId,
      leftOut: follow.serverId,
      since: follow.since,
      rts: follow.rts,
      interval: follow.interval,
      report: options.onError,
    });
    const port_ = () => this.#port, connections = () => this.connections;
    this.#state = {
      storage: this.storage,
      procedures: procedures === undefined ? null : new ProcedureRegistry(procedures, this.storage),
      counters: new Counters(),
      recorder: this.#recorder,
      faults: this.faults,
      timeout,
      serverId,
      serveReplication: log && serveReplicationFrom(log, { clock, interval: heartbeatInterval }),
      serveHttp: httpServer({ updateLog: log, follower: this.#follower, startedAt: clock.now() }),
      report: onError,
      get port() {
        return port_();
      },
      get connections() {
        return connections();
      },
    };
    this.storage.onExpiring = () => this.#collect();
    for (const record of options.seed ?? []) this.#seed(record);
  }

  /** The address that it listens on; the path of a Unix socket. */
  get hostname(): string {
    return this.#path ?? this.#options.hostname ?? "127.0.0.1";
  }

  /** The port that it listens on; 0 for a Unix socket. */
  get port(): number {
    return this.#port;
  }

  /** What `connect` takes: `kt://127.0.0.1:1978` or `kt+unix:///run/kt.sock`. */
  get url(): string {
    if (this.#path !== undefined) return `kt+unix://${encodeURI(this.#path)}`;
    const name = this.hostname;
    return `kt://${name.includes(":") ? `[${name}]` : name}:${this.#port}`;
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#sessions.size;
  }

  /** Listens again after `stop`, on the same port. */
  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    const address = this.#path !== undefined
      ? { path: this.#path }
      : { hostname: this.hostname, port: this.#port };
    let listener: Listener;
    try {
      listener = await listen(address, (transport, reset) => this.#accept(transport, reset));
    } catch (cause) {
      this.#running = false;
      const where = this.#path ?? `${this.hostname}:${this.#port}`;
      throw new Error(`Cannot listen on "${where}": ${(cause as Error).message}`, { cause });
    }
    if (!this.#running) return listener.close();
    this.#listener = listener;
    this.#port = listener.port;
    if (!this.#referenced) listener.unref();
    this.#collect();
    const { hostname: master, port: masterPort = 1978 } = this.#options.follow ?? {};
    try {
      await this.#follower?.start(
        master === undefined ? null : { hostname: master, port: masterPort },
      );
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Stops listening and closes all connections. The databases keep what they hold. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    const closed = this.#listener?.close();
    this.#listener = null;
    this.dropConnections();
    this.#stopCollecting();
    this.#recorder.end(new Error("Cannot wait for a request: the mock server was stopped"));
    await closed;
    await this.#follower?.stop();
  }

  /** Stops. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Closes all connections at once, in the middle of whatever they do. It goes on listening. */
  dropConnections(): void {
    for (const session of [...this.#sessions]) session.close();
  }

  /** Stops reading from all connections, those to come included, as a server does that hangs. */
  pause(): void {
    this.#paused = true;
    for (const session of this.#sessions) session.pause();
  }

  /** Reads again. */
  resume(): void {
    this.#paused = false;
    for (const session of this.#sessions) session.resume();
  }

  /**
   * Waits for the next request that `predicate` is true of.
   *
   * @param predicate Default: any request.
   * @returns The request, as soon as it was read to its end.
   */
  nextRequest(
    predicate: (request: RecordedRequest) => boolean = () => true,
  ): Promise<RecordedRequest> {
    return this.#recorder.next(predicate);
  }

  /** Connects without a socket: returns the client's end. */
  connectInMemory(): Transport {
    const [client, server] = memoryPair();
    this.#accept(server);
    return client;
  }

  /** Lets the server keep the process alive, as it does from the beginning. */
  ref(): void {
    this.#referenced = true;
    this.#listener?.ref();
  }

  /** Lets the process end though the server listens. */
  unref(): void {
    this.#referenced = false;
    this.#listener?.unref();
  }

  #accept(transport: Transport, reset?: () => void): void {
    const channel = channelOf(transport);
    if (!this.#running || this.connections >= (this.#options.maxConnections ?? Infinity)) {
      channel.close();
      return;
    }
    const session = new Session({
      id: ++this.#sessionCount,
      state: this.#state,
      channel,
      serve,
      reset,
      onClose: (closed) => this.#sessions.delete(closed),
    });
    this.#sessions.add(session);
    const fault = this.faults.active
      ? this.faults.match({ op: "connect", connection: session.id, databases: new Set() })?.action
      : undefined;
    if (fault === "refuse") return session.close();
    if (fault === "reset") return session.reset();
    if (fault === "never-read") return channel.pause();
    session.start();
    if (this.#paused) session.pause();
  }

  /** Forgets expired records now and then, as long as there is anything that may expire. */
  #collect(): void {
    if (this.#collector !== null || !this.#running || this.storage.expiring === 0) return;
    this.#collector = setInterval(() => {
      for (const database of this.storage.databases) {
        if (database.expiring === 0) continue;
        database.collect(Math.max(COLLECT_SLOTS, database.count * COLLECT_PART));
      }
      if (this.storage.expiring === 0) this.#stopCollecting();
    }, COLLECT_INTERVAL);
    (this.#collector as { unref?(): void }).unref?.();
  }

  #stopCollecting(): void {
    if (this.#collector !== null) clearInterval(this.#collector);
    this.#collector = null;
  }

  #seed(record: SeedRecord): void {
    const database = this.storage.databases[record.database ?? 0];
    if (database === undefined) {
      throw new RangeError(`Cannot seed a record: there is no database ${record.database}`);
    }
    const { expireIn, expireAt = record.expiresAt ?? undefined } = record;
    const xt = expirationToXt({ expireIn, expireAt });
    database.set(toBytes(record.key), toBytes(record.value), xt);
  }
}

function checkRange(name: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high)) {
    throw new RangeError(
      `Cannot start a mock server: "${name}" is ${value}, not ${low} to ${high}`,
    );
  }
}
