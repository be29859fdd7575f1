/** Keys and values of every kind that could be mistaken on its way through HTTP. */

import fc from "fast-check";
import type { Key } from "../../mod.ts";
import { codePoint } from "../codec/_arbitraries.ts";
import { allBytes, fromLatin1 } from "./_rpc.ts";

const awkward: Key[] = [
  "",
  "\t",
  "\n",
  "\r",
  "\r\n",
  "a\tb\nc\rd",
  "\0",
  "=3D",
  "%20+%zz",
  "=?&;_",
  " leading and trailing ",
  "héllo wörld ☃ 🎉",
  "x".repeat(255),
  "x".repeat(256),
  "é".repeat(150),
  allBytes,
  allBytes.toReversed(),
  new Uint8Array(300),
  new Uint8Array(300).fill(0x0a),
  fromLatin1("\xff\xfe\xfd"),
  "DB",
  "key",
  "_",
  "colenc=B",
];

/** A key or value. */
export const data: fc.Arbitrary<Key> = fc.oneof(
  fc.constantFrom(...awkward),
  fc.uint8Array({ maxLength: 20 }),
  fc.uint8Array({ minLength: 290, maxLength: 310 }),
  fc.string({ unit: codePoint, maxLength: 20 }),
  fc.string({ maxLength: 20 }),
  fc.array(fc.constantFrom("\t", "\n", "\r", "\0", "a", "="), { maxLength: 8 }).map((parts) =>
    parts.join("")
  ),
);

/** Keys that differ as bytes. */
export function distinct(minLength = 0): fc.Arbitrary<Key[]> {
  const bytesOf = (key: Key) => typeof key === "string" ? new TextEncoder().encode(key) : key;
  return fc.uniqueArray(data, { minLength, maxLength: 8, selector: (key) => String(bytesOf(key)) });
}
