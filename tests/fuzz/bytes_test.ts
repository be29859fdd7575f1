/**
 * Mutants of the recorded exchanges, a hundred thousand of them, for both sides: whatever a peer
 * sends, it is read as far as it means something, every call and every connection ends, and no more
 * memory is taken than what came is worth. FUZZ_SEED in the environment repeats a run, FUZZ_MUTANTS
 * makes more or fewer.
 */

import { assertEquals, assertLess } from "@std/assert";
import { concat } from "@std/bytes";
import process from "node:process";
import { connect, type KyotoTycoon, KyotoTycoonError } from "../../mod.ts";
import { MockServer, startMockServer } from "../../mock_server/mod.ts";
import { ProtocolError } from "../../src/errors.ts";
import { decodeUpdates, UpdateFrame } from "../../src/codec/update_log.ts";
import {
  type Channel,
  channelOf,
  type Receiver,
  transportOf,
} from "../../src/transport/channel.ts";
import { test } from "../_harness.ts";
import { heldMemory } from "../memory.ts";
import { allocationsOf } from "../codec/_allocations.ts";
import { decodeFrom, readHttpReplies, readHttpRequests } from "../codec/_http.ts";
import {
  readAll,
  readReplies,
  readRequests,
  sameReplies,
  sameRequests,
} from "../codec/_streams.ts";
import otherProcedures, * as script from "../golden/procedures.ts";
import { isAnswered, parseRequests, type PlainReply } from "../plain_parser.ts";
import { type Conversation, hexOf, Mutator, recordedConversations } from "./_mutants.ts";
import { Unhandled } from "./_report.ts";
import { turn } from "./_time.ts";

const MUTANTS = Number(process.env.FUZZ_MUTANTS ?? 100_000);
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
/** Shares of the mutants: codecs are quick, whole servers and clients are not. */
const REQUESTS = 0.25 * MUTANTS, REPLIES = 0.45 * MUTANTS;
const SERVER = 0.2 * MUTANTS, CLIENT = 0.1 * MUTANTS;
/** Connections at a time, and milliseconds in which all of them must have ended. */
const TOGETHER = 200, PATIENCE = 10_000;
/** What a decoder may take before anything has come, and for how much it may be mistaken. Bytes. */
const FIRST_BUFFER = 300 * 1024;
/** By how much the process may have grown afterwards, and how much more of it may be held. Bytes. */
const GROWTH = 256 * 2 ** 20, HELD = 16 * 2 ** 20;
/** Rounds between two collections: what the process grows by is to be what is taken, not garbage. */
const COLLECT_EVERY = 10;

const { default: _, ...procedures } = script;
const all = await recordedConversations();
const isHttp = ({ sent }: Conversation) => sent[0] >= 0x41 && sent[0] <= 0x7a;
const isUpdates = ({ sent }: Conversation) => sent[0] === 0xb1;
const isBinary = ({ sent }: Conversation) => [0xb4, 0xb8, 0xb9, 0xba].includes(sent[0]);
const sent = all.map(({ sent }) => sent), received = all.map(({ received }) => received);

/** Fails with what it takes to see it again. */
function explain(mutant: Uint8Array, about: string, what: string): never {
  throw new Error(`${what}: ${about}, FUZZ_SEED=${SEED}, ${hexOf(mutant)}`);
}

/** Runs a decoder that may only fail for the protocol's sake, and take no more than what came. */
function readFrugally(mutant: Uint8Array, about: string, read: () => void): void {
  const { largest } = allocationsOf(() => {
    try {
      read();
    } catch (error) {
      if (!(error instanceof ProtocolError)) explain(mutant, about, `it threw ${error}`);
    }
  });
  const most = 4 * mutant.length + FIRST_BUFFER;
  if (largest > most) explain(mutant, about, `it took ${largest} bytes at once`);
}

test(`${REQUESTS} mutants of requests decode as far as they mean something`, () => {
  const mutator = new Mutator(SEED);
  for (let i = 0; i < REQUESTS; i++) {
    const { name, sent: original } = mutator.pick(all);
    const mutant = mutator.mutate(original, sent), pieces = mutator.pieces(mutant);
    readFrugally(mutant, name, () => {
      const reading = readAll(readRequests, pieces);
      const { requests, outcome } = parseRequests(mutant);
      if (reading.outcome !== outcome || !sameRequests(reading.messages, requests)) {
        explain(mutant, name, "it was read as something else");
      }
      const whole = readHttpRequests([mutant]), cut = readHttpRequests(pieces);
      if (whole.length !== cut.length) explain(mutant, name, "it depends on how it is cut");
    });
  }
});

test(`${REPLIES} mutants of replies decode as far as they mean something`, () => {
  const mutator = new Mutator(SEED);
  for (let i = 0; i < REPLIES; i++) {
    const conversation = mutator.pick(all), { name } = conversation;
    const mutant = mutator.mutate(conversation.received, received);
    const pieces = mutator.pieces(mutant);
    readFrugally(mutant, name, () => {
      if (isHttp(conversation)) readHttpReplies(pieces, Array(10).fill("POST"), 2 ** 20);
      else if (isUpdates(conversation)) {
        decodeFrom(pieces, (r) => decodeUpdates(r, new UpdateFrame(), () => false));
      } else if (isBinary(conversation)) {
        const asked = parseRequests(conversation.sent).requests.filter(isAnswered);
        const [whole, cut] = [[mutant], pieces].map((pieces) =>
          readAll<PlainReply>((r, reading) => readReplies(r, asked, reading), pieces)
        );
        if (whole.outcome !== cut.outcome || !sameReplies(whole.messages, cut.messages)) {
          explain(mutant, name, "it depends on how it is cut");
        }
      }
    });
  }
});

/** What would wait for longer than a mutant is worth, or talk to others. */
function isTimely(mutant: Uint8Array): boolean {
  return !/wait|tune/i.test(String.fromCharCode(...mutant));
}

test(`${SERVER} mutants of requests leave the mock server well`, { timeout: 120_000 }, async () => {
  const mutator = new Mutator(SEED);
  const errors = new Set<string>();
  await using server = new MockServer({
    databases: ["*", "%"],
    updateLog: { maxBytes: 2 ** 20 },
    heartbeatInterval: 1,
    procedures: { ...procedures, ...otherProcedures, nap: () => {} },
    requestLogSize: 10,
    onError: (error) => errors.add(String(error)),
  });
  await server.start();
  using unhandled = new Unhandled();
  const held = await heldMemory(), before = process.memoryUsage().rss;
  for (let i = 0; i < SERVER; i += TOGETHER) {
    if (i % (COLLECT_EVERY * TOGETHER) === 0) await heldMemory();
    const mutants: Uint8Array[] = [];
    while (mutants.length < TOGETHER) {
      const mutant = mutator.mutate(mutator.pick(sent), sent);
      if (isTimely(mutant)) mutants.push(mutant);
    }
    const clients = mutants.map((mutant) => send(server, mutator.pieces(mutant)));
    await Promise.all(clients);
    const deadline = performance.now() + PATIENCE;
    while (server.connections > 0 && performance.now() < deadline) await turn();
    assertEquals(server.connections, 0, `FUZZ_SEED=${SEED}, mutants ${i} to ${i + TOGETHER}`);
    for (const database of server.storage.databases) database.clear();
  }
  assertEquals(unhandled.take(), []);
  errors.delete("Error: raised on purpose");
  assertEquals([...errors], [], `FUZZ_SEED=${SEED}`);
  assertLess(process.memoryUsage().rss - before, GROWTH);
  assertLess(await heldMemory() - held, HELD);
});

/** Sends pieces and hangs up; whatever comes back is read. */
async function send(server: MockServer, pieces: readonly Uint8Array[]): Promise<void> {
  const channel = channelOf(server.connectInMemory());
  channel.start({ data: () => {}, end: () => channel.close(), error: () => channel.close() });
  try {
    for (const piece of pieces) await channel.write(piece);
  } catch {
    // The server has hung up already, as it may.
  }
  // It is not to wait for more, whatever it was told would come.
  await turn();
  channel.close();
}

/** Calls of all kinds; each is answered with one reply. */
const CALLS: readonly ((kt: KyotoTycoon) => Promise<unknown>)[] = [
  (kt) => kt.get("k"),
  (kt) => kt.getEntry("k"),
  (kt) => kt.get("missing"),
  (kt) => kt.getBulk(["k", "missing", "other"]),
  (kt) => kt.set("new", "value"),
  (kt) => kt.setBulk({ a: "1", b: "2" }),
  (kt) => kt.remove("k"),
  (kt) => kt.playScript("echo", { key: "value", "": "" }),
  (kt) => kt.ping(),
  (kt) => kt.increment("n", 5),
  (kt) => kt.incrementDouble("d", 1.5),
  (kt) => kt.add("k", "v"),
  (kt) => kt.cas("k", "wrong", "right"),
  (kt) => kt.check("other"),
  (kt) => kt.seize("other"),
  (kt) => kt.matchPrefix(""),
  (kt) => kt.status(),
  (kt) => kt.report(),
  (kt) => kt.setBulk({ a: "1", "\0\t": "\n" }, { atomic: true }),
  (kt) => kt.getBulk(["k", "other"], { atomic: true }),
  (kt) => kt.cursor().jump("k"),
];

/** A server that has said beforehand what it will answer. */
class Oracle implements Channel {
  readonly transport = transportOf(this);
  receiver!: Receiver;

  start(receiver: Receiver): void {
    this.receiver = receiver;
  }

  write(): undefined {}

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  pause(): void {}
  resume(): void {}
  close(): void {}
  ref(): void {}
  unref(): void {}
}

/** What a mock server answers to each of the calls. */
async function answersToCalls(): Promise<Uint8Array[]> {
  const answers: Uint8Array[] = [];
  for (const call of CALLS) {
    await using server = await startMockServer({
      procedures,
      seed: [{ key: "k", value: "v" }, { key: "other", value: "\0", expireIn: 60_000 }],
    });
    const answer: Uint8Array[] = [];
    const connector = () => {
      const { readable, writable } = server.connectInMemory();
      return {
        writable,
        readable: readable.pipeThrough(
          new TransformStream({
            transform(chunk, controller) {
              answer.push(chunk.slice());
              controller.enqueue(chunk);
            },
          }),
        ),
      };
    };
    const kt = await connect({ connector, batching: false });
    await call(kt);
    kt.destroy();
    answers.push(concat(answer));
  }
  return answers;
}

/** Makes calls, answers them with these pieces, and hangs up. */
async function ask(calls: typeof CALLS, pieces: readonly Uint8Array[]) {
  const oracle = new Oracle();
  const kt = await connect({
    transport: oracle.transport,
    batching: false,
    maxReplyBytes: 2 ** 20,
  });
  const settled = Promise.allSettled(calls.map((call) => call(kt)));
  await turn();
  for (const piece of pieces) oracle.receiver.data(piece);
  oracle.receiver.end();
  const outcomes = await settled;
  kt.destroy();
  await kt.closed;
  return outcomes;
}

test(`${CLIENT} mutants of replies leave the client well`, { timeout: 120_000 }, async () => {
  const mutator = new Mutator(SEED);
  const answers = await answersToCalls();
  for (const { status } of await ask(CALLS, answers)) assertEquals(status, "fulfilled");
  using unhandled = new Unhandled();
  for (let i = 0; i < CLIENT; i++) {
    const chosen = Array.from({ length: 1 + mutator.below(4) }, () => mutator.below(CALLS.length));
    const mutant = mutator.mutate(concat(chosen.map((n) => answers[n])), answers);
    const outcomes = await ask(chosen.map((n) => CALLS[n]), mutator.pieces(mutant));
    for (const [j, outcome] of outcomes.entries()) {
      if (outcome.status === "fulfilled") continue;
      const { reason } = outcome, about = String(CALLS[chosen[j]]);
      // Keys that are no text, and numbers that are too large, are the caller's to know about.
      const known = reason instanceof KyotoTycoonError ||
        /not UTF-8|too large for a number/.test(reason?.message);
      if (!known || reason.stack === undefined) {
        explain(mutant, about, `it rejected with ${reason}`);
      }
    }
  }
  assertEquals(unhandled.take(), [], `FUZZ_SEED=${SEED}`);
});
