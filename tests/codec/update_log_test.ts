/** Update frames, read and written, against recorded ones and against a parser of the tests' own. */

import { assert, assertEquals, assertGreater, assertLess, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { MAX_SIZE, NEVER } from "../../src/codec/constants.ts";
import { type ByteReader, type Decoder, Feed } from "../../src/codec/decoder.ts";
import {
  decodeUpdates,
  FrameKind,
  putClear,
  putHeartbeat,
  putRemove,
  putSet,
  putUpdateHeader,
  removeFrameSize,
  setFrameSize,
  UpdateFrame,
} from "../../src/codec/update_log.ts";
import { ProtocolError } from "../../src/errors.ts";
import { test } from "../_harness.ts";
import {
  accepted,
  cutAt,
  heartbeat,
  message,
  parseRemove,
  parseSet,
  parseUpdates,
  recordedStreams,
  setMessage,
} from "../replication/_log.ts";

const EMPTY = new Uint8Array(0);

/** A frame that does not change any more. */
interface Read {
  kind: number;
  stamp: bigint;
  serverId: number;
  database: number;
  expires: number;
  key: Uint8Array;
  value: Uint8Array;
}

const persistent = (database: number) => database === 9;

/** Gathers what a stream holds. */
function* readInto(r: ByteReader, list: Read[]): Decoder<never> {
  const frame = new UpdateFrame();
  const decoder = decodeUpdates(r, frame, persistent);
  for (;;) {
    const need = decoder.next().value;
    if (need !== 0) {
      yield need;
      continue;
    }
    const { kind, bytes, timestamp: stamp, serverId, database, expires } = frame;
    const plain = kind <= FrameKind.SKIPPED;
    if (frame.owned && kind >= FrameKind.SET) {
      assert(bytes.length - (frame.valueEnd - frame.valueStart) - frame.keyEnd <= 5);
    }
    list.push({
      kind,
      stamp,
      serverId: plain ? 0 : serverId,
      database: plain ? 0 : database,
      expires: kind === FrameKind.SET ? expires : 0,
      key: plain || kind === FrameKind.CLEAR ? EMPTY : bytes.slice(frame.keyStart, frame.keyEnd),
      value: kind === FrameKind.SET ? bytes.slice(frame.valueStart, frame.valueEnd) : EMPTY,
    });
  }
}

function read(...chunks: Uint8Array[]): Read[] {
  const list: Read[] = [];
  const feed = new Feed((r) => readInto(r, list));
  for (const chunk of chunks) feed.push(chunk);
  return list;
}

/** What the tests' own parser makes of the same. */
function expected(bytes: Uint8Array): Read[] {
  const kinds = { 0xa1: FrameKind.SET, 0xa2: FrameKind.REMOVE, 0xa5: FrameKind.CLEAR };
  return parseUpdates(bytes).map(({ stamp, message }) => {
    const kind = kinds[message?.op as 0xa1] ?? FrameKind.SKIPPED;
    const nothing = { serverId: 0, database: 0, expires: 0, key: EMPTY, value: EMPTY };
    if (message === null || kind === FrameKind.SKIPPED as number) {
      return { kind, stamp, ...nothing };
    }
    const { serverId, database, operands } = message;
    const base = { ...nothing, kind, stamp, serverId, database };
    if (message.op === 0xa5) return base;
    if (message.op === 0xa2) return { ...base, key: parseRemove(operands) };
    const [key, stored] = parseSet(operands);
    if (persistent(database)) return { ...base, key, value: stored, expires: NEVER };
    const expires = stored.slice(0, 5).reduce((sum, byte) => sum * 256 + byte, 0);
    return { ...base, key, value: stored.slice(5), expires };
  });
}

function stampOf(stamp: bigint) {
  return { high: Number(stamp >> 32n), low: Number(stamp & 0xffff_ffffn) };
}

/** The bytes of an update, written by the code under test. */
function write({ kind, stamp, serverId, database, expires, key, value }: Read): Uint8Array {
  const head = { stamp: stampOf(stamp), serverId, database };
  if (kind === FrameKind.SET) {
    const raw = persistent(database);
    const bytes = new Uint8Array(setFrameSize(key.length, value.length, raw));
    // Others' bytes stand around it.
    const record = {
      bytes: concat([Uint8Array.of(1), key, value, Uint8Array.of(2)]),
      start: 1,
      valueStart: 1 + key.length,
      end: 1 + key.length + value.length,
      expires,
    };
    const end = putSet(bytes, 0, head, record, raw);
    assertEquals(end, bytes.length);
    return bytes;
  }
  if (kind === FrameKind.REMOVE) {
    const bytes = new Uint8Array(removeFrameSize(key.length));
    assertEquals(putRemove(bytes, 0, head, key), bytes.length);
    return bytes;
  }
  const bytes = new Uint8Array(
    kind === FrameKind.CLEAR ? 18 : kind === FrameKind.HEARTBEAT ? 9 : 13,
  );
  const end = kind === FrameKind.CLEAR
    ? putClear(bytes, 0, head)
    : kind === FrameKind.HEARTBEAT
    ? putHeartbeat(bytes, 0, head.stamp)
    : putUpdateHeader(bytes, 0, head.stamp, 0);
  assertEquals(end, bytes.length);
  return bytes;
}

const recordings = await recordedStreams();

test("recorded updates decode to what a plain parser finds, however they are cut", () => {
  assertGreater(recordings.length, 15);
  for (const { name, messages } of recordings) {
    const bytes = concat(messages);
    if (name.startsWith("repl-persist")) continue;
    const wanted = [{ kind: FrameKind.ACCEPTED }, ...expected(bytes)].map(({ kind }) => kind);
    const whole = read(accepted(bytes));
    assertEquals(whole.map(({ kind }) => kind), wanted, name);
    assertEquals(whole.slice(1), expected(bytes), name);
    if (bytes.length > 2000) continue;
    const stream = accepted(bytes);
    for (let at = 0; at <= stream.length; at++) {
      assertEquals(
        read(stream.subarray(0, at), stream.subarray(at)),
        whole,
        `${name} cut at ${at}`,
      );
    }
    assertEquals(read(...cutAt(stream, [...stream.keys()])), whole, `${name} byte by byte`);
  }
});

test("what was decoded from a recording is written back byte for byte", () => {
  for (const { name, messages } of recordings) {
    if (name.startsWith("repl-persist")) continue;
    for (const message of messages) {
      const [, update] = read(accepted(message));
      if (update.kind !== FrameKind.SKIPPED) assertEquals(write(update), message, name);
    }
  }
});

const stamps = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const u16 = fc.integer({ min: 0, max: 0xffff });
const data = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.integer({ min: 120, max: 140 }).map((size) => new Uint8Array(size).fill(size)),
  fc.constantFrom(16_373, 16_384, 65_000, 65_536, 200_000).map((size) =>
    new Uint8Array(size).fill(7)
  ),
);
const heads = { stamp: stamps, serverId: u16, database: fc.oneof(u16, fc.constant(9)) };
const nothing = { expires: fc.constant(0), key: fc.constant(EMPTY), value: fc.constant(EMPTY) };
const zero = { serverId: fc.constant(0), database: fc.constant(0) };
const updates = fc.oneof(
  {
    arbitrary: fc.record({
      kind: fc.constant(5),
      ...heads,
      key: data,
      value: data,
      expires: fc.integer({ min: 0, max: NEVER }),
    }),
    weight: 4,
  },
  fc.record({ kind: fc.constant(6), ...heads, ...nothing, key: data }),
  fc.record({ kind: fc.constant(7), ...heads, ...nothing }),
  fc.record({ kind: fc.constantFrom(3, 4), stamp: stamps, ...zero, ...nothing }),
);

test("updates of all kinds and sizes come back as they were written, cut anywhere", () => {
  fc.assert(
    fc.property(
      fc.array(updates, { maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      (list, cuts) => {
        const wanted = list.map((update) =>
          update.kind === FrameKind.SET && persistent(update.database)
            ? { ...update, expires: NEVER }
            : { ...update }
        );
        const stream = accepted(...list.map(write));
        const [first, ...rest] = read(...cutAt(stream, cuts));
        assertEquals(first.kind, FrameKind.ACCEPTED);
        assertEquals(rest, wanted as Read[]);
        assertEquals(
          parseUpdates(stream.subarray(1)).length,
          list.filter(({ kind }) => kind !== 3).length,
        );
      },
    ),
    { numRuns: 60 },
  );
});

test("sizes are written in as few groups of seven bits as they need", () => {
  const sizes: [number, string][] = [[0, "00"], [127, "7f"], [128, "8100"], [300, "822c"]];
  sizes.push([16_383, "ff7f"], [16_384, "818000"], [2_097_151, "ffff7f"], [2_097_152, "81808000"]);
  for (const [size, hex] of sizes) {
    const frame = new Uint8Array(removeFrameSize(size));
    const head = { stamp: stampOf(1n), serverId: 1, database: 0 };
    assertEquals(putRemove(frame, 0, head, new Uint8Array(size)), frame.length);
    const end = frame.length - size;
    assertEquals(
      [...frame.subarray(18, end)].map((b) => b.toString(16).padStart(2, "0")).join(""),
      hex,
    );
    assertEquals(read(accepted(frame))[1].key.length, size);
  }
});

test("operations that are not known are passed over, whatever their size", () => {
  const after = setMessage(9n, "k", "v");
  for (const size of [5, 6, 100, 70_000, 1_000_000]) {
    const body = new Uint8Array(size).fill(0xb0);
    body[4] = 0xa0;
    const stream = accepted(message(8n, body), after);
    for (const chunks of [[stream], cutAt(stream, [1, 14, 20, 30, 1000, 65_536, 65_600])]) {
      const [, skipped, set] = read(...chunks);
      assertEquals([skipped.kind, skipped.stamp], [FrameKind.SKIPPED, 8n]);
      assertEquals([set.kind, set.stamp], [FrameKind.SET, 9n]);
    }
  }
});

test("the first byte tells whether the server has an update log", () => {
  assertEquals(read(Uint8Array.of(0xb1))[0].kind, FrameKind.ACCEPTED);
  assertEquals(read(Uint8Array.of(0xbf))[0].kind, FrameKind.REFUSED);
  assertThrows(() => read(Uint8Array.of(0x48)), ProtocolError, "got 0x48");
});

const damages: [what: string, body: number[], message: string][] = [
  ["a message shorter than its head", [0, 1, 0], "only 3 bytes"],
  ["a key longer than the message", [0, 1, 0, 0, 0xa2, 9, 1, 2], "8 bytes"],
  ["a key shorter than the message", [0, 1, 0, 0, 0xa2, 1, 1, 2], "8 bytes"],
  ["a value longer than the message", [0, 1, 0, 0, 0xa1, 1, 0x7f, 1], "8 bytes"],
  ["a clear with operands", [0, 1, 0, 0, 0xa5, 1], "6 bytes"],
  ["a set that ends in its sizes", [0, 1, 0, 0, 0xa1, 0x81], "does not end|6 bytes"],
  ["a size without end", [0, 1, 0, 0, 0xa2, ...new Array(12).fill(0xff)], "does not end"],
  ["a value without expiration", [0, 1, 0, 3, 0xa1, 1, 3, 1, 2, 3, 4], '"#ktopts=p"'],
];

for (const [what, body, text] of damages) {
  test(`a damaged message is an error that names its stamp: ${what}`, () => {
    for (const rest of [EMPTY, setMessage(78n, "next", "one")]) {
      const error = assertThrows(
        () => read(accepted(message(77n, body), rest), new Uint8Array(100)),
        ProtocolError,
      );
      assert(/\b77\b/.test(error.message) && new RegExp(text).test(error.message), error.message);
    }
  });
}

test("bytes that begin no message are an error that names the stamp before them", () => {
  assertThrows(
    () => read(accepted(setMessage(77n, "k", "v"), Uint8Array.from({ length: 13 }, () => 0x41))),
    ProtocolError,
    "after 77: 0x41",
  );
});

/** The head of a set whose value announces `size` bytes in all. */
function announcing(size: number): Uint8Array {
  const groups = [4, 3, 2, 1, 0].map((i) => Math.floor(size / 128 ** i) % 128 | (i > 0 ? 0x80 : 0));
  const body = [0, 1, 0, 0, 0xa1, 0, ...groups];
  const frame = message(5n, body);
  new DataView(frame.buffer).setUint32(9, body.length + size);
  return frame;
}

test("a value over the limit is refused before a byte of it has come", () => {
  // Enough for the decoder to look at the head.
  const some = new Uint8Array(50);
  read(accepted(announcing(MAX_SIZE + 5), some));
  assertThrows(() => read(accepted(announcing(MAX_SIZE + 6), some)), ProtocolError, "update 5");
  assertThrows(() => read(accepted(announcing(300 * 2 ** 20), some)), ProtocolError, "over");
});

test("memory is taken as bytes come, not as they are announced", () => {
  const list: Read[] = [];
  const feed = new Feed((r) => readInto(r, list));
  feed.push(accepted(announcing(MAX_SIZE)));
  feed.push(new Uint8Array(100_000));
  assertEquals(list.length, 1);
  assertLess(feed.carried, 1000);
});

test("a heartbeat right behind an update is told from it", () => {
  const kinds = read(
    accepted(heartbeat(1n), setMessage(2n, "k", "v"), heartbeat(2n), heartbeat(3n)),
  )
    .map(({ kind }) => kind);
  assertEquals(kinds, [1, 3, 5, 3, 3]);
});
