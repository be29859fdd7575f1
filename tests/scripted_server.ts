/**
 * A raw server for tests, over the runtime's own sockets or in memory: for each connection a script
 * says what to read and what to answer, or to close, or to do nothing at all.
 */

import { concat } from "@std/bytes";
import { listen, type ListenAddress, type Listener } from "../mock_server/listen.ts";
import { type Channel, channelOf } from "../src/transport/channel.ts";
import { memoryPair } from "../src/transport/memory.ts";
import type { Connector, Transport } from "../src/transport/transport.ts";
import { parseRequests, type PlainRequest } from "./plain_parser.ts";

/** Plays a connection. The connection stays open when it returns, up to the end of the server. */
export type ConnectionScript = (connection: ServerConnection) => void | Promise<void>;

/** The connection was closed while a script was not done with it; ends the script, no more. */
class Gone extends Error {}

/** The server's end of a connection. */
export class ServerConnection {
  readonly channel: Channel;
  /** Bytes received so far, whether taken or not. */
  received = 0;
  /** Whether nothing more will come: the client ended, or the connection broke or was closed here. */
  over = false;
  #unread = new Uint8Array(0);
  #pieces: Uint8Array[] = [];
  #changed = Promise.withResolvers<void>();

  constructor(transport: Transport) {
    this.channel = channelOf(transport);
    this.channel.start({
      data: (chunk) => {
        this.received += chunk.length;
        this.#pieces.push(chunk.slice());
        this.#wake();
      },
      end: () => this.#finish(),
      error: () => this.#finish(),
    });
  }

  #finish(): void {
    this.over = true;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** Waits until more has come; `false`: nothing will. */
  async more(): Promise<boolean> {
    while (this.#pieces.length === 0) {
      if (this.over) return false;
      await this.#changed.promise;
    }
    this.#unread = concat([this.#unread, ...this.#pieces.splice(0)]);
    return true;
  }

  async #demand(): Promise<void> {
    if (!await this.more()) throw new Gone("Cannot read: the client has closed the connection");
  }

  /** The next `size` bytes. */
  async take(size: number): Promise<Uint8Array> {
    while (this.#unread.length < size) await this.#demand();
    const taken = this.#unread.slice(0, size);
    this.#unread = this.#unread.slice(size);
    return taken;
  }

  /** The next request, whole. */
  async request(): Promise<PlainRequest> {
    for (;;) {
      const { requests, end } = parseRequests(this.#unread);
      const first = requests[0];
      if (first !== undefined && first.records.length === first.count && end > 0) {
        this.#unread = this.#unread.slice(size(first));
        return first;
      }
      await this.#demand();
    }
  }

  /** Resolves when the client has closed its end. */
  async ended(): Promise<void> {
    while (await this.more());
  }

  /** Sends pieces, one after the other. */
  async send(...pieces: (Uint8Array | readonly number[])[]): Promise<void> {
    try {
      for (const piece of pieces) await this.channel.write(Uint8Array.from(piece));
    } catch (cause) {
      throw new Gone("Cannot send: the connection is closed", { cause });
    }
  }

  close(): void {
    this.channel.close();
    this.#finish();
  }
}

/** How many bytes a request took up. */
function size({ kind, name, records }: PlainRequest): number {
  const header = { get: 6, remove: 6, set: 18, script: 8 }[kind];
  return records.reduce(
    (sum, { key, value }) => sum + header + key.length + value.length,
    (kind === "script" ? 13 : 9) + name.length,
  );
}

/** A server that follows scripts. */
export class ScriptedServer implements AsyncDisposable {
  readonly connections: ServerConnection[] = [];
  readonly #scripts: ConnectionScript[];
  readonly #running: Promise<void>[] = [];
  readonly #failures: unknown[] = [];
  #listener: Listener | null = null;

  /** The n-th connection plays the n-th script, all further ones the last. */
  private constructor(scripts: ConnectionScript[]) {
    this.#scripts = scripts;
  }

  /** A server on a free port of the loopback. */
  static listen(...scripts: ConnectionScript[]): Promise<ScriptedServer> {
    return ScriptedServer.listenAt({ hostname: "127.0.0.1", port: 0 }, ...scripts);
  }

  /** A server anywhere, such as at a Unix socket. */
  static async listenAt(
    address: ListenAddress,
    ...scripts: ConnectionScript[]
  ): Promise<ScriptedServer> {
    const server = new ScriptedServer(scripts);
    server.#listener = await listen(address, (transport) => server.#accept(transport));
    return server;
  }

  /** A server that only {@linkcode connector} leads to. */
  static inMemory(...scripts: ConnectionScript[]): ScriptedServer {
    return new ScriptedServer(scripts);
  }

  /** Connects in memory. */
  readonly connector: Connector = () => {
    const [client, server] = memoryPair();
    this.#accept(server);
    return client;
  };

  get port(): number {
    return this.#listener!.port;
  }

  #accept(transport: Transport): void {
    const connection = new ServerConnection(transport);
    const script = this.#scripts[Math.min(this.connections.length, this.#scripts.length - 1)];
    this.connections.push(connection);
    this.#running.push(this.#play(script, connection));
  }

  async #play(script: ConnectionScript, connection: ServerConnection): Promise<void> {
    try {
      await script(connection);
    } catch (error) {
      if (!(error instanceof Gone)) this.#failures.push(error);
    }
  }

  /** Closes everything; throws what a script threw. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener?.close();
    for (const connection of this.connections) connection.close();
    await Promise.all(this.#running);
    if (this.#failures.length > 0) throw this.#failures[0];
  }
}

/** Replies, put together straight from the protocol's description. */
export const replies = {
  /** How many records were stored. */
  set: (count: number): Uint8Array => counted(0xb8, count),
  /** How many records there were. */
  remove: (count: number): Uint8Array => counted(0xb9, count),
  /** The records found. Default: in database 0, never to expire. */
  get: (
    ...records: {
      key: Uint8Array | string;
      value: Uint8Array | string;
      database?: number;
      xt?: number;
    }[]
  ): Uint8Array =>
    concat([
      counted(0xba, records.length),
      ...records.map(({ key, value, database = 0, xt = 2 ** 40 - 1 }) => {
        const [k, v] = [utf8(key), utf8(value)];
        const head = new DataView(new ArrayBuffer(18));
        head.setUint16(0, database);
        head.setUint32(2, k.length);
        head.setUint32(6, v.length);
        head.setBigInt64(10, BigInt(xt));
        return concat([new Uint8Array(head.buffer), k, v]);
      }),
    ]),
  /** The output of a procedure. */
  script: (...records: [key: string | Uint8Array, value: string | Uint8Array][]): Uint8Array =>
    concat([
      counted(0xb4, records.length),
      ...records.map((record) => {
        const [k, v] = record.map(utf8);
        return concat([u32(k.length), u32(v.length), k, v]);
      }),
    ]),
  /** The server refuses. */
  error: Uint8Array.of(0xbf),
};

function utf8(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}

function u32(n: number): Uint8Array {
  return Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n);
}

function counted(magic: number, count: number): Uint8Array {
  return concat([Uint8Array.of(magic), u32(count)]);
}
