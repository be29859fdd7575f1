/** What is to happen in a run: the client's set-up, the calls of its tasks, and all that goes wrong. */

import fc from "fast-check";
import type { FaultAction, FaultRule } from "../../mock_server/mod.ts";
import { CALM, type DirectionPlan, type LinkPlan } from "./_link.ts";

/** A key, and how it is given. */
export interface PlannedKey {
  /** 0 and 1 exist; the others do not. */
  database: number;
  name: string;
  asBytes: boolean;
}

/** The second one is ordered. */
export const DATABASE_NAMES = ["*", "%"];
export const DATABASES = DATABASE_NAMES.length;
/** For a server that does not come back. */
export const FOR_EVER = 1_000_000;
/** The key of a record that only one call is about, numbered as the calls come. */
export const OWN = "own";

/** With this begin the keys of records that are numbers, to be counted up. */
export const COUNTER = "#";
/** With this begin the keys of records that are only ever added to. */
export const LOG = "+";

/** How long a call may take, and whether it is given up. Milliseconds. */
export interface CallLimits {
  timeout?: number;
  /** Negative: it is aborted before it is made. */
  abortAfter?: number;
}

export type PlannedCall =
  & { limits: CallLimits }
  & (
    | { op: "get" | "getEntry"; key: PlannedKey; picky: boolean }
    | { op: "set"; key: PlannedKey; padding: number; expires: boolean; noReply: boolean }
    | { op: "remove"; key: PlannedKey; noReply: boolean }
    | { op: "getBulk"; keys: PlannedKey[]; picky: boolean; pause?: number }
    | { op: "getBulkStream"; keys: PlannedKey[]; take: number; pause?: number }
    | { op: "setBulk"; keys: PlannedKey[]; padding: number; noReply: boolean; pause?: number }
    | { op: "removeBulk"; keys: PlannedKey[]; noReply: boolean; pause?: number }
    | { op: "playScript"; procedure: string; keys: PlannedKey[]; noReply: boolean }
    | { op: "add" | "replace" | "seize"; key: PlannedKey }
    | { op: "cas"; key: PlannedKey; expects: "what is there" | "nothing"; removes: boolean }
    | { op: "append"; log: PlannedKey }
    | { op: "increment"; counter: string }
    | { op: "matchPrefix"; database: number; prefix: string }
    | { op: "entries"; database: number; take: number }
    | { op: "cursor"; key: PlannedKey; sets: boolean }
    | { op: "ping" }
  );

/** The calls of one kind, or some. */
export type Op<T extends PlannedCall["op"]> = Extract<PlannedCall, { op: T }>;

export type Step =
  | { pause: number }
  | { call: PlannedCall; awaited: boolean };

export interface ClientPlan {
  connections: number;
  /** Whether calls are made by a view that keeps their order on several connections. */
  ordered: boolean;
  minConnections: number;
  /** Addresses of the server, of which one may be down while the other is not. */
  doors: number;
  failbackInterval: number;
  idleTimeout: number;
  pingInterval: number;
  whenFull: "reject" | "wait";
  batch: { records: number; bytes: number };
  connectTimeout: number;
  replyTimeout: number;
  queueTimeout: number;
  attempts: number;
  maxQueue: number;
  maxQueueBytes: number;
}

/** Something that happens to the server. */
export type ServerEvent =
  | { what: "drop" }
  /** All connections are lost, and none can be made for a while. */
  | { what: "restart"; down: number }
  /** The same at its first address alone, if it has several. */
  | { what: "shut"; down: number }
  | { what: "pause"; for: number };

export interface Plan {
  client: ClientPlan;
  tasks: Step[][];
  faults: FaultRule[];
  events: { at: number; event: ServerEvent }[];
  /** What becomes of the first connections; all others are calm. */
  links: LinkPlan[];
  /** How the client ends, and when, if not after all calls. */
  ending: { how: "close" | "destroy"; at?: number };
}

/** Whether calls leave, and are answered, in the order in which they are made. */
export function keepsOrder({ client: { connections, ordered, doors } }: Plan): boolean {
  return (connections === 1 || ordered) && doors === 1;
}

/** Keys of the records that one call each is about. */
export function ownKeys({ tasks }: Plan): PlannedKey[] {
  const wanted = JSON.stringify(tasks).split(`"${OWN}"`).length - 1;
  return Array.from({ length: wanted }, (_, i) => (
    { database: 0, name: `${OWN} ${i}`, asBytes: i % 2 === 0 }
  ));
}

const oneIn = <T>(n: number, rare: fc.Arbitrary<T>, usual: T): fc.Arbitrary<T> =>
  fc.oneof({ weight: n - 1, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: rare });

const flag = (n: number) => oneIn(n, fc.constant(true), false);

const database = fc.constantFrom(0, 0, 0, 1, 1, 1, 7);
const key: fc.Arbitrary<PlannedKey> = fc.record({
  database,
  name: fc.constantFrom("a", "a", "a", "b", "c", "", "ключ", "\0\x7f"),
  asBytes: fc.boolean(),
});
const removed = fc.oneof(
  key,
  fc.record({ database: fc.constant(0), name: fc.constant(OWN), asBytes: fc.boolean() }),
);
const log: fc.Arbitrary<PlannedKey> = fc.record({
  database: fc.constant(0),
  name: fc.constant(LOG),
  asBytes: fc.boolean(),
});
const read = fc.oneof({ weight: 9, arbitrary: key }, log);
const keys = fc.array(key, { maxLength: 5 });
const ms = (max: number) => fc.integer({ min: 1, max });
const limits: fc.Arbitrary<CallLimits> = fc.record({
  timeout: oneIn<number | undefined>(8, ms(300), undefined),
  abortAfter: oneIn<number | undefined>(10, fc.integer({ min: -1, max: 200 }), undefined),
});
/** Larger than a socket's buffer, than a first buffer of the decoder's, than the pieces of a write. */
const padding = fc.oneof(
  { weight: 30, arbitrary: fc.nat(20) },
  { weight: 4, arbitrary: fc.constant(400) },
  { weight: 1, arbitrary: fc.constantFrom(70_000, 300_000) },
);
/** A source of records that takes its time. */
const pause = oneIn<number | undefined>(
  4,
  fc.oneof({ weight: 4, arbitrary: fc.nat(5) }, { weight: 1, arbitrary: fc.constant(100) }),
  undefined,
);
const picky = flag(5), noReply = flag(8);

const call = (): fc.Arbitrary<PlannedCall> =>
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ op: fc.constantFrom("get", "getEntry"), key: read, picky, limits }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        op: fc.constant("set"),
        key,
        padding,
        expires: flag(4),
        noReply,
        limits,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ op: fc.constant("remove"), key: removed, noReply, limits }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ op: fc.constant("getBulk"), keys, picky, pause, limits }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant("getBulkStream"),
        keys,
        take: fc.nat(5),
        pause,
        limits,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ op: fc.constant("setBulk"), keys, padding, noReply, pause, limits }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant("removeBulk"),
        keys: fc.array(removed, { maxLength: 4 }),
        noReply,
        pause,
        limits,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant("playScript"),
        procedure: fc.constantFrom("store", "later", "store", "fail", "absent"),
        keys,
        noReply,
        limits,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ op: fc.constantFrom("add", "replace", "seize"), key, limits }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        op: fc.constant("cas"),
        key,
        expects: fc.constantFrom("what is there", "what is there", "nothing"),
        removes: flag(4),
        limits,
      }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("append"), log, limits }) },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant("increment"),
        counter: fc.constantFrom(`${COUNTER}1`, `${COUNTER}2`),
        limits,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant("matchPrefix"),
        database,
        prefix: fc.constantFrom("", "a", "к", OWN),
        limits,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant("entries"),
        database,
        take: fc.constantFrom(2, 100),
        limits,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ op: fc.constant("cursor"), key, sets: fc.boolean(), limits }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("ping"), limits }) },
  ) as fc.Arbitrary<PlannedCall>;

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ call: call(), awaited: flag(3) }) },
  { weight: 1, arbitrary: fc.record({ pause: ms(100) }) },
);

const client: fc.Arbitrary<ClientPlan> = fc.record({
  connections: fc.constantFrom(1, 1, 2, 3),
  ordered: fc.boolean(),
  minConnections: fc.constantFrom(1, 1, 0),
  doors: fc.constantFrom(1, 1, 1, 2),
  failbackInterval: fc.constantFrom(20, 100),
  idleTimeout: fc.constantFrom(Infinity, 10, 60),
  pingInterval: fc.constantFrom(Infinity, Infinity, 15),
  whenFull: fc.constantFrom("reject", "wait"),
  batch: fc.constantFrom(
    { records: 512, bytes: 65536 },
    { records: 512, bytes: 65536 },
    { records: 2, bytes: 60 },
    { records: 1, bytes: 0 },
  ),
  connectTimeout: fc.constantFrom(50, 300),
  replyTimeout: fc.constantFrom(60, 500),
  queueTimeout: fc.constantFrom(100, 800),
  attempts: fc.constantFrom(5, 5, Infinity, 2, 1, 0),
  maxQueue: oneIn(8, fc.constantFrom(2, 8), 1000),
  maxQueueBytes: oneIn(10, fc.constant(100), 2 ** 29),
});

/** Faults whose effects the client can tell from what was asked for. */
const clearActions: FaultAction[] = [
  "hang",
  "disconnect",
  "reset",
  "error",
  "wrong-magic",
  "oversized",
];
const action: fc.Arbitrary<FaultAction> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...clearActions) },
  { weight: 3, arbitrary: fc.record({ truncate: fc.nat(60) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      split: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 3 }),
      gap: fc.constant(0),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ delay: 0 }) },
);
const requests: FaultRule["op"][] = [
  "set_bulk",
  "get_bulk",
  "remove_bulk",
  "play_script",
  "http",
  undefined,
];
const place = { nth: fc.integer({ min: 1, max: 8 }), times: fc.constantFrom(1, 1, 1, 3) };
const requestFault: fc.Arbitrary<FaultRule> = fc.record({
  op: fc.constantFrom(...requests),
  ...place,
  executed: fc.boolean(),
  action,
});
const connectFault: fc.Arbitrary<FaultRule> = fc.record({
  op: fc.constant("connect" as const),
  ...place,
  action: fc.constantFrom<FaultAction>("refuse", "reset", "never-read"),
});

const direction: fc.Arbitrary<DirectionPlan> = fc.record({
  latency: fc.constantFrom(0, 0, 1, 7, 30),
  piece: fc.constantFrom(0, 0, 1, 3, 17),
  breaks: oneIn<DirectionPlan["breaks"]>(
    4,
    fc.record({
      after: fc.oneof(fc.nat(60), fc.nat(600)),
      how: fc.constantFrom("end", "reset", "silence"),
    }),
    undefined,
  ),
});
const link: fc.Arbitrary<LinkPlan> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(CALM) },
  {
    weight: 2,
    arbitrary: fc.record({
      connect: oneIn<LinkPlan["connect"]>(
        8,
        fc.constantFrom("refuse", "throw", "hang"),
        "accept",
      ),
      delay: fc.constantFrom(0, 0, 5, 60),
      up: direction,
      down: direction,
      writing: fc.constantFrom(0, 2, 40),
    }),
  },
);

const down = fc.oneof(
  { weight: 4, arbitrary: ms(400) },
  { weight: 1, arbitrary: fc.constant(FOR_EVER) },
);
const event: fc.Arbitrary<{ at: number; event: ServerEvent }> = fc.record({
  at: fc.oneof(fc.nat(20), fc.nat(400)),
  event: fc.oneof(
    fc.record({ what: fc.constant("drop" as const) }),
    fc.record({ what: fc.constantFrom("restart" as const, "shut" as const), down }),
    fc.record({ what: fc.constant("pause" as const), for: ms(200) }),
  ),
});

const tasks = fc.array(fc.array(step, { minLength: 1, maxLength: 12, size: "max" }), {
  minLength: 1,
  maxLength: 4,
  size: "max",
});
const ending: fc.Arbitrary<Plan["ending"]> = fc.record({
  how: fc.constantFrom("close", "destroy"),
  at: oneIn<number | undefined>(5, fc.nat(150), undefined),
});

/** Runs in which every reply is what the server meant, or recognizably is not. */
export const plans: fc.Arbitrary<Plan> = fc.record({
  client,
  tasks,
  faults: fc.array(fc.oneof({ weight: 4, arbitrary: requestFault }, connectFault), {
    maxLength: 4,
    size: "max",
  }),
  events: fc.array(event, { maxLength: 2 }),
  links: fc.array(link, { maxLength: 4 }),
  ending,
});

/** Runs in which bytes of replies are wrong as well, in ways that nobody can tell. */
export const corruptPlans: fc.Arbitrary<Plan> = fc.record({
  client,
  tasks,
  faults: fc.array(
    fc.record({
      op: fc.constantFrom(...requests),
      nth: fc.integer({ min: 1, max: 6 }),
      times: fc.constantFrom(1, 3),
      action: fc.record({
        corrupt: fc.nat(40),
        to: fc.option(fc.nat(255), { nil: undefined }),
      }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  events: fc.array(event, { maxLength: 1 }),
  links: fc.array(link, { maxLength: 2 }),
  ending,
});
