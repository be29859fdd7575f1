/** Listening with Node, or with any runtime that has `node:net`. */

import { createServer } from "node:net";
import { nodeTransport } from "../src/transport/node.ts";
import type { Accept, ListenAddress, Listener } from "./listen.ts";

/** Listens with `node:net`. */
export async function listenNode(address: ListenAddress, accept: Accept): Promise<Listener> {
  const server = createServer(
    { allowHalfOpen: true },
    (socket) => accept(nodeTransport(socket), () => socket.resetAndDestroy()),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(
      "path" in address ? { path: address.path } : { host: address.hostname, port: address.port },
      () => {
        server.off("error", reject);
        resolve();
      },
    );
  });
  // A connection that fails before it is accepted is nobody's matter.
  server.on("error", () => {});
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : 0,
    close() {
      // Its callback would wait for the connections.
      server.close();
      return Promise.resolve();
    },
    ref: () => void server.ref(),
    unref: () => void server.unref(),
  };
}
