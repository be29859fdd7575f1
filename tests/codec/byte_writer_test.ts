import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/decoder.ts";
import { ByteWriter } from "../../src/codec/writer.ts";
import { test } from "../_harness.ts";

const REFERENCE_SIZE = 32 * 1024;

function written(write: (w: ByteWriter) => void): Uint8Array {
  const w = new ByteWriter();
  write(w);
  return w.copy();
}

function readerOf(bytes: Uint8Array): ByteReader {
  const r = new ByteReader();
  r.window = bytes;
  r.end = bytes.length;
  return r;
}

const bytes = (...values: number[]) => new Uint8Array(values);

test("ByteWriter writes numbers in big-endian order", () => {
  assertEquals(written((w) => w.u8(0xab)), bytes(0xab));
  assertEquals(written((w) => w.u16(0xabcd)), bytes(0xab, 0xcd));
  assertEquals(written((w) => w.u32(0x89ab_cdef)), bytes(0x89, 0xab, 0xcd, 0xef));
  assertEquals(written((w) => w.u40(0xf4_8657_0001)), bytes(0xf4, 0x86, 0x57, 0, 1));
  assertEquals(written((w) => w.u64(0x0123_4567_89ab_cdefn)).length, 8);
  assertEquals(written((w) => w.i64(600)), bytes(0, 0, 0, 0, 0, 0, 2, 0x58));
});

test("ByteReader reads every number that ByteWriter writes", () => {
  const safe = { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER };
  fc.assert(
    fc.property(
      fc.nat(0xff),
      fc.nat(0xffff),
      fc.nat(0xffff_ffff),
      fc.integer({ min: 0, max: 2 ** 40 - 1 }),
      fc.integer(safe),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      (u8, u16, u32, u40, i64, u64) => {
        const all = written((w) => {
          w.u8(u8);
          w.u16(u16);
          w.u32(u32);
          w.u40(u40);
          w.i64(i64);
          w.u64(u64);
        });
        const r = readerOf(all);
        assertEquals([r.u8(), r.u16(), r.u32(), r.u40(), r.i64(), r.u64()], [
          u8,
          u16,
          u32,
          u40,
          i64,
          u64,
        ]);
        assertStrictEquals(r.available, 0);
        const view = new DataView(all.buffer, all.byteOffset);
        assertStrictEquals(view.getBigInt64(12), BigInt(i64));
        assertStrictEquals(view.getBigUint64(20), u64);
      },
    ),
  );
});

test("ByteWriter makes the nearest that fits of a number beyond 64 bits", () => {
  const most = bytes(0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
  const least = bytes(0x80, 0, 0, 0, 0, 0, 0, 0);
  for (const n of [2 ** 63, 2 ** 64, Infinity]) assertEquals(written((w) => w.i64(n)), most);
  for (const n of [-(2 ** 63), -(2 ** 65), -Infinity]) {
    assertEquals(written((w) => w.i64(n)), least);
  }
  assertEquals(readerOf(most).i64(), 2 ** 63);
  assertEquals(readerOf(least).i64(), -(2 ** 63));
});

test("ByteWriter copies small bytes and refers to large ones", () => {
  for (const size of [0, 1, 48, 49, REFERENCE_SIZE - 1]) {
    const data = new Uint8Array(size).fill(1);
    const w = new ByteWriter();
    w.bytes(data);
    data.fill(2);
    assertEquals(w.copy(), new Uint8Array(size).fill(1));
    assertStrictEquals(w.take().length, 1);
  }
  for (const size of [REFERENCE_SIZE, 1_000_000]) {
    const data = new Uint8Array(size).fill(1);
    const w = new ByteWriter();
    w.u8(7);
    w.bytes(data);
    w.u8(8);
    assertStrictEquals(w.length, size + 2);
    const [before, reference, after] = w.take();
    assertEquals([before, after], [bytes(7), bytes(8)]);
    assertStrictEquals(reference, data);
  }
});

test("ByteWriter copies a part of large bytes too", () => {
  const data = new Uint8Array(2 * REFERENCE_SIZE).map((_, i) => i);
  const w = new ByteWriter();
  w.range(data, 5, 5);
  w.range(data, 1, 4);
  w.range(data, 3, REFERENCE_SIZE + 30);
  const parts = w.take();
  assertStrictEquals(parts.length, 1);
  assertEquals(parts[0].subarray(0, 3), bytes(1, 2, 3));
  assertEquals(parts[0].subarray(3), data.subarray(3, REFERENCE_SIZE + 30));
});

test("ByteWriter keeps the order of what it copies and what it refers to", () => {
  const sizes = fc.constantFrom(0, 3, 48, 49, 2000, REFERENCE_SIZE - 1, REFERENCE_SIZE, 40_000);
  fc.assert(
    fc.property(fc.array(sizes, { maxLength: 12 }), (sizes) => {
      const w = new ByteWriter();
      const wanted: number[] = [];
      for (const [i, size] of sizes.entries()) {
        w.bytes(new Uint8Array(size).fill(i + 1));
        w.u16(i);
        wanted.push(...new Array<number>(size).fill(i + 1), i >>> 8, i);
        assertStrictEquals(w.length, wanted.length);
      }
      assertEquals(w.copy(), new Uint8Array(wanted));
      assertStrictEquals(w.length, wanted.length);
    }),
    { numRuns: 40 },
  );
});

test("ByteWriter can go on after its pieces were looked at", () => {
  const w = new ByteWriter();
  w.u8(1);
  assertEquals(w.copy(), bytes(1));
  w.bytes(new Uint8Array(REFERENCE_SIZE));
  w.copy();
  w.u8(2);
  assertStrictEquals(w.copy().length, REFERENCE_SIZE + 2);
  assertStrictEquals(w.copy().at(-1), 2);
});

test("ByteWriter leaves its pieces alone while its buffer grows", () => {
  const w = new ByteWriter();
  w.ascii("first");
  w.bytes(new Uint8Array(REFERENCE_SIZE));
  const [first] = w.take();
  for (let i = 0; i < 100; i++) w.bytes(new Uint8Array(1000).fill(255));
  assertEquals(new TextDecoder().decode(first), "first");
});

test("ByteWriter starts anew with nothing in it", () => {
  const w = new ByteWriter();
  w.bytes(new Uint8Array(REFERENCE_SIZE).fill(9));
  for (let i = 0; i < 2000; i++) w.bytes(new Uint8Array(1000).fill(9));
  w.reset();
  assertStrictEquals(w.length, 0);
  assertEquals(w.copy(), bytes());
  w.ascii("GET /");
  assertEquals(w.copy(), bytes(0x47, 0x45, 0x54, 0x20, 0x2f));
});

test("ByteWriter does not hold on to much memory after a large message", () => {
  const w = new ByteWriter();
  w.u8(1);
  const small = w.take()[0].buffer.byteLength;
  for (let i = 0; i < 200; i++) w.bytes(new Uint8Array(20_000));
  assert(w.take()[0].buffer.byteLength > 3_000_000);
  w.reset();
  w.u8(1);
  assertStrictEquals(w.take()[0].buffer.byteLength, small);
});

test("ByteReader copies into memory of its own", () => {
  for (const size of [0, 1, 48, 49, 100_000]) {
    const source = new Uint8Array(size + 2).map((_, i) => i);
    const r = readerOf(source);
    r.skip(1);
    const copy = r.copy(size);
    assertEquals(copy, source.slice(1, size + 1));
    assertStrictEquals(copy.buffer.byteLength, size);
    assert(copy.buffer !== source.buffer);
    assertStrictEquals(r.available, 1);
  }
});

test("ByteReader copies as much as is at hand and fits", () => {
  const target = new Uint8Array(4);
  const r = readerOf(bytes(1, 2, 3));
  assertStrictEquals(r.copyInto(target, 2), 2);
  assertEquals(target, bytes(0, 0, 1, 2));
  assertStrictEquals(r.copyInto(target, 0), 1);
  assertEquals(target, bytes(3, 0, 1, 2));
  assertStrictEquals(r.copyInto(target, 0), 0);
});
