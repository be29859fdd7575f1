/** A socket without a system behind it: every step is the test's. */

import { concat } from "@std/bytes";
import { type Channel, type Receiver, transportOf } from "../../src/transport/channel.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { parseRequests, type PlainRequest } from "../plain_parser.ts";

export class FakeSocket implements Channel {
  readonly transport: Transport = transportOf(this);
  /** A copy of each write. */
  readonly writes: Uint8Array[] = [];
  closed = false;
  referenced = true;
  /** Whether writes take until {@linkcode take}. */
  stalled = false;
  #receiver: Receiver | null = null;
  readonly #early: (() => void)[] = [];
  #pending: PromiseWithResolvers<void> | null = null;

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    for (const event of this.#early.splice(0)) event();
  }

  /** What happens before anybody listens is told at once when somebody does. */
  #tell(event: (receiver: Receiver) => void): void {
    const told = () => {
      if (!this.closed) event(this.#receiver!);
    };
    if (this.#receiver === null) this.#early.push(told);
    else told();
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.closed) return Promise.reject(new Error("the socket is closed"));
    if (this.#pending !== null) throw new Error("Cannot write: another write is pending");
    this.writes.push(chunk.slice());
    if (!this.stalled) return undefined;
    this.#pending = Promise.withResolvers<void>();
    return this.#pending.promise;
  }

  /** Bytes of the write that is not taken yet. */
  get untaken(): number {
    return this.#pending === null ? 0 : this.writes.at(-1)!.length;
  }

  /** The system takes what was written. */
  take(): void {
    const pending = this.#pending;
    this.#pending = null;
    pending?.resolve();
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  pause(): void {}

  resume(): void {}

  close(): void {
    this.closed = true;
    this.#pending?.reject(new Error("the socket was closed"));
    this.#pending = null;
  }

  ref(): void {
    this.referenced = true;
  }

  unref(): void {
    this.referenced = false;
  }

  /** The server's bytes come, in one piece. */
  receive(...bytes: Uint8Array[]): void {
    this.#tell((receiver) => receiver.data(concat(bytes)));
  }

  /** The server closes. */
  end(): void {
    this.#tell((receiver) => receiver.end());
  }

  /** The connection breaks. */
  fail(reason: unknown): void {
    this.#tell((receiver) => receiver.error(reason));
  }

  /** Everything that was written. */
  get written(): Uint8Array {
    return concat(this.writes);
  }

  /** The requests that were written. */
  get requests(): PlainRequest[] {
    return parseRequests(this.written).requests;
  }

  /** The same in short, such as `"get 0:a 1:b"`, `"set 0:k=v"`, `"script p k=v"`. */
  get sent(): string[] {
    return this.requests.map(brief);
  }
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A request in short; a no-reply request ends with an exclamation mark. */
export function brief({ kind, flags, name, records }: PlainRequest): string {
  const words = records.map(({ database, key, value }) =>
    (kind === "script" ? "" : `${database}:`) + text(key) +
    (kind === "set" || kind === "script" ? `=${text(value)}` : "")
  );
  const mark = kind !== "get" && (flags & 1) === 1 ? "!" : "";
  return [kind + mark, ...(kind === "script" ? [text(name)] : []), ...words].join(" ");
}
