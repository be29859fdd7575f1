/** Replies over HTTP: encoded by a server, decoded by a client (docs/protocol.md, section 5). */

import { ProtocolError } from "../errors.ts";
import { commonText, fromByteText, isByteText, parseDigits, toByteText } from "./byte_text.ts";
import { compareBytes, copyOf } from "./bytes.ts";
import { charCode } from "./char_code.ts";
import type { ColumnEncoding } from "./column.ts";
import { ROW_COST } from "./constants.ts";
import { type ByteReader, collect, type Decoder } from "./decoder.ts";
import { lineEnd, MAX_LINE, splitHeader } from "./http_lines.ts";
import { type HttpRefusal, keepsAlive } from "./http_request.ts";
import { KnownHead } from "./known_head.ts";
import {
  type Column,
  columnBytes,
  decodeRows,
  encodeColumns,
  encodeRows,
  parseContentType,
  type ReceivedRow,
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
const VERSIONS: readonly string[] = ["HTTP/1.1 ", "HTTP/1.0 "];
/** `HTTP/1.1 200`. */
const STATUS_SIZE = 12;
/** Those below are no last words. */
const FIRST_STATUS = 200;

const LF = 0x0a, CR = 0x0d, SPACE = 0x20;

/** What the head of every reply says. */
export interface HttpReplyHead {
  readonly status: number;
  /** The header `Date`: milliseconds since 1970. */
  readonly date: number;
  /** Whether the connection stays open. */
  readonly keepAlive: boolean;
}

/** What the head that was written last began with, and what it was written for: many are alike. */
let lastStart: Uint8Array = new Uint8Array(0),
  lastStatus = 0,
  lastSecond = NaN,
  lastKeepAlive = false;

function encodeHead(w: ByteWriter, { status, date, keepAlive }: HttpReplyHead): void {
  const second = Math.floor(date / 1000);
  if (second !== lastSecond || status !== lastStatus || keepAlive !== lastKeepAlive) {
    lastStart = fromByteText(
      `HTTP/1.1 ${status} ${REASONS[status]}\r\nServer: ${SERVER_NAME}\r\n` +
        `Date: ${new Date(date).toUTCString()}\r\n${keepAlive ? "" : "Connection: close\r\n"}`,
    );
    lastSecond = second;
    lastStatus = status;
    lastKeepAlive = keepAlive;
  }
  w.bytes(lastStart);
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
  if (length !== null) encodeLength(w, length);
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
  const encoded = encodeColumns(rows, encoding);
  const sorted = rows.length < 2 ? encoded : encoded.toSorted(([a], [b]) => compareColumns(a, b));
  encodeHead(w, head);
  if (withBody) encodeLength(w, rowsSize(sorted));
  w.bytes(headEnds[encoding]);
  if (withBody) encodeRows(w, sorted);
}

/** How the heads of replies with rows end. */
const headEnds: Readonly<Record<ColumnEncoding, Uint8Array>> = {
  "": headEnd(""),
  U: headEnd("U"),
  Q: headEnd("Q"),
  B: headEnd("B"),
};

function headEnd(encoding: ColumnEncoding): Uint8Array {
  return fromByteText(`Content-Type: ${tsvContentType(encoding)}\r\n\r\n`);
}

const CONTENT_LENGTH = fromByteText("Content-Length: "), LINE_END = fromByteText("\r\n");

function encodeLength(w: ByteWriter, length: number): void {
  w.bytes(CONTENT_LENGTH);
  w.ascii(String(length));
  w.bytes(LINE_END);
}

/** As unsigned bytes, a prefix before what is longer. */
function compareColumns(a: Column, b: Column): number {
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a === b ? 0 : 1;
  return compareBytes(columnBytes(a), columnBytes(b));
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
  readonly rows: ReceivedRow[];
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
  const head = new Head(maxBytes, isHead, headers);
  while (!head.read(r)) yield r.available + 1;
  const { status, keepAlive, length } = head;
  const body = r.available >= length ? r.copy(length) : yield* collect(r, length);
  return { status, keepAlive, headers, body };
}

/**
 * Reads the reply of a procedure, at once if all of it is at hand, otherwise by a decoder.
 *
 * @param maxBytes What the body may take up, checked before memory is taken.
 */
export function readRpcReply(r: ByteReader, maxBytes: number): RpcReply | Decoder<RpcReply> {
  const start = r.position;
  let head = knownHead.take(r), length = knownHead.length;
  if (head === null) {
    head = new Head(maxBytes, false, null);
    if (!head.read(r)) return decodeRestOfReply(r, head, maxBytes);
    length = head.length;
    if (head.digits >= 0) {
      knownHead.keep(head, r.window, start, head.digits, head.digitsEnd, r.position);
    }
  } else {
    checkLength(length, maxBytes);
  }
  if (r.available < length) return decodeBodyOfReply(r, head, length, maxBytes);
  const body = r.position;
  r.skip(length);
  return replyOf(head, length, r.window, body, maxBytes);
}

/** The head that was read last, of any connection. */
const knownHead = new KnownHead<Head>();

/** {@linkcode readRpcReply} as a decoder. */
export function* decodeRpcReply(r: ByteReader, maxBytes: number): Decoder<RpcReply> {
  const reply = readRpcReply(r, maxBytes);
  return "rows" in reply ? reply : yield* reply;
}

function* decodeRestOfReply(r: ByteReader, head: Head, maxBytes: number): Decoder<RpcReply> {
  while (!head.read(r)) yield r.available + 1;
  return yield* decodeBodyOfReply(r, head, head.length, maxBytes);
}

function* decodeBodyOfReply(
  r: ByteReader,
  head: Head,
  length: number,
  maxBytes: number,
): Decoder<RpcReply> {
  return replyOf(head, length, yield* collect(r, length), 0, maxBytes);
}

/** @throws {ProtocolError} A body is longer than that. */
function checkLength(length: number, maxBytes: number): void {
  if (length <= maxBytes) return;
  throw new ProtocolError(
    `Cannot read a reply: it announces more than "maxReplyBytes", ${maxBytes} bytes`,
  );
}

function replyOf(
  { status, keepAlive, type }: Head,
  length: number,
  body: Uint8Array,
  start: number,
  maxBytes: number,
): RpcReply {
  checkRows(body, start, start + length, maxBytes);
  const encoding = parseContentType(type);
  const rows: ReceivedRow[] = encoding === null || encoding === "form"
    // An error of the transport itself, such as "413 Request Entity Too Large (...)".
    ? [["ERROR", copyOf(body, start, start + length)]]
    : decodeRows(body, start, start + length, encoding);
  return { status, keepAlive, rows };
}

/** Rows take up more in memory than on the wire, the more the shorter they are. */
function checkRows(body: Uint8Array, start: number, end: number, maxBytes: number): void {
  const size = end - start;
  // Each takes up a byte at least.
  if (size * (1 + ROW_COST) <= maxBytes) return;
  let rows = 0;
  for (let at = start; at < end; at++) if (body[at] === LF) rows++;
  if (size + rows * ROW_COST <= maxBytes) return;
  throw new ProtocolError(
    `Cannot read a reply: with ${rows} rows it takes up more than "maxReplyBytes", ${maxBytes} bytes`,
  );
}

/** The head of a reply. Its lines are looked at where they stand: few of them are made texts. */
class Head {
  /** 0 until the first line has come. */
  status = 0;
  keepAlive = false;
  /** Bytes of the body. */
  length = -1;
  /** Where they were announced in the window, if that is what counts. */
  digits = -1;
  digitsEnd = -1;
  /** The content type. */
  type = "";
  #complete = false;
  #lines = 0;
  #chunked = false;
  readonly #maxBytes: number;
  readonly #isHead: boolean;
  readonly #headers: Map<string, string> | null;

  constructor(maxBytes: number, isHead: boolean, headers: Map<string, string> | null) {
    this.#maxBytes = maxBytes;
    this.#isHead = isHead;
    this.#headers = headers;
  }

  /** Reads the lines that are at hand; returns whether the head is complete. */
  read(r: ByteReader): boolean {
    while (!this.#complete) {
      const lf = lineEnd(r);
      if (lf < 0) {
        if (r.available > MAX_LINE) throw headTooLarge();
        return false;
      }
      const bytes = r.window, start = r.position;
      const end = lf > start && bytes[lf - 1] === CR ? lf - 1 : lf;
      if (this.status === 0) this.#start(bytes, start, lf);
      else if (end === start) this.#end();
      else if (this.#lines++ === MAX_HEADERS) throw headTooLarge();
      else this.#header(bytes, start, end);
      r.position = lf + 1;
    }
    return true;
  }

  #start(bytes: Uint8Array, start: number, end: number): void {
    const version = VERSIONS.findIndex((known) =>
      isByteText(known, bytes, start, Math.min(end, start + known.length))
    );
    const behind = start + STATUS_SIZE, status = parseDigits(bytes, behind - 3, behind);
    const isEnded = end === behind || bytes[behind] === SPACE || bytes[behind] === CR;
    if (version < 0 || status < FIRST_STATUS || end < behind || !isEnded) {
      const text = toByteText(bytes, start, Math.min(end, behind + 1));
      throw new ProtocolError(
        `Cannot read a reply: expected an HTTP status line, got ${JSON.stringify(text)}`,
      );
    }
    this.status = status;
    this.keepAlive = version === 0;
  }

  #header(bytes: Uint8Array, start: number, end: number): void {
    if (this.#headers !== null) {
      const header = splitHeader(toByteText(bytes, start, end));
      if (header !== null) this.#headers.set(...header);
    }
    let value: number;
    if ((value = valueOf(bytes, start, end, "content-length:")) >= 0) {
      this.length = parseDigits(bytes, value, end);
      this.digits = value;
      this.digitsEnd = end;
    } else if ((value = valueOf(bytes, start, end, "content-type:")) >= 0) {
      this.type = commonText(bytes, value, end);
    } else if ((value = valueOf(bytes, start, end, "connection:")) >= 0) {
      this.keepAlive = keepsAlive(toByteText(bytes, value, end), this.keepAlive);
    } else if (valueOf(bytes, start, end, "transfer-encoding:") >= 0) {
      this.#chunked = true;
    }
  }

  #end(): void {
    this.#complete = true;
    if (this.#isHead || this.status === 204 || this.status === 304) {
      this.length = 0;
      this.digits = -1;
    } else if (this.length < 0 || this.#chunked) {
      throw new ProtocolError("Cannot read a reply: it does not announce its length");
    }
    checkLength(this.length, this.#maxBytes);
  }
}

/** Where the value of a header begins, if its name, in small letters and with a colon, is this. */
function valueOf(bytes: Uint8Array, start: number, end: number, name: string): number {
  if (end - start < name.length) return -1;
  for (let i = 0; i < name.length; i++) {
    // Setting this bit makes capital letters small, and leaves "-" and ":" as they are.
    if ((bytes[start + i] | 0x20) !== charCode(name, i)) return -1;
  }
  let at = start + name.length;
  while (at < end && bytes[at] === SPACE) at++;
  return at;
}

function headTooLarge(): ProtocolError {
  return new ProtocolError("Cannot read a reply: its head is too large");
}
