/** The lines of which the heads of HTTP requests and replies are made. */

import { toByteText } from "./byte_text.ts";
import type { ByteReader, Decoder } from "./decoder.ts";

/** The longest line that ktserver takes: what is beyond it counts as the next line. */
export const MAX_LINE = 8191;

const LF = 0x0a, SPACE = 0x20;

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
  // The window may hold older bytes behind its end.
  const at = r.available === 0 ? -1 : r.window.indexOf(LF, r.position);
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
