/** How much a process grows while ten million records stream through the client. */

import type { Row } from "../bench.ts";
import { startScript } from "../runtime.ts";

export const rows: Row[] = ["setBulk", "getBulkStream", "writable"].map((way) => ({
  name: `memory: stream through ${way}`,
  against: "records made, dropped",
  unit: "MiB",
  lessIsBetter: true,
  goal: { difference: 64 },
  async measure(bench) {
    const { hostname, port } = await bench.server();
    const args = [way, hostname, `${port}`, `${bench.effort.streamed}`];
    const program = startScript("bench/programs/stream_records.ts", args);
    const [baseline, product] = (await program.line(/MiB$/)).split(" ").map(Number);
    await program.end();
    return { baseline, product, ratio: product / baseline };
  },
}));
