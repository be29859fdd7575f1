/** One call after the other, each awaited. */

import type { KyotoTycoon } from "../../mod.ts";
import { rawGets } from "../baselines/raw_gets.ts";
import { connectRaw } from "../baselines/raw_socket.ts";
import type { Row, Work } from "../bench.ts";
import { check, connectClient } from "../client.ts";
import { KEY_COUNT, keys, valueOf } from "../records.ts";

export const rows: Row[] = [{
  name: "sequential get",
  against: "raw socket loop",
  unit: "calls/s",
  goal: { ratio: 0.95 },
  async measure(bench) {
    await using kt = await connectClient(await bench.server());
    using raw = await connectRaw(await bench.server());
    return await bench.compare(rawGets(raw), gets(kt));
  },
}];

export function gets(kt: KyotoTycoon<string>): Work {
  return async (calls) => {
    let key = "", value: string | null = "";
    for (let i = 0; i < calls; i++) {
      key = keys[i % KEY_COUNT];
      value = await kt.get(key);
    }
    check("get()", value, valueOf(key));
  };
}
