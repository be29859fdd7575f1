/** The HTTP decoders, driven as a server's and a client's read loops do it. */

import { toByteText } from "../../src/codec/byte_text.ts";
import { type ByteReader, type Decoder, Feed } from "../../src/codec/decoder.ts";
import { decodeHttpReply, type HttpReply } from "../../src/codec/http_reply.ts";
import {
  decodeHttpRequest,
  type HttpRefusal,
  type HttpRequest,
} from "../../src/codec/http_request.ts";
import { columnBytes, type Row } from "../../src/codec/tsv.ts";
import { ByteWriter } from "../../src/codec/writer.ts";

export type Received = HttpRequest | HttpRefusal | "closed";

/** Bytes of a text of one character each. */
export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** Rows with all columns as bytes. */
export function asBytes(rows: readonly Row[]): [name: Uint8Array, value: Uint8Array][] {
  return rows.map(([name, value]) => [columnBytes(name), columnBytes(value)]);
}

/** Rows with all columns as texts of one character per byte. */
export function asTexts(rows: readonly Row[]): [name: string, value: string][] {
  return asBytes(rows).map(([name, value]) => [
    toByteText(name, 0, name.length),
    toByteText(value, 0, value.length),
  ]);
}

/** What a writer holds after `write`. */
export function written(write: (w: ByteWriter) => void): Uint8Array {
  const w = new ByteWriter();
  write(w);
  return w.copy();
}

/** Requests until one closes the connection; the last one may be unfinished. */
export function readHttpRequests(
  pieces: Iterable<Uint8Array>,
  interruption?: unknown,
): Received[] {
  const received: Received[] = [];
  const feed = new Feed(function* (r): Decoder<void> {
    for (;;) {
      if (r.available < 1) yield 1;
      const request = yield* decodeHttpRequest(r);
      received.push(request ?? "closed");
      if (request === null || "message" in request || !request.keepAlive) return;
    }
  });
  for (const piece of pieces) feed.push(piece);
  if (interruption !== undefined) feed.interrupt(interruption);
  return received;
}

/** The replies to requests with these methods. */
export function readHttpReplies(
  pieces: Iterable<Uint8Array>,
  methods: readonly string[],
  maxBytes = 2 ** 30,
): HttpReply[] {
  const replies: HttpReply[] = [];
  const feed = new Feed(function* (r): Decoder<void> {
    for (const method of methods) {
      replies.push(yield* decodeHttpReply(r, maxBytes, method === "HEAD"));
    }
  });
  for (const piece of pieces) feed.push(piece);
  return replies;
}

/** What a decoder makes of a stream that comes in pieces; `undefined` while it is unfinished. */
export function decodeFrom<T>(
  pieces: Iterable<Uint8Array>,
  decoder: (r: ByteReader) => Decoder<T>,
): T | undefined {
  let result: T | undefined;
  const feed = new Feed(function* (r) {
    result = yield* decoder(r);
  });
  for (const piece of pieces) feed.push(piece);
  return result;
}
