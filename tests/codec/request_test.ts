import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { MAX_SIZE } from "../../src/codec/constants.ts";
import { Feed } from "../../src/codec/decoder.ts";
import {
  decodeKeys,
  decodeRecords,
  decodeScriptName,
  decodeScriptRecords,
  encodeSet,
} from "../../src/codec/request.ts";
import { ByteWriter } from "../../src/codec/writer.ts";
import { ProtocolError } from "../../src/errors.ts";
import { test } from "../_harness.ts";

function encoded(write: (w: ByteWriter) => void): Uint8Array {
  const w = new ByteWriter();
  write(w);
  return w.copy();
}

const set = encoded((w) => encodeSet(w, 0, [{ database: 1, key: "key", value: "value", xt: 600 }]));
const record = set.subarray(9);

test("a record that lies whole in a piece is shown in place", () => {
  const feed = new Feed((r) =>
    decodeRecords(r, 1, (database, xt, bytes, start, keySize, valueSize, owned) => {
      assertStrictEquals(bytes, record);
      assertEquals([database, xt, start, keySize, valueSize, owned], [1, 600, 18, 3, 5, false]);
    })
  );
  feed.push(record);
  assertStrictEquals(feed.done, true);
});

test("a record that comes in pieces is handed over in memory of its own", () => {
  let kept = new Uint8Array();
  const feed = new Feed((r) =>
    decodeRecords(r, 1, (_database, _xt, bytes, _start, _keySize, _valueSize, owned) => {
      assertStrictEquals(owned, true);
      kept = bytes as Uint8Array<ArrayBuffer>;
    })
  );
  for (const piece of [record.slice(0, 20), record.slice(20)]) {
    feed.push(piece);
    piece.fill(0xee);
  }
  assertEquals(new TextDecoder().decode(kept), "keyvalue");
  assertStrictEquals(kept.buffer.byteLength, 8);
});

test("records are visited as they arrive, not when all have come", () => {
  const visited: number[] = [];
  const feed = new Feed((r) => decodeKeys(r, 3, (database) => visited.push(database)));
  for (let i = 1; i <= 3; i++) {
    feed.push(encoded((w) => w.keyRecord(i, "k")));
    assertEquals(visited.at(-1), i);
  }
  assertStrictEquals(feed.done, true);
});

test("the records before one that is too large are visited", () => {
  const visited: number[] = [];
  const feed = new Feed((r) => decodeKeys(r, 2, (database) => visited.push(database)));
  const tooLarge = encoded((w) => {
    w.keyRecord(1, "k");
    w.u16(2);
    w.u32(MAX_SIZE + 1);
  });
  assertThrows(
    () => feed.push(tooLarge),
    ProtocolError,
    "a key of 268435457 bytes is over 268435456",
  );
  assertEquals(visited, [1]);
});

test("a procedure's name and records are the callee's own", () => {
  let name = new Uint8Array();
  let records: [Uint8Array, Uint8Array][] = [];
  const feed = new Feed(function* (r) {
    name = (yield* decodeScriptName(r, 4)) as Uint8Array<ArrayBuffer>;
    records = yield* decodeScriptRecords(r, 2);
  });
  const piece = encoded((w) => {
    w.ascii("echo");
    w.scriptRecord("k", "v".repeat(100));
    w.scriptRecord("", "");
  });
  feed.push(piece);
  piece.fill(0xee);
  const decoder = new TextDecoder();
  assertEquals(decoder.decode(name), "echo");
  assertEquals(records.map(([key, value]) => [decoder.decode(key), decoder.decode(value)]), [
    ["k", "v".repeat(100)],
    ["", ""],
  ]);
});
