/** Plans that once broke a promise, as small as they could be made; each is tried in every run. */

import type { ClientPlan, Plan, PlannedCall, PlannedKey } from "./_plan.ts";

const client: ClientPlan = {
  connections: 1,
  ordered: false,
  minConnections: 1,
  doors: 1,
  failbackInterval: 20,
  idleTimeout: Infinity,
  pingInterval: Infinity,
  whenFull: "reject",
  batch: { records: 512, bytes: 65536 },
  connectTimeout: 50,
  replyTimeout: 60,
  queueTimeout: 100,
  attempts: 5,
  maxQueue: 1000,
  maxQueueBytes: 2 ** 29,
};
const key: PlannedKey = { database: 0, name: "a", asBytes: false };
const limits = {};
const get: PlannedCall = { op: "get", key, picky: false, limits };
const set: PlannedCall = { op: "set", key, padding: 0, expires: false, noReply: false, limits };

function plan(changes: Partial<Plan>): Plan {
  return {
    client,
    tasks: [[{ call: get, awaited: true }]],
    faults: [],
    events: [],
    links: [],
    ending: { how: "close" },
    ...changes,
  };
}

export const found: Plan[] = [
  // "disconnected" was told twice where nothing is to be connected again.
  plan({
    client: { ...client, attempts: 0 },
    faults: [{ op: "connect", nth: 1, times: 1, action: "refuse" }],
  }),
  // A cursor that found no room to be let go tried again when the client was closed.
  plan({
    client: { ...client, maxQueue: 2 },
    tasks: [[
      { call: { op: "entries", database: 0, take: 2, limits }, awaited: false },
      { call: get, awaited: true },
      { call: set, awaited: false },
      { call: { op: "append", log: { ...key, name: "+" }, limits }, awaited: false },
    ]],
  }),
];
