/** Where the mock server's connections come from; each runtime has its own way to listen. */

import { detectRuntime } from "../src/transport/detect.ts";
import type { Transport } from "../src/transport/transport.ts";

/** Where to listen. */
export type ListenAddress =
  | { readonly hostname: string; readonly port: number }
  | { readonly path: string };

/** A socket that listens. */
export interface Listener {
  /** The port, which the system chose if 0 was asked for; 0 for a Unix socket. */
  readonly port: number;
  /**
   * Accepts no more connections, at once; those that there are stay. When the promise is settled, the
   * address can be listened on again.
   */
  close(): Promise<void>;
  /** Lets it keep the process alive (the default). */
  ref(): void;
  /** Lets the process end though it listens. */
  unref(): void;
}

/** Is given each connection, and where the runtime can do it a way to reset it. */
export type Accept = (transport: Transport, reset?: () => void) => void;

/** Listens with the runtime at hand. */
export async function listen(address: ListenAddress, accept: Accept): Promise<Listener> {
  switch (detectRuntime()) {
    case "deno":
      return (await import("./listen_deno.ts")).listenDeno(address, accept);
    case "bun":
      return (await import("./listen_bun.ts")).listenBun(address, accept);
    case "node":
      return await (await import("./listen_node.ts")).listenNode(address, accept);
  }
}
