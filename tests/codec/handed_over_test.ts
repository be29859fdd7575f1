/** Values that are received: large ones are handed over, small ones are copied out of what came. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Magic } from "../../src/codec/constants.ts";
import { Feed } from "../../src/codec/decoder.ts";
import { decodeGetReply, encodeCount } from "../../src/codec/reply.ts";
import { ByteWriter } from "../../src/codec/writer.ts";
import { bytes, rangeDecoder } from "../../src/value_codec.ts";
import { test } from "../_harness.ts";

const NEVER = 2 ** 40 - 1;

interface Delivery {
  bytes: Uint8Array;
  owned: boolean;
  value: Uint8Array;
}

/** What becomes of a value that comes in pieces of a size. */
function deliver(value: Uint8Array, pieceSize: number): Delivery {
  const w = new ByteWriter();
  encodeCount(w, Magic.GET_BULK, 1);
  w.record(0, "key", value, NEVER);
  const decode = rangeDecoder(bytes);
  const deliveries: Delivery[] = [];
  const feed = new Feed((r) =>
    decodeGetReply(r, 1, value.length + 3, {
      accept: () => 0,
      deliver(_index, bytes, start, end, owned) {
        deliveries.push({ bytes, owned, value: decode(bytes, start, end, owned) });
      },
    })
  );
  const message = w.copy();
  for (let at = 0; at < message.length; at += pieceSize) {
    feed.push(message.subarray(at, at + pieceSize));
  }
  assertEquals(deliveries.length, 1);
  return deliveries[0];
}

test("a large value that comes in pieces is handed over in the memory it was gathered in", () => {
  const sent = Uint8Array.from({ length: 1024 * 1024 }, (_, i) => i);
  const { bytes, owned, value } = deliver(sent, 64 * 1024);
  assertEquals(owned, true);
  assertStrictEquals(value, bytes);
  assertEquals(value.buffer.byteLength, sent.length);
  assertEquals(value, sent);
});

test("a small value that comes whole is copied and does not hold what came with it", () => {
  const sent = Uint8Array.of(1, 2, 3);
  const { bytes, owned, value } = deliver(sent, 1024);
  assertEquals(owned, false);
  assert(value.buffer !== bytes.buffer);
  assertEquals(value.buffer.byteLength, sent.length);
  assertEquals(value, sent);
});
