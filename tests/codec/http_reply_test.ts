import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  decodeHttpReply,
  decodeRpcReply,
  encodeHttpRefusal,
  encodeHttpReply,
  encodeRpcReply,
} from "../../src/codec/http_reply.ts";
import { ROW_COST } from "../../src/codec/constants.ts";
import type { Row } from "../../src/codec/tsv.ts";
import { ProtocolError } from "../../src/errors.ts";
import { test } from "../_harness.ts";
import { bytes, cut, cuts } from "./_arbitraries.ts";
import { asTexts, decodeFrom, latin1, readHttpReplies, written } from "./_http.ts";
import { byteByByte, cutAt } from "./_streams.ts";

const DATE = Date.UTC(2026, 10, 23, 2, 58, 43);
const OK = { status: 200, date: DATE, keepAlive: true };

function row(name: string, value: string): Row {
  return [latin1(name), latin1(value)];
}

function text(stream: Uint8Array): string {
  return String.fromCharCode(...stream);
}

function readRpc(stream: string | Uint8Array, maxBytes = 1000) {
  return decodeFrom(
    [typeof stream === "string" ? latin1(stream) : stream],
    (r) => decodeRpcReply(r, maxBytes),
  );
}

test("the reply of a procedure is written as ktserver writes it", () => {
  assertStrictEquals(
    text(written((w) => encodeRpcReply(w, OK, [row("value", "val"), row("B", "x")], true))),
    "HTTP/1.1 200 OK\r\nServer: KyotoTycoon/0.9.56b\r\nDate: Mon, 23 Nov 2026 02:58:43 GMT\r\n" +
      "Content-Length: 14\r\nContent-Type: text/tab-separated-values\r\n\r\nB\tx\nvalue\tval\n",
  );
});

test("encoded rows are sorted by their names as they are encoded", () => {
  const rows = [row("_", "empty key"), row("_\xff\xfe", "all"), row("_\0", "nul"), row("_B", "b")];
  const binary = [...rows, row("_x", "\0".repeat(100))];
  const names = text(written((w) => encodeRpcReply(w, OK, binary, true)))
    .split("\r\n\r\n")[1].trimEnd().split("\n").map((line) => line.split("\t")[0]);
  assertEquals(names, ["X//+", "X0I=", "X3g=", "Xw==", "XwA="]);
});

test("the reply of a procedure to a HEAD has neither body nor length", () => {
  const stream = written((w) => encodeRpcReply(w, OK, [row("a", "b")], false));
  assert(text(stream).endsWith("GMT\r\nContent-Type: text/tab-separated-values\r\n\r\n"));
});

test("a refusal closes, and explains itself in plain text", () => {
  const refusal = { status: 413, message: "request entity too large" } as const;
  const stream = written((w) => encodeHttpRefusal(w, refusal, DATE));
  const expected = "HTTP/1.1 413 Request Entity Too Large\r\nServer: KyotoTycoon/0.9.56b\r\n" +
    "Date: Mon, 23 Nov 2026 02:58:43 GMT\r\nConnection: close\r\nContent-Length: 56\r\n" +
    "Content-Type: text/plain\r\n\r\n413 Request Entity Too Large (request entity too large)\n";
  assertStrictEquals(text(stream), expected);
  const reply = readRpc(stream);
  assertEquals([reply?.status, reply?.keepAlive], [413, false]);
  assertEquals(asTexts(reply!.rows), [
    ["ERROR", "413 Request Entity Too Large (request entity too large)\n"],
  ]);
});

test("a client gets the rows that a server gave, whatever their bytes, however they are cut", () => {
  const given = fc.uniqueArray(fc.tuple(bytes, bytes), {
    maxLength: 5,
    selector: ([name]) => text(name.subarray(0, 200)) + name.length,
  });
  fc.assert(fc.property(given, cuts, (rows, sizes) => {
    const stream = written((w) => encodeRpcReply(w, OK, rows, true));
    const reply = decodeFrom(cut(stream, sizes), (r) => decodeRpcReply(r, 2 ** 30));
    const sorted = (some: readonly Row[]) => asTexts(some).map((r) => r.join("\t")).sort();
    assertEquals(sorted(reply!.rows), sorted(rows));
    assertEquals(written((w) => encodeRpcReply(w, OK, asTexts(rows), true)), stream);
  }));
});

test("what a client gets is in memory of its own", () => {
  const stream = written((w) => encodeRpcReply(w, OK, [row("name", "value".repeat(20))], true));
  const column = readRpc(stream)!.rows[0][1] as Uint8Array;
  assertStrictEquals(column.byteLength, column.buffer.byteLength);
  const plain = written((w) => encodeHttpReply(w, OK, 5, [], latin1("value")));
  const { body } = decodeFrom([plain], (r) => decodeHttpReply(r, 100))!;
  assertStrictEquals(body.byteLength, body.buffer.byteLength);
});

test("replies decode alike however they are cut", () => {
  const stream = written((w) => {
    encodeRpcReply(w, OK, [row("value", "val\n")], true);
    encodeHttpReply(w, { ...OK, status: 204 }, 0, []);
    encodeHttpReply(w, OK, 5, [["X-Kt-Xt", "Fri, 01 Jan 2100 00:00:00 GMT"]]);
    encodeRpcReply(w, OK, [row("m", "HEAD")], false);
    encodeHttpReply(w, { ...OK, status: 404, keepAlive: false }, 0, [["X-Kt-Error", "DB: 7"]]);
  });
  const methods = ["POST", "DELETE", "HEAD", "HEAD", "GET"];
  const whole = readHttpReplies([stream], methods);
  assertEquals(whole.map(({ status }) => status), [200, 204, 200, 200, 404]);
  assertEquals(whole.map(({ keepAlive }) => keepAlive), [true, true, true, true, false]);
  assertStrictEquals(text(whole[0].body), "value\tval%0a\n");
  assertStrictEquals(whole[2].headers.get("x-kt-xt"), "Fri, 01 Jan 2100 00:00:00 GMT");
  assertStrictEquals(whole[2].headers.get("content-length"), "5");
  assertStrictEquals(whole[4].headers.get("x-kt-error"), "DB: 7");
  assertEquals(readHttpReplies(byteByByte(stream), methods), whole);
  for (let at = 0; at <= stream.length; at++) {
    assertEquals(readHttpReplies(cutAt(stream, at), methods), whole, `cut at ${at}`);
  }
});

test("the length of a reply is checked before memory is taken for it", () => {
  const announced = (size: number | string) => `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`;
  assertThrows(() => readRpc(announced(1001)), ProtocolError, '"maxReplyBytes", 1000 bytes');
  assertThrows(() => readRpc(announced("9".repeat(30))), ProtocolError, "maxReplyBytes");
  assertThrows(
    () => readHttpReplies([latin1(announced(11))], ["GET"], 10),
    ProtocolError,
    "maxReplyBytes",
  );
  // Nothing has come of this one yet, so that nothing was taken either.
  assertStrictEquals(readRpc(announced(1000)), undefined);
  assertStrictEquals(readRpc(announced(2 ** 40), 2 ** 41), undefined);
});

test("a reply must be HTTP and announce its length", () => {
  const bad: [string, string][] = [
    ["\xbf\n", "status line"],
    ["HTTP/2.0 200 OK\r\n", "status line"],
    ["HTTP/1.1 2000 OK\r\n", "status line"],
    ["HTTP/1.1 100 Continue\r\n", "status line"],
    ["HTTP/1.1 200 OK\r\n\r\n", "its length"],
    ["HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "its length"],
    ["HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "its length"],
    ["HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "its length"],
    [`HTTP/1.1 200 OK\r\nX: ${"x".repeat(9000)}`, "too large"],
    [`HTTP/1.1 200 OK\r\n${"A: b\r\n".repeat(101)}`, "too large"],
  ];
  for (const [stream, message] of bad) {
    assertThrows(() => readRpc(stream), ProtocolError, message, stream.slice(0, 60));
  }
});

test("replies of another server than ours are understood", () => {
  const reply = readRpc(
    "HTTP/1.0 450\ncontent-type: TEXT/tab-separated-values;colenc=B\nconnection: Keep-Alive\n" +
      "CONTENT-LENGTH: 10\n\nYQ==\tYg==\n",
  );
  assertEquals([reply?.status, reply?.keepAlive], [450, true]);
  assertEquals(asTexts(reply!.rows), [["a", "b"]]);
});

test("garbage is refused or waited for, and nothing else is thrown", () => {
  const parts = fc.oneof(
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }) },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        "HTTP/1.1 200 OK",
        "\r\n",
        "Content-Length: 5",
        "Content-Length: 99999999999",
        "Content-Type: text/tab-separated-values; colenc=U",
        "a\tb\n",
        "\r\n\r\n",
      ).map(latin1),
    },
  );
  const outcome = (pieces: Iterable<Uint8Array>) => {
    try {
      return decodeFrom(pieces, (r) => decodeRpcReply(r, 1000)) ?? "unfinished";
    } catch (error) {
      assert(error instanceof ProtocolError);
      return error.message;
    }
  };
  fc.assert(fc.property(fc.array(parts, { maxLength: 12 }), cuts, (pieces, sizes) => {
    const stream = latin1(pieces.map(text).join(""));
    assertEquals(outcome(cut(stream, sizes)), outcome([stream]));
  }));
});

test("decodeRpcReply() counts what rows take in memory, be they empty", () => {
  const reply = (rows: number) =>
    written((w) => encodeRpcReply(w, OK, Array(rows).fill(row("a", "")), true));
  const most = 20 * (3 + ROW_COST);
  assertEquals(readRpc(reply(20), most)?.rows.length, 20);
  assertThrows(
    () => readRpc(reply(21), most),
    ProtocolError,
    `Cannot read a reply: with 21 rows it takes up more than "maxReplyBytes", ${most} bytes`,
  );
});
