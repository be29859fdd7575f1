import { assert, assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import {
  type Database,
  keyOf,
  Storage,
  type StoredRecord,
  type UpdateSink,
  valueOf,
} from "../../mock_server/storage/storage.ts";
import { NEVER } from "../../src/codec/constants.ts";
import { test } from "../_harness.ts";

const encoder = new TextEncoder(), decoder = new TextDecoder();
const bytes = (text: string) => encoder.encode(text);
const key = (record: StoredRecord | undefined) => record && decoder.decode(keyOf(record));
const value = (record: StoredRecord | undefined) => record && decoder.decode(valueOf(record));

/** Storage whose clock stands still until told otherwise. */
function storageAt(seconds: number, databases: string[] = ["*"]) {
  const clock = { ms: seconds * 1000, now: () => clock.ms };
  const storage = new Storage({ databases, clock });
  return { storage, database: storage.databases[0], clock };
}

/** Writes down what it is told, in words. */
function wordsOf(storage: Storage): string[] {
  const words: string[] = [];
  const origin = (serverId?: number) => serverId === undefined ? "" : ` by ${serverId}`;
  const sink: UpdateSink = {
    set: (database, record, serverId) =>
      words.push(`${database.index} set ${key(record)}=${value(record)}${origin(serverId)}`),
    remove: (database, removed, serverId) =>
      words.push(`${database.index} remove ${decoder.decode(removed)}${origin(serverId)}`),
    clear: (database, serverId) => words.push(`${database.index} clear${origin(serverId)}`),
  };
  storage.updates = sink;
  return words;
}

test("a database does what a sorted map with expiration does", () => {
  const name = fc.nat(40).map((n) => `k${n}`);
  const xt = fc.oneof(fc.constant(2 ** 63), fc.integer({ min: -1030, max: 30 }));
  const operation = fc.oneof(
    fc.record({ op: fc.constant("set" as const), name, xt }),
    fc.record({ op: fc.constant("remove" as const), name }),
    fc.record({ op: fc.constant("pass" as const), seconds: fc.nat(10) }),
    fc.record({ op: fc.constant("look" as const), name }),
    fc.record({ op: fc.constant("collect" as const), slots: fc.nat(100) }),
    fc.constant({ op: "vacuum" as const }),
    fc.constant({ op: "clear" as const }),
  );
  fc.assert(fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
    const { database, clock } = storageAt(1000);
    const model = new Map<string, { value: string; expires: number }>();
    const isLive = (name: string) => (model.get(name)?.expires ?? -1) >= clock.ms / 1000;
    for (const [i, step] of operations.entries()) {
      switch (step.op) {
        case "set": {
          const at = step.xt < 0 ? -step.xt : clock.ms / 1000 + step.xt;
          const payload = bytes(`.${step.name}v${i}.`);
          const size = step.name.length;
          if (i % 2 === 0) database.set(bytes(step.name), bytes(`v${i}`), step.xt);
          else database.setCopy(payload, 1, size, payload.length - size - 2, step.xt);
          model.set(step.name, { value: `v${i}`, expires: at });
          break;
        }
        case "remove":
          assertEquals(database.remove(bytes(step.name)), isLive(step.name));
          model.delete(step.name);
          break;
        case "pass":
          clock.ms += step.seconds * 1000;
          break;
        case "look": {
          const live = [...model.keys()].filter(isLive).sort();
          const at = bytes(step.name);
          const expected = isLive(step.name) ? model.get(step.name)!.value : undefined;
          assertEquals(value(database.get(at)), expected);
          assertEquals([...database.records()].map(key), live);
          assertEquals(key(database.first()), live[0]);
          assertEquals(key(database.last()), live.at(-1));
          assertEquals(key(database.first(at)), live.find((name) => name >= step.name));
          assertEquals(key(database.next(at)), live.find((name) => name > step.name));
          assertEquals(key(database.last(at)), live.findLast((name) => name <= step.name));
          assertEquals(key(database.previous(at)), live.findLast((name) => name < step.name));
          break;
        }
        case "collect":
          database.collect(step.slots);
          break;
        case "vacuum":
          database.vacuum();
          assertEquals(database.count, [...model.keys()].filter(isLive).length);
          break;
        case "clear":
          database.clear();
          model.clear();
      }
    }
    database.vacuum();
    const live = [...database.records()];
    assertEquals(database.count, live.length);
    assertEquals(database.size, live.reduce((sum, record) => sum + record.end - record.start, 0));
    assertEquals(database.expiring, live.filter(({ expires }) => expires < NEVER).length);
  }));
});

test("keys are in the order of their unsigned bytes, a prefix before what is longer", () => {
  const { database } = storageAt(0);
  const keys = [[], [0], [0, 0], [0x42], [0x61], [0x61, 0x00], [0x7f], [0x80], [0xff, 0xfe]];
  for (const key of keys.toReversed()) database.set(Uint8Array.from(key), bytes(""));
  assertEquals([...database.records()].map((record) => [...keyOf(record)]), keys);
});

test("records may be modified while they are walked through", () => {
  const { database } = storageAt(0);
  for (const name of ["a", "b", "c", "d"]) database.set(bytes(name), bytes(""));
  const seen: (string | undefined)[] = [];
  for (const record of database.records()) {
    seen.push(key(record));
    if (key(record) === "a") {
      database.remove(bytes("b"));
      database.set(bytes("bb"), bytes(""));
      database.remove(bytes("a"));
    }
  }
  assertEquals(seen, ["a", "bb", "c", "d"]);
});

test("a record can be read during the whole second in which it expires", () => {
  const { database, clock } = storageAt(1000);
  database.set(bytes("k"), bytes("v"), 1);
  clock.ms = 1_001_999;
  assertEquals(value(database.get(bytes("k"))), "v");
  clock.ms = 1_002_000;
  assertEquals(database.get(bytes("k")), undefined);
  assertEquals([...database.stored()].map(key), ["k"]);
  assertEquals(database.remove(bytes("k")), false);
  assertEquals(database.count, 0);
});

test("expired records are forgotten by later writes, so that nothing grows", () => {
  const { database, clock } = storageAt(1000);
  let most = 0;
  for (let i = 0; i < 100_000; i++) {
    database.set(bytes(`key ${i}`), bytes("value"), 1);
    clock.ms += 100;
    most = Math.max(most, database.count);
  }
  assert(most < 200, `${most} records at most`);
});

test("a database with #ktopts=p never lets anything expire", () => {
  const { database, clock } = storageAt(1000, ["*#ktopts=p"]);
  database.set(bytes("k"), bytes("v"), -1);
  clock.ms *= 1000;
  assertEquals(database.get(bytes("k"))?.expires, 2 ** 63);
  assertEquals([database.persistent, database.path], [true, "*"]);
});

test("databases are named and ordered as ktserver's are", () => {
  const { storage } = storageAt(0, ["*", "%#bnum=3", ":", "/var/db/x.kct", "y.kch", "+", "-"]);
  assertEquals(
    storage.databases.map(({ name, ordered }) => `${name} ${ordered}`),
    ["* false", "% true", ": false", "x.kct true", "y.kch false", "+ true", "- false"],
  );
  assertThrows(() => new Storage({ databases: ["casket"] }), TypeError, '"casket"');
});

test("the update sink hears of everything that is modified, and of removals of what is not there", () => {
  const { storage, database } = storageAt(1000, ["*", "*"]);
  const words = wordsOf(storage);
  database.set(bytes("a"), bytes("1"));
  storage.databases[1].set(bytes("dead"), bytes("2"), -1);
  database.remove(bytes("never there"));
  database.clear();
  database.setRaw(bytes("b"), bytes("3"), NEVER, 7);
  database.removeRaw(bytes("b"), 7);
  database.clearRaw(8);
  storage.databases[1].vacuum();
  assertEquals(words, [
    "0 set a=1",
    "1 set dead=2",
    "0 remove never there",
    "0 clear",
    "0 set b=3 by 7",
    "0 remove b by 7",
    "0 clear by 8",
  ]);
});

const steps: ((database: Database) => void)[] = [
  (database) => database.set(bytes("a"), bytes("new")),
  (database) => database.remove(bytes("b")),
  (database) => database.set(bytes("c"), bytes("added")),
  (database) => database.clear(),
  (database) => database.set(bytes("d"), bytes("after")),
];

test("a committed transaction is told to the update sink at its end, in order", () => {
  const { storage, database } = storageAt(1000);
  database.set(bytes("b"), bytes("old"));
  const words = wordsOf(storage);
  database.begin();
  steps.forEach((step) => step(database));
  assertEquals(words, []);
  database.commit();
  assertEquals(words, ["0 set a=new", "0 remove b", "0 set c=added", "0 clear", "0 set d=after"]);
  assertEquals([...database.records()].map(key), ["d"]);
});

test("an aborted transaction leaves no trace", () => {
  const { storage, database } = storageAt(1000);
  database.set(bytes("a"), bytes("old"), 5);
  database.set(bytes("b"), bytes("old"));
  const before = [database.count, database.size, database.expiring];
  const words = wordsOf(storage);
  database.begin();
  steps.forEach((step) => step(database));
  database.abort();
  assertEquals(words, []);
  assertEquals([...database.records()].map(value), ["old", "old"]);
  assertEquals([database.count, database.size, database.expiring], before);
});

test("many records keep their order through insertions and removals", () => {
  const { database } = storageAt(1000);
  const names = Array.from({ length: 5000 }, (_, i) => String(i).padStart(4, "0"));
  for (let i = 0; i < 5000; i++) database.set(bytes(names[i * 1777 % 5000]), bytes(""));
  assertEquals([...database.records()].map(key), names);
  for (let i = 0; i < 5000; i += 2) database.remove(bytes(names[i]));
  assertEquals([...database.records()].map(key), names.filter((_, i) => i % 2 === 1));
});

test("few records that stay do not keep the memory of the many that went", () => {
  const { database } = storageAt(1000);
  const value = new Uint8Array(200);
  const put = (name: string) => {
    const payload = new Uint8Array([...bytes(name), ...value]);
    database.setCopy(payload, 0, name.length, 200, 2 ** 63);
  };
  for (let i = 0; i < 100_000; i++) {
    put(`key ${i}`);
    // One of a hundred stays, so that each block of memory holds some of them.
    if (i % 100 !== 0) database.remove(bytes(`key ${i}`));
  }
  const blocks = new Set([...database.records()].map((record) => record.bytes.buffer));
  const taken = [...blocks].reduce((sum, { byteLength }) => sum + byteLength, 0);
  assertEquals(database.count, 1000);
  assert(taken < 4 * database.size + 2 * 1024 * 1024, `${taken} for ${database.size}`);
  for (const [i, record] of [...database.records()].entries()) {
    assert(i === 0 || key(record)! > key(database.previous(keyOf(record)))!);
    assertEquals(valueOf(record).length, 200);
    assertEquals(database.get(keyOf(record)), record);
  }
});
