/** A thousand records in one call. */

import { connectRaw } from "../baselines/raw_socket.ts";
import { connectRedis, redisClientName } from "../baselines/redis.ts";
import type { Row, Work } from "../bench.ts";
import { check, connectClient } from "../client.ts";
import { getReplySize, getRequest, KEY_COUNT, keys, pairs, values } from "../records.ts";
import type { KyotoTycoon } from "../../mod.ts";

const last = KEY_COUNT - 1;

export const rows: Row[] = [
  {
    name: "getBulk of 1000",
    against: `${redisClientName} mget`,
    unit: "records/s",
    goal: { ratio: 1.2 },
    async measure(bench) {
      using redis = await connectRedis(await bench.redis());
      await redis.mset(pairs.flat());
      await using kt = await connectClient(await bench.server());
      const baseline: Work = async (calls) => {
        for (let i = 0; i < calls; i++) check("mget", (await redis.mget(keys))[last], values[last]);
      };
      return await bench.compare(baseline, getBulks(kt), KEY_COUNT);
    },
  },
  {
    name: "getBulk of 1000",
    against: "raw bytes, dropped",
    unit: "records/s",
    goal: { ratio: 0.6 },
    async measure(bench) {
      await using kt = await connectClient(await bench.server());
      using raw = await connectRaw(await bench.server());
      const request = getRequest(keys), replySize = getReplySize(KEY_COUNT);
      const baseline: Work = async (calls) => {
        for (let i = 0; i < calls; i++) await raw.exchange(request, replySize);
      };
      return await bench.compare(baseline, getBulks(kt), KEY_COUNT);
    },
  },
  {
    name: "setBulk of 1000",
    against: `${redisClientName} mset`,
    unit: "records/s",
    goal: { ratio: 1.2 },
    async measure(bench) {
      using redis = await connectRedis(await bench.redis());
      await using kt = await connectClient(await bench.server());
      const flat = pairs.flat();
      const baseline: Work = async (calls) => {
        for (let i = 0; i < calls; i++) await redis.mset(flat);
      };
      const product: Work = async (calls) => {
        for (let i = 0; i < calls; i++) check("setBulk()", await kt.setBulk(pairs), KEY_COUNT);
      };
      return await bench.compare(baseline, product, KEY_COUNT);
    },
  },
];

function getBulks(kt: KyotoTycoon<string>): Work {
  return async (calls) => {
    for (let i = 0; i < calls; i++) {
      const entries = await kt.getBulk(keys);
      check("getBulk()", entries[last]?.value, values[last]);
    }
  };
}
