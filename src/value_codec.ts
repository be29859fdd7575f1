/** How values are turned into bytes and back. */

import { copyOf } from "./codec/bytes.ts";
import type { Value } from "./types.ts";

/**
 * Turns values into bytes and back. `V` is what comes back, `In` what may be given.
 *
 * @example Numbers as eight bytes
 * ```ts
 * import type { Codec } from "@kyoto/tycoon";
 * import { assertEquals } from "@std/assert";
 *
 * const float64: Codec<number> = {
 *   encode: (n) => new Uint8Array(new Float64Array([n]).buffer),
 *   decode: (bytes) => new Float64Array(bytes.slice().buffer)[0],
 * };
 * assertEquals(float64.decode(float64.encode(1.5) as Uint8Array), 1.5);
 * ```
 */
export interface Codec<V, In = V> {
  /** The bytes of a value; a string stands for its UTF-8 bytes. */
  encode(value: In): Value;
  /** The value of some bytes, which belong to the callee. */
  decode(bytes: Uint8Array): V;
}

/**
 * Values as they are: strings and bytes go in, bytes come back. The default.
 *
 * @example
 * ```ts
 * import { bytes } from "@kyoto/tycoon";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(bytes.decode(Uint8Array.of(1, 2)), Uint8Array.of(1, 2));
 * ```
 */
export const bytes: Codec<Uint8Array, Value> = {
  encode: (value) => value,
  decode: (bytes) => bytes,
};

/**
 * Decodes a value where it was received. Unless `owned`, the bytes are somebody else's: what is to
 * outlive the call must be copied.
 */
export type RangeDecoder<V> = (
  bytes: Uint8Array,
  start: number,
  end: number,
  owned: boolean,
) => V;

/**
 * The `decode` of the codecs of this file, which needs no copy of the bytes, offers this. It is the
 * function's, not the codec's: a codec that was made from one of these may have a `decode` of its own.
 */
const DECODE_RANGE = Symbol("decodeRange");

/** Decodes with `codec`, giving it bytes of its own unless it is known not to keep them. */
export function rangeDecoder<V>(codec: Codec<V, never>): RangeDecoder<V> {
  return (codec.decode as { [DECODE_RANGE]?: RangeDecoder<V> })[DECODE_RANGE] ??
    ((bytes, start, end, owned) => codec.decode(owned ? bytes : copyOf(bytes, start, end)));
}

// Without "fatal", whose check costs more than the decoding: see textOf().
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Up to this many bytes, a plain loop over ASCII beats a call into the runtime. */
const LOOP_SIZE = 12;
/** Loading `Buffer` takes Deno some milliseconds, which only pays where there are many texts. */
const MANY_TEXTS = 1000;

type Slice = (this: Uint8Array, start: number, end: number) => string;

/**
 * Makes text of UTF-8, with U+FFFD for what is none. Of all ways, the method by which `Buffer` does so
 * takes the least time, half of a `TextDecoder`'s.
 */
class Utf8 {
  #texts = 0;
  #slice: Slice | null = null;

  decode(bytes: Uint8Array, start: number, end: number): string {
    if (this.#slice !== null) return this.#slice.call(bytes, start, end);
    if (++this.#texts === MANY_TEXTS) {
      const { Buffer } = globalThis as { Buffer?: { prototype?: { utf8Slice?: Slice } } };
      this.#slice = Buffer?.prototype?.utf8Slice ?? null;
    }
    return decoder.decode(bytes.subarray(start, end));
  }
}

const utf8 = new Utf8();

/** The text of some bytes in UTF-8; a `TypeError` when they are not. */
function textOf(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > LOOP_SIZE) return decodeText(bytes, start, end);
  let text = "";
  let i = start;
  for (; i + 8 <= end; i += 8) {
    const a = bytes[i], b = bytes[i + 1], c = bytes[i + 2], d = bytes[i + 3];
    const e = bytes[i + 4], f = bytes[i + 5], g = bytes[i + 6], h = bytes[i + 7];
    if ((a | b | c | d | e | f | g | h) > 0x7f) return decodeText(bytes, start, end);
    text += String.fromCharCode(a, b, c, d, e, f, g, h);
  }
  for (; i < end; i++) {
    if (bytes[i] > 0x7f) return decodeText(bytes, start, end);
    text += String.fromCharCode(bytes[i]);
  }
  return text;
}

function decodeText(bytes: Uint8Array, start: number, end: number): string {
  const text = utf8.decode(bytes, start, end);
  // Only where a replacement character came out can the bytes have been wrong.
  return text.includes("\ufffd") ? strictDecoder.decode(bytes.subarray(start, end)) : text;
}

/**
 * Values as text in UTF-8. Bytes that are no UTF-8 reject with a `TypeError`.
 *
 * @example
 * ```ts
 * import { text } from "@kyoto/tycoon";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(text.decode(Uint8Array.of(0xc3, 0xa9)), "é");
 * ```
 */
export const text: Codec<string, Value> = withRange({
  encode: (value: Value) => value,
  decode: (bytes) => textOf(bytes, 0, bytes.length),
}, textOf);

/**
 * Values as JSON. The type is a promise of the user's: nothing checks it.
 *
 * @example
 * ```ts
 * import { json } from "@kyoto/tycoon";
 * import { assertEquals } from "@std/assert";
 *
 * const point = json<{ x: number }>();
 * assertEquals(point.encode({ x: 1 }), '{"x":1}');
 * ```
 */
export function json<V = unknown>(): Codec<V> {
  const parse = (bytes: Uint8Array, start: number, end: number) =>
    JSON.parse(textOf(bytes, start, end));
  return withRange({
    encode(value: V) {
      const encoded = JSON.stringify(value);
      if (encoded === undefined) {
        throw new TypeError(`Cannot encode a value as JSON: it is of type "${typeof value}"`);
      }
      return encoded;
    },
    decode: (bytes) => parse(bytes, 0, bytes.length),
  }, parse);
}

function withRange<V, In>(codec: Codec<V, In>, decodeRange: RangeDecoder<V>): Codec<V, In> {
  Object.assign(codec.decode, { [DECODE_RANGE]: decodeRange });
  return codec;
}
