/**
 * Takes an update a second, then all the others at once: `slow_consumer.ts HOST PORT UPDATES SECONDS`.
 * Prints "connected" when the updates may be made, and at the end how much memory the process took
 * before there were any, and at most while it was slow.
 */

import process from "node:process";
import { connect } from "../../mod.ts";

const MIB = 1024 * 1024;
/** Milliseconds after which a connection stands. */
const SETTLED = 500;
const SECOND = 1000;

const [hostname, port, updates, seconds] = process.argv.slice(2);
await using kt = await connect({ hostname, port: Number(port) });
await using stream = kt.replicate({ since: "now" });
let next = stream.next();
await pass(SETTLED);
const idle = memory();
console.log("connected");
let peak = idle, count = 0, last = 0n;
await take();
for (let i = 0; i < Number(seconds); i++) {
  await pass(SECOND);
  peak = Math.max(peak, memory());
  await take();
}
while (count < Number(updates)) await take();
console.log(`${idle} ${peak} MiB`);

/** Takes an update, which must be newer than the one before. */
async function take(): Promise<void> {
  const { value } = await next;
  if (value === undefined || value.timestamp <= last) {
    throw new Error("Cannot compare: an update is missing or out of order");
  }
  last = value.timestamp;
  if (++count < Number(updates)) next = stream.next();
}

function memory(): number {
  return process.memoryUsage().rss / MIB;
}

function pass(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
