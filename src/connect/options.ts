/** What `connect` can be asked for. All times are milliseconds. */

import type { WhenFull } from "../connection/admission.ts";
import type { StatusEvent } from "../connection/status.ts";
import type { Connector, TlsOptions, Transport } from "../transport/transport.ts";
import type { Value } from "../types.ts";
import type { Codec } from "../value_codec.ts";

/** How a lost connection is replaced. */
export interface ReconnectOptions {
  /**
   * Attempts in a row before the calls that wait are given up; `Infinity` never gives up. The next
   * call begins anew. Default 10.
   */
  attempts?: number;
  /** Milliseconds before the second attempt, doubled with each further one, drawn at random below. Default 50. */
  minDelay?: number;
  /** The most milliseconds between attempts. Default 2000. */
  maxDelay?: number;
}

/** How calls of one tick are put together. */
export interface BatchingOptions {
  /** Most records of one request, 1 to 1024. Default 512. */
  records?: number;
  /** Most bytes of keys and values that are gathered in one request. Default 65536. */
  bytes?: number;
}

/** Where a server is. */
export interface ServerOptions {
  /** Host name or address. Default `"127.0.0.1"`. */
  hostname?: string;
  /** TCP port. Default 1978. */
  port?: number;
  /** A Unix socket, instead of host and port. */
  path?: string;
  /** TLS, for servers behind a TLS proxy. Default `false`. */
  tls?: boolean | TlsOptions;
  /** Makes the connections, instead of this runtime's sockets. */
  connector?: Connector;
}

/** What `connect` takes. All times are milliseconds. */
export interface ConnectOptions<V = Uint8Array, In = Value> extends ServerOptions {
  /**
   * Several servers, in the order in which they are preferred, each an address or a URL; instead of
   * one. All calls go to the first that answers.
   */
  servers?: readonly (string | URL | ServerOptions)[];
  /** How often it is seen whether a server before the present one is back. Default 5000. */
  failbackInterval?: number;
  /** A connection that is there already, such as a pair of streams. It is not replaced when lost. */
  transport?: Transport;
  /** The database of calls that name none, 0 to 65535. Default 0. */
  database?: number;
  /** How values are turned into bytes and back. Default `bytes`. */
  codec?: Codec<V, In>;
  /** Most connections at a time; order is kept on each, not between them. Default 1. */
  connections?: number;
  /** How many of them stay open while they are idle. Default 1. */
  minConnections?: number;
  /** How long the others stay open while they are idle. Default 60000. */
  idleTimeout?: number;
  /**
   * How long a connection may be idle before the server is asked for a sign of life, so that one that
   * is gone without a word is found before it is needed. Default `Infinity`: never.
   */
  pingInterval?: number;
  /** How long connecting may take. Default 10000. */
  connectTimeout?: number;
  /** How long nothing may come once a reply is due. Default 10000. */
  replyTimeout?: number;
  /** How long a call may wait for a connection. Default 10000. */
  queueTimeout?: number;
  /** Whether, and how, a lost connection is replaced. Default `true`. */
  reconnect?: boolean | ReconnectOptions;
  /** Whether, and how, neighbouring calls share a request. Default `true`. */
  batching?: boolean | BatchingOptions;
  /**
   * Most bytes of keys and values in one reply; each row that a procedure puts out counts for 128
   * bytes more, about what it takes in memory. Default 2^29 (512 MiB).
   */
  maxReplyBytes?: number;
  /** Most calls that may be pending. Default 1000000. */
  maxQueue?: number;
  /** Most bytes of keys and values in calls that are pending. Default 2^29 (512 MiB). */
  maxQueueBytes?: number;
  /**
   * What becomes of a call beyond these two bounds: it rejects with a `QueueFullError`, or waits for
   * its turn. Default `"reject"`.
   */
  whenFull?: WhenFull;
  /** Is told when the client is connected, disconnected, reconnecting and closed, and why. */
  onStatus?: (event: StatusEvent) => void;
  /**
   * Whether calls are published on the channels `kyoto-tycoon:call:start` and `kyoto-tycoon:call:end`
   * of `node:diagnostics_channel`, while somebody subscribes to them. Default `false`.
   */
  diagnostics?: boolean;
  /** Gives up connecting. */
  signal?: AbortSignal;
}

/** The options whose types do not depend on the codec. */
export type AnyOptions = Omit<ConnectOptions, "codec">;

/** The options that are numbers. */
export type NumericOption = {
  [K in keyof ConnectOptions]-?: ConnectOptions[K] extends number | undefined ? K : never;
}[keyof ConnectOptions];
