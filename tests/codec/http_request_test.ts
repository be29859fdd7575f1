import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  encodeRpcRequest,
  type HttpRefusal,
  type HttpRequest,
  splitTarget,
} from "../../src/codec/http_request.ts";
import { MAX_SIZE } from "../../src/codec/constants.ts";
import { decodeInput } from "../../src/codec/tsv.ts";
import { toByteText } from "../../src/codec/byte_text.ts";
import { test } from "../_harness.ts";
import { bytes, cut, cuts, text } from "./_arbitraries.ts";
import { latin1, readHttpRequests, type Received, written } from "./_http.ts";
import { byteByByte, cutAt } from "./_streams.ts";

const INVALID_CHUNK: HttpRefusal = { status: 400, message: "invalid chunk" };
const CUT_SHORT: HttpRefusal = { status: 400, message: "receiving data failed" };

function read(text: string, interruption?: unknown): Received[] {
  return readHttpRequests([latin1(text)], interruption);
}

function only(text: string): HttpRequest {
  const [request, ...more] = read(text);
  assertEquals(more, []);
  assert(typeof request === "object" && "method" in request, `${text}: ${JSON.stringify(request)}`);
  return request;
}

function bodyText(request: HttpRequest): string {
  return String.fromCharCode(...request.body);
}

test("a request is taken apart", () => {
  const request = only(
    "POST /rpc/get?DB=1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain \r\n" +
      "X-Kt-Mode:  ADD\r\nCONTENT-LENGTH: 3\r\n\r\nabc",
  );
  assertStrictEquals(request.line, "POST /rpc/get?DB=1 HTTP/1.1");
  assertStrictEquals(request.method, "POST");
  assertStrictEquals(request.target, "/rpc/get?DB=1");
  assertStrictEquals(request.keepAlive, true);
  assertStrictEquals(bodyText(request), "abc");
  assertEquals(Object.fromEntries(request.headers), {
    "content-type": "text/plain ",
    "x-kt-mode": "ADD",
  });
  assertEquals(splitTarget(request.target), ["/rpc/get", latin1("DB=1")]);
  assertEquals(splitTarget("/a"), ["/a", new Uint8Array(0)]);
});

test("request lines that are not understood close without a word", () => {
  const lines = [
    "",
    "hello",
    "GET",
    "GET /",
    "GET / HTTP/2.0",
    "GET / http/1.1",
    "GET / HTTP/1.1 ",
    "GET  HTTP/1.1",
    "GET ?x HTTP/1.1",
    "GET  / HTTP/1.1",
    "GET /a b HTTP/1.1",
    "GET /\0 HTTP/1.1",
  ];
  for (const line of lines) assertEquals(read(`${line}\r\n`), ["closed"], line);
});

test("the version and the header Connection decide whether the connection stays open", () => {
  const cases: [string, boolean][] = [
    ["HTTP/1.1\r\n", true],
    ["HTTP/1.0\r\n", false],
    ["HTTP/1.1\r\nConnection: close\r\n", false],
    ["HTTP/1.1\r\nCONNECTION: CLOSE\r\n", false],
    ["HTTP/1.0\r\nConnection: Keep-Alive\r\n", true],
    ["HTTP/1.1\r\nConnection: close\r\nConnection: keep-alive\r\n", true],
    ["HTTP/1.1\r\nConnection: upgrade\r\n", true],
  ];
  for (const [rest, keepAlive] of cases) {
    assertStrictEquals(only(`GET / ${rest}\r\n`).keepAlive, keepAlive, rest);
  }
});

test("lines may end in LF, CRs are dropped wherever they stand, odd headers are passed over", () => {
  const request = only(
    "P\rUT /\r HTTP/1.1\r\r\ncontent\r-length\r: 2\nno colon\n: no name\n:\n\r\r\nab",
  );
  assertStrictEquals(request.line, "PUT / HTTP/1.1");
  assertStrictEquals(bodyText(request), "ab");
});

test("the body of a GET, HEAD or DELETE is the next request", () => {
  for (const method of ["GET", "HEAD", "DELETE"]) {
    const [first, second] = read(
      `${method} /a HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET /b HTTP/1.1\r\n\r\n`,
    ) as HttpRequest[];
    assertStrictEquals(first.body.length, 0);
    assertStrictEquals(second.target, "/b");
  }
  for (const method of ["POST", "PUT", "PATCH", "get", ""]) {
    assertStrictEquals(bodyText(only(`${method} /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nx`)), "x");
  }
});

test("a chunked body is put together, extensions and all", () => {
  const head = "PUT / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n";
  const cases: [string, string][] = [
    ["3\r\nabc\r\nA\r\ndefghijklm\r\n0\r\n\r\n", "abcdefghijklm"],
    ["b;ext=1\r\n\nvalue\tv1\n\n\r\n0\r\n\r\n", "\nvalue\tv1\n\n"],
    ["0x2\r\nab\r\n0\r\n\r\n", "ab"],
    ["0\r\n\r\n", ""],
    ["nonsense\r\n\r\n", ""],
    ["1\r\na\r\n\r\n", "a"],
  ];
  for (const [chunks, body] of cases) assertStrictEquals(bodyText(only(head + chunks)), body);
});

test("Content-Length wins over chunked, unless it is negative", () => {
  const chunked = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n";
  assertStrictEquals(bodyText(only(`${chunked}Content-Length: 2\r\n\r\nab`)), "ab");
  assertStrictEquals(
    bodyText(only(`${chunked}Content-Length: -2\r\n\r\n1\r\nx\r\n0\r\n\r\n`)),
    "x",
  );
  assertStrictEquals(bodyText(only("PUT / HTTP/1.1\r\nContent-Length: abc\r\n\r\n")), "");
});

test("a chunk without its line end is refused at the first wrong byte, and so are trailers", () => {
  const head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const chunks of ["3\r\nabcX", "3\r\nabc\n", "3\r\nabc\rX", "1\r\na\r\n0\r\nTrailer: x"]) {
    assertEquals(read(head + chunks), [INVALID_CHUNK], chunks);
  }
});

test("a body beyond the limit is refused before it comes", () => {
  const refused: Received[] = [{ status: 413, message: "request entity too large" }];
  for (const length of [MAX_SIZE + 1, "99999999999", "9223372036854775807"]) {
    assertEquals(read(`PUT / HTTP/1.1\r\nContent-Length: ${length}\r\n\r\n`), refused);
  }
  assertEquals(read(`PUT / HTTP/1.1\r\nContent-Length: ${MAX_SIZE}\r\n\r\n`), []);
  const head = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  assertEquals(read(`${head}10000001\r\n`), refused);
  assertEquals(read(`${head}1\r\na\r\n10000000\r\n`), refused);
});

test("an interrupted head is passed on, an interrupted body is refused", () => {
  const reason = new Error("the stream ended");
  for (const text of ["P", "PUT / HTTP/1.1\r\nContent-"]) {
    assertThrows(() => read(text, reason), Error, "the stream ended");
  }
  const chunked = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  assertEquals(read("PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc", reason), [CUT_SHORT]);
  assertEquals(read(`${chunked}5`, reason), [CUT_SHORT]);
  assertEquals(read(`${chunked}5\r\nabc`, reason), [CUT_SHORT]);
  assertEquals(read(`${chunked}3\r\nabc`, reason), [INVALID_CHUNK]);
  assertEquals(read(`${chunked}3\r\nabc\r`, reason), [INVALID_CHUNK]);
});

test("a line of more than 8191 bytes is cut there", () => {
  const room = 8191 - "GET / HTTP/1.1".length;
  const request = (size: number) => `GET /${"k".repeat(size)} HTTP/1.1\n\n`;
  assertStrictEquals(only(request(room - 1)).target.length, room);
  assertEquals(read(request(room + 1)), ["closed"]);
  // A line that is exactly full ends there, and its LF is the empty line that ends the head.
  assertStrictEquals(only(`GET /${"k".repeat(room)} HTTP/1.1\n`).target.length, room + 1);
  // What is cut off a header counts as the next one.
  const header = `X: ${"x".repeat(8188)}`;
  const cutOff = only(`PUT / HTTP/1.1\r\n${header}Content-Length: 2\r\n\r\nab`);
  assertStrictEquals(bodyText(cutOff), "ab");
});

test("CRs do not count for the length of a line, however many there are", () => {
  const room = 8191 - "GET / HTTP/1.1".length;
  const line = `GET /${"k\r".repeat(room - 1)}${"\r".repeat(40_000)} HTTP/1.1`;
  assertStrictEquals(only(`${line}\r\n\r\n`).target.length, room);
  assertEquals(readHttpRequests(byteByByte(latin1(`${line}\r\n\r\n`))), read(`${line}\r\n\r\n`));
});

test("requests decode alike however they are cut", () => {
  const stream = latin1(
    "POST /rpc/echo HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na\t1\n" +
      "GET /x HTTP/1.1\n\n" +
      "PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x\r\ndefghijklm\r\n0\r\n\r\n" +
      "DELETE /d HTTP/1.0\r\n\r\n",
  );
  const whole = readHttpRequests([stream]);
  assertStrictEquals(whole.length, 4);
  assertEquals(readHttpRequests(byteByByte(stream)), whole);
  for (let at = 0; at <= stream.length; at++) {
    assertEquals(readHttpRequests(cutAt(stream, at)), whole, `cut at ${at}`);
  }
});

test("a head means the same whether its lines are read in place or put together", () => {
  const odd = fc.constantFrom("\r", "\0", " ", "\t", "\xa0", ":", "?", "\r\r", "x".repeat(8185));
  const sprinkled = (text: string) =>
    fc.array(fc.tuple(fc.nat(text.length), odd), { maxLength: 2 }).map((places) =>
      places.reduce((t, [at, what]) => t.slice(0, at) + what + t.slice(at), text)
    );
  const requestLine = fc.constantFrom(
    "POST /rpc/echo?a=b HTTP/1.1",
    "PUT /key HTTP/1.0",
    "GET / HTTP/1.1",
  ).chain(sprinkled);
  const header = fc.constantFrom(
    "Content-Length: 3",
    "content-length:  0000000000000002",
    "CONTENT-LENGTH: 1x",
    "Content-Length: ",
    "Content-Type: text/plain",
    "Connection: Close",
    "Connection: keep-alive",
    "X-Kt-Mode: add",
    "X-Kt-Xt: 1d",
    "Host: localhost",
    "X-Kt-Xxx: 1",
  ).chain(sprinkled);
  const end = fc.constantFrom("\n", "\r\n", "\r\r\n");
  const head = fc.tuple(requestLine, end, fc.array(fc.tuple(header, end), { maxLength: 5 }));
  fc.assert(fc.property(head, fc.string({ maxLength: 8 }), ([line, eol, headers], rest) => {
    const stream = latin1(`${line}${eol}${headers.flat().join("")}\n${rest}`);
    const whole = readHttpRequests([stream]);
    assertEquals(readHttpRequests(byteByByte(stream)), whole);
    if (stream.length > 1000) return;
    for (let at = 1; at < stream.length; at += 7) {
      assertEquals(readHttpRequests(cutAt(stream, at)), whole, `cut at ${at}`);
    }
  }));
});

test("garbage never makes the decoder fail or hang", () => {
  const parts = fc.oneof(
    { weight: 2, arbitrary: fc.uint8Array({ maxLength: 30 }) },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        "GET / HTTP/1.1",
        "PUT /k HTTP/1.0",
        "\r\n",
        "\n",
        "Content-Length: 3",
        "Transfer-Encoding: chunked",
        "Connection: close",
        "5\r\n",
        "0\r\n\r\n",
        "abc",
      ).map(latin1),
    },
  );
  fc.assert(fc.property(fc.array(parts, { maxLength: 20 }), cuts, (pieces, sizes) => {
    const stream = latin1(pieces.map((piece) => String.fromCharCode(...piece)).join(""));
    const whole = readHttpRequests([stream]);
    assertEquals(readHttpRequests(cut(stream, sizes)), whole);
    assertEquals(readHttpRequests(byteByByte(stream)), whole);
  }));
});

test("a server understands any rows that a client sends, however they are cut", () => {
  const rows = fc.array(fc.tuple(bytes, bytes), { maxLength: 5 });
  const name = text.filter(({ length }) => length < 100);
  fc.assert(fc.property(name, rows, cuts, (called, given, sizes) => {
    const stream = written((w) => encodeRpcRequest(w, called, given));
    const [request] = readHttpRequests(cut(stream, sizes)) as HttpRequest[];
    assertStrictEquals(request.method, "POST");
    assertStrictEquals(request.target, `/rpc/${encodeURIComponent(called.toWellFormed())}`);
    const input = decodeInput(new Uint8Array(0), request.headers.get("content-type"), request.body);
    const expected = new Map(given.map(([key, value]) => [toByteText(key, 0, key.length), value]));
    assertEquals(new Map([...input].sort()), new Map([...expected].sort()));
  }));
});

test("a procedure's name must fit into a line", () => {
  const line = (name: string) => () => written((w) => encodeRpcRequest(w, name, []));
  const room = 8190 - "POST /rpc/ HTTP/1.1".length;
  const [request] = readHttpRequests([line("p".repeat(room))()]) as HttpRequest[];
  assertStrictEquals(request.line.length, 8190);
  assertThrows(line("p".repeat(room + 1)), RangeError, "a line of 8191 bytes");
});

test("a large value is sent from where it stands", () => {
  const value = new Uint8Array(100_000).fill(0x7a);
  const stream = written((w) =>
    encodeRpcRequest(w, "set", [[latin1("key"), latin1("k")], [
      latin1("value"),
      value,
    ]])
  );
  const [request] = readHttpRequests([stream]) as HttpRequest[];
  assertStrictEquals(request.headers.get("content-type"), "text/tab-separated-values");
  assertStrictEquals(request.body.length, 100_000 + "key\tk\nvalue\t\n".length);
});
