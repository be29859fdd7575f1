/** Listening with Deno. */

import { denoTransport } from "../src/transport/deno.ts";
import type { Accept, ListenAddress, Listener } from "./listen.ts";

/** Milliseconds before the next connection is accepted after one could not be. */
const RETRY_DELAY = 10;

/** Listens with `Deno.listen`. */
export function listenDeno(address: ListenAddress, accept: Accept): Listener {
  const listener = "path" in address
    ? Deno.listen({ transport: "unix", path: address.path })
    : Deno.listen({ hostname: address.hostname, port: address.port });
  let open = true;
  const accepting = acceptAll();
  return {
    port: listener.addr.transport === "tcp" ? listener.addr.port : 0,
    async close() {
      if (open) {
        open = false;
        listener.close();
        if ("path" in address) await Deno.remove(address.path).catch(() => {});
      }
      // Until the pending accept has ended the port is taken.
      await accepting;
    },
    ref: () => listener.ref(),
    unref: () => listener.unref(),
  };

  async function acceptAll(): Promise<void> {
    while (open) {
      let conn: Deno.Conn;
      try {
        conn = await listener.accept();
      } catch {
        if (!open) return;
        // The system may be out of descriptors: that needs time.
        await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY));
        continue;
      }
      if (open) accept(denoTransport(conn));
      else conn.close();
    }
  }
}
