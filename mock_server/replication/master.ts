/**
 * The master's side of replication: what a follower is sent, and when.
 * (docs/protocol.md, section 4)
 */

import { Magic } from "../../src/codec/constants.ts";
import { HEARTBEAT_SIZE, putHeartbeat } from "../../src/codec/update_log.ts";
import type { ServeReplication } from "../session/state.ts";
import type { Clock } from "../storage/clock.ts";
import { raise, type UpdateLog } from "./update_log.ts";

/** Milliseconds between the acknowledgement of a heartbeat and the next look into the log. */
const INTERVAL = 100;
/** Milliseconds by which heartbeats stay behind the clock: updates up to then are surely in the log. */
const LAG = 1000;

/** How followers are served. */
export interface ReplicationOptions {
  /** Where the stamps of heartbeats come from. */
  clock: Clock;
  /** Milliseconds from an acknowledgement to the next heartbeat. Default: 100. */
  interval?: number;
}

/**
 * Serves followers from a log. Each is sent all there is, then a heartbeat, and nothing more until it
 * has acknowledged that. One that does not read waits by itself: nothing is gathered for it.
 */
export function serveReplicationFrom(
  log: UpdateLog,
  options: ReplicationOptions,
): ServeReplication {
  const { clock, interval = INTERVAL } = options;
  return function* (session, r, { since, serverId, only }) {
    session.out.u8(Magic.REPLICATION);
    const reader = log.reader(since, serverId, only);
    const heartbeat = new Uint8Array(HEARTBEAT_SIZE);
    while (!session.isClosed) {
      while (reader.read(session.out)) {
        const full = session.flush();
        if (full !== undefined) yield full;
        if (session.isClosed) return;
      }
      const stamp = { ...reader.last };
      raise(stamp, clock.now() - LAG);
      putHeartbeat(heartbeat, 0, stamp);
      session.out.bytes(heartbeat);
      if (r.available < 1) yield 1;
      if (r.u8() !== Magic.REPLICATION) return;
      yield session.sleep(interval);
    }
  };
}
