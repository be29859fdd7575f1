import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { type ByteReader, collect, type Decoder, Feed } from "../../src/codec/decoder.ts";
import { test } from "../_harness.ts";
import { cut, cuts } from "./_arbitraries.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

/** Reads runs of the given sizes, for ever, and keeps them. */
function* readRuns(r: ByteReader, sizes: readonly number[], runs: Uint8Array[]): Decoder<void> {
  for (let i = 0;; i++) {
    const size = sizes[i % sizes.length];
    if (r.available < size) yield size;
    assertGreaterOrEqual(r.available, size);
    runs.push(r.copy(size));
  }
}

/** Reads bytes one by one, for ever, and lets `visit` say what to wait for behind each. */
function* readBytes(
  r: ByteReader,
  visit: (byte: number) => Promise<void> | undefined,
): Decoder<void> {
  for (;;) {
    if (r.available < 1) yield 1;
    const promise = visit(r.u8());
    if (promise !== undefined) yield promise;
  }
}

test("a decoder gets its bytes in runs, however they arrive", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), sizes, cuts, (stream, sizes, cuts) => {
      const runs: Uint8Array[] = [];
      const feed = new Feed((r) => readRuns(r, sizes, runs));
      for (const piece of cut(stream, cuts)) {
        const copy = piece.slice();
        feed.push(copy);
        copy.fill(0xee);
      }
      const read = concat(runs);
      assertEquals(read, stream.subarray(0, read.length));
      assertStrictEquals(feed.carried, stream.length - read.length);
      assert(feed.carried < sizes[runs.length % sizes.length]);
    }),
  );
});

test("a decoder may look further than it reads", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), sizes, cuts, (stream, sizes, cuts) => {
      const read: number[] = [];
      const feed = new Feed(function* (r) {
        for (let i = 0;; i++) {
          const size = sizes[i % sizes.length];
          if (r.available < size) yield size;
          const ahead = r.window.subarray(r.position, r.position + size);
          assertEquals(ahead, stream.subarray(read.length, read.length + size));
          read.push(r.u8());
        }
      });
      for (const piece of cut(stream, cuts)) feed.push(piece.slice());
      assertEquals(new Uint8Array(read), stream.subarray(0, read.length));
      assertStrictEquals(feed.carried, stream.length - read.length);
    }),
  );
});

test("a decoder reads in place what lies whole in a piece", () => {
  const windows: Uint8Array[] = [];
  const feed = new Feed(function* (r) {
    for (;;) {
      if (r.available < 4) yield 4;
      windows.push(r.window);
      r.skip(4);
    }
  });
  const [a, b, c] = [bytes(1, 2, 3, 4, 5, 6, 7, 8), bytes(1, 2, 3), bytes(4, 5, 6, 7, 8)];
  for (const piece of [a, b, c]) feed.push(piece);
  assertStrictEquals(windows.length, 4);
  assertStrictEquals(windows[0], a);
  assertStrictEquals(windows[1], a);
  assert(windows[2] !== b && windows[2] !== c, "a run that straddles pieces is gathered");
  assertStrictEquals(windows[3], c);
});

test("an empty piece changes nothing", () => {
  const runs: Uint8Array[] = [];
  const feed = new Feed((r) => readRuns(r, [3], runs));
  for (const piece of [bytes(), bytes(1), bytes(), bytes(2, 3), bytes()]) feed.push(piece);
  assertEquals(runs, [bytes(1, 2, 3)]);
});

test("a decoder that needs nothing is done at once, and what comes later is dropped", () => {
  const feed = new Feed(function* () {});
  assert(feed.done);
  assertStrictEquals(feed.push(bytes(1, 2, 3)), undefined);
  assertStrictEquals(feed.interrupt(new Error("late")), undefined);
  assertStrictEquals(feed.carried, 0);
});

test("a decoder is done when it returns, in the middle of a piece too", () => {
  for (
    const pieces of [[bytes(1, 2, 3)], [bytes(1), bytes(2, 3)], [bytes(1), bytes(2), bytes(3)]]
  ) {
    let number = 0;
    const feed = new Feed(function* (r) {
      if (r.available < 2) yield 2;
      number = r.u16();
    });
    assert(!feed.done);
    for (const piece of pieces) feed.push(piece);
    assert(feed.done);
    assertStrictEquals(number, 0x0102);
  }
});

test("push() throws what the decoder throws, and the decoder is done", () => {
  for (const pieces of [[bytes(1, 2, 3)], [bytes(1), bytes(2, 3)]]) {
    const feed = new Feed(function* (r): Decoder<void> {
      if (r.available < 2) yield 2;
      throw new RangeError("enough");
    });
    const last = pieces.pop()!;
    for (const piece of pieces) feed.push(piece);
    assertThrows(() => feed.push(last), RangeError, "enough");
    assert(feed.done);
    feed.push(bytes(4));
  }
});

test("a decoder may wait for a promise, in the middle of a piece", async () => {
  const seen: number[] = [];
  const gate = Promise.withResolvers<void>();
  const feed = new Feed((r) =>
    readBytes(r, (byte) => {
      seen.push(byte);
      return byte === 2 ? gate.promise : undefined;
    })
  );
  const piece = bytes(1, 2, 3, 4);
  const consumed = feed.push(piece);
  assert(consumed instanceof Promise);
  piece.fill(0xee);
  await Promise.resolve();
  assertEquals(seen, [1, 2]);
  gate.resolve();
  await consumed;
  assertEquals(seen, [1, 2, 3, 4]);
  assertStrictEquals(feed.push(bytes(5)), undefined);
  assertEquals(seen, [1, 2, 3, 4, 5]);
});

test("what stands behind a wait is kept until enough has come", async () => {
  const runs: Uint8Array[] = [];
  const feed = new Feed(function* (r) {
    for (;;) {
      if (r.available < 3) yield 3;
      runs.push(r.copy(3));
      yield Promise.resolve();
    }
  });
  feed.push(bytes(1));
  await feed.push(bytes(2, 3, 4, 5, 6, 7, 8));
  assertEquals(runs, [bytes(1, 2, 3), bytes(4, 5, 6)]);
  assertStrictEquals(feed.carried, 2);
  await feed.push(bytes(9));
  assertEquals(runs.at(-1), bytes(7, 8, 9));
  assertStrictEquals(feed.carried, 0);
});

test("waiting changes nothing in what a decoder reads", async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 });
  const waits = fc.array(fc.constantFrom("no", "resolve", "reject"), {
    minLength: 1,
    maxLength: 5,
  });
  const stream = fc.uint8Array({ maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(stream, sizes, waits, cuts, async (stream, sizes, waits, cuts) => {
      const runs: Uint8Array[] = [];
      let rejections = 0, wanted = 0;
      const feed = new Feed(function* (r) {
        for (let i = 0;; i++) {
          const size = sizes[i % sizes.length];
          if (r.available < size) yield size;
          runs.push(r.copy(size));
          const wait = waits[i % waits.length];
          if (wait === "resolve") yield Promise.resolve();
          if (wait !== "reject") continue;
          wanted++;
          try {
            yield Promise.reject(i);
          } catch (error) {
            assertStrictEquals(error, i);
            rejections++;
          }
        }
      });
      for (const piece of cut(stream, cuts)) {
        const copy = piece.slice();
        const consumed = feed.push(copy);
        copy.fill(0xee);
        await consumed;
      }
      const read = concat(runs);
      assertEquals(read, stream.subarray(0, read.length));
      assertStrictEquals(feed.carried, stream.length - read.length);
      assertStrictEquals(rejections, wanted);
    }),
  );
});

test("a rejection ends the decoder that does not catch it, with undefined for a reason too", async () => {
  for (const reason of [new Error("the handler failed"), undefined]) {
    const seen: number[] = [];
    const feed = new Feed((r) =>
      readBytes(r, (byte) => {
        seen.push(byte);
        return byte === 1 ? Promise.reject(reason) : undefined;
      })
    );
    const consumed = feed.push(bytes(1, 2)) as Promise<void>;
    assertStrictEquals(await consumed.catch((error) => error), reason);
    assert(feed.done);
    feed.push(bytes(3));
    assertEquals(seen, [1]);
  }
});

test("a decoder may return or throw behind a wait; the rest of the piece is dropped", async () => {
  for (const fails of [false, true]) {
    const feed = new Feed(function* (r): Decoder<void> {
      if (r.available < 1) yield 1;
      r.skip(1);
      yield Promise.resolve();
      if (fails) throw new RangeError("enough");
    });
    const consumed = feed.push(bytes(1, 2, 3)) as Promise<void>;
    if (fails) await assertRejects(() => consumed, RangeError, "enough");
    else await consumed;
    assert(feed.done);
    assertStrictEquals(feed.carried, 0);
  }
});

test("interrupt() makes the wait for bytes throw, and drops what was held back", () => {
  const reason = new Error("the stream ended");
  const caught: unknown[] = [];
  const runs: Uint8Array[] = [];
  const feed = new Feed(function* (r) {
    for (;;) {
      try {
        if (r.available < 4) yield 4;
        runs.push(r.copy(4));
      } catch (error) {
        caught.push(error);
      }
    }
  });
  feed.push(bytes(1, 2, 3));
  assertStrictEquals(feed.carried, 3);
  assertStrictEquals(feed.interrupt(reason), undefined);
  assertEquals(caught, [reason]);
  assertStrictEquals(feed.carried, 0);
  assert(!feed.done);
  feed.push(bytes(5, 6, 7, 8));
  assertEquals(runs, [bytes(5, 6, 7, 8)]);
});

test("interrupt() throws its reason when the decoder does not catch it", () => {
  const feed = new Feed(function* () {
    yield 1;
  });
  assertThrows(() => feed.interrupt(new RangeError("timed out")), RangeError, "timed out");
  assert(feed.done);
});

test("interrupt() is done when what the decoder then waits for has settled", async () => {
  const steps: string[] = [];
  const feed = new Feed(function* () {
    try {
      yield 1;
    } catch {
      steps.push("caught");
      yield Promise.resolve();
      steps.push("cleaned up");
    }
  });
  const settled = feed.interrupt(new Error("the stream ended"));
  assertEquals(steps, ["caught"]);
  await settled;
  assertEquals(steps, ["caught", "cleaned up"]);
  assert(feed.done);
});

test("nothing is pushed or interrupted while the decoder waits for a promise", async () => {
  const wait = Promise.withResolvers<void>(), read: number[] = [];
  const feed = new Feed((r) =>
    readBytes(r, (byte) => {
      read.push(byte);
      return byte === 2 ? wait.promise : undefined;
    })
  );
  const pushed = feed.push(bytes(1, 2, 3));
  assertThrows(() => feed.push(bytes(9)), Error, "Cannot push");
  assertThrows(() => feed.interrupt(new Error("end")), Error, "Cannot interrupt");
  wait.resolve();
  await pushed;
  feed.push(bytes(4));
  assertEquals(read, [1, 2, 3, 4]);
  assertThrows(() => feed.interrupt(new Error("end")), Error, "end");
});

test("a decoder cannot begin with a promise, which nobody would wait for", () => {
  const begin = () =>
    new Feed(function* () {
      yield Promise.resolve();
    });
  assertThrows(begin, Error, "Cannot start a decoder");
});

test("collect() gathers bytes into memory of their own, however they arrive", () => {
  const sizes = fc.constantFrom(0, 1, 100, 70_000, 262_143, 262_144, 262_145, 700_000);
  const pieces = fc.array(fc.integer({ min: 1000, max: 400_000 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(sizes, pieces, fc.nat(3), (size, cuts, before) => {
      const stream = new Uint8Array(before + size + 2).map((_, i) => i * 31);
      let collected: Uint8Array | undefined;
      const feed = new Feed(function* (r) {
        if (before > 0 && r.available < before) yield before;
        r.skip(before);
        collected = yield* collect(r, size);
        if (r.available < 2) yield 2;
        assertStrictEquals(r.u16(), (stream[before + size] << 8) | stream[before + size + 1]);
      });
      for (const piece of cut(stream, cuts)) feed.push(piece);
      assert(feed.done);
      assertEquals(collected, stream.slice(before, before + size));
      assertStrictEquals(collected?.buffer.byteLength, size);
    }),
    { numRuns: 60 },
  );
});
