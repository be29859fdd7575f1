/** What can be followed, from where on, and what comes of it. */

import { checkCallOptions, describe } from "../arguments.ts";
import type { Key } from "../types.ts";
import type { Codec } from "../value_codec.ts";

const STAMPS_PER_MILLISECOND = 1_000_000n;
const LAST_STAMP = (1n << 64n) - 1n;

/** An update that a server has made: a record was stored or removed, or a database cleared. */
export type Update<V = Uint8Array, K extends Key = Uint8Array> =
  & {
    /**
     * Milliseconds since 1970, times 1,000,000, plus a counter: unique within the log of the server
     * that is followed, and rising.
     */
    timestamp: bigint;
    /** The id of the server where the update was first made. */
    serverId: number;
    /** The index of the database. */
    database: number;
  }
  & (
    | { op: "set"; key: K; value: V; expiresAt: Date | null }
    | { op: "remove"; key: K; value: null; expiresAt: null }
    | { op: "clear"; key: null; value: null; expiresAt: null }
  );

/** Where to begin to follow. */
export type Since = bigint | Date | "beginning" | "now";

/** What to follow, and how. `V` is the type of values. */
export interface ReplicationOptions<V = Uint8Array> {
  /**
   * Where to begin: behind the update with this time stamp, at this moment, at the beginning of the
   * server's log (the default), or now. Moments are those of this machine's clock.
   */
  since?: Since;
  /** Whose updates to leave out, 0 to 65535, or with `only` to follow. Default 65535: nobody's. */
  serverId?: number;
  /** Whether to follow the updates of `serverId` alone. Default `false`: all but those. */
  only?: boolean;
  /** Ends the stream with the signal's reason. */
  signal?: AbortSignal;
  /** How keys are given. Default `"bytes"`; `"text"` ends the stream at a key that is not UTF-8. */
  keys?: "bytes" | "text";
  /** How values are decoded. Default: the client's codec. */
  codec?: Codec<V, never>;
  /**
   * Whether to connect again when the connection breaks, and go on behind the last update. Default
   * `true`; the first connection must succeed in any case.
   */
  resume?: boolean;
  /**
   * Where to keep how far the consumer has come, at most once a second and at the end: a function, or
   * a file in Kyoto Tycoon's own format, which is written as a whole. If the file exists, the stream
   * begins where it says, not at `since`.
   *
   * An update counts as done when the consumer asks for the next one. The one in hand when a loop is
   * left, by `break` or by an exception, does not: it comes again to whoever goes on from there.
   */
  checkpoint?: string | URL | ((timestamp: bigint) => void | Promise<void>);
  /** The databases that the server opened with `#ktopts=p`, by index: the log does not tell. */
  persistent?: readonly number[];
}

/** The stamp behind which to begin. Updates of a moment's own millisecond are still to come. */
export function stampOf(since: Since, now: () => number): bigint {
  if (typeof since === "bigint") return since;
  if (since === "beginning") return 0n;
  const milliseconds = since === "now" ? now() : since.getTime();
  const stamp = BigInt(Math.floor(milliseconds)) * STAMPS_PER_MILLISECOND - 1n;
  return stamp < 0n ? 0n : stamp > LAST_STAMP ? LAST_STAMP : stamp;
}

/** What is wrong with the options, if anything is. */
export function checkOptions(options: ReplicationOptions<unknown>): TypeError | RangeError | null {
  const { since = "beginning", serverId, only, keys = "bytes", checkpoint } = options;
  const not = (name: string, value: unknown, what: string) =>
    `Cannot replicate: "${name}" is ${describe(value)}, not ${what}`;
  if (typeof since === "bigint") {
    if (since < 0n || since > LAST_STAMP) {
      return new RangeError(`Cannot replicate: "since" is ${since}, not a time stamp of 64 bits`);
    }
  } else if (since instanceof Date) {
    if (Number.isNaN(since.getTime())) {
      return new RangeError('Cannot replicate: "since" is an invalid date');
    }
  } else if (since !== "beginning" && since !== "now") {
    return new TypeError(not("since", since, 'a bigint, a Date, "beginning" or "now"'));
  }
  if (serverId === undefined) {
    if (only) return new TypeError('Cannot replicate: "only" is true, but "serverId" is not given');
  } else if (!Number.isInteger(serverId) || serverId < 0 || serverId > 0xffff) {
    return new RangeError(not("serverId", serverId, "a whole number from 0 to 65535"));
  }
  if (keys !== "bytes" && keys !== "text") {
    return new TypeError(not("keys", keys, '"bytes" or "text"'));
  }
  if (
    checkpoint !== undefined && typeof checkpoint !== "string" &&
    typeof checkpoint !== "function" &&
    !(checkpoint instanceof URL)
  ) return new TypeError(not("checkpoint", checkpoint, "a path, a file URL or a function"));
  try {
    checkCallOptions("replicate", { signal: options.signal });
  } catch (error) {
    return error as TypeError;
  }
  return null;
}
