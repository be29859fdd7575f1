import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { type ByteReader, type Decoder, Feed } from "../../src/codec/decoder.ts";
import { decodeCount, decodeGetReply, decodeScriptReply, REFUSED } from "../../src/codec/reply.ts";
import { Magic, ROW_COST } from "../../src/codec/constants.ts";
import { ByteWriter } from "../../src/codec/writer.ts";
import { ProtocolError } from "../../src/errors.ts";
import { test } from "../_harness.ts";

/** Decodes one reply; `undefined` while it is unfinished. */
function decode<T>(
  decoder: (r: ByteReader) => Decoder<T>,
  encode: (w: ByteWriter) => void,
): T | undefined {
  const w = new ByteWriter();
  encode(w);
  let result: T | undefined;
  const feed = new Feed(function* (r) {
    result = yield* decoder(r);
  });
  feed.push(w.copy());
  return result;
}

const anyone = { accept: () => 0, deliver() {} };

function getReply(w: ByteWriter, count: number, key: string, value: string): void {
  w.u8(Magic.GET_BULK);
  w.u32(count);
  w.record(0, key, value, 1);
}

test("every reply may be a refusal", () => {
  const refuse = (w: ByteWriter) => w.u8(Magic.ERROR);
  assertStrictEquals(decode((r) => decodeCount(r, Magic.SET_BULK), refuse), REFUSED);
  assertStrictEquals(decode((r) => decodeGetReply(r, 1, 100, anyone), refuse), REFUSED);
  assertStrictEquals(decode((r) => decodeScriptReply(r, 100), refuse), null);
});

test("a reply with another first byte than its request's is an error", () => {
  const other = (w: ByteWriter) => w.u8(0x48);
  for (
    const decoder of [
      (r: ByteReader) => decodeCount(r, Magic.REMOVE_BULK),
      (r: ByteReader) => decodeGetReply(r, 1, 100, anyone),
      (r: ByteReader) => decodeScriptReply(r, 100),
    ]
  ) {
    assertThrows(() => decode<unknown>(decoder, other), ProtocolError, "got 0x48");
  }
});

test("decodeGetReply() refuses more records than were asked for", () => {
  assertThrows(
    () => decode((r) => decodeGetReply(r, 1, 100, anyone), (w) => getReply(w, 2, "k", "v")),
    ProtocolError,
    "2 records came for 1 keys",
  );
});

test("decodeGetReply() refuses a record that was not asked for", () => {
  const nobody = { accept: () => -1, deliver() {} };
  assertThrows(
    () => decode((r) => decodeGetReply(r, 1, 100, nobody), (w) => getReply(w, 1, "k", "v")),
    ProtocolError,
    "not asked for",
  );
});

test("decodeGetReply() takes as many bytes as it may, and refuses one more before it comes", () => {
  const limited = (max: number) => (r: ByteReader) => decodeGetReply(r, 1, max, anyone);
  assertEquals(decode(limited(5), (w) => getReply(w, 1, "key", "va")), 1);
  assertThrows(
    () => decode(limited(4), (w) => getReply(w, 1, "key", "va")),
    ProtocolError,
    '"maxReplyBytes", 4 bytes',
  );
  assertThrows(
    () =>
      decode(limited(1000), (w) => {
        w.u8(Magic.GET_BULK);
        w.u32(1);
        w.u16(0);
        w.u32(0xffff_ffff);
        w.u32(0xffff_ffff);
        w.i64(0);
      }),
    ProtocolError,
    "maxReplyBytes",
  );
});

test("decodeScriptReply() counts what a record takes in memory, be it empty", () => {
  const empties = (count: number) => (w: ByteWriter) => {
    w.u8(Magic.PLAY_SCRIPT);
    w.u32(count);
    for (let i = 0; i < count; i++) w.scriptRecord("", "");
  };
  assertEquals(decode((r) => decodeScriptReply(r, 10 * ROW_COST), empties(10))?.length, 10);
  assertThrows(
    () => decode((r) => decodeScriptReply(r, 10 * ROW_COST), empties(11)),
    ProtocolError,
  );
});
