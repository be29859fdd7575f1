/** What a sequential get allocates. */

import type { Row } from "../bench.ts";
import { startScript } from "../runtime.ts";

const flags = [
  "--v8-flags=--expose-gc,--min-semi-space-size=64,--max-semi-space-size=64",
];
const env = { BUN_JSC_useGC: "0" };

export const rows: Row[] = [{
  name: "allocation per sequential get",
  against: "raw socket loop",
  unit: "bytes",
  lessIsBetter: true,
  goal: { ratio: 3 },
  async measure(bench) {
    const { hostname, port } = await bench.server();
    const { counted } = bench.effort;
    const bytesPerCall = async (side: string) => {
      const args = [side, hostname, `${port}`, `${counted}`];
      const program = startScript("bench/programs/count_allocations.ts", args, { flags, env });
      return parseInt(await program.line(/bytes$/)) / counted;
    };
    const baseline = await bytesPerCall("baseline");
    const product = await bytesPerCall("product");
    return { baseline, product, ratio: product / baseline };
  },
}];
