import { assert, assertEquals, assertFalse } from "@std/assert";
import fc from "fast-check";
import { KeySet, MAX_FRAME_KEYS } from "../../src/connection/key_set.ts";
import { test } from "../_harness.ts";
import { get, shortText } from "./_calls.ts";

const encoder = new TextEncoder();

test("KeySet never misses a duplicate, be it text or bytes", () => {
  const key = fc.oneof(
    shortText,
    fc.constantFrom("", "a", "é", "e\u0301", "😀", "\ud800", "\ufffd"),
  );
  const example = fc.record({ key, asBytes: fc.boolean(), database: fc.nat(2) });
  const set = new KeySet();
  fc.assert(fc.property(fc.array(example, { maxLength: 80 }), (examples) => {
    set.clear();
    const seen = new Set<string>();
    for (const { key, asBytes, database } of examples) {
      const bytes = encoder.encode(key);
      const name = `${database}:${bytes}`;
      const added = set.add(get(asBytes ? bytes : key, database));
      if (seen.has(name)) assertFalse(added, `${name} was there`);
      seen.add(name);
    }
  }));
});

test("KeySet tells different keys, and equal keys in different databases, apart", () => {
  const set = new KeySet();
  set.clear();
  let added = 0;
  for (let i = 0; i < MAX_FRAME_KEYS / 2; i++) {
    added += Number(set.add(get(`key ${i}`, 0)));
    added += Number(set.add(get(`key ${i}`, 1)));
  }
  assertEquals(added, MAX_FRAME_KEYS);
});

test("KeySet is empty after clear()", () => {
  const set = new KeySet();
  for (let round = 0; round < 5; round++) {
    set.clear();
    assert(set.add(get("a")));
    assertFalse(set.add(get(encoder.encode("a"))));
  }
});
