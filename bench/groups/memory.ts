/** How much a process grows while ten million records stream through the client. */

import { NotAvailable, type Row } from "../bench.ts";
import { startScript } from "../runtime.ts";

const MIB = 1024 * 1024;

export const rows: Row[] = ["setBulk", "getBulkStream", "writable"].map((way) => ({
  name: `memory: stream through ${way}`,
  against: "records made, dropped",
  unit: "MiB",
  lessIsBetter: true,
  limit: 64,
  async measure(bench) {
    const { hostname, port } = await bench.server();
    const growth = async (way: string) => {
      const args = [way, hostname, `${port}`, `${bench.effort.streamed}`];
      const program = startScript("bench/programs/stream_records.ts", args);
      const line = await program.line(/bytes$|^not available/);
      await program.end();
      const [, missing] = /^not available: (.*)/.exec(line) ?? [];
      if (missing !== undefined) throw new NotAvailable(missing);
      return parseInt(line) / MIB;
    };
    const baseline = await growth("nowhere"), product = await growth(way);
    return { baseline, product, ratio: product / baseline };
  },
}));
