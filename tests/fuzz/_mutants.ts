/** Recorded bytes, damaged: what a peer that is broken, or wishes ill, might send. */

import { concat } from "@std/bytes";
import { connectionOf, loadScenarios, type Piece, Pieces, type Scenario } from "../transcripts.ts";

/** Random numbers from 0 to below 1, the same ones for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What went over one connection of a recording. */
export interface Conversation {
  name: string;
  sent: Uint8Array;
  received: Uint8Array;
}

/** More than this is repetition. Bytes. */
const LARGEST = 8192;

/** The conversations of the golden transcripts. */
export async function recordedConversations(): Promise<Conversation[]> {
  return (await loadScenarios()).flatMap(conversationsOf);
}

function conversationsOf(scenario: Scenario): Conversation[] {
  const pieces = new Pieces(1978);
  const sides = new Map<string, { sent: Uint8Array[]; received: Uint8Array[] }>();
  for (const step of scenario.steps) {
    const [side, parts]: ["sent" | "received", Piece[]] = "send" in step ? ["sent", step.send] : [
      "received",
      "expect" in step ? step.expect : "expect_repl" in step ? step.expect_repl.flat() : [],
    ];
    // Which port it was is known only while it is played.
    if (parts.some((part) => typeof part === "object" && "port_of" in part)) return [];
    const name = connectionOf(step);
    if (!sides.has(name)) sides.set(name, { sent: [], received: [] });
    sides.get(name)![side].push(pieces.render(parts));
  }
  return [...sides].map(([connection, { sent, received }]) => ({
    name: `${scenario.name} on "${connection}"`,
    sent: concat(sent),
    received: concat(received),
  })).filter(({ sent, received }) => Math.max(sent.length, received.length) <= LARGEST);
}

/** Bytes that mean something somewhere. */
const BYTES = [0, 1, 0x7f, 0x80, 0xff, 0xb0, 0xb1, 0xb4, 0xb8, 0xb9, 0xba, 0xbf, 0x09, 0x0a, 0x0d];
/** Sizes and counts around limits, of 32 bits. */
const NUMBERS = [0, 1, 2, 0xffff, 0x1000_0000, 0x1000_0001, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
/** The same where they are written out. */
const DIGITS = [
  "0",
  "1",
  "-1",
  "268435456",
  "268435457",
  "99999999999999999999",
  "1e9",
  "0x10",
  "",
];

/** Makes mutants. */
export class Mutator {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  /** A whole number from 0 to below `n`. */
  below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** One to four damages. `others` may lend a part of theirs. */
  mutate(bytes: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
    let mutant: Uint8Array = bytes.slice();
    for (let n = 1 + this.below(4); n > 0; n--) mutant = this.#damage(mutant, others);
    return mutant;
  }

  #damage(bytes: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
    const at = this.below(bytes.length + 1);
    const size = this.below(Math.min(64, bytes.length - at) + 1);
    switch (this.below(8)) {
      case 0:
        bytes[at] ^= 1 << this.below(8);
        return bytes;
      case 1:
        bytes[at] = this.pick(BYTES);
        return bytes;
      case 2:
        return splice(bytes, at, 4, bigEndian(this.pick(NUMBERS)));
      case 3:
        return splice(bytes, at, size, new Uint8Array(0));
      case 4:
        return splice(bytes, at, 0, bytes.subarray(at, at + size));
      case 5:
        return splice(
          bytes,
          at,
          0,
          Uint8Array.from({ length: 1 + this.below(8) }, () => this.below(256)),
        );
      case 6:
        return this.#otherDigits(bytes, at);
      default: {
        const other = this.pick(others), start = this.below(other.length + 1);
        return splice(bytes, at, size, other.subarray(start, start + this.below(200)));
      }
    }
  }

  /** Another number in place of the first one behind a position. */
  #otherDigits(bytes: Uint8Array, at: number): Uint8Array {
    const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39;
    const start = bytes.findIndex((byte, i) => i >= at && isDigit(byte));
    if (start < 0) return bytes.slice(0, at);
    let end = start;
    while (end < bytes.length && isDigit(bytes[end])) end++;
    return splice(bytes, start, end - start, new TextEncoder().encode(this.pick(DIGITS)));
  }

  /** The bytes in one to three pieces, none of them empty. */
  pieces(bytes: Uint8Array): Uint8Array[] {
    const cuts = Array.from({ length: this.below(3) }, () => this.below(bytes.length + 1));
    const ends = [...new Set([...cuts, bytes.length])].sort((a, b) => a - b);
    return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end)).filter((piece) =>
      piece.length > 0
    );
  }
}

function splice(bytes: Uint8Array, at: number, size: number, put: Uint8Array): Uint8Array {
  return concat([bytes.subarray(0, at), put, bytes.subarray(Math.min(bytes.length, at + size))]);
}

function bigEndian(n: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, n);
  return bytes;
}

/** For messages: what it takes to see a mutant again. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
