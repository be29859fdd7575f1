/** Many single calls made in one tick, then awaited together. */

import { connectRedis, redisClientName } from "../baselines/redis.ts";
import type { Row, Work } from "../bench.ts";
import { check, connectClient } from "../client.ts";
import { keys, pairs, values } from "../records.ts";

/** What both clients have. */
interface Client {
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<unknown>;
}

export const rows: Row[] = [
  row("100 concurrent get", { ratio: { deno: 2, bun: 1.2 } }, gets, 100),
  row("1000 concurrent get", { ratio: { deno: 4, bun: 1.5 } }, gets, 1000),
  row("1000 concurrent set", { ratio: { deno: 4, bun: 1.5 } }, sets, 1000),
];

function row(
  name: string,
  goal: Row["goal"],
  work: (client: Client, count: number) => Work,
  count: number,
): Row {
  return {
    name,
    against: redisClientName,
    unit: "calls/s",
    goal,
    async measure(bench) {
      using redis = await connectRedis(await bench.redis());
      await redis.mset(pairs.flat());
      await using kt = await connectClient(await bench.server());
      return await bench.compare(work(redis, count), work(kt, count), count);
    },
  };
}

function gets(client: Client, count: number): Work {
  return async (calls) => {
    for (let i = 0; i < calls; i++) {
      const pending: Promise<string | null>[] = [];
      for (let j = 0; j < count; j++) pending.push(client.get(keys[j]));
      const got = await Promise.all(pending);
      check("get()", got[count - 1], values[count - 1]);
    }
  };
}

function sets(client: Client, count: number): Work {
  return async (calls) => {
    for (let i = 0; i < calls; i++) {
      const pending: Promise<unknown>[] = [];
      for (let j = 0; j < count; j++) pending.push(client.set(keys[j], values[j]));
      await Promise.all(pending);
    }
  };
}
