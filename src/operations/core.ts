/** What all views of a client share. */

import type { Pool } from "../connection/pool.ts";
import type { Timers } from "../connection/timers.ts";
import type { ReplicationParts } from "../replication.ts";
import type { Connector } from "../transport/transport.ts";
import type { OwnConnections } from "./own_connections.ts";

/** What all views of a client share. */
export interface ClientCore {
  readonly pool: Pool;
  readonly maxReplyBytes: number;
  readonly timers: Timers;
  /** Makes the sockets of replication streams, which are no part of the pool. */
  readonly connector: Connector;
  readonly replication: ReplicationParts;
  /** For calls that wait on the server. */
  readonly apart: OwnConnections;
  /** How many cursors there were: each has a number of its own. */
  readonly cursors: { count: number };
}
