/**
 * How bytes that arrive in arbitrary pieces become messages.
 *
 * A {@linkcode Decoder} is a generator over a {@linkcode ByteReader}. It reads in place from the piece
 * that has just arrived, and only where that ends too early it yields how many bytes it needs in one
 * run; it then consumes exactly these. So a message that lies whole in a piece costs no suspension
 * and no copy, and one that straddles pieces needs no second implementation.
 */

import { copyOf, i64At, u32At } from "./bytes.ts";

/** Yields the number of contiguous bytes it needs next, or a promise to be settled first. */
export type Decoder<T> = Generator<number | Promise<void>, T, void>;

const EMPTY = new Uint8Array(0);

/** A window on received bytes, and a position in it. Multi-byte numbers are big-endian. */
export class ByteReader {
  /** The bytes at hand; those from `position` to `end` are unread. Valid until the next suspension. */
  window: Uint8Array = EMPTY;
  position = 0;
  end = 0;

  /** How many unread bytes are at hand. */
  get available(): number {
    return this.end - this.position;
  }

  u8(): number {
    return this.window[this.position++];
  }

  u16(): number {
    const w = this.window, p = this.position;
    this.position = p + 2;
    return (w[p] << 8) | w[p + 1];
  }

  u32(): number {
    const p = this.position;
    this.position = p + 4;
    return u32At(this.window, p);
  }

  /** A 40-bit unsigned number, exact. */
  u40(): number {
    return this.u8() * 0x1_0000_0000 + this.u32();
  }

  /** A signed 64-bit number, as {@linkcode i64At} gives it. */
  i64(): number {
    const p = this.position;
    this.position = p + 8;
    return i64At(this.window, p);
  }

  /** An unsigned 64-bit number, exact. */
  u64(): bigint {
    const high = this.u32();
    return (BigInt(high) << 32n) | BigInt(this.u32());
  }

  skip(size: number): void {
    this.position += size;
  }

  /** The next `size` bytes, which must be at hand, in memory of their own. */
  copy(size: number): Uint8Array {
    const start = this.position;
    this.position = start + size;
    return copyOf(this.window, start, start + size);
  }

  /** Copies as many bytes as are at hand and fit to `target` from `offset` on; returns how many. */
  copyInto(target: Uint8Array, offset: number): number {
    const size = Math.min(this.available, target.length - offset);
    const start = this.position;
    target.set(this.window.subarray(start, start + size), offset);
    this.position = start + size;
    return size;
  }
}

/** Memory that may be taken before bytes have arrived for it. */
const FIRST_CAPACITY = 256 * 1024;

/**
 * Gathers `size` bytes into memory of their own. Memory is taken as bytes arrive, not as announced:
 * the buffer starts small and doubles, so a peer that announces much and sends little costs little.
 */
export function* collect(reader: ByteReader, size: number): Decoder<Uint8Array> {
  let buffer = new Uint8Array(Math.min(size, Math.max(FIRST_CAPACITY, reader.available)));
  let filled = 0;
  for (;;) {
    filled += reader.copyInto(buffer, filled);
    if (filled === size) return buffer;
    if (filled === buffer.length) {
      const larger = new Uint8Array(Math.min(size, buffer.length * 2));
      larger.set(buffer);
      buffer = larger;
    } else {
      yield 1;
    }
  }
}

/** Drives one decoder with the pieces that arrive. */
export class Feed {
  readonly reader: ByteReader = new ByteReader();
  #decoder: Decoder<unknown>;
  /** What the decoder waits for: this many bytes in one run. */
  #need = 0;
  /** Unread bytes kept from earlier pieces, fewer than are needed. */
  #carry = new Uint8Array(64);
  #carried = 0;
  #done = false;
  /** Whether the decoder waits for a promise. */
  #waits = false;

  /**
   * Starts the decoder that `start` makes for this feed's reader, up to its first need, which must be
   * bytes: there is nobody yet to be told of a promise.
   */
  constructor(start: (reader: ByteReader) => Decoder<unknown>) {
    this.#decoder = start(this.reader);
    if (this.#run() !== undefined) {
      throw new Error("Cannot start a decoder: it waits for a promise before any bytes");
    }
  }

  /** Whether the decoder has returned or thrown; later pieces are dropped. */
  get done(): boolean {
    return this.#done;
  }

  /** How many bytes of an unfinished demand are held back. */
  get carried(): number {
    return this.#carried;
  }

  /**
   * Gives the decoder the next piece. `chunk` is not kept. Throws what the decoder throws.
   *
   * When the decoder waits for a promise, the result is a promise that settles once this piece has
   * been consumed after all; until then `push` and `interrupt` throw.
   */
  push(chunk: Uint8Array): void | Promise<void> {
    if (this.#done) return;
    if (this.#waits) throw new Error("Cannot push: the decoder waits for a promise");
    let start = 0;
    while (this.#carried > 0) {
      const size = Math.min(Math.max(0, this.#need - this.#carried), chunk.length - start);
      this.#keep(chunk, start, start += size);
      if (this.#carried < this.#need) return;
      this.#show(this.#carry, 0, this.#carried);
      this.#carried = 0;
      const promise = this.#run();
      const { window, position, end } = this.reader;
      if (promise !== undefined) {
        const rest = new Uint8Array(end - position + chunk.length - start);
        rest.set(window.subarray(position, end));
        rest.set(chunk.subarray(start), end - position);
        return this.#later(promise, rest);
      }
      if (this.#done) return;
      this.#carry.copyWithin(0, position, end);
      this.#carried = end - position;
    }
    if (start === chunk.length && start > 0) return;
    this.#show(chunk, start, chunk.length);
    if (chunk.length - start >= this.#need) {
      const promise = this.#run();
      if (promise !== undefined) {
        const { window, position, end } = this.reader;
        return this.#later(promise, window.slice(position, end));
      }
    }
    const { window, position, end } = this.reader;
    if (!this.#done && position < end) this.#keep(window, position, end);
    this.#show(EMPTY, 0, 0);
  }

  /** Makes the decoder's current wait throw `reason`: the stream ended, or a time limit passed. */
  interrupt(reason: unknown): void | Promise<void> {
    if (this.#done) return;
    if (this.#waits) throw new Error("Cannot interrupt: the decoder waits for a promise");
    this.#carried = 0;
    this.#show(EMPTY, 0, 0);
    const promise = this.#run(reason);
    if (promise !== undefined) return this.#later(promise, EMPTY);
  }

  async #later(promise: Promise<void>, rest: Uint8Array): Promise<void> {
    for (let next: Promise<void> | void = promise; next !== undefined;) {
      // A rejection goes to the decoder, whose suspension it ends.
      let thrown: [unknown?] = [];
      try {
        await next;
      } catch (error) {
        thrown = [error];
      }
      this.#show(rest, 0, rest.length);
      next = this.#run(...thrown);
      const { window, position, end } = this.reader;
      rest = window.subarray(position, end);
    }
    if (!this.#done && rest.length > 0) this.#keep(rest, 0, rest.length);
    this.#show(EMPTY, 0, 0);
  }

  /** Resumes the decoder until it needs more than is at hand; returns a promise it waits for. */
  #run(...thrown: [unknown?]): Promise<void> | undefined {
    try {
      this.#waits = false;
      let step = thrown.length > 0 ? this.#decoder.throw(thrown[0]) : this.#decoder.next();
      for (;;) {
        if (step.done) {
          this.#done = true;
          return;
        }
        if (typeof step.value !== "number") {
          this.#need = 0;
          this.#waits = true;
          return step.value;
        }
        if (this.reader.available < step.value) {
          this.#need = step.value;
          return;
        }
        step = this.#decoder.next();
      }
    } catch (error) {
      this.#done = true;
      throw error;
    }
  }

  #show(window: Uint8Array, position: number, end: number): void {
    const reader = this.reader;
    reader.window = window;
    reader.position = position;
    reader.end = end;
  }

  #keep(from: Uint8Array, start: number, end: number): void {
    const carried = this.#carried + end - start;
    if (carried > this.#carry.length) {
      const larger = new Uint8Array(Math.max(carried, this.#need));
      larger.set(this.#carry.subarray(0, this.#carried));
      this.#carry = larger;
    }
    this.#carry.set(from.subarray(start, end), this.#carried);
    this.#carried = carried;
  }
}
