/** Procedures of the server as calls: over HTTP, in one queue with the binary requests. */

import { checkData, describe } from "../arguments.ts";
import { isExactInteger } from "../codec/byte_text.ts";
import { charCode } from "../codec/char_code.ts";
import { MAX_SIZE, NEVER } from "../codec/constants.ts";
import type { Decoder } from "../codec/decoder.ts";
import { readRpcReply, type RpcReply } from "../codec/http_reply.ts";
import { encodeRpcRequest } from "../codec/http_request.ts";
import { type Column, requestEncoding, type Row, rowsSize } from "../codec/tsv.ts";
import { toBytes } from "../codec/writer.ts";
import { ExchangeCall, type Lane, Refused } from "../connection/call.ts";
import { ConnectionError, ProtocolError, ServerError } from "../errors.ts";
import type { CallOptions, Key } from "../types.ts";
import type { ClientCore } from "./core.ts";
import type { WakeOptions } from "./options.ts";
import { columnOf, ProcedureOutput } from "./output.ts";

/** What an operation is called with. */
export interface RpcContext {
  readonly operation: string;
  /** `null`: it does not concern one. */
  readonly database: number | null;
  readonly options: (CallOptions & WakeOptions) | undefined;
  readonly core: ClientCore;
}

/** What an operation on a database is called with. */
export interface DatabaseContext extends RpcContext {
  readonly database: number;
}

/** A procedure, and what its replies mean. */
export interface Procedure<T> {
  readonly name: string;
  /** Its own parameters; those that all procedures share are added. */
  readonly rows: readonly Row[];
  /** Whether it only reads, so that it may be sent again when its connection was lost. */
  readonly pure?: boolean;
  /** What a success comes to. */
  readonly take: (output: ProcedureOutput) => T;
  /** Failures that are answers: what they come to, by the database's code, or else by the status. */
  readonly misses?: { readonly [code: number]: T };
}

/** The database's codes that mean something to callers. */
export const DUPLICATE = 6, NO_RECORD = 7, LOGICAL = 8;

/** Longer texts are left to the runtime's encoder. */
const SHORT = 48;

/** Calls a procedure on one of the connections that all calls share. */
export function callProcedure<T>(
  context: RpcContext,
  procedure: Procedure<T>,
  lane: Lane | null = context.core.lane,
): Promise<T> {
  return context.core.pool.submit(procedureCall(context, procedure), context.options, lane);
}

/** The call of a procedure. */
export function procedureCall<T>(context: RpcContext, procedure: Procedure<T>): ExchangeCall<T> {
  const { operation, core: { maxReplyBytes } } = context;
  const { name } = procedure;
  const rows = withCommonRows(procedure.rows, context);
  const wakes = context.options?.wake !== undefined;
  const call: ExchangeCall<T> = new ExchangeCall(
    operation,
    {
      retryable: procedure.pure === true && !wakes,
      noReply: false,
      database: context.database,
      size: checkRequestSize(operation, rows),
    },
    (w) => encodeRpcRequest(w, name, rows),
    (r) => {
      const reply = readRpcReply(r, maxReplyBytes);
      if (!("rows" in reply)) return decodeResult(reply, settle);
      call.resolve(settle(reply));
      return null;
    },
  );
  const settle = (reply: RpcReply): T => {
    const result = resultOf(operation, procedure, reply);
    if (reply.keepAlive) return result;
    call.resolve(result);
    throw serverCloses(operation);
  };
  return call;
}

function* decodeResult<T>(
  reply: Decoder<RpcReply>,
  settle: (reply: RpcReply) => T,
): Decoder<T> {
  return settle(yield* reply);
}

/** What a reply comes to. */
function resultOf<T>(operation: string, procedure: Procedure<T>, reply: RpcReply): T {
  const output = new ProcedureOutput(reply.rows);
  if (reply.status !== 200) {
    const { misses = {} } = procedure;
    const error = failureOf(operation, procedure.name, reply.status, output);
    const code = error.serverCode ?? reply.status;
    if (Object.hasOwn(misses, code)) return misses[code];
    throw new Refused(error, !reply.keepAlive);
  }
  try {
    return procedure.take(output);
  } catch (error) {
    // What is wrong with the reply concerns the connection; a codec's own failure, this call alone.
    throw error instanceof ProtocolError ? error : new Refused(error, !reply.keepAlive);
  }
}

/** Ends a connection behind a reply that announces its end. */
export function serverCloses(operation: string): Refused {
  const message = `Cannot ${operation}: the server closes the connection`;
  return new Refused(new ConnectionError(message, { sent: true }), true);
}

/** The error that the reply of a procedure is. */
export function failureOf(
  operation: string,
  procedure: string,
  status: number,
  output: ProcedureOutput,
): ServerError {
  const said = lossyText(output.get("ERROR") ?? new Uint8Array(0)).trim();
  const [, number, message = said] = /^DB: (\d+): (.*)$/s.exec(said) ?? [];
  return new ServerError(
    `Cannot ${operation}: ${said || "the server refused"} (status ${status})`,
    {
      operation,
      procedure,
      status,
      serverCode: number === undefined ? undefined : Number(number),
      serverMessage: message === "" ? undefined : message,
    },
  );
}

/** A procedure's own parameters and those that are the same for all. */
function withCommonRows(
  own: readonly Row[],
  { operation, database, options }: RpcContext,
): readonly Row[] {
  const wake = options?.wake, inFirst = database === null || database === 0;
  if (inFirst && wake === undefined) return own;
  const rows = [...own];
  if (!inFirst) rows.push(row("DB", database));
  if (wake === undefined) return rows;
  const { name, all = false } = typeof wake === "string" || wake instanceof Uint8Array
    ? { name: wake }
    : wake ?? {};
  if (typeof name !== "string" && !(name instanceof Uint8Array)) {
    throw new TypeError(
      `Cannot ${operation}: "wake" is ${describe(wake)}, not a name or an object with a "name"`,
    );
  }
  rows.push(row("SIGNAL", checkData(operation, "name", name)));
  if (all) rows.push(row("SIGNALBROAD", ""));
  return rows;
}

/** A parameter. */
export function row(name: Key, value: Key | number | bigint): Row {
  const isData = typeof value === "string" || value instanceof Uint8Array;
  return [columnOfData(name), isData ? columnOfData(value) : String(value)];
}

/** Text stays text where it has one byte per character. */
function columnOfData(data: Key): Column {
  if (typeof data !== "string") return data;
  const { length } = data;
  if (length > SHORT) return toBytes(data);
  for (let i = 0; i < length; i++) {
    if (charCode(data, i) > 0x7f) return toBytes(data);
  }
  return data;
}

/** The parameter `xt`; none for what never expires. */
export function expirationRows(xt: number): Row[] {
  return Math.abs(xt) >= NEVER ? [] : [row("xt", xt)];
}

/**
 * About how many bytes a request has.
 *
 * @throws {RangeError} More than the server takes.
 */
export function checkRequestSize(operation: string, rows: readonly Row[]): number {
  const size = rowsSize(rows);
  // Base64 makes four of three; only near the limit it is worth looking closer.
  if (size + rows.length * 8 <= MAX_SIZE / 2) return size;
  const encoded = rowsSize(rows, requestEncoding(rows));
  if (encoded > MAX_SIZE) {
    throw new RangeError(
      `Cannot ${operation}: the request has ${encoded} bytes, more than the protocol's ${MAX_SIZE}`,
    );
  }
  return size;
}

/** The value of a row that must have come. */
export function requiredRow(output: ProcedureOutput, name: string): Uint8Array {
  const value = output.get(name);
  if (value === undefined) {
    throw new ProtocolError(`Cannot read a reply: the row "${name}" is missing`);
  }
  return value;
}

/** A row that must be a whole number; as a bigint only where it may be too large for a number. */
export function integerRow(output: ProcedureOutput, name: string): number | bigint {
  const column = columnOf(output, name);
  // Numbers are short enough to come as text.
  if (typeof column === "string" && isExactInteger(column)) return Number(column);
  const said = lossyText(requiredRow(output, name));
  if (/^-?\d+$/.test(said)) return BigInt(said);
  throw new ProtocolError(`Cannot read a reply: the row "${name}" is no number but "${said}"`);
}

/** When a record ends, in seconds since 1970; never, if nothing is said. */
export function expirationRow(output: ProcedureOutput): number {
  return output.get("xt") === undefined ? NEVER : Number(integerRow(output, "xt"));
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text of bytes that are text as a rule, such as a path. */
export function lossyText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
