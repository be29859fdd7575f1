/** The mock server against one that answers canned bytes, loaded by the same raw socket client. */

import { connectRaw } from "../baselines/raw_socket.ts";
import type { Row, Work } from "../bench.ts";
import {
  COUNT_SIZE,
  getReplySize,
  getRequest,
  KEY_COUNT,
  keys,
  pairs,
  setRequest,
} from "../records.ts";
import { connectClient } from "../client.ts";
import { onOneCpu } from "../runtime.ts";

const PIPELINED = 100;

export const rows: Row[] = [
  row("mock: sequential", "requests/s", getRequest(keys.slice(0, 1)), getReplySize(1)),
  row(
    `mock: ${PIPELINED} pipelined`,
    "requests/s",
    getRequest(keys.slice(0, 1)),
    getReplySize(1),
    { pipelined: PIPELINED },
  ),
  row("mock: get_bulk of 1000", "records/s", getRequest(keys), getReplySize(KEY_COUNT), {
    records: KEY_COUNT,
  }),
  row("mock: set_bulk of 1000", "records/s", setRequest(pairs), COUNT_SIZE, {
    records: KEY_COUNT,
  }),
];

function row(
  name: string,
  unit: string,
  request: Uint8Array,
  replySize: number,
  { pipelined = 1, records = 1 } = {},
): Row {
  return {
    name,
    against: "canned bytes",
    unit,
    goal: { ratio: 0.8 },
    async measure(bench) {
      const mockServer = await bench.mock(), cannedServer = await bench.canned();
      // Puts the records into the server.
      await using _ = await connectClient(mockServer);
      using mock = await connectRaw(mockServer);
      using canned = await connectRaw(cannedServer);

      const configuration = new Uint8Array(8 + request.length);
      new DataView(configuration.buffer).setUint32(0, request.length);
      new DataView(configuration.buffer).setUint32(4, replySize);
      configuration.set(request, 8);
      await canned.exchange(configuration, replySize);

      const requests = new Uint8Array(request.length * pipelined);
      for (let i = 0; i < pipelined; i++) requests.set(request, i * request.length);
      const load = (socket: typeof mock): Work => async (calls) => {
        for (let i = 0; i < calls; i++) await socket.exchange(requests, replySize * pipelined);
      };
      const compare = () => bench.compare(load(canned), load(mock), pipelined * records);
      const inTurns = pipelined * records === 1;
      return inTurns
        ? await onOneCpu([mockServer.pid, cannedServer.pid], compare)
        : await compare();
    },
  };
}
