/** Procedures with records of any bytes, compared with a model in a few lines. */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { startMockServer } from "../../mock_server/mod.ts";
import { keyOf, valueOf } from "../../mock_server/storage/record.ts";
import { fromByteText, toByteText } from "../../src/codec/byte_text.ts";
import type { Row } from "../../src/codec/tsv.ts";
import { test } from "../_harness.ts";
import { asTexts, latin1 } from "../codec/_http.ts";
import { HttpPeer } from "./_http_peer.ts";

/** Few keys, so that they are met again; among them all that need an encoding. */
const KEYS = ["", "k", "tab\t", "\n", "\r", "\0", "_", "\xff\xfe", "=%+", "x".repeat(300)];

const key = fc.constantFrom(...KEYS);
const value = fc.oneof(
  fc.constantFrom(...KEYS, "v"),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => toByteText(bytes, 0, bytes.length)),
);
const maybe = fc.option(value, { nil: undefined });

type Step =
  | { op: "set" | "add" | "replace" | "append"; key: string; value: string }
  | { op: "cas"; key: string; oval: string | undefined; nval: string | undefined }
  | { op: "get" | "check" | "remove" | "seize"; key: string }
  | { op: "set_bulk"; records: [string, string][] }
  | { op: "get_bulk" | "remove_bulk"; keys: string[] };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ op: fc.constantFrom("set", "add", "replace", "append"), key, value }),
  fc.record({ op: fc.constant("cas"), key, oval: maybe, nval: maybe }),
  fc.record({ op: fc.constantFrom("get", "check", "remove", "seize"), key }),
  fc.record({ op: fc.constant("set_bulk"), records: fc.array(fc.tuple(key, value)) }),
  fc.record({ op: fc.constantFrom("get_bulk", "remove_bulk"), keys: fc.uniqueArray(key) }),
);

type Outcome = { status: number; rows: Record<string, string> };

const done = (rows: Record<string, string> = {}): Outcome => ({ status: 200, rows });
const failed = (ERROR: string): Outcome => ({ status: 450, rows: { ERROR } });
const NO_RECORD = failed("DB: 7: no record: no record");
const DUPLICATE = failed("DB: 6: record duplication: record duplication");
const CONFLICT = failed("DB: 8: logical inconsistency: status conflict");

/** What the server is to do. */
function expected(model: Map<string, string>, s: Step): Outcome {
  switch (s.op) {
    case "set_bulk":
      for (const [k, v] of s.records) model.set(k, v);
      return done({ num: `${new Set(s.records.map(([k]) => k)).size}` });
    case "get_bulk": {
      const found = s.keys.filter((k) => model.has(k));
      const rows = found.map((k) => [`_${k}`, model.get(k)!]);
      return done({ num: `${found.length}`, ...Object.fromEntries(rows) });
    }
    case "remove_bulk":
      return done({ num: `${s.keys.filter((k) => model.delete(k)).length}` });
  }
  const old = model.get(s.key);
  switch (s.op) {
    case "cas":
      if (s.oval !== old) return CONFLICT;
      if (s.nval === undefined) model.delete(s.key);
      else model.set(s.key, s.nval);
      return done();
    case "add":
      if (old !== undefined) return DUPLICATE;
      break;
    case "set":
    case "append":
      break;
    default:
      if (old === undefined) return NO_RECORD;
  }
  switch (s.op) {
    case "get":
      return done({ value: old! });
    case "check":
      return done({ vsiz: `${old!.length}` });
    case "remove":
    case "seize":
      model.delete(s.key);
      return done(s.op === "seize" ? { value: old! } : {});
    case "append":
      model.set(s.key, `${old ?? ""}${s.value}`);
      return done();
    default:
      model.set(s.key, s.value);
      return done();
  }
}

/** The rows that ask the server for it. */
function rowsOf(s: Step): Row[] {
  if (s.op === "set_bulk") return s.records.map(([k, v]) => [latin1(`_${k}`), latin1(v)]);
  if ("keys" in s) return s.keys.map((k) => [latin1(`_${k}`), latin1("")]);
  const { op: _, ...rows } = s;
  return Object.entries(rows).flatMap(([name, text]) =>
    text === undefined ? [] : [[latin1(name), fromByteText(text)] as const]
  );
}

test("records of any bytes are treated as the model says, pipelined or not", async () => {
  await using server = await startMockServer({ databases: ["%"] });
  using peer = new HttpPeer(server);
  const text = (bytes: Uint8Array) => toByteText(bytes, 0, bytes.length);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.boolean(), async (steps, pipelined) => {
      server.storage.databases[0].clear();
      const model = new Map<string, string>();
      const replies = [];
      for (const s of steps) {
        const reply = peer.rpc(s.op, rowsOf(s));
        replies.push(reply);
        if (!pipelined) await reply;
      }
      for (const [i, { status, rows }] of (await Promise.all(replies)).entries()) {
        const got = { status, rows: Object.fromEntries(asTexts(rows)) };
        assertEquals(got, expected(model, steps[i]), JSON.stringify(steps[i]));
      }
      const stored = [...server.storage.databases[0].records()].map((record) => [
        text(keyOf(record)),
        text(valueOf(record)),
      ]);
      assertEquals(stored, [...model].sort(([a], [b]) => a < b ? -1 : 1));
    }),
    { numRuns: 150 },
  );
});
