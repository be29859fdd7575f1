/** The ways in which requests over HTTP fail, in the real server's words. */

/** A failure; REST has statuses of its own for some. */
export interface Failure {
  /** The status of a procedure that fails so. */
  readonly status: number;
  /** What the row `ERROR` says, or REST's header `X-Kt-Error`. */
  readonly message: string;
}

export const INVALID_PARAMETERS: Failure = { status: 400, message: "invalid parameters" };
export const NO_SUCH_DATABASE: Failure = { status: 400, message: "no such database" };
export const NO_SUCH_CURSOR: Failure = { status: 400, message: "no such cursor" };
export const NO_UPDATE_LOG: Failure = {
  status: 400,
  message: "no update log allows no replication",
};
export const DUPLICATE: Failure = {
  status: 450,
  message: "DB: 6: record duplication: record duplication",
};
export const NO_RECORD: Failure = { status: 450, message: "DB: 7: no record: no record" };
export const INCONSISTENT: Failure = {
  status: 450,
  message: "DB: 8: logical inconsistency: logical inconsistency",
};
export const CONFLICT: Failure = {
  status: 450,
  message: "DB: 8: logical inconsistency: status conflict",
};
export const BAD_REGEX: Failure = {
  status: 450,
  message: "DB: 8: logical inconsistency: compilation failed",
};
export const NO_PERMISSION: Failure = {
  status: 500,
  message: "DB: 4: no permission: permission denied",
};
export const COMMAND_FAILED: Failure = {
  status: 500,
  message: "DB: 8: logical inconsistency: postprocessing failed",
};
export const NO_WAY_BACK: Failure = {
  status: 501,
  message: "DB: 1: not implemented: not implemented",
};
export const NO_SCRIPTING: Failure = {
  status: 501,
  message: "the scripting extention is disabled",
};
export const NO_TIMESTAMP_FILE: Failure = { status: 501, message: "the RTS file is not set" };
export const TIMED_OUT: Failure = { status: 503, message: "the condition timed out" };
