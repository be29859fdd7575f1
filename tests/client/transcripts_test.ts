/**
 * The client sends, byte for byte, what a real server was recorded to understand, and makes of its
 * replies what they say. A scripted server plays the recorded replies.
 */

import { assertEquals, assertGreaterOrEqual, assertInstanceOf } from "@std/assert";
import { connect, ConnectionError, type KyotoTycoon, ServerError } from "../../mod.ts";
import type { Entry, ExpirationOptions } from "../../mod.ts";
import { memoryPair } from "../../src/transport/memory.ts";
import { test } from "../_harness.ts";
import { type Exchange, exchangesOf } from "../exchanges.ts";
import { deadlineIn, Peer } from "../peer.ts";
import {
  isAnswered,
  parseReplies,
  parseRequests,
  type PlainRecord,
  type PlainReply,
  type PlainRequest,
} from "../plain_parser.ts";
import { loadScenarios, Pieces } from "../transcripts.ts";

/** An expiration from here on means never. */
const NEVER = 2 ** 40 - 1;
const XT_NEVER = 2 ** 63;
const NO_REPLY = 1;

/**
 * How requests are made: by bulk calls; by `get`, `set` and `remove` where they have one record; by
 * `getEntry` instead of `get`; or by several single calls that are to travel together.
 */
type Style = "bulk" | "single" | "entry" | "together";

/** What a call comes to: a value, or an error. */
type Result = { value: unknown } | { error: new (...args: never[]) => Error };

/** Calls of the client that send a certain request. */
interface Calls {
  start(kt: KyotoTycoon): Promise<unknown>;
  /** What they come to after this reply, which is no refusal. */
  result(reply: PlainReply): Result;
}

/** Why no calls of the client send an exchange's requests, if so. */
function whyImpossible({ sent }: Exchange): string | undefined {
  const { requests, outcome } = parseRequests(new Pieces(0).render(sent));
  if (outcome === "unknown") return "not a request at all";
  if (outcome !== "complete") return `a request that is ${outcome}`;
  for (const { kind, flags } of requests) {
    if ((flags & ~NO_REPLY) !== 0) return "flags that mean nothing";
    if (kind === "get" && flags === NO_REPLY) return "get_bulk without a reply, which has one";
  }
  return undefined;
}

/** Text where it is text, so that both ways of giving a key or value take part. */
function given(bytes: Uint8Array): string | Uint8Array {
  return bytes.every((byte) => byte < 0x80) ? new TextDecoder().decode(bytes) : bytes;
}

function expiration(xt: number): ExpirationOptions {
  if (xt === XT_NEVER) return {};
  const milliseconds = Math.abs(xt) * 1000;
  return xt < 0 ? { expireAt: { epochMilliseconds: milliseconds } } : { expireIn: milliseconds };
}

/** The entries that a reply makes of the records asked for; `null` for those that it leaves out. */
function entriesOf(asked: readonly PlainRecord[], reply: PlainReply): (Entry | null)[] {
  const found = [...reply.records];
  return asked.map(({ key, database }) => {
    if (found[0]?.database !== database || String(found[0].key) !== String(key)) return null;
    const { value, xt } = found.shift()!;
    const expiresAt = xt >= NEVER ? null : new Date(xt * 1000);
    return { key: given(key), value, database, expiresAt };
  });
}

function getCalls(records: readonly PlainRecord[], style: Style): Calls {
  const keys = records.map(({ key, database }) => ({ key: given(key), database }));
  const distinct = new Set(records.map(({ key, database }) => `${database} ${key}`));
  if (style === "together" && distinct.size === records.length && records.length > 0) {
    return {
      start: (kt) => Promise.all(keys.map(({ key, database }) => kt.getEntry(key, { database }))),
      result: (reply) => ({ value: entriesOf(records, reply) }),
    };
  }
  if (style === "bulk" || keys.length !== 1) {
    return {
      start: (kt) => kt.getBulk(keys),
      result: (reply) => ({ value: entriesOf(records, reply).filter((entry) => entry !== null) }),
    };
  }
  const [{ key, database }] = keys;
  if (style === "single") {
    return {
      start: (kt) => kt.get(key, { database }),
      result: (reply) => ({ value: reply.records[0]?.value ?? null }),
    };
  }
  return {
    start: (kt) => kt.getEntry(key, { database }),
    result: (reply) => ({ value: entriesOf(records, reply)[0] }),
  };
}

function setCalls(records: readonly PlainRecord[], style: Style, noReply: boolean): Calls {
  const all = records.map(({ key, value, database, xt }) => ({
    key: given(key),
    value: given(value),
    database,
    ...expiration(xt),
  }));
  const databases = new Set(records.map(({ database }) => database));
  if (style === "together" && databases.size === 1 || style !== "bulk" && all.length === 1) {
    return {
      async start(kt) {
        await Promise.all(
          all.map(({ key, value, ...options }) => kt.set(key, value, { ...options, noReply })),
        );
      },
      result: ({ count }) => count > 0 ? { value: undefined } : { error: ServerError },
    };
  }
  return {
    start: (kt) => kt.setBulk(all, noReply ? { noReply } : {}),
    result: ({ count }) => ({ value: count }),
  };
}

function removeCalls(records: readonly PlainRecord[], style: Style, noReply: boolean): Calls {
  const options = noReply ? { noReply } : {};
  const keys = records.map(({ key, database }) => ({ key: given(key), database }));
  if (style === "bulk" || keys.length !== 1) {
    return {
      start: (kt) => kt.removeBulk(keys, options),
      result: ({ count }) => ({ value: count }),
    };
  }
  const [{ key, database }] = keys;
  return {
    start: (kt) => kt.database(database).remove(key, options),
    result: ({ count }) => ({ value: count === 1 }),
  };
}

function scriptCalls(name: Uint8Array, records: readonly PlainRecord[], noReply: boolean): Calls {
  const procedure = new TextDecoder("utf-8", { fatal: true }).decode(name);
  const input = records.map(({ key, value }) => [given(key), given(value)] as const);
  return {
    async start(kt) {
      if (noReply) return await kt.playScript(procedure, input, { noReply });
      return [...await kt.playScript(procedure, input, { keys: "bytes" })];
    },
    result: (reply) => ({ value: reply.records.map(({ key, value }) => [key, value]) }),
  };
}

function callsFor({ kind, flags, name, records }: PlainRequest, style: Style): Calls {
  const noReply = flags === NO_REPLY;
  switch (kind) {
    case "get":
      return getCalls(records, style);
    case "set":
      return setCalls(records, style, noReply);
    case "remove":
      return removeCalls(records, style, noReply);
    case "script":
      return scriptCalls(name, records, noReply);
  }
}

/** Connects a client to a peer that does what the test says. */
async function scripted(batching: boolean): Promise<{ kt: KyotoTycoon; peer: Peer }> {
  const [client, server] = memoryPair();
  const kt = await connect({ connector: () => client, reconnect: false, batching });
  return { kt, peer: new Peer(server) };
}

/** Makes the calls of an exchange, and compares what is sent and what comes of it. */
async function play({ sent, received, closes }: Exchange, style: Style): Promise<void> {
  const pieces = new Pieces(0);
  const { requests } = parseRequests(pieces.render(sent));
  // Neighbours of several requests would travel together too.
  if (style === "together" && requests.length > 1) return;
  const calls = requests.map((request) => callsFor(request, style));
  const answer = pieces.render(received);
  const { replies } = parseReplies(answer, requests.filter(isAnswered).map(({ kind }) => kind));

  const { kt, peer } = await scripted(requests.length === 1);
  const results = Promise.allSettled(calls.map(({ start }) => start(kt)));
  await pieces.check(sent, peer, deadlineIn(5000));
  assertEquals(peer.unread.length, 0, "more was sent");
  await peer.send(answer);
  if (closes) peer.close();
  for (const [i, result] of (await results).entries()) {
    const reply = isAnswered(requests[i]) ? replies.shift() : undefined;
    const wanted: Result = !isAnswered(requests[i])
      ? { value: undefined }
      : reply === undefined
      ? { error: ConnectionError }
      : reply.count < 0
      ? { error: ServerError }
      : calls[i].result(reply);
    if ("error" in wanted) {
      assertEquals(result.status, "rejected");
      assertInstanceOf((result as PromiseRejectedResult).reason, wanted.error);
    } else {
      assertEquals(result, { status: "fulfilled", value: wanted.value });
    }
  }
  await kt.close();
  peer.close();
}

const exchanges = (await loadScenarios()).flatMap((scenario) =>
  exchangesOf(scenario).map((exchange) => ({
    exchange,
    scenario: scenario.name,
    folder: scenario.folder,
    reason: whyImpossible(exchange),
  }))
);

function possibleIn(folder: string): Exchange[] {
  return exchanges.filter((each) => each.folder === folder && each.reason === undefined)
    .map(({ exchange }) => exchange);
}

const styles: Record<Style, string> = {
  bulk: "by bulk calls",
  single: "by single calls",
  entry: "by single calls for entries",
  together: "by single calls that travel together",
};

for (const [style, how] of Object.entries(styles) as [Style, string][]) {
  for (const folder of new Set(exchanges.map(({ folder }) => folder))) {
    test(`the client sends and gets what was recorded in ${folder}/, ${how}`, async () => {
      for (const exchange of possibleIn(folder)) {
        try {
          await play(exchange, style);
        } catch (error) {
          throw new Error(`${exchange.name}: ${(error as Error).message}`, { cause: error });
        }
      }
    });
  }
}

test("nearly everything that was recorded in good order takes part", () => {
  const least = { bin: 150, xt: 50, wire: 10, script: 80 };
  for (const [folder, count] of Object.entries(least)) {
    assertGreaterOrEqual(possibleIn(folder).length, count, folder);
  }
});

test("which requests no call of the client sends is known, and why", () => {
  const reasons: Record<string, string[]> = {};
  for (const { scenario, reason } of exchanges) {
    if (reason === undefined) continue;
    const names = reasons[reason] ??= [];
    if (!names.includes(scenario)) names.push(scenario);
  }
  assertEquals(reasons, {
    "flags that mean nothing": ["bin-flags-other-bits", "bin-noreply-get-ignored"],
    "get_bulk without a reply, which has one": ["bin-noreply-get-ignored"],
    "not a request at all": [
      "wire-bad-after-good",
      "wire-low-first-byte",
      "wire-magic-response-only",
      "wire-set-rnum-too-small",
      "wire-timeout-script-name",
      "wire-truncated-header",
      "wire-unknown-magic-00",
      "wire-unknown-magic-80",
      "wire-unknown-magic-b0",
      "wire-unknown-magic-b3",
      "wire-unknown-magic-bb",
      "wire-unknown-magic-bf",
      "wire-unknown-magic-ff",
      "wire-unknown-magic-with-data",
    ],
    "a request that is unfinished": [
      "wire-get-exactly-limit",
      "wire-get-truncated",
      "wire-remove-truncated",
      "wire-script-truncated",
      "wire-set-rnum-too-large",
      "wire-set-truncated",
      "wire-timeout-get",
      "wire-timeout-header",
      "wire-timeout-script-record",
      "wire-timeout-set",
      "wire-truncated-header",
      "wire-truncated-noreply",
    ],
    "a request that is too large": [
      "wire-get-key-too-large-noreply",
      "wire-get-key-too-large",
      "wire-remove-key-too-large",
      "wire-script-key-too-large",
      "wire-script-name-too-large",
      "wire-set-key-too-large",
      "wire-set-too-large-missing-db",
      "wire-set-too-large-noreply",
      "wire-set-too-large-second",
      "wire-set-value-too-large",
    ],
  });
});
