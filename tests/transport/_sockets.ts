/** Real sockets of the loopback, with both ends in hand. */

import { concat } from "@std/bytes";
import {
  type Accept,
  listen,
  type ListenAddress,
  type Listener,
} from "../../mock_server/listen.ts";
import { listenNode } from "../../mock_server/listen_node.ts";
import { type Channel, channelOf, type Receiver } from "../../src/transport/channel.ts";
import { runtimeConnector } from "../../src/transport/detect.ts";
import { nodeConnector } from "../../src/transport/node.ts";
import type { Address, Connector, Transport } from "../../src/transport/transport.ts";
import { runtime } from "../_harness.ts";

/** A way to connect and to listen. */
export interface Adapter {
  name: string;
  connector(address: Address): Connector | Promise<Connector>;
  listen(address: ListenAddress, accept: Accept): Promise<Listener>;
}

/** The runtime's own sockets, and those that it has for programs written for Node. */
export const adapters: Adapter[] = [
  { name: runtime, connector: runtimeConnector, listen },
  ...(runtime === "node"
    ? []
    : [{ name: "node:net", connector: nodeConnector, listen: listenNode }]),
];

/** Connects; gives up with the test. */
export async function connectTo(adapter: Adapter, address: Address): Promise<Transport> {
  const connector = await adapter.connector(address);
  return await connector(new AbortController().signal);
}

/** One end of a connection, and what it has received. */
export class End implements Receiver {
  readonly channel: Channel;
  readonly chunks: Uint8Array[] = [];
  /** Bytes received. */
  size = 0;
  /** What else has been told, such as `"end"` or `"error"`. */
  readonly events: string[] = [];
  error_: unknown;
  #wake = () => {};

  constructor(transport: Transport, start = true) {
    this.channel = channelOf(transport);
    if (start) this.channel.start(this);
  }

  data(chunk: Uint8Array): void {
    this.chunks.push(chunk.slice());
    this.size += chunk.length;
    this.#wake();
  }

  end(): void {
    this.events.push("end");
    this.#wake();
  }

  error(reason: unknown): void {
    this.error_ = reason;
    this.events.push("error");
    this.#wake();
  }

  get bytes(): Uint8Array {
    return concat(this.chunks);
  }

  get text(): string {
    return new TextDecoder().decode(this.bytes);
  }

  /** Waits for something to be so. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake = resolve);
  }

  /** Waits for the end, or for the connection to break. */
  over(): Promise<void> {
    return this.until(() => this.events.length > 0);
  }

  async write(text: string): Promise<void> {
    await this.channel.write(new TextEncoder().encode(text));
  }
}

/** A connection on the loopback. */
export class Pair implements AsyncDisposable {
  readonly clientTransport: Transport;
  readonly serverTransport: Transport;
  readonly #listener: Listener;

  private constructor(client: Transport, server: Transport, listener: Listener) {
    this.clientTransport = client;
    this.serverTransport = server;
    this.#listener = listener;
  }

  static async open(adapter: Adapter): Promise<Pair> {
    const accepted = Promise.withResolvers<Transport>();
    const listener = await adapter.listen({ hostname: "127.0.0.1", port: 0 }, accepted.resolve);
    const client = await connectTo(adapter, { hostname: "127.0.0.1", port: listener.port });
    return new Pair(client, await accepted.promise, listener);
  }

  /** Both ends, receiving. */
  ends(): [client: End, server: End] {
    return [new End(this.clientTransport), new End(this.serverTransport)];
  }

  // deno-lint-ignore require-await -- closing takes no time
  async [Symbol.asyncDispose](): Promise<void> {
    this.clientTransport.close!();
    this.serverTransport.close!();
    this.#listener.close();
  }
}

/** Waits until `value` no longer changes. */
export async function steady(value: () => number): Promise<number> {
  let last = value();
  for (let still = 0; still < 15; still++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (value() !== last) still = 0;
    last = value();
  }
  return last;
}

/** Bytes of which each tells its position. */
export function pattern(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const words = new Uint32Array(bytes.buffer, 0, size >> 2);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i, 0x9e3779b1);
  return bytes;
}
