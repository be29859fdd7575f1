/** Whatever was recorded from a real server decodes alike, however its bytes are cut. */

import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import type { ByteReader, Decoder } from "../../src/codec/decoder.ts";
import { test } from "../_harness.ts";
import {
  isAnswered,
  type Outcome,
  parseReplies,
  parseRequests,
  type PlainReply,
  type PlainRequest,
} from "../plain_parser.ts";
import { type Exchange, exchangesOf, type Stream, streamOf } from "../exchanges.ts";
import { loadScenarios } from "../transcripts.ts";
import {
  byteByByte,
  cutAt,
  readAll,
  type Reading,
  readReplies,
  readRequests,
  sameReplies,
  sameRequests,
} from "./_streams.ts";

/** How much of each end of a run of equal patterns is looked at closely. */
const RUN_MARGIN = 20;
/** How many positions stand for the inside of a run. */
const RUN_SAMPLES = 5;

/**
 * Beyond this many positions every third will do: so many bytes are hundreds of records, and each
 * place in a record is met in another one.
 */
const MANY_POSITIONS = 8000;

/** Every position to cut at; inside a long run, where all positions are alike, a few of them. */
function positionsOf({ bytes, runs }: Stream): number[] {
  const positions: number[] = [];
  let at = 0;
  for (const [start, end] of [...runs, [bytes.length + 1, bytes.length + 1]]) {
    while (at < Math.min(start + RUN_MARGIN, end)) positions.push(at++);
    const inside = end - RUN_MARGIN - at;
    for (let i = 1; inside > 0 && i <= RUN_SAMPLES; i++) {
      positions.push(at + Math.floor(inside * i / (RUN_SAMPLES + 1)));
    }
    at = Math.max(at, end - RUN_MARGIN);
  }
  return positions.length < MANY_POSITIONS ? positions : positions.filter((_, i) => i % 3 === 0);
}

interface Expected<T> {
  messages: T[];
  outcome: Outcome;
}

/** Feeds a stream whole, byte by byte, and cut in two at every position. */
function assertDecodes<T>(
  label: string,
  stream: Stream,
  expected: Expected<T>,
  read: (r: ByteReader, reading: Reading<T>) => Decoder<void>,
  same: (a: T[], b: T[]) => boolean,
): void {
  const assertSame = (reading: Reading<T>, how: string) => {
    if (reading.outcome === expected.outcome && same(reading.messages, expected.messages)) return;
    assertEquals({ ...reading }, expected, `${label}, ${how}`);
  };
  assertSame(readAll(read, [stream.bytes]), "in one piece");
  assertSame(readAll(read, byteByByte(stream.bytes)), "byte by byte");
  for (const position of positionsOf(stream)) {
    assertSame(readAll(read, cutAt(stream.bytes, position)), `cut at ${position}`);
  }
}

const scenarios = await loadScenarios();
const folders = [...new Set(scenarios.map((scenario) => scenario.folder))];

function exchangesIn(folder: string): Exchange[] {
  return scenarios.filter((scenario) => scenario.folder === folder).flatMap(exchangesOf);
}

for (const folder of folders) {
  const exchanges = exchangesIn(folder);
  if (exchanges.length === 0) continue;

  test(`requests recorded in ${folder}/ decode alike wherever they are cut`, () => {
    for (const { name, sent } of exchanges) {
      const stream = streamOf(sent);
      const { requests, outcome } = parseRequests(stream.bytes);
      const expected = { messages: requests, outcome };
      assertDecodes<PlainRequest>(name, stream, expected, readRequests, sameRequests);
    }
  });

  test(`replies recorded in ${folder}/ decode alike wherever they are cut`, () => {
    for (const { name, sent, received } of exchanges) {
      const stream = streamOf(received);
      const answered = parseRequests(streamOf(sent).bytes).requests.filter(isAnswered);
      const { replies, outcome } = parseReplies(stream.bytes, answered.map(({ kind }) => kind));
      assertDecodes<PlainReply>(
        name,
        stream,
        { messages: replies, outcome },
        (r, reading) => readReplies(r, answered, reading),
        sameReplies,
      );
    }
  });
}

test("nearly everything recorded in binary takes part", () => {
  const least = { bin: 150, xt: 50, wire: 60, script: 80 };
  for (const [folder, count] of Object.entries(least)) {
    assertGreaterOrEqual(exchangesIn(folder).length, count, folder);
  }
});
