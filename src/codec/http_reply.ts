/** Replies over HTTP: encoded by a server, decoded by a client (docs/protocol.md, section 5). */

import { ProtocolError } from "../errors.ts";
import { toByteText } from "./byte_text.ts";
import { copyOf } from "./bytes.ts";
import { type ByteReader, collect, type Decoder } from "./decoder.ts";
import { lineEnd, MAX_LINE, splitHeader } from "./http_lines.ts";
import { type HttpRefusal, keepsAlive } from "./http_request.ts";
import {
  decodeRows,
  encodeColumns,
  encodeRows,
  parseContentType,
  replyEncoding,
  type Row,
  rowsSize,
  tsvContentType,
} from "./tsv.ts";
import type { ByteWriter } from "./writer.ts";

const encoder = new TextEncoder();

/** What ktserver says it is. */
export const SERVER_NAME = "KyotoTycoon/0.9.56b";

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  204: "No Content",
  400: "Bad Request",
  404: "Not Found",
  413: "Request Entity Too Large",
  450: "Logical Inconsistency",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
};

/** More lines than this are no head of a reply. */
const MAX_HEADERS = 100;
/** `HTTP/1.1 200` and one more. */
const STATUS_SIZE = 13;

const CR = 0x0d, SPACE = 0x20;

/** What the head of every reply says. */
export interface HttpReplyHead {
  readonly status: number;
  /** The header `Date`: milliseconds since 1970. */
  readonly date: number;
  /** Whether the connection stays open. */
  readonly keepAlive: boolean;
}

function encodeHead(w: ByteWriter, { status, date, keepAlive }: HttpReplyHead): void {
  w.ascii(
    `HTTP/1.1 ${status} ${REASONS[status]}\r\nServer: ${SERVER_NAME}\r\n` +
      `Date: ${new Date(date).toUTCString()}\r\n${keepAlive ? "" : "Connection: close\r\n"}`,
  );
}

/**
 * Writes a reply. `headers` come as they are given: ktserver sorts them. `length` is announced, if it
 * is not `null`, and may differ from the size of a body that is left out.
 */
export function encodeHttpReply(
  w: ByteWriter,
  head: HttpReplyHead,
  length: number | null,
  headers: readonly (readonly [name: string, value: string])[],
  body?: Uint8Array,
): void {
  encodeHead(w, head);
  if (length !== null) w.ascii(`Content-Length: ${length}\r\n`);
  for (const [name, value] of headers) w.ascii(`${name}: ${value}\r\n`);
  w.ascii("\r\n");
  if (body !== undefined) w.bytes(body);
}

/**
 * Writes the reply of a procedure; to a HEAD request without a body and its length. The rows are sorted
 * by their names as they go over the wire.
 */
export function encodeRpcReply(
  w: ByteWriter,
  head: HttpReplyHead,
  rows: readonly Row[],
  withBody: boolean,
): void {
  const encoding = replyEncoding(rows);
  const sorted = encodeColumns(rows, encoding).toSorted(([a], [b]) => compareBytes(a, b));
  const length = withBody ? rowsSize(sorted) : null;
  encodeHttpReply(w, head, length, [["Content-Type", tsvContentType(encoding)]]);
  if (withBody) encodeRows(w, sorted);
}

/** As unsigned bytes, a prefix before what is longer. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const size = Math.min(a.length, b.length);
  for (let i = 0; i < size; i++) {
    if (a[i] !== b[i]) return a[i] - b[i];
  }
  return a.length - b.length;
}

/** Answers what the transport itself refuses; the connection closes behind it. */
export function encodeHttpRefusal(w: ByteWriter, refusal: HttpRefusal, date: number): void {
  const { status, message } = refusal;
  const body = encoder.encode(`${status} ${REASONS[status]} (${message})\n`);
  const headers = [["Content-Type", "text/plain"]] as const;
  encodeHttpReply(w, { status, date, keepAlive: false }, body.length, headers, body);
}

/** A reply as a client has read it. Texts have one character per byte. */
export interface HttpReply {
  readonly status: number;
  /** Whether the connection stays open. */
  readonly keepAlive: boolean;
  /** All headers, their names in small letters. */
  readonly headers: ReadonlyMap<string, string>;
  /** It belongs to the receiver. */
  readonly body: Uint8Array;
}

/** The reply of a procedure. */
export interface RpcReply {
  /** 200 when it succeeded. */
  readonly status: number;
  /** Whether the connection stays open. */
  readonly keepAlive: boolean;
  /** What came back; a failure is explained by the row `ERROR`. All bytes belong to the receiver. */
  readonly rows: Row[];
}

/**
 * Reads a reply.
 *
 * @param maxBytes What the body may take up, checked before memory is taken.
 * @param isHead Whether the request was a HEAD, the reply of which has no body.
 */
export function* decodeHttpReply(
  r: ByteReader,
  maxBytes: number,
  isHead = false,
): Decoder<HttpReply> {
  const headers = new Map<string, string>();
  const { status, keepAlive, length } = yield* decodeHead(r, maxBytes, isHead, headers);
  const body = r.available >= length ? r.copy(length) : yield* collect(r, length);
  return { status, keepAlive, headers, body };
}

/**
 * Reads the reply of a procedure.
 *
 * @param maxBytes What the body may take up, checked before memory is taken.
 */
export function* decodeRpcReply(r: ByteReader, maxBytes: number): Decoder<RpcReply> {
  const { status, keepAlive, length, type } = yield* decodeHead(r, maxBytes, false, null);
  let body: Uint8Array, start: number;
  if (r.available >= length) {
    body = r.window;
    start = r.position;
    r.skip(length);
  } else {
    body = yield* collect(r, length);
    start = 0;
  }
  const encoding = parseContentType(type);
  const rows = encoding === null || encoding === "form"
    // An error of the transport itself, such as "413 Request Entity Too Large (...)".
    ? [[encoder.encode("ERROR"), copyOf(body, start, start + length)] as const]
    : decodeRows(body, start, start + length, encoding);
  return { status, keepAlive, rows };
}

interface Head {
  status: number;
  keepAlive: boolean;
  /** Bytes of the body. */
  length: number;
  /** The content type. */
  type: string;
}

/** Reads up to the body. The lines are looked at where they stand: few of them are made texts. */
function* decodeHead(
  r: ByteReader,
  maxBytes: number,
  isHead: boolean,
  headers: Map<string, string> | null,
): Decoder<Head> {
  let end = lineEnd(r);
  if (end < 0) end = yield* awaitLine(r);
  const { status, keepAlive: keptByVersion } = parseStatusLine(r, end);
  const head: Head = { status, keepAlive: keptByVersion, length: -1, type: "" };
  let chunked = false;
  for (let lines = 0;; lines++) {
    end = lineEnd(r);
    if (end < 0) end = yield* awaitLine(r);
    const bytes = r.window, start = r.position;
    r.position = end + 1;
    if (end > start && bytes[end - 1] === CR) end--;
    if (end === start) break;
    if (lines === MAX_HEADERS) throw headTooLarge();
    if (headers !== null) {
      const header = splitHeader(toByteText(bytes, start, end));
      if (header !== null) headers.set(...header);
    }
    let value: number;
    if ((value = valueOf(bytes, start, end, "content-length:")) >= 0) {
      head.length = parseDigits(bytes, value, end);
    } else if ((value = valueOf(bytes, start, end, "content-type:")) >= 0) {
      head.type = toByteText(bytes, value, end);
    } else if ((value = valueOf(bytes, start, end, "connection:")) >= 0) {
      head.keepAlive = keepsAlive(toByteText(bytes, value, end), head.keepAlive);
    } else if (valueOf(bytes, start, end, "transfer-encoding:") >= 0) {
      chunked = true;
    }
  }
  if (isHead || status === 204 || status === 304) head.length = 0;
  else if (head.length < 0 || chunked) {
    throw new ProtocolError("Cannot read a reply: it does not announce its length");
  }
  if (head.length > maxBytes) {
    throw new ProtocolError(
      `Cannot read a reply: it announces more than "maxReplyBytes", ${maxBytes} bytes`,
    );
  }
  return head;
}

/** Waits until the next line is at hand, and returns the position of the LF that ends it. */
function* awaitLine(r: ByteReader): Decoder<number> {
  for (;;) {
    const end = lineEnd(r);
    if (end >= 0) return end;
    if (r.available > MAX_LINE) throw headTooLarge();
    yield r.available + 1;
  }
}

function parseStatusLine(r: ByteReader, end: number): { status: number; keepAlive: boolean } {
  const bytes = r.window, start = r.position;
  const line = toByteText(bytes, start, Math.min(end, start + STATUS_SIZE));
  const match = /^HTTP\/1\.([01]) ([2-9]\d\d)(?=[ \r]|$)/.exec(line);
  if (match === null) {
    throw new ProtocolError(
      `Cannot read a reply: expected an HTTP status line, got ${JSON.stringify(line)}`,
    );
  }
  r.position = end + 1;
  return { status: Number(match[2]), keepAlive: match[1] === "1" };
}

/** Where the value of a header begins, if its name, in small letters and with a colon, is this. */
function valueOf(bytes: Uint8Array, start: number, end: number, name: string): number {
  if (end - start < name.length) return -1;
  for (let i = 0; i < name.length; i++) {
    // Setting this bit makes capital letters small, and leaves "-" and ":" as they are.
    if ((bytes[start + i] | 0x20) !== name.charCodeAt(i)) return -1;
  }
  let at = start + name.length;
  while (at < end && bytes[at] === SPACE) at++;
  return at;
}

/** A number in decimal digits and nothing else; -1 for what is none. */
function parseDigits(bytes: Uint8Array, start: number, end: number): number {
  let n = start < end ? 0 : -1;
  for (let i = start; i < end; i++) {
    const digit = bytes[i] - 0x30;
    if (digit < 0 || digit > 9) return -1;
    n = n * 10 + digit;
  }
  return n;
}

function headTooLarge(): ProtocolError {
  return new ProtocolError("Cannot read a reply: its head is too large");
}
