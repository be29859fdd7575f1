import { assert, assertEquals } from "@std/assert";
import { exponentialBackoff } from "../../src/connection/backoff.ts";
import { test } from "../_harness.ts";

test("exponentialBackoff() doubles its waits up to the limit", () => {
  const backoff = exponentialBackoff(50, 2000, () => 1);
  assertEquals([1, 2, 3, 6, 7, 100, 5000].map(backoff), [50, 100, 200, 1600, 2000, 2000, 2000]);
});

test("exponentialBackoff() draws each wait evenly from zero on", () => {
  const draws = [0, 0.25, 0.5];
  const backoff = exponentialBackoff(100, 1000, () => draws.shift()!);
  assertEquals([backoff(1), backoff(2), backoff(3)], [0, 50, 200]);
});

test("exponentialBackoff() differs between clients", () => {
  const backoff = exponentialBackoff(1000, 1000);
  const waits = new Set(Array.from({ length: 20 }, () => backoff(1)));
  assert(waits.size > 10);
  for (const wait of waits) assert(wait >= 0 && wait < 1000);
});
