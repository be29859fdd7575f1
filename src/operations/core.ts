/** What all views of a client share. */

import type { Lane } from "../connection/call.ts";
import type { Pool } from "../connection/pool.ts";
import type { Timers } from "../transport/timers.ts";
import type { ReplicationParts } from "../replication/stream.ts";
import type { Connector } from "../transport/transport.ts";
import type { OwnConnections } from "./own_connections.ts";

/** What all views of a client share. */
export interface ClientCore {
  readonly pool: Pool;
  /** What keeps all calls on one connection; `null`: each takes the one with the least to do. */
  readonly lane: Lane | null;
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

/** The lane of the requests of one bulk operation, or of a view with an order of its own. */
export function laneOf(core: ClientCore): Lane {
  return core.lane ?? { connection: null, fixed: false };
}
