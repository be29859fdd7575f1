/** How far a consumer has come, kept for the next time. */

import { formatRts, parseRts } from "../codec/rts.ts";
import type { StreamTimers } from "./source.ts";
import { readText, replaceText } from "../transport/files.ts";

/** Milliseconds between two writes. */
const INTERVAL = 1000;

/** Where to keep a time stamp: a file, or a function that takes it. */
export type CheckpointTarget = string | URL | ((timestamp: bigint) => void | Promise<void>);

/** Where a position is kept, at most once a second. */
export class Checkpoint {
  readonly #target: CheckpointTarget;
  readonly #timers: StreamTimers;
  readonly #fail: (error: unknown) => void;
  #position: bigint;
  #kept: bigint;
  #cancel: (() => void) | null = null;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    target: CheckpointTarget,
    position: bigint,
    timers: StreamTimers,
    fail: (error: unknown) => void,
  ) {
    this.#target = target;
    this.#position = this.#kept = position;
    this.#timers = timers;
    this.#fail = fail;
  }

  /** The position that the file holds, if there is one; 0 is that of a follower that got nothing. */
  async load(): Promise<bigint | undefined> {
    if (typeof this.#target === "function") return undefined;
    const content = await readText(this.#target);
    const position = content === null ? 0n : parseRts(content);
    if (position === 0n) return undefined;
    return this.#position = this.#kept = position;
  }

  note(position: bigint): void {
    this.#position = position;
    if (this.#cancel !== null || position === this.#kept) return;
    this.#cancel = this.#timers.start(INTERVAL, false, () => {
      this.#cancel = null;
      this.#write().catch(this.#fail);
    });
  }

  async flush(position: bigint): Promise<void> {
    this.#position = position;
    this.#cancel?.();
    this.#cancel = null;
    await this.#write();
  }

  #write(): Promise<void> {
    return this.#writing = this.#writing.catch(() => {}).then(async () => {
      const position = this.#position;
      if (position === this.#kept) return;
      if (typeof this.#target === "function") await this.#target(position);
      else await replaceText(this.#target, formatRts(position));
      this.#kept = position;
    });
  }
}
