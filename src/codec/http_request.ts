/** Requests over HTTP: decoded by a server, encoded by a client (docs/protocol.md, section 5). */

import {
  commonText,
  EXACT_DIGITS,
  fromByteText,
  isByteText,
  parseDigits,
  parseInteger,
} from "./byte_text.ts";
import { indexOf, sharedCopy } from "./bytes.ts";
import { charCode } from "./char_code.ts";
import type { ColumnEncoding } from "./column.ts";
import { MAX_SIZE } from "./constants.ts";
import { type ByteReader, collect, type Decoder } from "./decoder.ts";
import { decodeLine, Line, MAX_LINE } from "./http_lines.ts";
import { KnownHead } from "./known_head.ts";
import {
  encodeColumns,
  encodeRows,
  requestEncoding,
  type Row,
  rowsSize,
  tsvContentType,
} from "./tsv.ts";
import type { ByteWriter } from "./writer.ts";

const EMPTY = new Uint8Array(0);

const SPACE = 0x20, COLON = 0x3a, QUESTION_MARK = 0x3f, NO_BREAK_SPACE = 0xa0;

/** A request as a server has read it. Texts have one character per byte. */
export interface HttpRequest {
  /** Its first line, without the end. */
  readonly line: string;
  /** As it was sent: a method in small letters is none that the server knows. */
  readonly method: string;
  /** What was asked for, with its query, as it was sent; not empty. */
  readonly target: string;
  /** Whether the connection stays open behind the reply. */
  readonly keepAlive: boolean;
  /** The headers that mean something to the server but for the length, their names in small letters. */
  readonly headers: ReadonlyMap<string, string>;
  /** Empty for the methods that have none. It belongs to the receiver. */
  readonly body: Uint8Array;
}

/** What stands in front of a body. */
interface RequestHead extends Omit<HttpRequest, "body"> {
  /** The bytes of the body; -1 if that is not said. */
  readonly length: number;
}

/** A request that is answered with an error by the transport itself, and followed by a close. */
export interface HttpRefusal {
  readonly status: 400 | 413;
  readonly message: string;
}

const TOO_LARGE: HttpRefusal = { status: 413, message: "request entity too large" };
const CUT_SHORT: HttpRefusal = { status: 400, message: "receiving data failed" };
const INVALID_CHUNK: HttpRefusal = { status: 400, message: "invalid chunk" };

/** The headers that mean something to the server, by the length of their names. */
const USED_HEADERS: readonly (string | undefined)[] = [
  "connection",
  "content-length",
  "content-type",
  "transfer-encoding",
  "x-kt-mode",
  "x-kt-xt",
].reduce<string[]>((all, name) => (all[name.length] = name, all), []);

const VERSIONS: readonly string[] = ["HTTP/1.1", "HTTP/1.0"];

/** The methods whose body, if they have one, is taken for the next request. */
const WITHOUT_BODY: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE"]);

/**
 * Reads a request as ktserver does. Returns `null` where it hangs up without a word. An interruption
 * is passed on while the head is read, and is a refusal while the body is.
 */
export function* decodeHttpRequest(r: ByteReader): Decoder<HttpRequest | HttpRefusal | null> {
  let head = knownHead.take(r), length = knownHead.length;
  if (head === null) {
    head = yield* decodeHead(r);
    if (head === null) return null;
    length = head.length;
  }
  const { line, method, target, keepAlive, headers } = head;
  let body: Uint8Array | HttpRefusal = EMPTY;
  if (!WITHOUT_BODY.has(method)) {
    body = length >= 0 && length <= r.available
      ? takeBody(r, length)
      : yield* decodeBody(r, length, headers);
    if (!(body instanceof Uint8Array)) return body;
  }
  return { line, method, target, keepAlive, headers, body };
}

/** The head that was read last, of any connection. */
const knownHead = new KnownHead<RequestHead>();

/** Reads a head line by line. */
function* decodeHead(r: ByteReader): Decoder<RequestHead | null> {
  const line = new Line(), start = r.position;
  let inPlace = line.take(r);
  if (!inPlace) yield* line.gather(r);
  const first = parseRequestLine(line);
  if (first === null) return null;
  const { method, target, version } = first;
  const headers = new Map<string, string>();
  let keepAlive = version === "HTTP/1.1", length = -1, digits = -1, digitsEnd = -1;
  for (;;) {
    if (!line.take(r)) {
      inPlace = false;
      yield* line.gather(r);
    }
    if (line.start === line.end) break;
    const name = usedHeader(line);
    if (name === undefined) continue;
    const value = commonText(line.bytes, line.start, line.end);
    if (name === "content-length") {
      length = parseLength(line, value);
      digits = line.start;
      digitsEnd = line.end;
      continue;
    }
    headers.set(name, value);
    if (name === "connection") keepAlive = keepsAlive(value, keepAlive);
  }
  const head: RequestHead = {
    line: `${method} ${target} ${version}`,
    method,
    target,
    keepAlive,
    headers,
    length,
  };
  if (inPlace && digits >= 0) knownHead.keep(head, r.window, start, digits, digitsEnd, r.position);
  return head;
}

/** The parts of a request line; `null` where the server does not understand it. */
function parseRequestLine(
  { bytes, start, end }: Line,
): { method: string; target: string; version: string } | null {
  const space = indexOf(bytes, SPACE, start, end);
  const next = indexOf(bytes, SPACE, space + 1, end);
  const version = VERSIONS.find((known) => isByteText(known, bytes, next + 1, end));
  if (version === undefined) return null;
  if (space + 1 === next || bytes[space + 1] === QUESTION_MARK) return null;
  const method = commonText(bytes, start, space);
  return { method, target: commonText(bytes, space + 1, next), version };
}

/** The name of a header that means something; the line becomes its value. */
function usedHeader(line: Line): string | undefined {
  const { bytes, end } = line;
  const colon = indexOf(bytes, COLON, line.start, end);
  if (colon >= end) return undefined;
  let from = line.start, to = colon;
  while (from < to && isBlank(bytes[from])) from++;
  while (from < to && isBlank(bytes[to - 1])) to--;
  const name = USED_HEADERS[to - from];
  if (name === undefined) return undefined;
  for (let i = 0; i < name.length; i++) {
    // Setting this bit makes capital letters small, and leaves "-" as it is.
    if ((bytes[from + i] | 0x20) !== charCode(name, i)) return undefined;
  }
  let value = colon + 1;
  while (value < end && bytes[value] === SPACE) value++;
  line.start = value;
  return name;
}

/** What JavaScript counts as blank, of the characters that a byte can be. */
function isBlank(c: number): boolean {
  return c === SPACE || (c >= 0x09 && c <= 0x0d) || c === NO_BREAK_SPACE;
}

/** Whether a value of the header `Connection` changes what becomes of the connection. */
export function keepsAlive(value: string, otherwise: boolean): boolean {
  const lower = value.toLowerCase();
  return lower === "keep-alive" || (lower !== "close" && otherwise);
}

function* decodeBody(
  r: ByteReader,
  length: number,
  headers: ReadonlyMap<string, string>,
): Decoder<Uint8Array | HttpRefusal> {
  if (length > MAX_SIZE) return TOO_LARGE;
  if (length >= 0) return (yield* receive(r, length)) ?? CUT_SHORT;
  const chunked = headers.get("transfer-encoding")?.toLowerCase() === "chunked";
  return chunked ? yield* decodeChunks(r) : EMPTY;
}

function parseLength({ bytes, start, end }: Line, text: string): number {
  const digits = end - start > EXACT_DIGITS ? -1 : parseDigits(bytes, start, end);
  return digits < 0 ? Number(parseInteger(text)) : digits;
}

/** A body that is at hand. */
function takeBody(r: ByteReader, size: number): Uint8Array {
  const start = r.position;
  r.skip(size);
  return sharedCopy(r.window, start, start + size);
}

function* decodeChunks(r: ByteReader): Decoder<Uint8Array | HttpRefusal> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    let line: string;
    try {
      line = yield* decodeLine(r);
    } catch {
      return CUT_SHORT;
    }
    if (line === "") break;
    const size = parseChunkSize(line);
    total += size;
    if (total > MAX_SIZE) return TOO_LARGE;
    const chunk = yield* receive(r, size);
    if (chunk === null) return CUT_SHORT;
    // The second byte is not waited for when the first one is wrong already.
    for (const byte of [0x0d, 0x0a]) {
      const found = yield* receive(r, 1);
      if (found?.[0] !== byte) return INVALID_CHUNK;
    }
    if (size === 0) break;
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0] : join(chunks, total);
}

/** What stands before an extension. */
function parseChunkSize(line: string): number {
  return parseInt(/^[\t-\r ]*(?:0[xX])?([0-9a-fA-F]*)/.exec(line)![1], 16) || 0;
}

function join(chunks: readonly Uint8Array[], total: number): Uint8Array {
  const joined = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}

/** So many bytes, or `null` when waiting for them was interrupted. */
function* receive(r: ByteReader, size: number): Decoder<Uint8Array | null> {
  try {
    return r.available >= size ? r.copy(size) : yield* collect(r, size);
  } catch {
    return null;
  }
}

/** The path of a target and the query behind it, the latter as bytes. */
export function splitTarget(target: string): [path: string, query: Uint8Array] {
  const mark = target.indexOf("?");
  return mark < 0 ? [target, EMPTY] : [target.slice(0, mark), fromByteText(target.slice(mark + 1))];
}

/**
 * Calls a procedure with rows of input. The server does not ask for `Host`, but HTTP/1.1 does.
 *
 * @param encoding How the rows are carried. Default: in the fewest bytes.
 * @throws {RangeError} The name does not fit into a line that the server would take.
 */
export function encodeRpcRequest(
  w: ByteWriter,
  procedure: string,
  rows: readonly Row[],
  encoding: ColumnEncoding = requestEncoding(rows),
): void {
  if (procedure !== lastProcedure || encoding !== lastEncoding) {
    lastStart = requestStart(procedure, encoding);
    lastProcedure = procedure;
    lastEncoding = encoding;
  }
  const encoded = encodeColumns(rows, encoding);
  w.bytes(lastStart);
  w.ascii(String(rowsSize(encoded)));
  w.bytes(HEAD_END);
  encodeRows(w, encoded);
}

/** How the request that was written last began, and what it asked for: many are alike. */
let lastStart: Uint8Array = EMPTY, lastProcedure = "", lastEncoding: ColumnEncoding | null = null;
const HEAD_END = fromByteText("\r\n\r\n");

/** What stands in front of the size of the rows. */
function requestStart(procedure: string, encoding: ColumnEncoding): Uint8Array {
  const line = `POST /rpc/${encodeURIComponent(procedure.toWellFormed())} HTTP/1.1`;
  if (line.length >= MAX_LINE) {
    throw new RangeError(
      `Cannot call a procedure: its name takes a line of ${line.length} bytes, not below ${MAX_LINE}`,
    );
  }
  return fromByteText(
    `${line}\r\nHost: localhost\r\nContent-Type: ${tsvContentType(encoding)}\r\n` +
      "Content-Length: ",
  );
}
