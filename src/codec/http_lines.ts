/** The lines of which the heads of HTTP requests and replies are made. */

import { fromByteText, toByteText } from "./byte_text.ts";
import { indexOf } from "./bytes.ts";
import type { ByteReader, Decoder } from "./decoder.ts";

/** The longest line that ktserver takes: what is beyond it counts as the next line. */
export const MAX_LINE = 8191;

const EMPTY: Uint8Array = new Uint8Array(0);

const NUL = 0, LF = 0x0a, CR = 0x0d, SPACE = 0x20;

/** A line as a server understands it, without its end: the bytes from `start` to `end`. */
export class Line {
  /** Where it stands; valid until the next suspension. */
  bytes = EMPTY;
  start = 0;
  end = 0;

  /** Takes the next line where it stands, if it is at hand and nothing has to be left out of it. */
  take(r: ByteReader): boolean {
    const { window, position, end } = r;
    for (let at = position; at < end; at++) {
      const c = window[at];
      if (c > CR) continue;
      if (c === LF) {
        if (at - position >= MAX_LINE) return false;
        this.bytes = window;
        this.start = position;
        this.end = at > position && window[at - 1] === CR ? at - 1 : at;
        r.position = at + 1;
        return true;
      }
      if (c === NUL || (c === CR && window[at + 1] !== LF)) return false;
    }
    return false;
  }

  /** Takes the next line as {@linkcode decodeLine} does, and cuts it at a NUL, as the server's texts. */
  *gather(r: ByteReader): Decoder<void> {
    const text = yield* decodeLine(r);
    const nul = text.indexOf("\0");
    this.bytes = fromByteText(text);
    this.start = 0;
    this.end = nul < 0 ? text.length : nul;
  }
}

/**
 * The next line without its end, one character per byte. CRs are dropped wherever they stand. A line
 * of more than {@linkcode MAX_LINE} bytes is cut there.
 */
export function* decodeLine(r: ByteReader): Decoder<string> {
  let line = "";
  for (;;) {
    const start = r.position, found = lineEnd(r);
    // Twice the room, as CRs take none; they are rare, so that this is rarely not enough.
    const stop = Math.min(found < 0 ? r.end : found, start + 2 * MAX_LINE);
    const part = toByteText(r.window, start, stop);
    const plain = part.includes("\r") ? part.replaceAll("\r", "") : part;
    if (line.length + plain.length >= MAX_LINE) {
      const room = MAX_LINE - line.length;
      r.position = start + positionBehind(part, room);
      return line + plain.slice(0, room);
    }
    line += plain;
    r.position = stop;
    if (stop === found) {
      r.position++;
      return line;
    }
    if (r.available === 0) yield 1;
  }
}

/** The position of the LF that ends the next line, if that is at hand; else -1. */
export function lineEnd(r: ByteReader): number {
  const at = indexOf(r.window, LF, r.position, r.end);
  return at < r.end ? at : -1;
}

/** How many characters have to be read until `count` of them are no CRs. */
function positionBehind(text: string, count: number): number {
  let at = 0;
  for (let left = count; left > 0; at++) {
    if (text[at] !== "\r") left--;
  }
  return at;
}

/** The name, in small letters, and the value of a header; `null` for a line that is none. */
export function splitHeader(line: string): [name: string, value: string] | null {
  const colon = line.indexOf(":");
  if (colon < 0) return null;
  const name = line.slice(0, colon).trim().toLowerCase();
  if (name === "") return null;
  let start = colon + 1;
  while (line.charCodeAt(start) === SPACE) start++;
  return [name, line.slice(start)];
}
