/** A client of HTTP for tests: one connection, replies in the order of the requests. */

import type { MockServer } from "../../mock_server/mod.ts";
import { type ByteReader, type Decoder, Feed } from "../../src/codec/decoder.ts";
import {
  decodeHttpReply,
  decodeRpcReply,
  type HttpReply,
  type RpcReply,
} from "../../src/codec/http_reply.ts";
import { encodeRpcRequest } from "../../src/codec/http_request.ts";
import type { Row } from "../../src/codec/tsv.ts";
import { toBytes } from "../../src/codec/writer.ts";
import type { Key } from "../../src/types.ts";
import { type Channel, channelOf } from "../../src/transport/channel.ts";
import { asTexts, latin1, written } from "../codec/_http.ts";

const MAX_BYTES = 2 ** 28;

interface Waiting {
  read: (r: ByteReader) => Decoder<void>;
  reject: (reason: unknown) => void;
}

/** What a procedure answered: rows as texts of one character per byte. */
export interface Answer {
  status: number;
  rows: Record<string, string>;
}

export class HttpPeer implements Disposable {
  readonly #channel: Channel;
  readonly #waiting: Waiting[] = [];
  #closed = false;

  /** Connects without a socket. */
  constructor(server: MockServer) {
    this.#channel = channelOf(server.connectInMemory());
    const feed = new Feed((r) => this.#read(r));
    this.#channel.start({
      data: (chunk) => void feed.push(chunk),
      end: () => this.#end(),
      error: () => this.#end(),
    });
  }

  /** Whether the server has closed the connection. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Calls a procedure; the status and the rows of the reply. */
  async call(procedure: string, rows: Record<string, Key | number | bigint> = {}): Promise<Answer> {
    const given = Object.entries(rows).map(([name, value]): Row => [
      latin1(name),
      typeof value === "object" ? value : toBytes(String(value)),
    ]);
    const reply = await this.rpc(procedure, given);
    return {
      status: reply.status,
      rows: Object.fromEntries(asTexts(reply.rows)),
    };
  }

  /** Calls a procedure with rows of any bytes. */
  rpc(procedure: string, rows: readonly Row[]): Promise<RpcReply> {
    const reply = this.#expect((r) => decodeRpcReply(r, MAX_BYTES));
    this.send(written((w) => encodeRpcRequest(w, procedure, rows)));
    return reply;
  }

  /** Sends a request as it stands, one character for each byte. */
  request(text: string): Promise<HttpReply> {
    const reply = this.#expect((r) => decodeHttpReply(r, MAX_BYTES, text.startsWith("HEAD ")));
    this.send(latin1(text));
    return reply;
  }

  /** Sends bytes of any kind. */
  send(bytes: Uint8Array): void {
    this.#channel.write(bytes)?.catch(() => {});
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    this.#channel.close();
    this.#end();
  }

  #expect<T>(decode: (r: ByteReader) => Decoder<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.#closed) reject(new Error("the connection is closed"));
    const read = function* (r: ByteReader): Decoder<void> {
      resolve(yield* decode(r));
    };
    this.#waiting.push({ read, reject });
    return promise;
  }

  *#read(r: ByteReader): Decoder<void> {
    for (;;) {
      if (r.available < 1) yield 1;
      const [next] = this.#waiting;
      if (next === undefined) throw new Error("a reply came that was not asked for");
      yield* next.read(r);
      this.#waiting.shift();
    }
  }

  #end(): void {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("the connection is closed"));
  }
}
