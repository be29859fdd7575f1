/** A connection whose network is at the test's mercy: slow, in pieces, cut off, or silent. */

import {
  type Channel,
  channelOf,
  type Receiver,
  transportOf,
} from "../../src/transport/channel.ts";
import type { Transport } from "../../src/transport/transport.ts";
import type { SimulatedTime } from "./_time.ts";

/** How bytes travel in one direction. */
export interface DirectionPlan {
  /** Milliseconds on the way. */
  latency: number;
  /** How large the pieces are in which the first bytes arrive; 0: as they were sent. */
  piece: number;
  /** After how many bytes the connection breaks, if it does. */
  breaks?: { after: number; how: "end" | "reset" | "silence" };
}

/** What becomes of an attempt to connect, and of the connection. */
export interface LinkPlan {
  connect: "accept" | "refuse" | "throw" | "hang";
  /** Milliseconds until the attempt succeeds or fails. */
  delay: number;
  up: DirectionPlan;
  down: DirectionPlan;
  /** Milliseconds that the system takes for each write; 0: it takes it at once. */
  writing: number;
}

const CALM_DIRECTION: DirectionPlan = { latency: 0, piece: 0 };

/** A connection on which nothing goes wrong. */
export const CALM: LinkPlan = {
  connect: "accept",
  delay: 0,
  up: CALM_DIRECTION,
  down: CALM_DIRECTION,
  writing: 0,
};

/** Bytes that arrive in small pieces; more of them would only take longer. */
const PIECES_UP_TO = 512;

/** One direction: what goes in comes out later, in order, perhaps in pieces, perhaps never. */
class Direction {
  readonly #plan: DirectionPlan;
  readonly #time: SimulatedTime;
  readonly #deliver: (piece: Uint8Array) => void;
  readonly #broken: (how: "end" | "reset" | "silence") => void;
  #passed = 0;
  #isBroken = false;

  constructor(
    plan: DirectionPlan,
    time: SimulatedTime,
    deliver: (piece: Uint8Array) => void,
    broken: (how: "end" | "reset" | "silence") => void,
  ) {
    this.#plan = plan;
    this.#time = time;
    this.#deliver = deliver;
    this.#broken = broken;
  }

  /** Whatever is behind what was sent before: at once, or when that has arrived. */
  after(event: () => void): void {
    if (this.#plan.latency === 0) event();
    else this.#time.start(this.#plan.latency, event);
  }

  send(chunk: Uint8Array): void {
    // Whoever lent it will use its memory again.
    const copy = this.#plan.latency === 0 ? chunk : chunk.slice();
    this.after(() => this.#arrive(copy));
  }

  #arrive(chunk: Uint8Array): void {
    const { piece, breaks } = this.#plan;
    if (this.#isBroken) return;
    const left = breaks === undefined ? Infinity : breaks.after - this.#passed;
    const passing = chunk.subarray(0, Math.min(chunk.length, left));
    let at = 0;
    while (piece > 0 && at < passing.length && this.#passed < PIECES_UP_TO) {
      const size = Math.min(piece, passing.length - at);
      this.#passed += size;
      this.#deliver(passing.subarray(at, at += size));
    }
    if (at < passing.length) {
      this.#passed += passing.length - at;
      this.#deliver(passing.subarray(at));
    }
    if (breaks === undefined || this.#passed < breaks.after) return;
    this.#isBroken = true;
    this.#broken(breaks.how);
  }
}

/** The client's end of a connection to a server in memory. */
export class Link implements Channel {
  readonly transport: Transport = transportOf(this);
  /** Whether the client has closed it. */
  closed = false;
  readonly #time: SimulatedTime;
  readonly #server: Channel;
  readonly #writing: number;
  readonly #up: Direction;
  readonly #down: Direction;
  readonly #active: () => void;
  /** What the server is to be given, one piece after the other. */
  #arrived: Uint8Array[] = [];
  #isPassing = false;
  #endsBehind = false;
  #receiver: Receiver | null = null;
  /** Whether the client was told of an end, and hears no more. */
  #over = false;
  #silent = false;

  /** `active` is told of everything that happens. */
  constructor(server: Transport, plan: LinkPlan, time: SimulatedTime, active: () => void) {
    this.#time = time;
    this.#server = channelOf(server);
    this.#writing = plan.writing;
    this.#active = active;
    this.#up = new Direction(
      plan.up,
      time,
      (piece) => {
        this.#arrived.push(piece.slice());
        this.#pass();
      },
      (how) => this.#break(how),
    );
    this.#down = new Direction(
      plan.down,
      time,
      (piece) => this.#tell((receiver) => receiver.data(piece)),
      (how) => this.#break(how),
    );
  }

  async #pass(): Promise<void> {
    if (this.#isPassing) return;
    this.#isPassing = true;
    try {
      for (let piece; (piece = this.#arrived.shift()) !== undefined;) {
        await this.#server.write(piece);
        this.#active();
      }
    } catch {
      // The server is gone, of which the other direction tells.
    }
    this.#isPassing = false;
    if (this.#endsBehind) this.#server.close();
  }

  /** Closes the server's side when it has been given everything. */
  #finish(): void {
    this.#endsBehind = true;
    if (!this.#isPassing) this.#server.close();
  }

  /** Ends the connection on both sides. */
  sever(): void {
    this.#break("reset");
  }

  #break(how: "end" | "reset" | "silence"): void {
    if (how === "end") this.#tell((receiver) => receiver.end(), true);
    else if (how === "reset") this.#tell((r) => r.error(new Error("connection reset")), true);
    this.#silent = true;
    // Where there is silence the server does not hear of it either.
    if (how !== "silence") this.#finish();
  }

  #tell(event: (receiver: Receiver) => void, isLast = false): void {
    if (this.closed || this.#over || this.#silent || this.#receiver === null) return;
    this.#over = isLast;
    this.#active();
    event(this.#receiver);
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    this.#server.start({
      data: (chunk) => {
        this.#active();
        this.#down.send(chunk);
      },
      end: () => this.#down.after(() => this.#tell((r) => r.end(), true)),
      error: (reason) => this.#down.after(() => this.#tell((r) => r.error(reason), true)),
    });
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.closed || this.#over) return Promise.reject(new Error("the link is closed"));
    this.#active();
    if (!this.#silent) this.#up.send(chunk);
    return this.#writing === 0 ? undefined : this.#time.sleep(this.#writing);
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  pause(): void {
    throw new Error("Cannot pause: the client has no reason to");
  }

  resume(): void {}

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#active();
    if (!this.#silent) this.#up.after(() => this.#finish());
  }

  ref(): void {}

  unref(): void {}
}
