/** A crossed pair of transports in memory: what one writes the other reads. No sockets, no runtime. */

import type { Transport } from "./transport.ts";

/** Bytes that may wait in each direction before the writer is slowed down. */
const HIGH_WATER_MARK = 64 * 1024;

/**
 * Makes both ends of a connection in memory, for tests and for a mock without sockets.
 *
 * @example
 * ```ts
 * import { connect } from "@kyoto/tycoon";
 * import { startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await startMockServer();
 * await using kt = await connect({ connector: () => server.connectInMemory() });
 * await kt.set("k", "v");
 * assertEquals(await kt.get("k"), new TextEncoder().encode("v"));
 * ```
 */
export function memoryPair(): [Transport, Transport] {
  const [a, b] = [pipe(), pipe()];
  return [
    { readable: a.readable, writable: b.writable },
    { readable: b.readable, writable: a.writable },
  ];
}

function pipe(): TransformStream<Uint8Array, Uint8Array> {
  const size = (chunk: Uint8Array) => chunk.length;
  return new TransformStream(
    {},
    { highWaterMark: HIGH_WATER_MARK, size },
    { highWaterMark: HIGH_WATER_MARK, size },
  );
}
