/** What the property tests of the codec draw their examples from. */

import fc from "fast-check";
import type { Key } from "../../src/types.ts";
import { MAX_DATABASE, NEVER, XT_NEVER } from "../../src/codec/constants.ts";

/** Sizes at which ByteWriter changes its ways: a loop up to 48, a reference from 32768 on. */
const TURNING_POINTS = [0, 47, 48, 49, 1023, 1024, 1025, 32767, 32768, 32769, 100_000];

/** Bytes: mostly few, sometimes as many as are treated in another way. */
export const bytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 70 }) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(...TURNING_POINTS), fc.nat(255)).map(([size, seed]) =>
      new Uint8Array(size).map((_, i) => seed + i * 7)
    ),
  },
);

function codeUnit(max: number): fc.Arbitrary<string> {
  return fc.nat(max).map((unit) => String.fromCharCode(unit));
}

/** Any code point but halves of pairs; fast-check's own "binary" takes a second to begin. */
export const codePoint: fc.Arbitrary<string> = fc.nat(0x10ffff - 0x800)
  .map((n) => String.fromCodePoint(n < 0xd800 ? n : n + 0x800));

/** Any string: every code point, and halves of surrogate pairs too. */
export const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: codePoint, maxLength: 60 }) },
  { weight: 4, arbitrary: fc.string({ maxLength: 60 }) },
  { weight: 2, arbitrary: fc.string({ unit: codeUnit(0xffff), maxLength: 30 }) },
  { weight: 2, arbitrary: fc.string({ unit: codeUnit(0xff), maxLength: 30 }) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom("a", "é", "€", "😀"), fc.constantFrom(...TURNING_POINTS))
      .map(([unit, size]) => unit.repeat(size / unit.length)),
  },
);

/** A key or a value. */
export const data: fc.Arbitrary<Key> = fc.oneof(bytes, text);

export const database: fc.Arbitrary<number> = fc.oneof(
  fc.nat(MAX_DATABASE),
  fc.constantFrom(0, 1, MAX_DATABASE),
);

/** Expirations that a double holds exactly, and the limits of what goes over the wire. */
export const xt: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
  fc.integer({ min: -1_000_000, max: 1_000_000 }),
  fc.constantFrom(0, -1, NEVER, -NEVER, NEVER + 1, 2 ** 32, -(2 ** 32), XT_NEVER, -XT_NEVER),
);

export const flags: fc.Arbitrary<number> = fc.constantFrom(0, 1, 0xffff_ffff, 0x8000_0000, 2);

/** Cuts bytes into pieces: the sizes are used in turn, again and again. */
export const cuts: fc.Arbitrary<number[]> = fc.oneof(
  fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }),
  fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 12 }),
);

/** Views of `whole` with the given sizes, used in turn. */
export function* cut(whole: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < whole.length; i++) {
    yield whole.subarray(at, at += sizes[i % sizes.length]);
  }
}
