/**
 * Which keys a frame holds already. Another client may write between the records of one get_bulk, so
 * of two equal keys in one frame only the second may be found, and the reply could not say which.
 * A key that may be there twice therefore begins a new frame.
 */

import { charCode } from "../codec/char_code.ts";
import { toBytes } from "../codec/writer.ts";
import type { Key } from "../types.ts";
import type { GetCall } from "./call.ts";

/** The most keys of one frame. */
export const MAX_FRAME_KEYS = 1024;
const SLOTS = MAX_FRAME_KEYS * 4;

/** A set of hashes: it may take two different keys for the same, but never two equal ones for different. */
export class KeySet {
  #hashes = new Int32Array(SLOTS);
  /** A slot is taken when it bears the current round, so that clearing costs nothing. */
  #rounds = new Uint32Array(SLOTS);
  #round = 0;

  clear(): void {
    this.#round = (this.#round + 1) >>> 0;
    if (this.#round === 0) this.#rounds.fill(0), this.#round = 1;
  }

  /** Adds a call's key, at most {@linkcode MAX_FRAME_KEYS} times; `false`: it may be there already. */
  add(call: GetCall): boolean {
    const hash = hashKey(call) ^ Math.imul(call.database, 0x9e3779b1);
    const hashes = this.#hashes, rounds = this.#rounds, round = this.#round;
    let slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    while (rounds[slot] === round) {
      if (hashes[slot] === hash) return false;
      slot = (slot + 1) & (SLOTS - 1);
    }
    rounds[slot] = round;
    hashes[slot] = hash;
    return true;
  }
}

/** A hash of a key's bytes. Text that is not ASCII is replaced by its bytes in `wireKey`. */
function hashKey(call: GetCall): number {
  let key: Key = call.wireKey;
  if (typeof key === "string") {
    let hash = key.length;
    for (let i = 0; i < key.length; i++) {
      const c = charCode(key, i);
      if (c > 0x7f) {
        key = call.wireKey = toBytes(key);
        break;
      }
      hash = Math.imul(hash ^ c, 0x01000193);
    }
    if (typeof key === "string") return hash;
  }
  let hash = key.length;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key[i], 0x01000193);
  return hash;
}
