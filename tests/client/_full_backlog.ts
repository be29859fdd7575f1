/** Listens, tells its port, and then does nothing at all: nobody is accepted any more. */

import { type AddressInfo, createServer } from "node:net";

const address = { hostname: "127.0.0.1", port: 0 };
if ("Deno" in globalThis) {
  const listener = Deno.listen({ ...address, tcpBacklog: 1 });
  console.log(listener.addr.port);
  setInterval(() => {}, 1_000);
} else {
  const server = createServer();
  server.listen({ port: 0, host: address.hostname, backlog: 1 }, () => {
    console.log((server.address() as AddressInfo).port);
    const nothing = new Int32Array(new SharedArrayBuffer(4));
    setTimeout(() => Atomics.wait(nothing, 0, 0), 20);
  });
}
