/** From a cold process to the first reply. */

import { type Bench, figures, type Row } from "../bench.ts";
import { connectClient } from "../client.ts";
import { startScript } from "../runtime.ts";

export const rows: Row[] = [{
  name: "start, import, connect, get",
  against: "bare runtime start",
  unit: "ms",
  lessIsBetter: true,
  async measure(bench: Bench) {
    const { hostname, port } = await bench.server();
    {
      await using _ = await connectClient({ hostname, port });
    }
    const bare = () => time("bench/programs/nothing.ts", []);
    const first = () => time("bench/programs/first_get.ts", [hostname, `${port}`]);
    // The first run of each fills the runtime's own caches.
    await bare();
    await first();
    const baseline: number[] = [], product: number[] = [];
    for (let i = 0; i < bench.effort.starts; i++) {
      baseline.push(await bare());
      product.push(await first());
    }
    return figures(baseline, product);
  },
}];

/** How long a script takes from start to end, in milliseconds. */
async function time(script: string, args: string[]): Promise<number> {
  const start = performance.now();
  await startScript(script, args).end();
  return performance.now() - start;
}
