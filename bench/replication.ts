/**
 * Replication from a mock server in a process of its own: `deno run -A bench/replication.ts` or
 * `bun bench/replication.ts`, with `--quick` for a shorter run.
 *
 * Prints how many updates a second a consumer is given, against reading the same bytes from the raw
 * socket and dropping them; and how much this process grows while a consumer takes an update a second
 * and the server makes a million.
 */

import process from "node:process";
import { connect, type Update } from "../mod.ts";
import { connectRaw } from "./baselines/raw_socket.ts";
import { median } from "./bench.ts";
import { KEY_COUNT, KEY_SIZE, pairs, setRequest, VALUE_SIZE } from "./records.ts";
import { machine, runtimeVersion, startScript } from "./runtime.ts";

/** `b1 stamp size`, `server id, database, operation`, two sizes, five bytes of expiration. */
const FRAME_SIZE = 13 + 5 + 2 + KEY_SIZE + 5 + VALUE_SIZE;
const GOAL = 500_000;
const ALLOWED_MIB = 64;
const MIB = 1024 * 1024;

const quick = process.argv.includes("--quick");
const updates = quick ? 200_000 : 1_000_000;
const rounds = quick ? 3 : 9;
const slowSeconds = quick ? 5 : 20;

const server = startScript("mock_server/cli.ts", [
  "--port",
  "0",
  "--sid",
  "1",
  "--ulog",
  "--ulim",
  "256m",
]);
try {
  const url = await server.line(/^kt:/);
  const { hostname, port } = new URL(url);
  const address = { hostname, port: Number(port) };
  console.log(`${runtimeVersion}, ${machine()}, ${updates} updates of ${VALUE_SIZE}-byte values`);
  await fill(address, updates);
  await speed(url, address);
  await memory(url, address);
} finally {
  await server.stop();
}

async function fill(address: { hostname: string; port: number }, count: number): Promise<void> {
  using raw = await connectRaw(address);
  const request = setRequest(pairs);
  for (let i = 0; i < count / KEY_COUNT; i++) await raw.exchange(request, 5);
}

async function speed(url: string, address: { hostname: string; port: number }): Promise<void> {
  const raw: number[] = [], ours: number[] = [];
  for (let i = 0; i < rounds; i++) {
    raw.push(await perSecond(() => readRaw(address)));
    ours.push(await perSecond(() => follow(url)));
  }
  const ratio = median(ours.map((figure, i) => figure / raw[i]));
  const best = median(ours);
  console.log(`raw socket, bytes dropped   ${Math.round(median(raw))} updates/s`);
  console.log(`delivered to the consumer   ${Math.round(best)} updates/s`);
  console.log(`ratio                       ${ratio.toFixed(2)}`);
  console.log(`goal of ${GOAL} updates/s: ${best >= GOAL ? "reached" : "short"}`);
}

async function perSecond(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return updates * 1000 / (performance.now() - start);
}

async function readRaw(address: { hostname: string; port: number }): Promise<void> {
  using raw = await connectRaw(address);
  // From the beginning, all but the updates of server 0.
  const request = new Uint8Array(15);
  request[0] = 0xb1;
  await raw.exchange(request, 1 + updates * FRAME_SIZE);
}

async function follow(url: string): Promise<void> {
  await using kt = await connect(url);
  let count = 0, bytes = 0;
  for await (const update of kt.replicate({ serverId: 0 })) {
    bytes += sizeOf(update);
    if (++count === updates) break;
  }
  if (bytes !== updates * (KEY_SIZE + VALUE_SIZE)) {
    throw new Error(`Cannot compare: ${bytes} bytes of keys and values came`);
  }
}

function sizeOf({ key, value }: Update): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}

async function memory(url: string, address: { hostname: string; port: number }): Promise<void> {
  await using kt = await connect(url);
  await using stream = kt.replicate({ since: "now" });
  const taken = stream.next();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const idle = process.memoryUsage().rss;
  const filled = fill(address, updates);
  await taken;
  let peak = 0, slow = 1;
  for (; slow <= slowSeconds; slow++) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    peak = Math.max(peak, process.memoryUsage().rss);
    await stream.next();
  }
  await filled;
  const held = (peak - idle) / MIB;
  console.log(
    `a slow consumer, ${slow} updates in ${slowSeconds} s: grown by ${held.toFixed(1)} MiB`,
  );
  let last = 0n, rest = slow;
  for await (const { timestamp } of stream) {
    if (timestamp <= last) throw new Error("Cannot go on: the updates came out of order");
    last = timestamp;
    if (++rest === updates) break;
  }
  console.log(`then all of ${rest} updates arrived, in order`);
  console.log(`goal of ${ALLOWED_MIB} MiB at most: ${held <= ALLOWED_MIB ? "reached" : "short"}`);
}
