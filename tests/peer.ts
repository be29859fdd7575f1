/** One end of a connection for tests: what came is read with patience, up to a deadline. */

import { type Channel, channelOf } from "../src/transport/channel.ts";
import type { Transport } from "../src/transport/transport.ts";

/** The other side did something else than was expected. */
export class Mismatch extends Error {
  override readonly name = "Mismatch";
}

/** A deadline `ms` milliseconds from now, in the time of `performance.now()`. */
export function deadlineIn(ms: number): number {
  return performance.now() + ms;
}

function preview(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, 80), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Peer {
  readonly #channel: Channel;
  #buffer = new Uint8Array(1024);
  #start = 0;
  #end = 0;
  #over: "end of stream" | "reset" | null = null;
  #wake: () => void = () => {};

  constructor(transport: Transport) {
    this.#channel = channelOf(transport);
    this.#channel.start({
      data: (chunk) => {
        this.#append(chunk);
        this.#wake();
      },
      end: () => this.#finish("end of stream"),
      error: () => this.#finish("reset"),
    });
  }

  #finish(how: "end of stream" | "reset"): void {
    this.#over = how;
    this.#wake();
  }

  #append(chunk: Uint8Array): void {
    const held = this.#end - this.#start;
    if (this.#end + chunk.length > this.#buffer.length) {
      const room = held + chunk.length > this.#buffer.length / 2
        ? new Uint8Array(2 * (held + chunk.length))
        : this.#buffer;
      room.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = room;
      this.#start = 0;
      this.#end = held;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** The bytes that came and were not taken, only valid until something is awaited. */
  get unread(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Waits for more bytes, the end, or the deadline. */
  async more(deadline: number): Promise<"bytes" | "over" | "late"> {
    const before = this.#end - this.#start;
    while (this.#end - this.#start === before) {
      if (this.#over !== null) return "over";
      const patience = deadline - performance.now();
      if (patience <= 0) return "late";
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, patience);
      });
      clearTimeout(timer);
    }
    return "bytes";
  }

  /** Waits for more bytes, of which `what` tells the use. */
  async #demand(deadline: number, what: () => string): Promise<void> {
    const came = await this.more(deadline);
    if (came === "bytes") return;
    const how = came === "late" ? "no more came in time" : this.#over;
    throw new Mismatch(`${how} ${what()}: ${preview(this.unread)}`);
  }

  /** The next `size` bytes, in memory of their own. */
  async take(size: number, deadline: number): Promise<Uint8Array> {
    while (this.#end - this.#start < size) {
      await this.#demand(deadline, () => `after ${this.#end - this.#start} of ${size} bytes`);
    }
    const taken = this.#buffer.slice(this.#start, this.#start + size);
    this.#start += size;
    return taken;
  }

  /** The bytes up to the next CR LF, which stays. */
  async line(deadline: number): Promise<Uint8Array> {
    for (let i = 0;; i++) {
      while (i + 1 >= this.unread.length) await this.#demand(deadline, () => "inside a line");
      if (this.unread[i] === 0x0d && this.unread[i + 1] === 0x0a) {
        return await this.take(i, deadline);
      }
    }
  }

  /** Nothing more comes, and the other side closes or resets. */
  async closed(deadline: number): Promise<void> {
    let came: string;
    while ((came = await this.more(deadline)) === "bytes");
    if (this.unread.length > 0) {
      throw new Mismatch(`surplus before the close: ${preview(this.unread)}`);
    }
    if (came === "late") throw new Mismatch("not closed");
  }

  /** Nothing comes for `ms` milliseconds, and the connection stays open. */
  async quiet(ms: number): Promise<void> {
    const came = this.unread.length > 0 ? "bytes" : await this.more(deadlineIn(ms));
    if (came === "bytes") throw new Mismatch(`bytes instead of silence: ${preview(this.unread)}`);
    if (came === "over") throw new Mismatch(`${this.#over} instead of silence`);
  }

  async send(bytes: Uint8Array): Promise<void> {
    try {
      if (bytes.length > 0) await this.#channel.write(bytes);
    } catch (error) {
      throw new Mismatch(`sending failed: ${error}`);
    }
  }

  /** Tells the other side that nothing more will come. */
  async closeWrite(): Promise<void> {
    await this.#channel.closeWrite();
  }

  close(): void {
    this.#channel.close();
  }
}
