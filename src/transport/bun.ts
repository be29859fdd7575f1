/** Sockets of Bun. */

import { type Channel, type Receiver, transportOf } from "./channel.ts";
import type { Address, Connector, Transport } from "./transport.ts";

/** What this file uses of a socket of Bun; Bun's own types are no part of this package's. */
export interface BunSocket {
  data: BunChannel;
  write(chunk: Uint8Array): number;
  end(): void;
  shutdown(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
  ref(): void;
  unref(): void;
  setNoDelay(on: boolean): boolean;
}

interface BunRuntime {
  connect(options: Record<string, unknown>): Promise<BunSocket>;
}

/** Connects over `Bun.connect`: TCP, TLS or a Unix socket. */
export function bunConnector(address: Address): Connector {
  const bun = (globalThis as unknown as { Bun: BunRuntime }).Bun;
  return async (signal) => {
    const tls = "path" in address ? undefined : address.tls;
    const ca = await trusted(tls?.caCerts);
    signal.throwIfAborted();
    const channel = new BunChannel();
    const ready = tls === undefined ? undefined : Promise.withResolvers<void>();
    ready?.promise.catch(() => {});
    const connecting = bun.connect({
      ...("path" in address
        ? { unix: address.path }
        : { hostname: address.hostname, port: address.port }),
      tls: tls === undefined ? undefined : {
        ca,
        serverName: tls.serverName ??
          ("hostname" in address ? address.hostname : undefined),
      },
      allowHalfOpen: true,
      data: channel,
      socket: {
        ...bunHandlers,
        handshake(_socket: BunSocket, authorized: boolean, error: Error | null) {
          if (authorized) ready?.resolve();
          else ready?.reject(error ?? new Error("the certificate was not accepted"));
        },
        close(socket: BunSocket, error?: Error) {
          ready?.reject(error ?? new Error("closed during the TLS handshake"));
          bunHandlers.close(socket, error);
        },
      },
    });
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    try {
      const socket = await Promise.race([connecting, aborted.promise]);
      channel.attach(socket);
      if (ready !== undefined) await Promise.race([ready.promise, aborted.promise]);
      return transportOf(channel);
    } catch (error) {
      // A connection that comes too late, or was not accepted, is closed.
      connecting.then((socket) => socket.terminate(), () => {});
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  };
}

/** Bun takes what it is given instead of its own certificates, not beside them. */
async function trusted(caCerts: string[] | undefined): Promise<string[] | undefined> {
  if (caCerts === undefined) return undefined;
  const { rootCertificates } = await import("node:tls");
  return [...rootCertificates, ...caCerts];
}

/** Handlers for all sockets; each socket's channel is its `data`. */
export const bunHandlers = {
  binaryType: "uint8array",
  data(socket: BunSocket, chunk: Uint8Array): void {
    socket.data.received(chunk);
  },
  drain(socket: BunSocket): void {
    socket.data.drained();
  },
  end(socket: BunSocket): void {
    socket.data.ended();
  },
  close(socket: BunSocket, error?: Error): void {
    socket.data.broken(error);
  },
  error(socket: BunSocket, error: Error): void {
    socket.data.broken(error);
  },
};

/** An accepted socket of Bun as a transport. Its `data` becomes the channel. */
export function bunTransport(socket: BunSocket): Transport {
  const channel = new BunChannel();
  socket.data = channel;
  channel.attach(socket);
  return transportOf(channel);
}

/** How receiving ended. */
type End = { readonly clean: true } | { readonly clean: false; readonly reason: unknown };

/** A socket of Bun as a channel; the handlers above call it. */
export class BunChannel implements Channel {
  #socket!: BunSocket;
  #receiver: Receiver | null = null;
  /** What came before `start`, or during a pause; its end is told when all of it has been delivered. */
  #early: Uint8Array[] = [];
  #end: End | null = null;
  #told = false;
  #paused = false;
  /** Whether the system has given the socket up, and why. */
  #gone = false;
  #reason: unknown;
  #writeClosed = false;
  #closed = false;
  /** The rest of a write that the system has not taken yet. */
  #rest: Uint8Array | null = null;
  #written: PromiseWithResolvers<void> | null = null;

  attach(socket: BunSocket): void {
    this.#socket = socket;
    socket.setNoDelay(true);
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    this.#deliver();
  }

  received(chunk: Uint8Array): void {
    if (this.#closed) return;
    if (this.#receiver === null || this.#paused || this.#early.length > 0) this.#early.push(chunk);
    else this.#receiver.data(chunk);
  }

  ended(): void {
    this.#end ??= { clean: true };
    this.#deliver();
  }

  broken(error: unknown): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#reason = error ?? new Error("the socket was closed");
    this.#written?.reject(this.#reason);
    this.#written = null;
    // When both sides have ended there is no other event than this one, without an error.
    this.#end ??= error === undefined && this.#writeClosed
      ? { clean: true }
      : { clean: false, reason: this.#reason };
    this.#deliver();
  }

  #deliver(): void {
    const receiver = this.#receiver;
    if (receiver === null) return;
    while (this.#early.length > 0 && !this.#paused && !this.#closed) {
      receiver.data(this.#early.shift()!);
    }
    const end = this.#end;
    if (end === null || this.#told || this.#paused || this.#closed) return;
    this.#told = true;
    if (end.clean) receiver.end();
    else receiver.error(end.reason);
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#gone || this.#closed) {
      return Promise.reject(this.#reason ?? new Error("the socket is closed"));
    }
    const sent = this.#socket.write(chunk);
    if (sent === chunk.length) return undefined;
    if (sent < 0) return Promise.reject(new Error("the socket is closed"));
    this.#rest = chunk.subarray(sent);
    this.#written = Promise.withResolvers<void>();
    return this.#written.promise;
  }

  drained(): void {
    if (this.#rest === null) return;
    const sent = this.#socket.write(this.#rest);
    if (sent < 0) return;
    if (sent < this.#rest.length) {
      this.#rest = this.#rest.subarray(sent);
      return;
    }
    this.#rest = null;
    this.#written?.resolve();
    this.#written = null;
  }

  // deno-lint-ignore require-await -- a socket that is gone rejects, as any other channel's
  async closeWrite(): Promise<void> {
    this.#writeClosed = true;
    this.#socket.shutdown();
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (!this.#gone && !this.#closed) this.#socket.resume();
    this.#deliver();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#early = [];
    this.#written?.reject(new Error("the socket was closed"));
    this.#written = null;
    if (!this.#gone) this.#socket.end();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }
}
