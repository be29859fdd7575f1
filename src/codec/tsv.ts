/**
 * Rows of a name and a value, as procedures take and give them over HTTP.
 * (docs/protocol.md, section 5)
 */

import { commonText, fromByteText, toByteText } from "./byte_text.ts";
import { copyOf, indexOf } from "./bytes.ts";
import { charCode } from "./char_code.ts";
import {
  type ColumnEncoding,
  decodeColumn,
  encodeColumn,
  encodedSize,
  urlDecode,
} from "./column.ts";
import type { ByteWriter } from "./writer.ts";

/**
 * A name or a value, both any bytes, or texts of one character per byte: short texts take a runtime
 * less time than arrays.
 */
export type Column = Uint8Array | string;

/** A name and a value. */
export type Row = readonly [name: Column, value: Column];

/** A row that has come. */
export type ReceivedRow = [name: string, value: Column];

/** Values up to this size become texts: most of them are numbers. */
const SHORT = 24;
/** As far as a line is searched by a plain loop, which is quicker for short ones. */
const LOOP_SIZE = 64;

const TAB = 0x09, LF = 0x0a, CR = 0x0d, EQUALS = 0x3d, AMPERSAND = 0x26, SEMICOLON = 0x3b;

const TSV_TYPE = "text/tab-separated-values";
const FORM_TYPE = "application/x-www-form-urlencoded";
const ENCODING_ATTRIBUTE = "colenc=";

/** The bytes that ktserver counts as carried by the URL encoding when it chooses a reply's encoding. */
const COUNTED_AS_PLAIN = /[A-Za-z0-9_.!~*'()-]/;
/** As far as ktserver looks at a name or value for that choice. */
const LOOKED_AT = 255;

/** What a body of rows is announced as. */
export function tsvContentType(encoding: ColumnEncoding): string {
  return encoding === "" ? TSV_TYPE : `${TSV_TYPE}; ${ENCODING_ATTRIBUTE}${encoding}`;
}

/** How a body that is announced so carries rows; `null` if it does not. */
export function parseContentType(type: string): ColumnEncoding | "form" | null {
  if (type === TSV_TYPE) return "";
  const lower = type.toLowerCase();
  if (lower.startsWith(FORM_TYPE)) return "form";
  if (!lower.startsWith(TSV_TYPE)) return null;
  let encoding: ColumnEncoding = "";
  for (const attribute of lower.slice(TSV_TYPE.length).split(/[ ;]+/)) {
    if (!attribute.startsWith(ENCODING_ATTRIBUTE)) continue;
    const value = attribute.slice(ENCODING_ATTRIBUTE.length).replace(/^"/, "");
    if (/^[uqb]/.test(value)) encoding = value[0].toUpperCase() as ColumnEncoding;
  }
  return encoding;
}

/**
 * Shows each line of a tab-separated body that is a row, with the position of the tab in it. The body
 * stands in `bytes` from `start` to `end`.
 */
function visitRows(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (start: number, tab: number, end: number) => void,
): void {
  for (let at = start; at < end;) {
    const lf = lineEnd(bytes, at, end);
    const tab = indexOf(bytes, TAB, at, lf);
    // A line that is empty but for a CR, or has no tab, is none.
    const stop = lf > at && bytes[lf - 1] === CR ? lf - 1 : lf;
    if (tab < stop) visit(at, tab, stop);
    at = lf + 1;
  }
}

/** The position of the LF that ends a line, or the end of the body. */
function lineEnd(bytes: Uint8Array, start: number, end: number): number {
  const near = Math.min(end, start + LOOP_SIZE);
  const at = indexOf(bytes, LF, start, near);
  if (at < near || near === end) return at;
  const far = bytes.subarray(near, end).indexOf(LF);
  return far < 0 ? end : near + far;
}

/** The rows of a tab-separated body, which stands in `bytes` from `start` to `end`. */
export function decodeRows(
  bytes: Uint8Array,
  start: number,
  end: number,
  encoding: ColumnEncoding,
): ReceivedRow[] {
  const rows: ReceivedRow[] = [];
  visitRows(bytes, start, end, (at, tab, stop) => {
    if (encoding === "") {
      rows.push([commonText(bytes, at, tab), columnOf(bytes, tab + 1, stop)]);
    } else {
      const name = decodeColumn(bytes, at, tab, encoding);
      rows.push([commonText(name, 0, name.length), decodeColumn(bytes, tab + 1, stop, encoding)]);
    }
  });
  return rows;
}

function columnOf(bytes: Uint8Array, start: number, end: number): Column {
  return end - start > SHORT ? copyOf(bytes, start, end) : toByteText(bytes, start, end);
}

/** A column as bytes. */
export function columnBytes(column: Column): Uint8Array {
  return typeof column === "string" ? fromByteText(column) : column;
}

/** The rows of a form, or of the query of a URL. */
export function decodeForm(bytes: Uint8Array): [name: Uint8Array, value: Uint8Array][] {
  const rows: [Uint8Array, Uint8Array][] = [];
  for (let at = 0; at < bytes.length;) {
    let stop = at;
    while (stop < bytes.length && bytes[stop] !== AMPERSAND && bytes[stop] !== SEMICOLON) stop++;
    while (at < stop && bytes[at] > 0 && bytes[at] <= 0x20) at++;
    if (at < stop) {
      const equals = indexOf(bytes, EQUALS, at, stop);
      rows.push([urlDecode(bytes, at, equals), urlDecode(bytes, Math.min(equals + 1, stop), stop)]);
    }
    at = stop + 1;
  }
  return rows;
}

/**
 * The input of a procedure as a server understands it: the rows of the query, overruled by those of
 * the body. The names are texts of one character per byte; values may be views of the body. An
 * encoding announced for the body is taken off the rows of the query too.
 */
export function decodeInput(
  query: Uint8Array,
  contentType: string | undefined,
  body: Uint8Array,
): Map<string, Uint8Array> {
  const input = new Map<string, Uint8Array>();
  const add = ([name, value]: readonly [Uint8Array, Uint8Array]) =>
    input.set(commonText(name, 0, name.length), value);
  if (query.length > 0) decodeForm(query).forEach(add);
  const kind = contentType === undefined ? null : parseContentType(contentType);
  if (kind === null) return input;
  if (kind === "form") {
    decodeForm(body).forEach(add);
    return input;
  }
  visitRows(body, 0, body.length, (start, tab, end) => {
    input.set(commonText(body, start, tab), body.subarray(tab + 1, end));
  });
  if (kind === "") return input;
  // Encoded names may differ and yet be equal once decoded: then the highest of them wins.
  const encoded = [...input].sort(([a], [b]) => a < b ? -1 : 1);
  input.clear();
  for (const [name, value] of encoded) {
    const bytes = fromByteText(name);
    add([
      decodeColumn(bytes, 0, bytes.length, kind),
      decodeColumn(value, 0, value.length, kind),
    ]);
  }
  return input;
}

/** The encoding that ktserver chooses for a reply. */
export function replyEncoding(rows: readonly Row[]): ColumnEncoding {
  let mustEncode = false, base64Size = 0, urlSize = 0;
  for (const row of rows) {
    for (const column of row) {
      const size = Math.min(column.length, LOOKED_AT);
      if (column.length > size) mustEncode = true;
      base64Size += Math.floor(size * 6 / 4) + 3;
      for (let i = 0; i < size; i++) {
        const c = typeof column === "string" ? charCode(column, i) : column[i];
        if (c < 0x20 || c === 0x7f) mustEncode = true;
        urlSize += isCountedAsPlain[c] === 1 ? 1 : 3;
      }
    }
  }
  return !mustEncode ? "" : base64Size < urlSize ? "B" : "U";
}

const isCountedAsPlain = Uint8Array.from(
  { length: 256 },
  (_, c) => COUNTED_AS_PLAIN.test(String.fromCharCode(c)) ? 1 : 0,
);

/**
 * The encoding that carries rows to a server in the fewest bytes: none if that is safe, else
 * quoted-printable, which is never longer than the URL encoding, or Base64.
 */
export function requestEncoding(rows: readonly Row[]): ColumnEncoding {
  if (rows.every(([name, value]) => isSafeName(name) && isSafeValue(value))) return "";
  return rowsSize(rows, "B") < rowsSize(rows, "Q") ? "B" : "Q";
}

/** How many bytes {@linkcode encodeRows} writes of rows once they are encoded. */
export function rowsSize(rows: readonly Row[], encoding: ColumnEncoding = ""): number {
  let size = 0;
  for (const [name, value] of rows) {
    size += columnSize(name, encoding) + columnSize(value, encoding) + 2;
  }
  return size;
}

function columnSize(column: Column, encoding: ColumnEncoding): number {
  return encoding === "" ? column.length : encodedSize(columnBytes(column), encoding);
}

/** Rows with their names and values encoded. */
export function encodeColumns(rows: readonly Row[], encoding: ColumnEncoding): readonly Row[] {
  if (encoding === "") return rows;
  const encode = (column: Column) => encodeColumn(columnBytes(column), encoding);
  return rows.map(([name, value]) => [encode(name), encode(value)]);
}

/** Writes rows; what is large is not copied. */
export function encodeRows(w: ByteWriter, rows: readonly Row[]): void {
  for (const [name, value] of rows) {
    encodeColumnTo(w, name);
    w.u8(TAB);
    encodeColumnTo(w, value);
    w.u8(LF);
  }
}

function encodeColumnTo(w: ByteWriter, column: Column): void {
  if (typeof column === "string") w.ascii(column);
  else w.bytes(column);
}

function isSafeName(name: Column): boolean {
  return typeof name === "string"
    ? !name.includes("\t") && !name.includes("\n")
    : !name.includes(TAB) && !name.includes(LF);
}

/** Later tabs belong to the value, and so does a CR that is not the last byte. */
function isSafeValue(value: Column): boolean {
  return typeof value === "string"
    ? !value.includes("\n") && !value.endsWith("\r")
    : !value.includes(LF) && value[value.length - 1] !== CR;
}
