/** The mock server's update log: stamps, bounds, and what its readers find. */

import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { UpdateLog, type UpdateLogReader } from "../../mock_server/replication/update_log.ts";
import { Storage } from "../../mock_server/storage/storage.ts";
import { ByteWriter } from "../../src/codec/writer.ts";
import { test } from "../_harness.ts";
import { parseUpdates, type PlainUpdate } from "./_log.ts";

const encoder = new TextEncoder();

interface LogOptions {
  serverId?: number;
  maxBytes?: number;
}

/** A log, the databases it hears of, and its clock. */
class Setup {
  milliseconds = 1000;
  readonly log: UpdateLog;
  readonly storage: Storage;

  constructor({ serverId = 1, maxBytes }: LogOptions = {}) {
    const clock = { now: () => this.milliseconds };
    this.log = new UpdateLog({ serverId, maxBytes, clock });
    this.storage = new Storage({ databases: ["*", "%", "*#ktopts=p"], clock });
    this.storage.updates = this.log;
  }

  set(key: string, value = "v", serverId?: number, database = 0): void {
    this.storage.databases[database].setRaw(
      encoder.encode(key),
      encoder.encode(value),
      5,
      serverId,
    );
  }

  read(reader: UpdateLogReader): PlainUpdate[] {
    const updates: PlainUpdate[] = [];
    for (let more = true; more;) {
      const out = new ByteWriter();
      more = reader.read(out);
      updates.push(...parseUpdates(out.copy()));
    }
    return updates;
  }

  stamps(since = 0n, serverId = 9, only = false): bigint[] {
    return this.read(this.log.reader(since, serverId, only)).map(({ stamp }) => stamp);
  }
}

test("time stamps are milliseconds, and count on within one", () => {
  const setup = new Setup();
  setup.set("a");
  setup.set("b");
  setup.milliseconds = 1001.7;
  setup.set("c");
  assertEquals(setup.stamps(), [1_000_000_000n, 1_000_000_001n, 1_001_000_000n]);
  assertEquals(setup.log.lastTimestamp, 1_001_000_000n);
});

test("time stamps rise though the clock stands still or goes back, and beyond 32 bits", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 2 ** 41 }), { minLength: 1, maxLength: 50 }),
      (times) => {
        const setup = new Setup();
        let latest = 0, count = 0;
        for (const time of times) {
          setup.milliseconds = time;
          setup.set("k");
          const wanted = time > latest ? BigInt(time) * 1_000_000n : BigInt(latest) * 1_000_000n;
          count = time > latest ? 0 : count + 1;
          latest = Math.max(latest, time);
          // At time 0 the first stamp is 1: it must be above that of an empty log.
          assertEquals(setup.log.lastTimestamp, wanted + BigInt(count));
        }
        const stamps = setup.stamps(-1n);
        assert(stamps.every((stamp, i) => i === 0 || stamp > stamps[i - 1]));
        assertEquals(stamps.length, times.length);
      },
    ),
  );
});

test("a million stamps in one millisecond do not disturb the next one", () => {
  const setup = new Setup({ maxBytes: 4096 });
  for (let i = 0; i < 1_000_005; i++) setup.log.clear(setup.storage.databases[0]);
  assertEquals(setup.log.lastTimestamp, 1_001_000_004n);
  setup.milliseconds = 1001;
  setup.set("k");
  assertEquals(setup.log.lastTimestamp, 1_001_000_005n);
  setup.milliseconds = 1002;
  setup.set("k");
  assertEquals(setup.log.lastTimestamp, 1_002_000_000n);
});

test("a reader finds what is above its stamp, wherever that lies", () => {
  // Small segments, many of them.
  const setup = new Setup({ maxBytes: 64 * 1024 });
  const all: bigint[] = [];
  for (let i = 0; i < 500; i++) {
    setup.milliseconds += i % 3;
    setup.set(`key ${i}`, "x".repeat(i % 50));
    all.push(setup.log.lastTimestamp);
  }
  assertEquals(setup.stamps(), all);
  for (const since of [...all, 0n, all[7] - 1n, all.at(-1)! + 1n]) {
    assertEquals(setup.stamps(since), all.filter((stamp) => stamp > since));
  }
});

test("a reader goes on with what comes later, from whatever stamp it began", () => {
  const setup = new Setup({ maxBytes: 4096 });
  for (const since of [0n, 1_000_000_000n, 1_000_000_400n]) {
    const reader = setup.log.reader(since, 9, false);
    setup.read(reader);
    for (let i = 0; i < 300; i++) {
      setup.set("k");
      const stamp = setup.log.lastTimestamp;
      assertEquals(setup.read(reader).map((update) => update.stamp), stamp > since ? [stamp] : []);
    }
  }
});

test("a log begins to be read before there is anything in it", () => {
  const setup = new Setup();
  const reader = setup.log.reader(0n, 9, false);
  assertEquals(setup.read(reader), []);
  assertEquals(reader.last, { high: 0, low: 0 });
  setup.set("k");
  assertEquals(setup.read(reader).length, 1);
  assertEquals(reader.last, { high: 0, low: 1_000_000_000 });
});

test("memory is bounded; the oldest updates go, and readers find what is left", () => {
  const maxBytes = 20_000;
  const setup = new Setup({ maxBytes });
  const standing = setup.log.reader(0n, 9, false);
  const all: bigint[] = [];
  for (let i = 0; i < 5000; i++) {
    setup.set(`key ${i}`, "x".repeat(i % 80));
    all.push(setup.log.lastTimestamp);
    assertLessOrEqual(setup.log.bytes, maxBytes);
  }
  const left = setup.stamps();
  assertGreater(left.length, maxBytes / 2 / 120);
  assertEquals(left, all.slice(-left.length));
  // One that stood still has lost its place, but not its way.
  assertEquals(setup.read(standing).map(({ stamp }) => stamp), left);
});

test("an update larger than the bound is kept alone", () => {
  const setup = new Setup({ maxBytes: 1000 });
  setup.set("small");
  setup.set("large", "x".repeat(5000));
  assertEquals(setup.stamps().length, 1);
  setup.set("small");
  setup.set("small");
  assertEquals(setup.stamps().length, 2);
  assertLessOrEqual(setup.log.bytes, 1000);
});

test("a log takes little memory for little", () => {
  const setup = new Setup();
  setup.set("k");
  assertLessOrEqual(setup.log.bytes, 16 * 1024);
});

test("updates are left out by the server they come from, or sent by it", () => {
  const setup = new Setup({ serverId: 1 });
  for (let i = 0; i < 100; i++) setup.set("k", "v", [undefined, 2, 3, 2][i % 4]);
  const ids = (serverId: number, only: boolean) =>
    setup.read(setup.log.reader(0n, serverId, only)).map(({ message }) => message?.serverId);
  const all = Array.from({ length: 100 }, (_, i) => [1, 2, 3, 2][i % 4]);
  assertEquals(ids(9, false), all);
  for (const id of [1, 2, 3]) {
    assertEquals(ids(id, false), all.filter((one) => one !== id));
    assertEquals(ids(id, true), all.filter((one) => one === id));
  }
  assertEquals(ids(9, true), []);
});

test("after each 256 left-out updates in a row comes an empty one with the stamp of the last", () => {
  const setup = new Setup({ serverId: 1 });
  const leaveOut = (count: number) => {
    for (let i = 0; i < count; i++) setup.set("k");
  };
  const reader = setup.log.reader(0n, 1, false);
  const stamps = () => setup.read(reader).map(({ stamp, message }) => [stamp, message === null]);
  leaveOut(255);
  assertEquals(stamps(), []);
  leaveOut(1);
  assertEquals(stamps(), [[1_000_000_255n, true]]);
  leaveOut(600);
  assertEquals(stamps(), [[1_000_000_511n, true], [1_000_000_767n, true]]);
  // A sent one begins the count anew.
  leaveOut(100);
  setup.set("other", "v", 2);
  leaveOut(255);
  assertEquals(stamps(), [[1_000_000_956n, false]]);
  leaveOut(1);
  assertEquals(stamps(), [[setup.log.lastTimestamp, true]]);
  assertEquals(reader.last.low, Number(setup.log.lastTimestamp));
});

test("what has a stamp up to that asked for is neither sent nor counted", () => {
  const setup = new Setup({ serverId: 1 });
  const reader = setup.log.reader(2n ** 64n - 1n, 1, false);
  for (let i = 0; i < 600; i++) setup.set("k");
  assertEquals(setup.read(reader), []);
  assertEquals(reader.last, { high: 0, low: 0 });
});

test("a large update is sent from where it stands", () => {
  const setup = new Setup();
  setup.set("k", "x".repeat(100_000));
  const out = new ByteWriter();
  setup.log.reader(0n, 9, false).read(out);
  assertEquals(out.take().length, 1);
  assertEquals(out.length, 100_000 + 5 + 1 + 1 + 3 + 5 + 13);
});

test("the log is listed as files, and removed by them, but never the newest", () => {
  const setup = new Setup({ maxBytes: 8192 });
  const frame = 13 + 5 + 2 + 1 + 5 + 1;
  const count = Math.floor(2048 / frame);
  for (let i = 0; i < 2 * count + 1; i++) setup.set("k");
  const files = [...setup.log.files()];
  assertEquals(files.map(({ path }) => path), [
    "0000000001.ulog",
    "0000000002.ulog",
    "0000000003.ulog",
  ]);
  // ktserver's files have 17 bytes in front and one more in each record.
  assertEquals(files[0].size, 17 + count * (frame + 1));
  assertEquals(files[0].timestamp, 1_000_000_000n + BigInt(count - 1));
  const reader = setup.log.reader(0n, 9, false);
  reader.read(new ByteWriter());
  setup.log.removeFiles(files[0].timestamp - 1n);
  assertEquals([...setup.log.files()], files);
  setup.log.removeFiles(files[0].timestamp);
  assertEquals([...setup.log.files()], files.slice(1));
  setup.log.removeFiles(null);
  assertEquals([...setup.log.files()], files.slice(2));
  assertEquals(setup.read(reader).length, 1);
  assertEquals(setup.stamps().length, 1);
});
