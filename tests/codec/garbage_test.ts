/** A peer that sends garbage, or announces more than it sends, gains nothing by it. */

import { assert, assertArrayIncludes, assertEquals, assertLess } from "@std/assert";
import fc from "fast-check";
import { MAX_SIZE } from "../../src/codec/constants.ts";
import { type ByteReader, type Decoder, Feed } from "../../src/codec/decoder.ts";
import { decodeGetReply, decodeScriptReply } from "../../src/codec/reply.ts";
import { encodeGet, encodeRemove, encodeScript, encodeSet } from "../../src/codec/request.ts";
import { ByteWriter } from "../../src/codec/writer.ts";
import { test } from "../_harness.ts";
import {
  type Kind,
  type Outcome,
  parseReplies,
  parseRequests,
  type PlainReply,
  type PlainRequest,
} from "../plain_parser.ts";
import { allocationsOf } from "./_allocations.ts";
import { cut, cuts, data, database, flags, xt } from "./_arbitraries.ts";
import { readAll, type Reading, readReplies, readRequests } from "./_streams.ts";

const RUNS = { numRuns: 400 };
/** What may be taken at once before anything has come: one first buffer of `collect`. */
const CONSTANT = 300 * 1024;

/** Bytes among which those that mean something are frequent. */
const byte = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(0, 1, 2) },
  { weight: 2, arbitrary: fc.constantFrom(0xb0, 0xb1, 0xb4, 0xb8, 0xb9, 0xba, 0xbf) },
  { weight: 2, arbitrary: fc.nat(255) },
);

const noise = fc.array(byte, { maxLength: 300 }).map((bytes) => new Uint8Array(bytes));

const keys = fc.array(fc.record({ database, key: data }), { maxLength: 3 });
const records = fc.array(fc.record({ database, key: data, value: data, xt }), { maxLength: 3 });
const pairs = fc.array(fc.tuple(data, data), { maxLength: 3 });

function encoded(encode: (w: ByteWriter) => void): Uint8Array {
  const w = new ByteWriter();
  encode(w);
  return w.copy();
}

const validRequests = fc.tuple(flags, keys, records, data, pairs).map(
  ([flags, keys, records, name, pairs]) =>
    encoded((w) => {
      encodeSet(w, flags, records);
      encodeGet(w, flags, keys);
      encodeScript(w, flags, name, pairs);
      encodeRemove(w, flags, keys);
    }),
);

/** Messages in which some bytes were changed, left out or put in. */
function damaged(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const damage = fc.tuple(fc.constantFrom("change", "insert", "remove"), fc.nat(), byte);
  return fc.tuple(valid, fc.array(damage, { minLength: 1, maxLength: 4 })).map(
    ([valid, damages]) => {
      let bytes = valid.slice();
      for (const [how, where, byte] of damages) {
        const at = where % (bytes.length + 1);
        const before = bytes.subarray(0, at);
        const after = bytes.subarray(how === "insert" ? at : at + 1);
        const middle = how === "remove" ? [] : [byte];
        bytes = new Uint8Array([...before, ...middle, ...after]);
      }
      return bytes;
    },
  );
}

/** Asserts that what is taken is bounded by what has come; returns the last reading. */
function readFrugally<T>(
  read: (r: ByteReader, reading: Reading<T>) => Decoder<void>,
  pieces: readonly Uint8Array[],
): Reading<T> {
  let reading: Reading<T> | undefined;
  const { largest, total } = allocationsOf(() => reading = readAll(read, pieces));
  const arrived = pieces.reduce((sum, piece) => sum + piece.length, 0);
  assertLess(largest, 2 * arrived + CONSTANT);
  // A unit of what has come is copied into a carry, a growing buffer and a record's own memory.
  assertLess(total, 8 * arrived + 2 * CONSTANT);
  return reading!;
}

test("a server reads garbage as far as it means something, and takes no more memory than came", () => {
  fc.assert(
    fc.property(fc.oneof(noise, damaged(validRequests)), cuts, (stream, sizes) => {
      const reading = readFrugally(readRequests, [...cut(stream, sizes)]);
      const { requests, outcome } = parseRequests(stream);
      assertEquals(reading.outcome, outcome);
      assertEquals(reading.messages, requests);
    }),
    RUNS,
  );
});

const asked: PlainRequest[] = (["get", "script", "set", "remove"] as Kind[]).map((kind) => ({
  kind,
  flags: 0,
  name: new Uint8Array(0),
  count: 2,
  records: [0, 1].map((i) => ({
    database: i,
    xt: 0,
    key: new Uint8Array(i),
    value: new Uint8Array(0),
  })),
}));

const validReplies = fc.tuple(data, data, pairs).map(([first, second, pairs]) =>
  encoded((w) => {
    w.u8(0xba);
    w.u32(2);
    w.record(0, "", first, 1);
    w.record(1, "\0", second, 2);
    w.u8(0xb4);
    w.u32(pairs.length);
    for (const [key, value] of pairs) w.scriptRecord(key, value);
    w.u8(0xb8);
    w.u32(2);
    w.u8(0xb9);
    w.u32(1);
  })
);

test("a client reads garbage as far as it means something, and takes no more memory than came", () => {
  const read = (r: ByteReader, reading: Reading<PlainReply>) => readReplies(r, asked, reading);
  const outcomes = new Set<Outcome>();
  fc.assert(
    fc.property(fc.oneof(noise, damaged(validReplies)), cuts, (stream, sizes) => {
      const { messages, outcome } = readFrugally(read, [...cut(stream, sizes)]);
      const { replies } = parseReplies(stream, asked.map(({ kind }) => kind));
      assertEquals(messages, replies.slice(0, messages.length));
      outcomes.add(outcome);
    }),
    RUNS,
  );
  assertArrayIncludes([...outcomes], ["unknown", "unfinished"]);
});

/** A message that announces `size` bytes, twice, for each kind of request and reply. */
function announcements(size: number): Record<string, (w: ByteWriter) => void> {
  return {
    "set_bulk, key": (w) => {
      w.bytes(new Uint8Array([0xb8, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0]));
      w.u32(size);
      w.u32(size);
      w.u64(0n);
    },
    "get_bulk, key": (w) => {
      w.bytes(new Uint8Array([0xba, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0]));
      w.u32(size);
    },
    "play_script, name": (w) => {
      w.bytes(new Uint8Array([0xb4, 0, 0, 0, 0]));
      w.u32(size);
      w.u32(0xffff_ffff);
    },
    "play_script, record": (w) => {
      w.bytes(new Uint8Array([0xb4, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]));
      w.u32(size);
      w.u32(size);
    },
  };
}

/** 0, 1000 and 600000 bytes of what was announced arrive. */
const FOLLOWING = [0, 1000, 600_000];

test("a server takes memory as bytes arrive, not as they are announced", () => {
  for (const [name, announce] of Object.entries(announcements(MAX_SIZE))) {
    for (const size of FOLLOWING) {
      const pieces = [encoded(announce), ...cut(new Uint8Array(size), [16_384])];
      const { outcome } = readFrugally(readRequests, pieces);
      assertEquals(outcome, "unfinished", name);
    }
  }
});

test("a server refuses a size over the limit as soon as it is announced", () => {
  for (const [name, announce] of Object.entries(announcements(MAX_SIZE + 1))) {
    const { outcome } = readFrugally(readRequests, [encoded(announce)]);
    assertEquals(outcome, "too large", name);
  }
});

test("a client takes memory as bytes arrive, not as they are announced", () => {
  const replies: Record<string, (r: ByteReader) => Decoder<unknown>> = {
    ba00000001: (r) => decodeGetReply(r, 1, Infinity, { accept: () => 0, deliver() {} }),
    b4ffffffff: (r) => decodeScriptReply(r, Infinity),
  };
  for (const [head, decode] of Object.entries(replies)) {
    for (const [keySize, valueSize] of [[0xffff_ffff, 0], [2, 0xffff_fff0], [2 ** 31, 2 ** 31]]) {
      for (const size of FOLLOWING) {
        const announced = encoded((w) => {
          w.u8(parseInt(head.slice(0, 2), 16));
          w.u32(parseInt(head.slice(2), 16));
          if (head.startsWith("ba")) w.u16(0);
          w.u32(keySize);
          w.u32(valueSize);
          if (head.startsWith("ba")) w.i64(0);
        });
        const feed = new Feed(decode);
        const pieces = [announced, ...cut(new Uint8Array(size), [16_384])];
        const { largest, total } = allocationsOf(() => pieces.forEach((piece) => feed.push(piece)));
        assert(!feed.done);
        assertLess(largest, 2 * size + CONSTANT);
        assertLess(total, 8 * size + 2 * CONSTANT);
      }
    }
  }
});
