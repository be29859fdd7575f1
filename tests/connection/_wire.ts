/** A request queue with both ends of its wire in the test's hand. */

import { concat } from "@std/bytes";
import { Feed } from "../../src/codec/decoder.ts";
import { ByteWriter } from "../../src/codec/writer.ts";
import type { Call } from "../../src/connection/call.ts";
import {
  type BatchLimits,
  DEFAULT_BATCH,
  RequestQueue,
} from "../../src/connection/request_queue.ts";
import { parseRequests } from "../plain_parser.ts";
import { brief } from "./_fake_socket.ts";

export class Wire {
  readonly queue: RequestQueue;
  /** How many replies have come. */
  replies = 0;
  readonly #writer = new ByteWriter();
  readonly #feed: Feed;

  constructor(limits: Partial<BatchLimits> = {}, maxReplyBytes = 2 ** 29) {
    this.queue = new RequestQueue({ ...DEFAULT_BATCH, ...limits }, maxReplyBytes);
    this.#feed = new Feed((r) => this.queue.replies(r, () => this.replies++));
  }

  push(...calls: Call[]): void {
    for (const call of calls) this.queue.push(call);
  }

  /** One write: what has left, byte by byte. */
  encode(): Uint8Array {
    this.#writer.reset();
    this.queue.encode(this.#writer);
    const bytes = this.#writer.copy();
    this.queue.left();
    return bytes;
  }

  /** One write, its requests in short: see {@linkcode brief}. */
  send(...calls: Call[]): string[] {
    this.push(...calls);
    return parseRequests(this.encode()).requests.map(brief);
  }

  receive(...bytes: Uint8Array[]): void {
    this.#feed.push(concat(bytes));
  }
}
