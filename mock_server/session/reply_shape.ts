/** How a fault changes the bytes of a reply on their way out. */

import type { FaultAction } from "./faults.ts";

const NO_MAGIC = 0x42;
const DEFAULT_GAP = 10;

/** Changes bytes, counted from the beginning of the reply. Those of a stream it changes to its end. */
export class ReplyShape {
  readonly #corruptAt: number = Infinity;
  readonly #corruptTo: number | undefined;
  readonly #limit: number = Infinity;
  readonly #closes: boolean = false;
  readonly #cuts: Set<number> = new Set();
  /** Milliseconds before each piece but the first. */
  readonly gap: number = 0;
  #sent = 0;

  /** Makes the shape that an action gives; `"silence"` lets nothing through. */
  constructor(action: FaultAction | "silence") {
    if (action === "silence") this.#limit = 0;
    else if (action === "wrong-magic") [this.#corruptAt, this.#corruptTo] = [0, NO_MAGIC];
    else if (typeof action !== "object") return;
    else if ("corrupt" in action) [this.#corruptAt, this.#corruptTo] = [action.corrupt, action.to];
    else if ("truncate" in action) [this.#limit, this.#closes] = [action.truncate, true];
    else if ("split" in action) {
      this.gap = action.gap ?? DEFAULT_GAP;
      let at = 0;
      for (const size of action.split) this.#cuts.add(at += size);
    }
  }

  /** Whether the connection is to be closed, as nothing more will pass. */
  get isCutOff(): boolean {
    return this.#closes && this.#sent >= this.#limit;
  }

  /** The next bytes of the reply as they are to be sent, in pieces. They are changed in place. */
  apply(bytes: Uint8Array): Uint8Array[] {
    const start = this.#sent;
    const end = Math.min(start + bytes.length, this.#limit);
    this.#sent = end;
    if (this.#corruptAt >= start && this.#corruptAt < end) {
      const at = this.#corruptAt - start;
      bytes[at] = this.#corruptTo ?? bytes[at] ^ 0xff;
    }
    const cuts = [...this.#cuts].filter((cut) => cut > start && cut < end);
    return [start, ...cuts].map((from, i) =>
      bytes.subarray(from - start, (cuts[i] ?? end) - start)
    );
  }
}
