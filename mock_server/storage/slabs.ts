/**
 * Memory for small payloads. A runtime takes much longer to make an array of bytes than to fill it,
 * so many payloads share one; when most of them are gone, the rest can be moved.
 */

import { putBytes } from "../../src/codec/bytes.ts";
import { payloadOf } from "./record.ts";

/** The bytes of a slab. */
const SLAB_SIZE = 64 * 1024;
/** Larger payloads have memory of their own. */
const LARGEST = 1024;
/** What may be taken beyond four times what is in use. */
const TOLERANCE = 1024 * 1024;

/** Memory that several payloads share. */
export interface Slab {
  readonly bytes: Uint8Array;
  used: number;
  /** The bytes of those payloads that are still in use. */
  live: number;
}

/** A payload and where it stands. */
export interface Placed {
  readonly bytes: Uint8Array;
  /** Where it begins. */
  readonly at: number;
  /** `null`: in memory of its own. */
  readonly slab: Slab | null;
}

/** Gives memory to payloads, and counts what is in use. */
export class Slabs {
  #current: Slab = { bytes: new Uint8Array(0), used: 0, live: 0 };
  #taken = 0;
  #live = 0;

  /** Whether so much of the memory is unused that payloads ought to be moved. */
  get isWasteful(): boolean {
    return this.#taken > 4 * this.#live + TOLERANCE;
  }

  /** Whether a payload stands in a slab where most is unused. */
  isLonely(slab: Slab | null): boolean {
    return slab !== null && slab !== this.#current && 4 * slab.live < SLAB_SIZE;
  }

  /** Copies bytes to where they can stay. They count as in use after {@linkcode use}. */
  place(from: Uint8Array, start: number, end: number): Placed {
    const size = end - start;
    if (size > LARGEST) return { bytes: from.slice(start, end), at: 0, slab: null };
    const slab = this.#room(size), { bytes, used } = slab;
    slab.used = putBytes(bytes, used, from, start, end);
    return { bytes, at: used, slab };
  }

  /** The same of a key and a value, which are put behind each other. */
  placeBoth(key: Uint8Array, value: Uint8Array): Placed {
    const size = key.length + value.length;
    if (size > LARGEST) return { bytes: payloadOf(key, value), at: 0, slab: null };
    const slab = this.#room(size), { bytes, used } = slab;
    const middle = putBytes(bytes, used, key, 0, key.length);
    slab.used = putBytes(bytes, middle, value, 0, value.length);
    return { bytes, at: used, slab };
  }

  /** A payload in a slab begins to be in use. */
  use(slab: Slab, size: number): void {
    if (slab.live === 0 && slab !== this.#current) this.#taken += SLAB_SIZE;
    slab.live += size;
    this.#live += size;
  }

  /** A payload in a slab is not in use any more. */
  free(slab: Slab, size: number): void {
    slab.live -= size;
    this.#live -= size;
    if (slab.live === 0 && slab !== this.#current) this.#taken -= SLAB_SIZE;
  }

  /** The slab that has room for so many bytes. */
  #room(size: number): Slab {
    const slab = this.#current;
    if (slab.used + size <= slab.bytes.length) return slab;
    this.#release(slab);
    this.#taken += SLAB_SIZE;
    return this.#current = { bytes: new Uint8Array(SLAB_SIZE), used: 0, live: 0 };
  }

  #release(slab: Slab): void {
    if (slab.bytes.length > 0 && slab.live === 0) this.#taken -= SLAB_SIZE;
  }
}
