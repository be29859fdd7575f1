/**
 * Counts the bytes that sequential gets allocate: `count_allocations.ts SIDE HOST PORT CALLS`.
 *
 * In Deno calls are made in small batches, each after a full collection and too small to cause one,
 * and what the heap has grown by is added up. In Bun, whose heap is not counted between collections,
 * collection is turned off from outside, and what the process has grown by counts.
 */

import process from "node:process";
import { rawGets } from "../baselines/raw_gets.ts";
import { connectRaw } from "../baselines/raw_socket.ts";
import type { Work } from "../bench.ts";
import { connectClient } from "../client.ts";
import { gets } from "../groups/sequential.ts";

const BATCH = 1000;
const WARM_UP = 5000;

const [side, hostname, port, count] = process.argv.slice(2);
const address = { hostname, port: Number(port) };
await using kt = await connectClient(address);
using raw = await connectRaw(address);
const work: Work = side === "product" ? gets(kt) : rawGets(raw);
const collect = (globalThis as { gc?: () => void }).gc;

await work(WARM_UP);
let bytes = 0;
for (let done = 0; done < Number(count); done += BATCH) {
  collect?.();
  const before = allocated();
  await work(BATCH);
  bytes += allocated() - before;
}
console.log(`${bytes} bytes`);

function allocated(): number {
  const { heapUsed, external, rss } = process.memoryUsage();
  return collect === undefined ? rss : heapUsed + external;
}
