/** Following a mock server that keeps a log of its updates. */

import { connect, type Update } from "../../mod.ts";
import { connectRaw } from "../baselines/raw_socket.ts";
import type { Bench, Row, Work } from "../bench.ts";
import { check } from "../client.ts";
import { COUNT_SIZE, KEY_COUNT, KEY_SIZE, pairs, setRequest, VALUE_SIZE } from "../records.ts";
import { startScript } from "../runtime.ts";
import type { Address } from "../servers.ts";

/** `b1 stamp size`, `server id, database, operation`, two sizes, five bytes of expiration. */
const FRAME_SIZE = 13 + 5 + 2 + KEY_SIZE + 5 + VALUE_SIZE;
const REQUEST_SIZE = 15;
const REPLICATION = 0xb1;
/** Updates that one call of the first row reads. */
const READ = 200_000;

export const rows: Row[] = [
  {
    name: "replication: updates",
    against: "raw bytes, dropped",
    unit: "updates/s",
    goal: { figure: 500_000 },
    async measure(bench) {
      const master = await bench.master();
      await fill(master, READ);
      return await bench.compare(dropped(master), followed(master), READ);
    },
  },
  {
    name: "replication: slow consumer",
    against: "process at rest",
    unit: "MiB",
    lessIsBetter: true,
    goal: { difference: 64 },
    measure: slowConsumer,
  },
];

/** Makes so many updates. */
async function fill(address: Address, count: number): Promise<void> {
  using raw = await connectRaw(address);
  const request = setRequest(pairs);
  for (let i = 0; i < count; i += KEY_COUNT) await raw.exchange(request, COUNT_SIZE);
}

function dropped(address: Address): Work {
  // From the beginning, all but the updates of server 0.
  const request = new Uint8Array(REQUEST_SIZE);
  request[0] = REPLICATION;
  return async (calls) => {
    for (let i = 0; i < calls; i++) {
      using raw = await connectRaw(address);
      await raw.exchange(request, 1 + READ * FRAME_SIZE);
    }
  };
}

function followed({ hostname, port }: Address): Work {
  return async (calls) => {
    for (let i = 0; i < calls; i++) {
      await using kt = await connect({ hostname, port });
      let count = 0, bytes = 0;
      for await (const update of kt.replicate({ serverId: 0 })) {
        bytes += sizeOf(update);
        if (++count === READ) break;
      }
      check("replicate()", bytes, READ * (KEY_SIZE + VALUE_SIZE));
    }
  };
}

function sizeOf({ key, value }: Update): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}

async function slowConsumer(bench: Bench) {
  const { updates, slow } = bench.effort;
  const master = await bench.master();
  const args = [master.hostname, `${master.port}`, `${updates}`, `${slow}`];
  const consumer = startScript("bench/programs/slow_consumer.ts", args);
  await consumer.line(/^connected$/);
  await fill(master, updates);
  const [baseline, product] = (await consumer.line(/MiB$/)).split(" ").map(Number);
  await consumer.end();
  return { baseline, product, ratio: product / baseline };
}
