/** A master in the hands of a test: its ends of the connections, and the time. */

import { exponentialBackoff } from "../../src/connection/backoff.ts";
import type { ReplicationOptions, Update } from "../../src/replication/options.ts";
import { type ReplicationParts, ReplicationStream } from "../../src/replication/stream.ts";
import { type Channel, type Receiver, transportOf } from "../../src/transport/channel.ts";
import type { Connector } from "../../src/transport/transport.ts";
import type { Key } from "../../src/types.ts";
import { FakeTimers, turn } from "../fake_timers.ts";

const ACKNOWLEDGEMENT = 0xb1;

/** The master's end of one connection. */
export class MasterEnd implements Channel {
  /** What the follower asked for: 15 bytes. */
  request = new Uint8Array(0);
  /** What came behind the request. */
  received: number[] = [];
  closed = false;
  paused = false;
  /** Whether the connection keeps the process alive. */
  referenced = true;
  #receiver!: Receiver;
  #held: Uint8Array[] = [];
  #over: (() => void) | null = null;

  /** How many heartbeats were acknowledged; anything but acknowledgements is an error. */
  get acknowledgements(): number {
    if (this.received.some((byte) => byte !== ACKNOWLEDGEMENT)) throw new Error("not all are b1");
    return this.received.length;
  }

  /** Sends a piece; what the follower does not read now waits. */
  send(...pieces: (Uint8Array | readonly number[])[]): void {
    for (const piece of pieces) this.#held.push(Uint8Array.from(piece));
    this.#deliver();
  }

  /** Ends the connection, behind what was sent. */
  end(): void {
    this.#over = () => this.#receiver.end();
    this.#deliver();
  }

  /** Breaks the connection, behind what was sent. */
  break(reason: unknown = new Error("reset")): void {
    this.#over = () => this.#receiver.error(reason);
    this.#deliver();
  }

  /** Bytes that wait for the follower to read. */
  get held(): number {
    return this.#held.reduce((sum, piece) => sum + piece.length, 0);
  }

  #deliver(): void {
    while (!this.paused && !this.closed && this.#held.length > 0) {
      const piece = this.#held.shift()!;
      // The follower is to keep nothing of it.
      this.#receiver.data(piece);
      piece.fill(0xee);
    }
    if (this.#held.length > 0 || this.paused || this.closed) return;
    const over = this.#over;
    this.#over = null;
    over?.();
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
  }

  write(chunk: Uint8Array): undefined {
    if (this.closed) throw new Error("a write after the close");
    if (this.request.length === 0) this.request = chunk.slice();
    else this.received.push(...chunk);
  }

  closeWrite(): Promise<void> {
    return Promise.reject(new Error("a follower does not close one side"));
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.#deliver();
  }

  close(): void {
    this.closed = true;
  }

  ref(): void {
    this.referenced = true;
  }

  unref(): void {
    this.referenced = false;
  }
}

/** Accepts, or refuses, the connections of one follower. */
export class Master {
  readonly timers: FakeTimers = new FakeTimers();
  readonly ends: MasterEnd[] = [];
  /** Signals of the attempts to connect. */
  readonly attempts: AbortSignal[] = [];
  /** What happens to attempts: they succeed, fail with an error, or never end. */
  connecting: "succeeds" | "hangs" | Error = "succeeds";

  readonly connector: Connector = (signal) => {
    this.attempts.push(signal);
    if (this.connecting === "hangs") return new Promise<never>(() => {});
    if (this.connecting instanceof Error) throw this.connecting;
    const end = new MasterEnd();
    this.ends.push(end);
    return transportOf(end);
  };

  get parts(): ReplicationParts {
    return {
      timers: this.timers,
      backoff: exponentialBackoff(100, 1000, () => 1),
      now: () => 1_700_000_000_123,
    };
  }

  follow<V = Uint8Array, K extends Key = Uint8Array>(
    options: ReplicationOptions<V> = {},
  ): ReplicationStream<V, K> {
    return new ReplicationStream<V, K>(this.connector, options, this.parts);
  }

  /** The latest connection, once it was made. */
  async end(): Promise<MasterEnd> {
    await turn();
    return this.ends.at(-1)!;
  }

  /** The latest connection, accepted, once it was made. */
  async accepted(): Promise<MasterEnd> {
    const end = await this.end();
    end.send([0xb1]);
    return end;
  }
}

/** What became of a promise. */
export class Outcome<T> {
  value: T | undefined;
  error: unknown;
  settled = false;

  constructor(promise: Promise<T>) {
    promise.then((value) => this.value = value, (error) => this.error = error)
      .then(() => this.settled = true);
  }
}

/** A few words on an update: "set k=v", "remove k", "clear". */
export function brief({ op, key, value }: Update<Uint8Array, Uint8Array>): string {
  const decoder = new TextDecoder();
  if (op === "clear") return op;
  return op === "set"
    ? `set ${decoder.decode(key)}=${decoder.decode(value)}`
    : `remove ${decoder.decode(key)}`;
}
