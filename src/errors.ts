/**
 * The errors of this package. Everything arrives as a rejected promise, never as a synchronous
 * throw; bad arguments reject with the language's own `TypeError` or `RangeError`.
 *
 * @module
 */

/** The literal `code` of each error class, for a `switch` that the compiler can check. */
export type ErrorCode =
  | "ERR_CONNECTION"
  | "ERR_TIMEOUT"
  | "ERR_CLOSED"
  | "ERR_QUEUE_FULL"
  | "ERR_PROTOCOL"
  | "ERR_BULK"
  | "ERR_SERVER";

/** What a call was waiting for when its time ran out. */
export type TimeoutPhase = "connect" | "queue" | "reply";

/**
 * What all errors of this package have in common.
 *
 * @example Tell this package's errors from others
 * ```ts
 * import { connect, KyotoTycoonError } from "@kyoto/tycoon";
 * import { assert } from "@std/assert";
 *
 * try {
 *   await connect({ port: 1, reconnect: false });
 * } catch (error) {
 *   assert(error instanceof KyotoTycoonError);
 *   assert(error.code === "ERR_CONNECTION");
 * }
 * ```
 */
export abstract class KyotoTycoonError extends Error {
  /** Tells the classes apart without `instanceof`. */
  abstract readonly code: ErrorCode;
}

/**
 * The connection could not be made, or broke.
 *
 * @example Whether the server may have seen the call
 * ```ts
 * import { connect, ConnectionError } from "@kyoto/tycoon";
 * import { assertInstanceOf } from "@std/assert";
 *
 * const error = await connect({ port: 1, reconnect: false }).catch((error) => error);
 * assertInstanceOf(error, ConnectionError);
 * console.log(error.sent); // false: nothing has left
 * ```
 */
export class ConnectionError extends KyotoTycoonError {
  /** The name of the class. */
  override readonly name = "ConnectionError";
  /** What kind of error it is. */
  readonly code = "ERR_CONNECTION";
  /** Whether the call had been written to the socket, so that the server may have executed it. */
  readonly sent: boolean;

  /** Makes the error of a call that had been written (`sent`), or had not. */
  constructor(message: string, options: { sent: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.sent = options.sent;
  }
}

/**
 * A time limit passed.
 *
 * @example
 * ```ts
 * import { TimeoutError } from "@kyoto/tycoon";
 *
 * const error = new TimeoutError("Cannot get: no reply within 10000 ms", {
 *   phase: "reply",
 *   sent: true,
 * });
 * console.log(error.phase); // "reply"
 * ```
 */
export class TimeoutError extends KyotoTycoonError {
  /** The name of the class. */
  override readonly name = "TimeoutError";
  /** What kind of error it is. */
  readonly code = "ERR_TIMEOUT";
  /** What was waited for: the connection, a place on it, or the reply. */
  readonly phase: TimeoutPhase;
  /** Whether the call had been written to the socket, so that the server may have executed it. */
  readonly sent: boolean;

  /** Makes the error of a call whose time ran out in `phase`. */
  constructor(message: string, options: { phase: TimeoutPhase; sent: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.phase = options.phase;
    this.sent = options.sent;
  }
}

/**
 * The client was closed, by its user, before or during the call.
 *
 * @example
 * ```ts
 * import { ClosedError } from "@kyoto/tycoon";
 *
 * console.log(new ClosedError("Cannot get: the client is closed").code); // "ERR_CLOSED"
 * ```
 */
export class ClosedError extends KyotoTycoonError {
  /** The name of the class. */
  override readonly name = "ClosedError";
  /** What kind of error it is. */
  readonly code = "ERR_CLOSED";
  /** Whether the call had been written to the socket, so that the server may have executed it. */
  readonly sent: boolean;

  /** Makes the error of a call that had been written (`sent`), or had not. */
  constructor(message: string, options: { sent?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.sent = options.sent ?? false;
  }
}

/**
 * The queue of calls is at its bound (`maxQueue` calls or `maxQueueBytes` bytes).
 *
 * @example
 * ```ts
 * import { QueueFullError } from "@kyoto/tycoon";
 *
 * console.log(new QueueFullError("Cannot set: 100000 calls are pending").code); // "ERR_QUEUE_FULL"
 * ```
 */
export class QueueFullError extends KyotoTycoonError {
  /** The name of the class. */
  override readonly name = "QueueFullError";
  /** What kind of error it is. */
  readonly code = "ERR_QUEUE_FULL";
}

/**
 * The peer sent bytes that are not the protocol's, or more than it may. The connection is given up.
 *
 * @example
 * ```ts
 * import { ProtocolError } from "@kyoto/tycoon";
 *
 * console.log(new ProtocolError("Cannot read a reply: expected magic 0xba, got 0x48").code);
 * ```
 */
export class ProtocolError extends KyotoTycoonError {
  /** The name of the class. */
  override readonly name = "ProtocolError";
  /** What kind of error it is. */
  readonly code = "ERR_PROTOCOL";
}

/**
 * The server refused, or failed, what it was asked.
 *
 * @example
 * ```ts
 * import { connect, ServerError } from "@kyoto/tycoon";
 * import { startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertInstanceOf } from "@std/assert";
 *
 * await using server = await startMockServer({ readOnly: true });
 * await using kt = await connect(server.url);
 * const error = await kt.set("k", "v").catch((error) => error);
 * assertInstanceOf(error, ServerError);
 * console.log(error.operation); // "set"
 * ```
 *
 * @example What the server itself says, where HTTP was spoken
 * ```ts
 * import { connect, ServerError } from "@kyoto/tycoon";
 * import { startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertEquals, assertInstanceOf } from "@std/assert";
 *
 * await using server = await startMockServer();
 * await using kt = await connect(server.url);
 * await kt.set("k", "no number");
 * const error = await kt.increment("k").catch((error) => error);
 * assertInstanceOf(error, ServerError);
 * assertEquals([error.procedure, error.status, error.serverCode], ["increment", 450, 8]);
 * assertEquals(error.serverMessage, "logical inconsistency: logical inconsistency");
 * ```
 */
export class ServerError extends KyotoTycoonError {
  /** The name of the class. */
  override readonly name = "ServerError";
  /** What kind of error it is. */
  readonly code = "ERR_SERVER";
  /** The client's method that failed, such as `"set"` or `"playScript"`. */
  readonly operation: string;
  /** The server's procedure that was called over HTTP; `null` when it was asked in binary. */
  readonly procedure: string | null;
  /** The status of the reply over HTTP, such as 450; `null` when the server was asked in binary. */
  readonly status: number | null;
  /**
   * The number of the database's own error, where it is one: 1 not implemented, 2 invalid operation,
   * 3 no repository, 4 no permission, 5 broken file, 6 record duplication, 7 no record, 8 logical
   * inconsistency, 9 system error, 15 any other.
   */
  readonly serverCode: number | null;
  /** What the server says, if it says anything; without the number. */
  readonly serverMessage: string | null;

  /** Makes the error of a failed `operation`. */
  constructor(
    message: string,
    options: {
      operation: string;
      procedure?: string;
      status?: number;
      serverCode?: number;
      serverMessage?: string;
      cause?: unknown;
    },
  ) {
    super(message, { cause: options.cause });
    this.operation = options.operation;
    this.procedure = options.procedure ?? null;
    this.status = options.status ?? null;
    this.serverCode = options.serverCode ?? null;
    this.serverMessage = options.serverMessage ?? null;
  }
}

/**
 * A bulk operation that took several requests broke off. `cause` is what broke it: an error of this
 * package, what the source of the records threw, or the reason of an abort.
 *
 * @example
 * ```ts
 * import { BulkError, connect } from "@kyoto/tycoon";
 * import { startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertInstanceOf } from "@std/assert";
 *
 * async function* records() {
 *   yield ["a", "1"] as const;
 *   throw new Error("the file ends here");
 * }
 *
 * await using server = await startMockServer();
 * await using kt = await connect(server.url);
 * const error = await kt.setBulk(records()).catch((error) => error);
 * assertInstanceOf(error, BulkError);
 * console.log(error.confirmed); // how many the server has confirmed
 * ```
 */
export class BulkError extends KyotoTycoonError {
  /** The name of the class. */
  override readonly name = "BulkError";
  /** What kind of error it is. */
  readonly code = "ERR_BULK";
  /** How many records or keys, counted from the first, the server has confirmed without a gap. */
  readonly confirmed: number;

  /** Makes the error of an operation that came as far as `confirmed`. */
  constructor(message: string, options: { confirmed: number; cause: unknown }) {
    super(message, { cause: options.cause });
    this.confirmed = options.confirmed;
  }
}
