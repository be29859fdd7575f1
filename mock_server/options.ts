/** How a mock server is set up. */

import type { ExpirationOptions, Key, Value } from "../src/types.ts";
import type { Procedures } from "./procedures/procedures.ts";
import type { FollowOptions } from "./replication/follower.ts";
import type { Clock } from "./storage/clock.ts";

/** A record that a server starts with. */
export interface SeedRecord extends ExpirationOptions {
  /** The index of the database. Default: 0. */
  database?: number;
  /** The key. */
  key: Key;
  /** The value. */
  value: Value;
  /** When it ends, as an `Entry` of the client has it; `null`: never. Instead of the others. */
  expiresAt?: Date | null;
}

/** How a mock server is set up. Everything has a default. */
export interface MockServerOptions {
  /** The address to listen on. Default: `"127.0.0.1"`, which other machines cannot reach. */
  hostname?: string;
  /** The port to listen on. Default: 0, any that is free. */
  port?: number;
  /** The path of a Unix socket to listen on instead. */
  path?: string;
  /**
   * How many databases, or each as ktserver takes it: `"*"`, `"%"` (ordered), `":"`, `"name.kct"`
   * (ordered; nothing is read or written), with `"#ktopts=p"` behind if nothing is ever to expire in
   * it. Default: one, `"*"`.
   */
  databases?: number | readonly string[];
  /**
   * Milliseconds within which the next piece of an unfinished request must come, and the next piece
   * of a reply be read (ktserver's `-tout`, which is in seconds). Default: 30000.
   */
  timeout?: number;
  /** The server's id in the update log, 0 to 65535. Default: 0. */
  serverId?: number;
  /**
   * Whether to keep an update log, so that others can follow; with `maxBytes`, how much of it.
   * Default: none.
   */
  updateLog?: boolean | { maxBytes?: number };
  /**
   * Milliseconds from a follower's acknowledgement of a heartbeat to the next look into the update
   * log. Default: 100.
   */
  heartbeatInterval?: number;
  /**
   * The server to follow: what it modifies is modified here. Without a host name it may be told
   * whom to follow (`tune_replication`). Default: it follows none.
   */
  follow?: FollowOptions;
  /** The procedures that `playScript` can call, by name. */
  procedures?: Procedures;
  /** Whether clients may not modify anything. Default: they may. */
  readOnly?: boolean;
  /** Records to start with. */
  seed?: Iterable<SeedRecord>;
  /** Where the time comes from by which records expire. Default: the machine's clock. */
  clock?: Clock;
  /** Connections beyond this many are closed at once. Default: no limit. */
  maxConnections?: number;
  /** How many requests `requests` keeps. Default: 1000. */
  requestLogSize?: number;
  /**
   * Is told of exceptions: those that procedures throw, and any mistake in the server itself. Default:
   * `console.error`.
   */
  onError?: (error: unknown) => void;
}
