/** Sockets of Node, and of any runtime that has `node:net`. */

import { type Channel, type Receiver, transportOf } from "./channel.ts";
import type { Address, Connector, Transport } from "./transport.ts";
import { connect as connectTcp, isIP, type Socket } from "node:net";

/** Connects over `node:net` or `node:tls`: TCP, TLS or a Unix socket. */
export function nodeConnector(address: Address): Connector {
  return async (signal) => {
    signal.throwIfAborted();
    const { socket, event } = await open(address);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    socket.once(event, resolve);
    socket.once("error", reject);
    try {
      await promise;
    } catch (error) {
      socket.on("error", () => {});
      socket.destroy();
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
      socket.off("error", reject);
    }
    return nodeTransport(socket);
  };
}

async function open(
  address: Address,
): Promise<{ socket: Socket; event: "connect" | "secureConnect" }> {
  if ("path" in address) {
    return { socket: connectTcp({ path: address.path, allowHalfOpen: true }), event: "connect" };
  }
  const { hostname: host, port, tls } = address;
  if (tls === undefined) {
    return { socket: connectTcp({ host, port, allowHalfOpen: true }), event: "connect" };
  }
  const { connect, rootCertificates } = await import("node:tls");
  const ca = tls.caCerts === undefined ? undefined : [...rootCertificates, ...tls.caCerts];
  // An IP address is no server name, though the certificate is checked for it all the same.
  const servername = tls.serverName ?? (isIP(host) === 0 ? host : undefined);
  return { socket: connect({ host, port, ca, servername }), event: "secureConnect" };
}

/** A socket of Node, connected or accepted, as a transport. */
export function nodeTransport(socket: Socket): Transport {
  socket.setNoDelay(true);
  return transportOf(new NodeChannel(socket));
}

class NodeChannel implements Channel {
  #socket: Socket;
  #closed = false;
  #written: PromiseWithResolvers<void> | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    // Without a listener an error would end the process.
    socket.on("error", () => {});
  }

  start(receiver: Receiver): void {
    const socket = this.#socket;
    let over = false;
    const fail = (reason: unknown) => {
      this.#written?.reject(reason);
      this.#written = null;
      if (over || this.#closed) return;
      over = true;
      receiver.error(reason);
    };
    socket.on("data", (chunk: Uint8Array) => {
      // Not a Buffer: its slice() would share memory.
      if (!this.#closed) {
        receiver.data(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
      }
    });
    socket.on("end", () => {
      if (over || this.#closed) return;
      over = true;
      receiver.end();
    });
    socket.on("error", fail);
    socket.on("close", () => {
      if (!socket.readableEnded) fail(new Error("the socket was closed"));
      else this.#written?.reject(new Error("the socket was closed"));
    });
    if (socket.destroyed) fail(socket.errored ?? new Error("the socket was closed"));
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    const { promise, resolve, reject } = this.#written = Promise.withResolvers<void>();
    this.#socket.write(chunk, (error) => error ? reject(error) : resolve());
    return promise;
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(resolve));
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.end(() => this.#socket.destroy());
    if (this.#written !== null) this.#socket.destroy();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }
}
