import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ByteReader, type Decoder } from "../../src/codec/decoder.ts";
import { decodeRpcReply, type RpcReply } from "../../src/codec/http_reply.ts";
import { KnownHead } from "../../src/codec/known_head.ts";
import { ProtocolError } from "../../src/errors.ts";
import { test } from "../_harness.ts";
import { cut, cuts } from "./_arbitraries.ts";
import { decodeFrom, latin1, readHttpRequests } from "./_http.ts";
import { byteByByte } from "./_streams.ts";

/** Keeps the head in front of the blank line, and tries another one at the end of some bytes. */
function tried(kept: string, head: string, missing = 0): [taken: unknown, ...number[]] {
  const known = new KnownHead<string>();
  const bytes = latin1(kept), digits = kept.indexOf(": ") + 2;
  const behind = kept.slice(digits).search(/\D/);
  known.keep("kept", bytes, 0, digits, digits + behind, kept.length);
  const reader = new ByteReader();
  reader.window = latin1(`..${head}`);
  reader.position = 2;
  reader.end = reader.window.length - missing;
  const taken = known.take(reader);
  if (taken === null) assertStrictEquals(reader.position, 2);
  return taken === null ? [null] : [taken, known.length, reader.available];
}

test("a head is known again when it differs in its length at most", () => {
  const head = (length: string) => `PUT / HTTP/1.1\r\nContent-Length: ${length}\r\nA: b\r\n\r\n`;
  assertEquals(tried(head("7"), head("7")), ["kept", 7, 0]);
  assertEquals(tried(head("7"), `${head("1234567")}body`), ["kept", 1234567, 4]);
  assertEquals(tried(head("7"), head("0".repeat(14) + "9")), ["kept", 9, 0]);
  assertEquals(tried(head("123456"), head("0")), ["kept", 0, 0]);
});

test("any other head is none that is known", () => {
  const head = "PUT / HTTP/1.1\r\nContent-Length: 12\r\nA: b\r\n\r\n";
  const others = [
    head.replace("12", ""),
    head.replace("12", "-1"),
    head.replace("12", "1x"),
    head.replace("12", "1 "),
    head.replace("12", "0".repeat(16)),
    head.replace("PUT", "put"),
    head.replace("A: b", "A: c"),
    head.replace("\r\n\r\n", "\r\n"),
    `x${head}`,
    "",
  ];
  for (const other of others) assertEquals(tried(head, other), [null], JSON.stringify(other));
  for (let missing = 1; missing <= head.length; missing++) {
    // Bytes beyond the end of what has come do not count, whatever they are.
    assertEquals(tried(head, head, missing), [null], `${missing} missing`);
  }
});

test("a head is not kept when it is long, or its length is no number", () => {
  const head = (length: string, rest: string) =>
    `PUT / HTTP/1.1\r\nL: ${length}\r\n${rest}\r\n\r\n`;
  for (const [length, rest] of [["1x", "A: b"], ["", "A: b"], ["5", `A: ${"b".repeat(512)}`]]) {
    const known = new KnownHead<string>(), bytes = latin1(head(length, rest));
    const digits = head(length, rest).indexOf("L: ") + 3;
    known.keep("kept", bytes, 0, digits, digits + length.length, bytes.length);
    const reader = new ByteReader();
    reader.window = latin1(`${head("5", rest)}.`);
    reader.end = reader.window.length;
    assertStrictEquals(known.take(reader), null, length);
  }
});

const length = fc.constantFrom("0", "3", "03", "12", "3 ", "x");
const extra = fc.constantFrom(
  ...["", "A: b\r\n", "a: b\r\n", "A: \r\0\r\n", "Connection: keep-alive\r\n"],
);
const body = "a\tb\nkey\tvalue\nmore";

/** A message whose body has as many bytes as its length says, if its kind has a body. */
function message(first: string, length: string, before: string, behind: string): string {
  const announced = /^GET|204/.test(first) ? 0 : parseInt(length) || 0;
  return `${first}\r\n${before}Content-Length: ${length}\r\n${behind}\r\n${
    body.slice(0, announced)
  }`;
}

test("requests mean the same whatever the heads before them were", () => {
  const first = fc.constantFrom(
    "POST /rpc/echo HTTP/1.1",
    "POST /rpc/void HTTP/1.1",
    "POST /rpc/echo HTTP/1.0",
    "GET /key HTTP/1.1",
  );
  const request = fc.tuple(first, length, extra, extra).map((parts) => message(...parts));
  fc.assert(fc.property(fc.array(request, { maxLength: 8 }), cuts, (requests, sizes) => {
    const stream = latin1(requests.join(""));
    // Where only a byte is at hand no head can be known.
    const expected = readHttpRequests(byteByByte(stream));
    assertEquals(readHttpRequests([stream]), expected);
    assertEquals(readHttpRequests(cut(stream, sizes)), expected);
  }));
});

test("a head that came in pieces is not kept: its bytes do not stand together", () => {
  const rest = latin1("Content-Length: 3\r\n\r\nabc");
  const [request, ...more] = readHttpRequests([latin1("PUT /a HTTP/1.1\r\n"), rest, rest]);
  assertStrictEquals(typeof request === "object" && "body" in request && request.body.length, 3);
  assertEquals(more, ["closed"]);
});

test("replies mean the same whatever the heads before them were", () => {
  const first = fc.constantFrom(
    "HTTP/1.1 200 OK",
    "HTTP/1.1 450 Logical Inconsistency",
    "HTTP/1.0 200 OK",
    "HTTP/1.1 204 No Content",
  );
  const type = fc.constantFrom(
    "Content-Type: text/tab-separated-values\r\n",
    "Content-Type: text/tab-separated-values; colenc=U\r\n",
    "Content-Type: text/plain\r\n",
  );
  const digits = fc.constantFrom("0", "3", "03", "12");
  const reply = fc.tuple(first, digits, extra, type).map((parts) => message(...parts));
  const read = (pieces: Iterable<Uint8Array>, count: number) => {
    const replies: RpcReply[] = [];
    decodeFrom(pieces, function* (r): Decoder<void> {
      while (replies.length < count) replies.push(yield* decodeRpcReply(r, 100_000));
    });
    return replies;
  };
  fc.assert(fc.property(fc.array(reply, { maxLength: 8 }), cuts, (replies, sizes) => {
    const stream = latin1(replies.join("")), count = replies.length;
    const expected = read(byteByByte(stream), count);
    assertStrictEquals(expected.length, count);
    assertEquals(read([stream], count), expected);
    assertEquals(read(cut(stream, sizes), count), expected);
  }));
});

test("the length is checked of a reply whose head is known, too", () => {
  const read = (length: number) => {
    const stream = latin1(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\nx`);
    return decodeFrom([stream], function* (r): Decoder<RpcReply> {
      yield stream.length;
      return yield* decodeRpcReply(r, 1000);
    });
  };
  assertStrictEquals(read(1)?.status, 200);
  assertStrictEquals(read(1000), undefined);
  assertThrows(() => read(1001), ProtocolError, '"maxReplyBytes", 1000 bytes');
});
