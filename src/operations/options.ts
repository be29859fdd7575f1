/** Options that several operations share. */

import type { CallOptions, ExpirationOptions, Key } from "../types.ts";

/** What a call on records takes. */
export interface RecordOptions extends CallOptions {
  /** The index of the database, 0 to 65535. Default: that of the client or view. */
  database?: number;
}

/** What an operation that may wake others takes. */
export interface WakeOptions {
  /**
   * Whom to wake when the operation is done, whether it succeeded or not: one caller of `waitFor` with
   * this name, or with `all` every one.
   */
  wake?: Key | { readonly name: Key; readonly all?: boolean };
}

/** What an operation that modifies takes. */
export interface ModifyOptions extends RecordOptions, WakeOptions {}

/** What an operation that stores takes. */
export interface StoreOptions extends ModifyOptions, ExpirationOptions {}

/** What `increment` and `incrementDouble` take. `N` is the type of the number. */
export interface IncrementOptions<N extends number | bigint = number | bigint>
  extends StoreOptions {
  /**
   * What a record counts from that does not exist yet. Default: 0. `"must-exist"`: there must be one,
   * else it fails. `"reset"`: count from 0 even if there is one.
   */
  initial?: N | "must-exist" | "reset";
}

/** What `setBulk` and `removeBulk` take beside their other options. */
export interface AtomicOptions extends WakeOptions {
  /** Whether nobody may see some of it done without the rest. Takes HTTP. Default `false`. */
  atomic?: boolean;
}

/** How keys that the server names are given. */
export interface KeyOptions {
  /** Default `"bytes"`; `"text"` fails at a key that is not UTF-8. */
  keys?: "bytes" | "text";
}

/** What `matchPrefix` and `matchRegex` take. */
export interface MatchOptions extends RecordOptions, KeyOptions {
  /** Most keys. Default: all. */
  limit?: number;
}

/** What `matchSimilar` takes. */
export interface SimilarOptions extends MatchOptions {
  /** The most insertions, removals and replacements between two similar keys. Default 1. */
  distance?: number;
  /** Whether these are counted in characters of UTF-8, instead of bytes. Default `false`. */
  utf8?: boolean;
}

/** What `synchronize` takes. */
export interface SynchronizeOptions extends ModifyOptions {
  /** Whether to wait until the device has the data, not only the file system. Default `false`. */
  hard?: boolean;
  /** A program in the server's own directory for such, to be run on the file afterwards. */
  command?: string;
}

/** What `vacuum` takes. */
export interface VacuumOptions extends ModifyOptions {
  /** How many steps of collecting expired records to take. Default: as many as there are. */
  steps?: number;
}

/** Whom a server follows, and from where on. */
export interface Master {
  /** Its host name or address, as the follower sees it. */
  readonly hostname: string;
  /** Its port. Default 1978. ktserver cannot connect to ports above 32767. */
  readonly port?: number;
  /**
   * Where to begin: behind the update with this time stamp, at this moment, with the first update that
   * the master has kept, or now by the follower's clock. Default: where the follower left off.
   */
  readonly since?: bigint | Date | "beginning" | "now";
  /** Milliseconds that slow it down, as `-riv` does. Default: as it is. */
  readonly interval?: number;
}

/** What `rpc` takes. */
export interface RpcOptions extends RecordOptions, WakeOptions {}

/** Rows for a procedure: pairs of a name and a value, or an object. */
export type RpcInput =
  | Iterable<readonly [name: Key, value: Key]>
  | { readonly [name: string]: Key };

/** What `cursor` takes. */
export interface CursorOptions extends KeyOptions {
  /** The index of the database, 0 to 65535. Default: that of the client or view. */
  database?: number;
}

/** What `entries` takes. */
export interface EntriesOptions extends RecordOptions, KeyOptions {
  /**
   * The key to begin at. In an ordered database any: it begins at the first record that is not before
   * it, or in reverse at the last that is not behind it. Elsewhere it must be there.
   */
  from?: Key;
  /** Whether to go backwards, which only ordered databases can. Default `false`. */
  reverse?: boolean;
  /** Whether to yield keys alone. Default `false`. */
  keysOnly?: boolean;
  /** Most records. Default: all. */
  limit?: number;
}

/** What a call that may go unanswered takes. */
export interface NoReplyOptions extends RecordOptions {
  /**
   * Asks for no reply: the call resolves, to nothing, when its bytes have left, and nobody learns
   * whether it succeeded.
   */
  noReply?: boolean;
}

/** What `set` and `setBulk` take. */
export interface SetOptions extends NoReplyOptions, ExpirationOptions {}

/** What `playScript` takes. */
export interface ScriptOptions extends CallOptions {
  /** Asks for no reply: the call resolves, to nothing, when its bytes have left. */
  noReply?: boolean;
  /** How the keys of the output are given. Default `"text"`, which rejects what is not UTF-8. */
  keys?: "text" | "bytes";
}
