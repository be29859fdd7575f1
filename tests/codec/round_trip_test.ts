/** What one side encodes, the other decodes, and the plain parser reads the same in it. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import type { ByteReader, Decoder } from "../../src/codec/decoder.ts";
import { Magic } from "../../src/codec/constants.ts";
import { encodeCount, encodeScriptReply } from "../../src/codec/reply.ts";
import {
  encodeBulkHeader,
  encodeGet,
  encodeRemove,
  encodeReplication,
  encodeScript,
  encodeSet,
} from "../../src/codec/request.ts";
import { ByteWriter, toBytes } from "../../src/codec/writer.ts";
import { test } from "../_harness.ts";
import {
  type Kind,
  parseReplies,
  parseRequests,
  type PlainReply,
  type PlainRequest,
} from "../plain_parser.ts";
import { cut, cuts, data, database, flags, text, xt } from "./_arbitraries.ts";
import { readAll, type Reading, readReplies, readRequests } from "./_streams.ts";

const NOTHING = new Uint8Array(0);
const RUNS = { numRuns: 150 };

const key = fc.record({ database, key: data });
const record = fc.record({ database, key: data, value: data, xt });
const pair = fc.tuple(data, data);
const many = { maxLength: 6 };

/** A request, and how it is encoded. */
interface Case {
  plain: PlainRequest;
  encode(w: ByteWriter): void;
}

function plain(kind: Kind, flags: number, records: PlainRequest["records"]): PlainRequest {
  return { kind, flags, name: NOTHING, count: records.length, records };
}

const setRequest: fc.Arbitrary<Case> = fc.tuple(flags, fc.array(record, many)).map(
  ([flags, records]) => ({
    plain: plain(
      "set",
      flags,
      records.map(({ database, key, value, xt }) => ({
        database,
        xt,
        key: toBytes(key),
        value: toBytes(value),
      })),
    ),
    encode: (w) => encodeSet(w, flags, records),
  }),
);

const keyRequest: fc.Arbitrary<Case> = fc.tuple(
  fc.constantFrom<"get" | "remove">("get", "remove"),
  flags,
  fc.array(key, many),
).map(([kind, flags, keys]) => ({
  plain: plain(
    kind,
    flags,
    keys.map(({ database, key }) => ({ database, xt: 0, key: toBytes(key), value: NOTHING })),
  ),
  encode: (w) => kind === "get" ? encodeGet(w, flags, keys) : encodeRemove(w, flags, keys),
}));

function plainPairs(pairs: readonly (readonly [Uint8Array | string, Uint8Array | string])[]) {
  return pairs.map(([key, value]) => ({
    database: 0,
    xt: 0,
    key: toBytes(key),
    value: toBytes(value),
  }));
}

const scriptRequest: fc.Arbitrary<Case> = fc.tuple(flags, data, fc.array(pair, many)).map(
  ([flags, name, pairs]) => ({
    plain: { ...plain("script", flags, plainPairs(pairs)), name: toBytes(name) },
    encode: (w) => encodeScript(w, flags, name, pairs),
  }),
);

const request = fc.oneof(setRequest, keyRequest, scriptRequest);

/** Asserts that nothing but these messages is in the stream, and that the stream ends behind them. */
function assertReads<T>(reading: Reading<T>, messages: T[]): void {
  assertStrictEquals(reading.outcome, "complete");
  assertEquals(reading.messages, messages);
}

test("any requests come out as they went in, however they are cut", () => {
  fc.assert(
    fc.property(fc.array(request, { maxLength: 4 }), cuts, (cases, sizes) => {
      const w = new ByteWriter();
      for (const { encode } of cases) encode(w);
      const stream = w.copy();
      assertStrictEquals(w.length, stream.length);
      const wanted = cases.map(({ plain }) => plain);
      assertReads(readAll(readRequests, cut(stream, sizes)), wanted);
      assertEquals(parseRequests(stream), {
        requests: wanted,
        outcome: "complete",
        end: stream.length,
      });
    }),
    RUNS,
  );
});

test("a writer that is used again encodes as a new one does", () => {
  fc.assert(
    fc.property(fc.array(request, { minLength: 2, maxLength: 4 }), (cases) => {
      const again = new ByteWriter();
      for (const { encode } of cases) {
        const fresh = new ByteWriter();
        encode(fresh);
        encode(again);
        assertEquals(again.copy(), fresh.copy());
        again.reset();
        assertStrictEquals(again.length, 0);
      }
    }),
    RUNS,
  );
});

/** A request, the reply to it, and how that is encoded. */
interface Answer {
  request: PlainRequest;
  reply: PlainReply;
  encode(w: ByteWriter): void;
}

const count = fc.nat(0xffff_ffff);

const countReply: fc.Arbitrary<Answer> = fc.tuple(
  fc.constantFrom<"set" | "remove">("set", "remove"),
  count,
).map(([kind, count]) => ({
  request: plain(kind, 0, []),
  reply: { count, records: [] },
  encode: (w) => encodeCount(w, kind === "set" ? Magic.SET_BULK : Magic.REMOVE_BULK, count),
}));

const getReply: fc.Arbitrary<Answer> = fc.array(fc.tuple(record, fc.boolean()), many).map((all) => {
  const asked = all.map(([{ database, key }]) => ({
    database,
    xt: 0,
    key: toBytes(key),
    value: NOTHING,
  }));
  const found = all.filter(([, found]) => found).map(([record]) => record);
  const records = found.map(({ database, key, value, xt }) => ({
    database,
    xt,
    key: toBytes(key),
    value: toBytes(value),
  }));
  return {
    request: plain("get", 0, asked),
    reply: { count: records.length, records },
    encode(w) {
      encodeCount(w, Magic.GET_BULK, found.length);
      for (const { database, key, value, xt } of found) w.record(database, key, value, xt);
    },
  };
});

const scriptReply: fc.Arbitrary<Answer> = fc.array(pair, many).map((pairs) => ({
  request: plain("script", 0, []),
  reply: { count: pairs.length, records: plainPairs(pairs) },
  encode: (w) => encodeScriptReply(w, pairs),
}));

const refusal: fc.Arbitrary<Answer> = fc.constantFrom<Kind>("set", "remove", "get", "script").map(
  (kind) => ({
    request: plain(kind, 0, []),
    reply: { count: -1, records: [] },
    encode: (w) => w.u8(Magic.ERROR),
  }),
);

const answer = fc.oneof(countReply, getReply, scriptReply, refusal);

test("any replies come out as they went in, however they are cut", () => {
  fc.assert(
    fc.property(fc.array(answer, { maxLength: 4 }), cuts, (answers, sizes) => {
      const w = new ByteWriter();
      for (const { encode } of answers) encode(w);
      const stream = w.copy();
      const requests = answers.map(({ request }) => request);
      const wanted = answers.map(({ reply }) => reply);
      const read = (r: ByteReader, reading: Reading<PlainReply>): Decoder<void> =>
        readReplies(r, requests, reading);
      assertReads(readAll(read, cut(stream, sizes)), wanted);
      assertEquals(parseReplies(stream, requests.map(({ kind }) => kind)), {
        replies: wanted,
        outcome: "complete",
      });
    }),
    RUNS,
  );
});

test("encodeBulkHeader() makes the fixed part that all bulk requests share", () => {
  const w = new ByteWriter();
  encodeBulkHeader(w, Magic.GET_BULK, 0x0102_0304, 0xfffe_fdfc);
  assertEquals(w.copy(), new Uint8Array([0xba, 1, 2, 3, 4, 0xff, 0xfe, 0xfd, 0xfc]));
});

test("encodeReplication() asks from a stamp on, for all but one server's updates or only those", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.nat(0xffff),
      fc.boolean(),
      (since, serverId, only) => {
        const w = new ByteWriter();
        encodeReplication(w, since, serverId, only);
        const made = w.copy();
        const view = new DataView(made.buffer);
        assertStrictEquals(made.length, 15);
        assertStrictEquals(view.getUint8(0), 0xb1);
        assertStrictEquals(view.getUint32(1), only ? 1 : 0);
        assertStrictEquals(view.getBigUint64(5), since);
        assertStrictEquals(view.getUint16(13), serverId);
      },
    ),
  );
});

test("strings are encoded as UTF-8, a half of a surrogate pair as the replacement character", () => {
  fc.assert(
    fc.property(text, (text) => {
      const w = new ByteWriter();
      w.keyRecord(0, text);
      const encoded = new TextEncoder().encode(text);
      assertEquals(w.copy().subarray(6), encoded);
      assertEquals(toBytes(text), encoded);
    }),
    RUNS,
  );
});
