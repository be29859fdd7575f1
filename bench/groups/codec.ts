/** The codec alone, without a socket: messages of a thousand records against hand-written loops. */

import { XT_NEVER } from "../../src/codec/constants.ts";
import { type ByteReader, type Decoder, Feed } from "../../src/codec/decoder.ts";
import { decodeGetReply, type GetVisitor } from "../../src/codec/reply.ts";
import { decodeRecords, encodeGet, encodeSet } from "../../src/codec/request.ts";
import { ByteWriter } from "../../src/codec/writer.ts";
import { rangeDecoder, text } from "../../src/value_codec.ts";
import {
  decodeReplyByHand,
  encodeGetByHand,
  encodeSetByHand,
  walkSetByHand,
} from "../baselines/codec.ts";
import type { Row, Work } from "../bench.ts";
import { check } from "../client.ts";
import { getReply, getRequest, KEY_COUNT, keys, pairs, setRequest, values } from "../records.ts";

const HEADER_SIZE = 9;
const last = KEY_COUNT - 1;

export const rows: Row[] = [
  row("encode get_bulk", () => {
    const w = new ByteWriter(), buffer = getRequest(keys);
    const wire = keys.map((key) => ({ database: 0, key }));
    return [
      () => encodeGetByHand(buffer, keys),
      () => {
        w.reset();
        encodeGet(w, 0, wire);
        check("encodeGet()", w.length, buffer.length);
      },
    ];
  }),
  row("encode set_bulk", () => {
    const w = new ByteWriter(), buffer = setRequest(pairs);
    const wire = pairs.map(([key, value]) => ({ database: 0, key, value, xt: XT_NEVER }));
    return [
      () => encodeSetByHand(buffer, pairs),
      () => {
        w.reset();
        encodeSet(w, 0, wire);
        check("encodeSet()", w.length, buffer.length);
      },
    ];
  }),
  row("decode a get_bulk reply", () => {
    const reply = getReply(pairs), texts = new Texts();
    const feed = new Feed((r) => repeat(() => decodeGetReply(r, KEY_COUNT, reply.length, texts)));
    return [
      () => check("the loop", decodeReplyByHand(reply)[last], values[last]),
      () => {
        texts.all = [];
        feed.push(reply);
        check("decodeGetReply()", texts.all[last], values[last]);
      },
    ];
  }),
  row("decode a set_bulk request", () => {
    const request = setRequest(pairs);
    let size = 0;
    const feed = new Feed((r) =>
      repeat(() => decodeSet(r, (keySize, valueSize) => size += keySize + valueSize))
    );
    const expected = walkSetByHand(request);
    return [
      () => walkSetByHand(request),
      () => {
        size = 0;
        feed.push(request);
        check("decodeRecords()", size, expected);
      },
    ];
  }),
];

function row(name: string, prepare: () => [baseline: () => void, product: () => void]): Row {
  return {
    name,
    against: "hand-written loop",
    unit: "records/s",
    measure(bench) {
      const [baseline, product] = prepare();
      return bench.compare(times(baseline), times(product), KEY_COUNT);
    },
  };
}

function times(once: () => void): Work {
  return (calls) => {
    for (let i = 0; i < calls; i++) once();
  };
}

function* repeat(decode: () => Decoder<unknown>): Decoder<never> {
  for (;;) yield* decode();
}

function* decodeSet(
  r: ByteReader,
  visit: (keySize: number, valueSize: number) => void,
): Decoder<void> {
  if (r.available < HEADER_SIZE) yield HEADER_SIZE;
  r.skip(5);
  yield* decodeRecords(
    r,
    r.u32(),
    (_database, _xt, _bytes, _start, keySize, valueSize) => visit(keySize, valueSize),
  );
}

/** Takes values as text. */
class Texts implements GetVisitor {
  all: string[] = [];
  readonly #decode = rangeDecoder(text);
  #next = 0;

  accept(): number {
    return this.#next++;
  }

  deliver(_i: number, bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    this.all.push(this.#decode(bytes, start, end, owned));
  }
}
