/** The follower's side of replication: the mock server as a live copy of another server. */

import { formatRts, parseRts } from "../../src/codec/rts.ts";
import { FrameKind, type UpdateFrame } from "../../src/codec/update_log.ts";
import { type StreamTimers, UpdateSource } from "../../src/replication/source.ts";
import { runtimeConnector } from "../../src/transport/detect.ts";
import { readText, replaceText } from "../../src/transport/files.ts";
import { systemTimers } from "../../src/transport/timers.ts";
import type { Connector } from "../../src/transport/transport.ts";
import type { Storage } from "../storage/storage.ts";

/** Milliseconds between a connection that failed, or ended, and the next one. */
const RETRY_DELAY = 1000;
/** Each update adds the interval to a sum; each full 100 of it is a pause of so many milliseconds. */
const PAUSE = 100;

/** A server that is followed. */
export interface Master {
  readonly hostname: string;
  readonly port: number;
}

/** What a mock server follows. */
export interface FollowOptions {
  /** The host to follow (ktserver's `-mhost`). Default: none, until a client names one. */
  hostname?: string;
  /** Its port (ktserver's `-mport`). Default: 1978. */
  port?: number;
  /** The stamp behind which to begin, unless the `rts` file has one. Default: 0, the beginning. */
  since?: bigint;
  /** The id whose updates are left out. Default: the server's own. */
  serverId?: number;
  /**
   * A file that keeps the stamp between two runs (ktserver's `-rts`): read at the start, written then
   * and whenever a connection ends.
   */
  rts?: string | URL;
  /** Slows down (ktserver's `-riv`): milliseconds for each update, in steps of 0.1 s. Default: 0. */
  interval?: number;
}

/** What a {@linkcode ReplicationFollower} works with. */
export interface FollowerParts {
  readonly storage: Storage;
  /** The server's own id: its own updates are not taken from others. */
  readonly serverId: number;
  /** The id whose updates the master is asked to leave out. Default: `serverId`. */
  readonly leftOut?: number;
  /** Where to begin without a file, or when it holds 0. Default: 0. */
  readonly since?: bigint;
  readonly rts?: string | URL;
  readonly interval?: number;
  /** Is told why each connection ended. */
  readonly report?: (error: unknown) => void;
  /** How a master is reached. Default: by the runtime's sockets. */
  readonly connectorOf?: (master: Master) => Connector | Promise<Connector>;
  readonly timers?: StreamTimers;
}

/** Follows a master, for ever, or one after the other. */
export class ReplicationFollower {
  readonly #parts: FollowerParts;
  readonly #timers: StreamTimers;
  #master: Master | null = null;
  #interval: number;
  #position: bigint;
  #source: UpdateSource | null = null;
  /** Ends a pause. */
  #wake: () => void = () => {};
  /** Counts what is followed, so that what came before knows that it is over. */
  #turn = 0;
  #running: Promise<void> = Promise.resolve();
  #paused = 0;

  /** Makes a follower that follows nobody yet. */
  constructor(parts: FollowerParts) {
    this.#parts = parts;
    this.#timers = parts.timers ?? systemTimers;
    this.#interval = parts.interval ?? 0;
    this.#position = parts.since ?? 0n;
  }

  /** Who is followed. */
  get master(): Master | null {
    return this.#master;
  }

  /** The highest time stamp of any update, empty message or heartbeat. */
  get timestamp(): bigint {
    return this.#source?.position ?? this.#position;
  }

  /** What `-riv` sets. */
  get interval(): number {
    return this.#interval;
  }

  /** Whether the master has accepted this follower, and the connection is still there. */
  get connected(): boolean {
    return this.#source?.connected ?? false;
  }

  /**
   * Reads the file, writes it, and follows `master`.
   *
   * @throws {TypeError} The file holds something else.
   */
  async start(master: Master | null): Promise<void> {
    const { rts } = this.#parts;
    if (rts !== undefined) {
      const content = await readText(rts);
      const position = content === null ? 0n : parseRts(content);
      if (position > 0n) this.#position = position;
      await replaceText(rts, formatRts(this.#position));
    }
    this.#follow(master, null);
  }

  /** Follows another master, or none, from a stamp on; `null` leaves stamp or interval as it is. */
  tune(master: Master | null, since: bigint | null, interval: number | null): void {
    if (interval !== null) this.#interval = interval;
    this.#follow(master, since);
  }

  /** Follows nobody any more; resolves when the connection is closed and the file written. */
  async stop(): Promise<void> {
    this.#follow(null, null);
    await this.#running;
  }

  #follow(master: Master | null, since: bigint | null): void {
    const turn = ++this.#turn;
    this.#master = master;
    this.#source?.stop();
    this.#wake();
    this.#running = this.#running.then(async () => {
      if (since !== null) {
        this.#position = since;
        await this.#save();
      }
      if (master !== null) await this.#run(master, turn);
    });
  }

  async #run(master: Master, turn: number): Promise<void> {
    while (this.#turn === turn) {
      try {
        await this.#connection(master, turn);
      } catch (error) {
        this.#parts.report?.(error);
      }
      await this.#save();
      if (this.#turn === turn) await this.#pause(RETRY_DELAY);
    }
  }

  /** One connection, from its beginning to its end. */
  async #connection(master: Master, turn: number): Promise<void> {
    const { storage, serverId, leftOut = serverId, connectorOf = runtimeConnector } = this.#parts;
    const connector = await connectorOf(master);
    if (this.#turn !== turn) return;
    const source = this.#source = new UpdateSource({
      connector,
      since: this.#position,
      serverId: leftOut,
      only: false,
      isPersistent: (index) => storage.databases[index]?.persistent ?? false,
      retry: () => null,
      timers: this.#timers,
    });
    try {
      do {
        while (source.read()) {
          this.#apply(source.frame);
          this.#paused += this.#interval;
          if (this.#paused < 100) continue;
          this.#paused %= 100;
          await this.#pause(PAUSE);
        }
      } while (await source.ready());
    } finally {
      source.stop();
      this.#source = null;
      this.#position = source.position;
    }
  }

  /** Does what the master did, unless it was done here, or in a database that is not here. */
  #apply(frame: UpdateFrame): void {
    const { kind, bytes, serverId } = frame;
    const database = this.#parts.storage.databases[frame.database];
    if (serverId === this.#parts.serverId || database === undefined) return;
    if (kind === FrameKind.CLEAR) return database.clearRaw(serverId);
    const key = bytes.subarray(frame.keyStart, frame.keyEnd);
    if (kind === FrameKind.REMOVE) return database.removeRaw(key, serverId);
    const value = bytes.subarray(frame.valueStart, frame.valueEnd);
    database.setRaw(key, value, frame.expires, serverId);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#timers.start(ms, false, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  async #save(): Promise<void> {
    const { rts, report } = this.#parts;
    if (rts === undefined) return;
    try {
      await replaceText(rts, formatRts(this.#position));
    } catch (error) {
      report?.(error);
    }
  }
}
