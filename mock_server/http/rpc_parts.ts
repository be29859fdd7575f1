/** What the procedures over HTTP need of the parts of the server that replicate. */

/** A file of the update log, as `ulog_list` shows it. */
export interface UpdateLogFile {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** The highest time stamp in it. */
  readonly timestamp: bigint;
}

/** What the procedures need of the update log. */
export interface UpdateLogFiles {
  /** Oldest first. */
  files(): Iterable<UpdateLogFile>;
  /** Removes the files with stamps up to `until` (`null`: all), but never the newest one. */
  removeFiles(until: bigint | null): void;
}

/** What the procedures need of the part that follows a master. */
export interface Follower {
  /** Who is followed. */
  readonly master: { readonly hostname: string; readonly port: number } | null;
  /** The highest time stamp seen. */
  readonly timestamp: bigint;
  /** What `-riv` sets, in seconds. */
  readonly interval: number;
  /** Follows another master, or none, from a stamp on; `null` leaves stamp or interval as it is. */
  tune(
    master: { hostname: string; port: number } | null,
    since: bigint | null,
    interval: number | null,
  ): void;
}

/** What the procedures work with, beside what all sessions share. */
export interface RpcParts {
  /** `null`: there is no update log. */
  readonly updateLog: UpdateLogFiles | null;
  /** `null`: the server cannot follow another one, as without a file for the time stamp. */
  readonly follower: Follower | null;
  /** When the server was started, in milliseconds since 1970 by its clock. */
  readonly startedAt: number;
}
