/** Listening with Bun. */

import { bunHandlers, type BunSocket, bunTransport } from "../src/transport/bun.ts";
import type { Accept, ListenAddress, Listener } from "./listen.ts";

/** What this file uses of Bun; Bun's own types are no part of this package's. */
interface BunRuntime {
  listen(options: Record<string, unknown>): BunListener;
  file(path: string): { delete(): Promise<void> };
}

interface BunListener {
  readonly port?: number;
  stop(closeConnections?: boolean): void;
  ref(): void;
  unref(): void;
}

/** Listens with `Bun.listen`. */
export function listenBun(address: ListenAddress, accept: Accept): Listener {
  const bun = (globalThis as unknown as { Bun: BunRuntime }).Bun;
  const listener = bun.listen({
    ...("path" in address
      ? { unix: address.path }
      : { hostname: address.hostname, port: address.port }),
    allowHalfOpen: true,
    socket: {
      ...bunHandlers,
      open: (socket: BunSocket) => accept(bunTransport(socket), () => socket.terminate()),
    },
  });
  let open = true;
  return {
    port: listener.port ?? 0,
    async close() {
      if (!open) return;
      open = false;
      listener.stop(false);
      if ("path" in address) await bun.file(address.path).delete().catch(() => {});
    },
    ref: () => listener.ref(),
    unref: () => listener.unref(),
  };
}
