/** Values of 1 MiB, as bytes. */

import { connect } from "../../mod.ts";
import { connectRaw } from "../baselines/raw_socket.ts";
import type { Bench, Row, Work } from "../bench.ts";
import { check } from "../client.ts";
import { COUNT_SIZE, getReplySize, getRequest, setRequest } from "../records.ts";

const KEY = "large000";
const SIZE = 1024 * 1024;
const MEGABYTES = SIZE / 1e6;

const common = { against: "raw socket copy", unit: "MB/s", goal: { ratio: 0.7 } };

export const rows: Row[] = [
  {
    name: "get of 1 MiB",
    ...common,
    async measure(bench) {
      await using kt = await connectWithValue(bench);
      using raw = await connectRaw(await bench.server());
      const request = getRequest([KEY]), replySize = getReplySize(1, KEY.length, SIZE);
      const baseline: Work = async (calls) => {
        for (let i = 0; i < calls; i++) await raw.copy(request, replySize);
      };
      const product: Work = async (calls) => {
        for (let i = 0; i < calls; i++) check("get()", (await kt.get(KEY))?.length, SIZE);
      };
      return await bench.compare(baseline, product, MEGABYTES);
    },
  },
  {
    name: "set of 1 MiB",
    ...common,
    async measure(bench) {
      await using kt = await connectWithValue(bench);
      using raw = await connectRaw(await bench.server());
      const value = largeValue(), request = setRequest([[KEY, value]]);
      const baseline: Work = async (calls) => {
        for (let i = 0; i < calls; i++) await raw.exchange(request, COUNT_SIZE);
      };
      const product: Work = async (calls) => {
        for (let i = 0; i < calls; i++) await kt.set(KEY, value);
      };
      return await bench.compare(baseline, product, MEGABYTES);
    },
  },
];

async function connectWithValue(bench: Bench) {
  const { hostname, port } = await bench.server();
  const kt = await connect({ hostname, port });
  await kt.set(KEY, largeValue());
  return kt;
}

function largeValue(): Uint8Array {
  return Uint8Array.from({ length: SIZE }, (_, i) => i);
}
