/**
 * Lets records stream through the client: `stream_records.ts WAY HOST PORT COUNT`. Prints how much
 * the process has grown at its largest, over what it took before. The way "nowhere" makes the records
 * and drops them.
 */

import process from "node:process";
import type { BulkRecords, Entry } from "../../mod.ts";
import { connectClient } from "../client.ts";
import { keyOf, valueOf } from "../records.ts";

/** How many different records there are: the server, in another process, has to hold them. */
const DIFFERENT = 100_000;
/** Looks at the memory after so many records. */
const EVERY = 5000;
const WARM_UP = 100;

/** What the client is to have; an early version may lack it. */
interface Streaming {
  setBulk(records: BulkRecords<string>): Promise<number>;
  getBulkStream?(keys: AsyncIterable<string>): AsyncIterable<Entry<string>>;
  writable?(): WritableStream<[key: string, value: string]>;
}

const [way, hostname, port, count] = process.argv.slice(2);
await using kt = await connectClient({ hostname, port: Number(port) });
const streaming = kt as unknown as Streaming;
if (streaming.getBulkStream === undefined || streaming.writable === undefined) {
  console.log("not available: the client has no streams for bulk work");
} else {
  for (let i = 0; i < WARM_UP; i++) await kt.getBulk([keyOf(i)]);
  const idle = process.memoryUsage().rss;
  let peak = idle;
  await stream(() => peak = Math.max(peak, process.memoryUsage().rss));
  console.log(`${peak - idle} bytes`);
}

async function stream(look: () => void): Promise<void> {
  if (way === "setBulk") {
    await streaming.setBulk(watched(records(), look));
  } else if (way === "writable") {
    const writer = streaming.writable!().getWriter();
    for await (const record of watched(records(), look)) {
      await writer.ready;
      // What fails is told by close().
      writer.write(record).catch(() => {});
    }
    await writer.close();
  } else {
    const source = way === "getBulkStream" ? streaming.getBulkStream!(keys()) : records();
    for await (const _ of watched<unknown>(source, look));
  }
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
