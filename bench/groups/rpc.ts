/** Procedures over HTTP: what this runtime's own `fetch` makes of them, and cursors. */

import { bytes, type KyotoTycoon } from "../../mod.ts";
import type { Row, Work } from "../bench.ts";
import { check, connectClient } from "../client.ts";
import type { Address } from "../servers.ts";

const RECORDS = 100_000;
/** How many of them one round reads one by one. */
const STEPS = 1000;

export const rows: Row[] = [
  {
    name: "sequential increment",
    against: "fetch, kept alive",
    unit: "calls/s",
    goal: { ratio: 3 },
    async measure(bench) {
      const server = await bench.server();
      await using kt = await connectClient(server);
      return await bench.compare(fetched(server, "fetch-1", 1), incremented(kt, "client-1", 1));
    },
  },
  {
    name: "100 concurrent increment",
    against: "fetch, kept alive",
    unit: "calls/s",
    goal: { ratio: 10 },
    async measure(bench) {
      const server = await bench.server();
      await using kt = await connectClient(server);
      const count = 100;
      return await bench.compare(
        fetched(server, "fetch-100", count),
        incremented(kt, "client-100", count),
        count,
      );
    },
  },
  {
    name: "iterate 100,000 records",
    against: "cursor, one by one",
    unit: "records/s",
    async measure(bench) {
      await using kt = await connectClient(await bench.server());
      await kt.setBulk(records());
      // The counters of the other rows are no text.
      const raw = kt.withCodec(bytes);
      return await bench.compare(steps(raw), entries(raw), STEPS, RECORDS);
    },
  },
];

function incremented(kt: KyotoTycoon<string>, key: string, count: number): Work {
  return async (calls) => {
    await kt.increment(key, 0, { initial: "reset" });
    let last = 0;
    for (let i = 0; i < calls; i++) {
      const pending: Promise<number>[] = [];
      for (let j = 0; j < count; j++) pending.push(kt.increment(key));
      last = (await Promise.all(pending))[count - 1];
    }
    check("increment()", last, calls * count);
  };
}

function fetched({ hostname, port }: Address, key: string, count: number): Work {
  const url = `http://${hostname}:${port}/rpc/increment`;
  const headers = { "content-type": "text/tab-separated-values" };
  const call = async (parameters: string) => {
    const response = await fetch(url, { method: "POST", headers, body: parameters });
    const [, num] = (await response.text()).split(/[\t\n]/);
    return Number(num);
  };
  return async (calls) => {
    await call(`key\t${key}\nnum\t0\norig\tset\n`);
    let greatest = 0;
    for (let i = 0; i < calls; i++) {
      const pending: Promise<number>[] = [];
      for (let j = 0; j < count; j++) pending.push(call(`key\t${key}\nnum\t1\n`));
      greatest = Math.max(...await Promise.all(pending));
    }
    check("fetch()", greatest, calls * count);
  };
}

function* records(): Generator<[string, string]> {
  for (let i = 0; i < RECORDS; i++) yield [`r${`${i}`.padStart(7, "0")}`, `value ${i}`.padEnd(32)];
}

function entries(kt: KyotoTycoon): Work {
  return async (calls) => {
    for (let i = 0; i < calls; i++) {
      let seen = 0;
      for await (const { value } of kt.entries({ limit: RECORDS })) {
        seen += value.length > 0 ? 1 : 0;
      }
      check("entries()", seen, RECORDS);
    }
  };
}

function steps(kt: KyotoTycoon): Work {
  return async (calls) => {
    await using cursor = kt.cursor();
    for (let i = 0; i < calls; i++) {
      await cursor.jump();
      let seen = 0;
      while (seen < STEPS && await cursor.get({ step: true }) !== null) seen++;
      check("cursor.get()", seen, STEPS);
    }
  };
}
