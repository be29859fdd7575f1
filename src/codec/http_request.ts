/** Requests over HTTP: decoded by a server, encoded by a client (docs/protocol.md, section 5). */

import { fromByteText, parseInteger } from "./byte_text.ts";
import type { ColumnEncoding } from "./column.ts";
import { MAX_SIZE } from "./constants.ts";
import { type ByteReader, collect, type Decoder } from "./decoder.ts";
import { decodeLine, lineEnd, MAX_LINE, splitHeader } from "./http_lines.ts";
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

const A = 0x61, C = 0x63, T = 0x74, X = 0x78, Z = 0x7a;

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
  /** The headers that mean something to the server, their names in small letters. */
  readonly headers: ReadonlyMap<string, string>;
  /** Empty for the methods that have none. It belongs to the receiver. */
  readonly body: Uint8Array;
}

/** A request that is answered with an error by the transport itself, and followed by a close. */
export interface HttpRefusal {
  readonly status: 400 | 413;
  readonly message: string;
}

const TOO_LARGE: HttpRefusal = { status: 413, message: "request entity too large" };
const CUT_SHORT: HttpRefusal = { status: 400, message: "receiving data failed" };
const INVALID_CHUNK: HttpRefusal = { status: 400, message: "invalid chunk" };

const USED_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "content-type",
  "transfer-encoding",
  "x-kt-mode",
  "x-kt-xt",
]);

/** The methods whose body, if they have one, is taken for the next request. */
const WITHOUT_BODY: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE"]);

/**
 * Reads a request as ktserver does. Returns `null` where it hangs up without a word. An interruption
 * is passed on while the head is read, and is a refusal while the body is.
 */
export function* decodeHttpRequest(r: ByteReader): Decoder<HttpRequest | HttpRefusal | null> {
  const line = untilNul(yield* decodeLine(r));
  const [, method, target, version] = /^([^ ]*) ([^ ]*) (.*)$/s.exec(line) ?? [];
  if (version !== "HTTP/1.0" && version !== "HTTP/1.1") return null;
  if (target === "" || target[0] === "?") return null;
  const headers = new Map<string, string>();
  let keepAlive = version === "HTTP/1.1";
  for (;;) {
    if (skipUnused(r)) continue;
    const text = untilNul(yield* decodeLine(r));
    if (text === "") break;
    const header = splitHeader(text);
    if (header === null || !USED_HEADERS.has(header[0])) continue;
    const [name, value] = header;
    headers.set(name, value);
    if (name === "connection") keepAlive = keepsAlive(value, keepAlive);
  }
  const body = WITHOUT_BODY.has(method) ? EMPTY : yield* decodeBody(r, headers);
  if (!(body instanceof Uint8Array)) return body;
  return { line, method, target, keepAlive, headers, body };
}

/** Passes over a header without a meaning, if its line is at hand; quicker than making a text of it. */
function skipUnused(r: ByteReader): boolean {
  const end = lineEnd(r);
  if (end < 0 || end - r.position >= MAX_LINE) return false;
  const letter = r.window[r.position] | 0x20;
  if (letter < A || letter > Z || letter === C || letter === T || letter === X) return false;
  r.position = end + 1;
  return true;
}

/** Whether a value of the header `Connection` changes what becomes of the connection. */
export function keepsAlive(value: string, otherwise: boolean): boolean {
  const lower = value.toLowerCase();
  return lower === "keep-alive" || (lower !== "close" && otherwise);
}

function* decodeBody(
  r: ByteReader,
  headers: ReadonlyMap<string, string>,
): Decoder<Uint8Array | HttpRefusal> {
  const length = parseLength(headers.get("content-length") ?? "-1");
  if (length > MAX_SIZE) return TOO_LARGE;
  if (length >= 0) return (yield* receive(r, length)) ?? CUT_SHORT;
  const chunked = headers.get("transfer-encoding")?.toLowerCase() === "chunked";
  return chunked ? yield* decodeChunks(r) : EMPTY;
}

function parseLength(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : Number(parseInteger(text));
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

/** The server's texts end at a NUL. */
function untilNul(line: string): string {
  const at = line.indexOf("\0");
  return at < 0 ? line : line.slice(0, at);
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
  const line = `POST /rpc/${encodeURIComponent(procedure.toWellFormed())} HTTP/1.1`;
  if (line.length >= MAX_LINE) {
    throw new RangeError(
      `Cannot call a procedure: its name takes a line of ${line.length} bytes, not below ${MAX_LINE}`,
    );
  }
  const encoded = encodeColumns(rows, encoding);
  w.ascii(
    `${line}\r\nHost: localhost\r\nContent-Type: ${tsvContentType(encoding)}\r\n` +
      `Content-Length: ${rowsSize(encoded)}\r\n\r\n`,
  );
  encodeRows(w, encoded);
}
