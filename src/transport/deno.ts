/** Sockets of Deno. */

import { type Channel, type Receiver, transportOf } from "./channel.ts";
import type { Address, Connector, Transport } from "./transport.ts";

/** Connects over `Deno.connect`: TCP, TLS or a Unix socket. */
export function denoConnector(address: Address): Connector {
  return async (signal) => {
    if ("path" in address) {
      const conn = await Deno.connect({ transport: "unix", path: address.path });
      if (signal.aborted) conn.close();
      signal.throwIfAborted();
      return denoTransport(conn);
    }
    const { hostname, port, tls } = address;
    const conn = await connectTcp(hostname, port, signal);
    if (tls === undefined) return denoTransport(conn);
    conn.setNoDelay(true);
    const secure = await Deno.startTls(conn, {
      hostname: tls.serverName ?? hostname,
      caCerts: tls.caCerts,
    });
    const abort = () => secure.close();
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    try {
      await secure.handshake();
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      secure.close();
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
    return denoTransport(secure);
  };
}

/**
 * `Deno.connect` forgets to close a connection that was made just before its signal was aborted. With
 * a signal that does not throw it returns that connection, as it should.
 */
async function connectTcp(
  hostname: string,
  port: number,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  signal.throwIfAborted();
  const controller = new AbortController(), abort = () => controller.abort();
  controller.signal.throwIfAborted = () => {};
  signal.addEventListener("abort", abort, { once: true });
  try {
    const conn = await Deno.connect({ hostname, port, signal: controller.signal });
    if (signal.aborted) conn.close();
    return conn;
  } finally {
    signal.removeEventListener("abort", abort);
    signal.throwIfAborted();
  }
}

/** A connection of Deno, made or accepted, as a transport. */
export function denoTransport(conn: Deno.Conn): Transport {
  if (conn.remoteAddr.transport === "tcp" && "setNoDelay" in conn) {
    (conn as Deno.TcpConn).setNoDelay(true);
  }
  return transportOf(new DenoChannel(conn));
}

/** The read buffer grows while reads fill it. */
const FIRST_READ_SIZE = 16 * 1024;
const LAST_READ_SIZE = 512 * 1024;

class DenoChannel implements Channel {
  #conn: Deno.Conn & { ref?(): void; unref?(): void };
  #closed = false;
  #paused: PromiseWithResolvers<void> | null = null;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  start(receiver: Receiver): void {
    this.#receive(receiver);
  }

  async #receive(receiver: Receiver): Promise<void> {
    let buffer = new Uint8Array(FIRST_READ_SIZE);
    for (;;) {
      let size: number | null;
      try {
        if (this.#paused !== null) await this.#paused.promise;
        if (this.#closed) return;
        size = await this.#conn.read(buffer);
        // A pause may have come while the read was pending.
        if (this.#paused !== null) await this.#paused.promise;
      } catch (error) {
        if (!this.#closed) receiver.error(error);
        return;
      }
      if (this.#closed) return;
      if (size === null) return receiver.end();
      receiver.data(buffer.subarray(0, size));
      if (size === buffer.length && size < LAST_READ_SIZE) buffer = new Uint8Array(size * 2);
    }
  }

  async write(chunk: Uint8Array): Promise<void> {
    let sent = await this.#conn.write(chunk);
    while (sent < chunk.length) sent += await this.#conn.write(chunk.subarray(sent));
  }

  async closeWrite(): Promise<void> {
    await (this.#conn as Deno.TcpConn).closeWrite();
  }

  pause(): void {
    this.#paused ??= Promise.withResolvers<void>();
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = null;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.resume();
    this.#conn.close();
  }

  ref(): void {
    this.#conn.ref?.();
  }

  unref(): void {
    this.#conn.unref?.();
  }
}
