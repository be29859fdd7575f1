import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { NEVER, XT_NEVER } from "../../src/codec/constants.ts";
import { expirationToXt, xtToAbsolute, xtToDate } from "../../src/codec/expiration.ts";
import type { ExpirationOptions } from "../../src/types.ts";
import { test } from "../_harness.ts";

test("expirationToXt() says never when nothing is given", () => {
  assertStrictEquals(expirationToXt(undefined), XT_NEVER);
  assertStrictEquals(expirationToXt({}), XT_NEVER);
  assertStrictEquals(expirationToXt({ expireIn: undefined, expireAt: undefined }), XT_NEVER);
  assertStrictEquals(expirationToXt({ expireIn: Infinity }), XT_NEVER);
});

test("expirationToXt() rounds milliseconds up to seconds", () => {
  for (const [ms, xt] of [[0, 0], [1, 1], [999.5, 1], [1000, 1], [1001, 2], [600_000, 600]]) {
    assertEquals(expirationToXt({ expireIn: ms }), xt);
  }
});

test("expirationToXt() makes a negative number of a moment", () => {
  const second = 4_102_444_800;
  assertEquals(expirationToXt({ expireAt: new Date(second * 1000) }), -second);
  assertEquals(expirationToXt({ expireAt: new Date(second * 1000 - 1) }), -second);
  assertEquals(expirationToXt({ expireAt: new Date(second * 1000 + 1) }), -second - 1);
  assertEquals(expirationToXt({ expireAt: { epochMilliseconds: second * 1000 } }), -second);
});

test("expirationToXt() takes 1970 and what lies before it for long past, not for now", () => {
  for (const ms of [0, -1, -1e15, 1, -Infinity]) {
    assertEquals(expirationToXt({ expireAt: { epochMilliseconds: ms } }), -1);
  }
});

test("expirationToXt() refuses two expirations, or none that is one", () => {
  assertThrows(() => expirationToXt({ expireIn: 1, expireAt: new Date() }), TypeError, "both");
  assertThrows(() => expirationToXt({ expireIn: -1 }), RangeError, '"expireIn" is -1');
  assertThrows(() => expirationToXt({ expireIn: NaN }), RangeError, '"expireIn" is NaN');
  assertThrows(() => expirationToXt({ expireAt: new Date(NaN) }), RangeError, "invalid date");
  for (
    const nonsense of [
      { expireIn: "1000" },
      { expireIn: null },
      { expireIn: 1000n },
      { expireAt: 1000 },
      { expireAt: null },
      { expireAt: "2100-01-01" },
      { expireAt: { epochMilliseconds: 1000n } },
    ]
  ) {
    assertThrows(() => expirationToXt(nonsense as unknown as ExpirationOptions), TypeError);
  }
});

test("xtToDate() gives the second in which a record ends, or null", () => {
  assertEquals(xtToDate(4_102_444_800), new Date("2100-01-01T00:00:00Z"));
  assertEquals(xtToDate(0), new Date(0));
  assertEquals(xtToDate(NEVER - 1), new Date((NEVER - 1) * 1000));
  assertStrictEquals(xtToDate(NEVER), null);
  assertStrictEquals(xtToDate(XT_NEVER), null);
});

test("xtToAbsolute() follows the server's rules", () => {
  const now = 1_800_000_000;
  for (
    const [xt, absolute] of [
      [XT_NEVER, NEVER],
      [NEVER, NEVER],
      [2 ** 62, NEVER],
      [-NEVER, NEVER],
      [-XT_NEVER, NEVER],
      [-(NEVER - 1), NEVER - 1],
      [-4_102_444_800, 4_102_444_800],
      [600, now + 600],
      [0, now],
      [-1, 1],
      [NEVER - now, NEVER],
      [NEVER - now - 1, NEVER - 1],
    ]
  ) {
    assertEquals(xtToAbsolute(xt, now), absolute);
  }
});

test("a moment comes back from the server rounded up to a full second", () => {
  const limit = (NEVER - 1) * 1000;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: limit }), (ms) => {
      const xt = expirationToXt({ expireAt: { epochMilliseconds: ms } });
      assertEquals(
        xtToDate(xtToAbsolute(xt, 1_800_000_000)),
        new Date(Math.ceil(ms / 1000) * 1000),
      );
    }),
  );
});
