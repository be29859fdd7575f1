/** Counts that tell what a client does. */

/** What a client has done, and what it holds. */
export interface Stats {
  /** The server that calls go to, as `host:port` or path; `null` while there is no connection. */
  server: string | null;
  /** Open connections. */
  connections: number;
  /** Connections made since the beginning. */
  connected: number;
  /** Those of them that replaced a lost one. */
  reconnects: number;
  /** Calls made. */
  calls: number;
  /** Requests sent; fewer than calls where calls travel together. */
  requests: number;
  /** Requests that carried several calls. */
  batches: number;
  /** Requests that left on a connection that had been used before. */
  reused: number;
  /** Calls that have not ended. */
  pending: number;
  /** Those of them that have not been written: they wait for their turn or for a connection. */
  queued: number;
  /** Bytes of keys and values in calls that have not ended. */
  pendingBytes: number;
  /** Bytes written to the server. */
  bytesSent: number;
  /** Bytes read from the server. */
  bytesReceived: number;
}

/** The counts that connections keep, all of a client's in one place. */
export type Counters = Pick<
  Stats,
  "requests" | "batches" | "reused" | "bytesSent" | "bytesReceived"
>;
