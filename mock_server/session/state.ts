/** What all sessions of a server share. */

import type { ByteReader, Decoder } from "../../src/codec/decoder.ts";
import type { ProcedureRegistry } from "../procedures/procedures.ts";
import type { Storage } from "../storage/storage.ts";
import type { Counters } from "./counters.ts";
import type { Faults } from "./faults.ts";
import type { Recorder } from "./recorder.ts";
import type { Session } from "./session.ts";

/** What a follower asks for. */
export interface ReplicationRequest {
  /** Updates with a stamp above this. */
  readonly since: bigint;
  /** The id that `only` speaks of. */
  readonly serverId: number;
  /** Only updates first made by the server with this id, instead of all but those. */
  readonly only: boolean;
}

/** Serves a follower until its connection ends, the reply to its request included. */
export type ServeReplication = (
  session: Session,
  reader: ByteReader,
  request: ReplicationRequest,
) => Decoder<void>;

/** Serves one request of HTTP; its first byte is unread. Returns whether the connection goes on. */
export type ServeHttp = (session: Session, reader: ByteReader) => Decoder<boolean>;

/** The insides of a server, for its sessions and what they call. */
export interface ServerState {
  /** The databases; `storage.clock` tells the time, `storage.updates` hears of modifications. */
  readonly storage: Storage;
  /** `null`: there is no script. */
  readonly procedures: ProcedureRegistry | null;
  /** What is counted for `report`. */
  readonly counters: Counters;
  /** What was asked. */
  readonly recorder: Recorder;
  /** What is to go wrong. */
  readonly faults: Faults;
  /** Milliseconds that the rest of a request, or the reading of a reply, may be waited for. */
  readonly timeout: number;
  /** The server's own id, 0 to 65535. */
  readonly serverId: number;
  /** Serves followers; `null`: there is no update log. */
  readonly serveReplication: ServeReplication | null;
  /** Serves HTTP. */
  readonly serveHttp: ServeHttp;
  /** The port that REST names in `Location`; 0 without one. */
  readonly port: number;
  /** How many connections are open. */
  readonly connections: number;
  /** Is told of what should not happen: a procedure that threw, a mistake in the server itself. */
  readonly report: (error: unknown) => void;
}
