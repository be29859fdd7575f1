/**
 * Lets records stream through the client: `stream_records.ts WAY HOST PORT COUNT`. Prints the most
 * memory that the process took while it made as many records and dropped them, and then while they
 * went through the client.
 */

import process from "node:process";
import { connectClient } from "../client.ts";
import { keyOf, valueOf } from "../records.ts";

/** How many different records there are: the server, in another process, has to hold them. */
const DIFFERENT = 100_000;
/** Looks at the memory after so many records. */
const EVERY = 5000;
const MIB = 1024 * 1024;

const [way, hostname, port, count] = process.argv.slice(2);
await using kt = await connectClient({ hostname, port: Number(port) });
const ways: Record<string, (look: () => void) => Promise<unknown>> = {
  setBulk: (look) => kt.setBulk(watched(records(), look)),
  getBulkStream: (look) => drop(watched(kt.getBulkStream(keys()), look)),
  writable: (look) => write(watched(records(), look)),
};
// The runtime's heap grows to the size that it likes for garbage, whoever makes that.
const idle = await peak((look) => drop(watched(records(), look)));
console.log(`${idle} ${await peak(ways[way])} MiB`);

async function peak(stream: (look: () => void) => Promise<unknown>): Promise<number> {
  let most = 0;
  await stream(() => most = Math.max(most, process.memoryUsage().rss));
  return most / MIB;
}

async function write(source: AsyncIterable<[key: string, value: string]>): Promise<void> {
  const writer = kt.writable().getWriter();
  for await (const record of source) {
    await writer.ready;
    // What fails is told by close().
    writer.write(record).catch(() => {});
  }
  await writer.close();
}

async function drop(source: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of source);
}

async function* keys(): AsyncGenerator<string> {
  for (let i = 0; i < Number(count); i++) yield keyOf(i % DIFFERENT);
}

async function* records(): AsyncGenerator<[key: string, value: string]> {
  for await (const key of keys()) yield [key, valueOf(key)];
}

async function* watched<T>(source: AsyncIterable<T>, look: () => void): AsyncGenerator<T> {
  let passed = 0;
  for await (const item of source) {
    if (++passed % EVERY === 0) look();
    yield item;
  }
}
