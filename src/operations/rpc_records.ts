/** Operations on one record that only HTTP has. */

import { checkData, describe } from "../arguments.ts";
import { expirationToXt, xtToDate } from "../codec/expiration.ts";
import type { Row } from "../codec/tsv.ts";
import { ProtocolError } from "../errors.ts";
import type { ExpirationOptions, Key, Value } from "../types.ts";
import type { Codec } from "../value_codec.ts";
import type { IncrementOptions } from "./options.ts";
import type { ProcedureOutput } from "./output.ts";
import {
  callProcedure,
  DUPLICATE,
  expirationRow,
  expirationRows,
  integerRow,
  LOGICAL,
  lossyText,
  NO_RECORD,
  requiredRow,
  row,
  type RpcContext,
} from "./rpc_call.ts";

const INT64_MIN = -(2n ** 63n), INT64_MAX = 2n ** 63n - 1n;

/** What `check` returns: a record without its value. */
export interface RecordInfo {
  /** Bytes of the value. */
  size: number;
  /** When the record ends, in whole seconds; `null`: never. */
  expiresAt: Date | null;
}

/** @throws {TypeError} Asks for no reply, which what takes HTTP always has. */
export function checkReplied(
  operation: string,
  option: string,
  options: { noReply?: boolean },
): void {
  if (options.noReply) {
    throw new TypeError(`Cannot ${operation}: "${option}" and "noReply" exclude each other`);
  }
}

/** Stores a record in one of the server's ways; `misses` are the failures that are answers. */
function storeRecord<T>(
  context: RpcContext,
  name: string,
  key: Key,
  value: Value,
  expiration: ExpirationOptions | undefined,
  stored: T,
  misses: { readonly [code: number]: T } = {},
): Promise<T> {
  const rows = [
    row("key", checkData(context.operation, "key", key)),
    row("value", checkData(context.operation, "value", value)),
    ...expirationRows(expirationToXt(expiration)),
  ];
  return callProcedure(context, { name, rows, take: () => stored, misses });
}

/** `set` where the binary form does not suffice. */
export function setRecord(
  context: RpcContext,
  key: Key,
  value: Value,
  expiration: ExpirationOptions | undefined,
): Promise<void> {
  return storeRecord(context, "set", key, value, expiration, undefined);
}

/** Stores a record unless there is one. */
export function addRecord(
  context: RpcContext,
  key: Key,
  value: Value,
  expiration: ExpirationOptions | undefined,
): Promise<boolean> {
  return storeRecord(context, "add", key, value, expiration, true, { [DUPLICATE]: false });
}

/** Stores a record if there is one. */
export function replaceRecord(
  context: RpcContext,
  key: Key,
  value: Value,
  expiration: ExpirationOptions | undefined,
): Promise<boolean> {
  return storeRecord(context, "replace", key, value, expiration, true, { [NO_RECORD]: false });
}

/** Adds bytes at the end of a value. */
export function appendToRecord(
  context: RpcContext,
  key: Key,
  value: Value,
  expiration: ExpirationOptions | undefined,
): Promise<void> {
  return storeRecord(context, "append", key, value, expiration, undefined);
}

/** `remove` where the binary form does not suffice. */
export function removeRecord(context: RpcContext, key: Key): Promise<boolean> {
  return callProcedure(context, {
    name: "remove",
    rows: [row("key", checkData(context.operation, "key", key))],
    take: () => true,
    misses: { [NO_RECORD]: false },
  });
}

/** Stores `next`, or nothing (`null`), if the value is `expected`, or there is none (`null`). */
export function compareAndSwap(
  context: RpcContext,
  key: Key,
  expected: Value | null,
  next: Value | null,
  expiration: ExpirationOptions | undefined,
): Promise<boolean> {
  const { operation } = context;
  const rows = [row("key", checkData(operation, "key", key))];
  if (expected !== null) rows.push(row("oval", checkData(operation, "value", expected)));
  if (next !== null) rows.push(row("nval", checkData(operation, "value", next)));
  rows.push(...expirationRows(expirationToXt(expiration)));
  return callProcedure(context, {
    name: "cas",
    rows,
    take: () => true,
    misses: { [LOGICAL]: false },
  });
}

/** A record without its value. */
export function checkRecord(context: RpcContext, key: Key): Promise<RecordInfo | null> {
  return callProcedure<RecordInfo | null>(context, {
    name: "check",
    rows: [row("key", checkData(context.operation, "key", key))],
    pure: true,
    take: (output) => ({
      size: Number(integerRow(output, "vsiz")),
      expiresAt: xtToDate(expirationRow(output)),
    }),
    misses: { [NO_RECORD]: null },
  });
}

/** Removes a record and returns its value. */
export function seizeRecord<V>(
  context: RpcContext,
  key: Key,
  codec: Codec<V, never>,
): Promise<V | null> {
  return callProcedure<V | null>(context, {
    name: "seize",
    rows: [row("key", checkData(context.operation, "key", key))],
    take: (output) => codec.decode(requiredRow(output, "value")),
    misses: { [NO_RECORD]: null },
  });
}

/** Adds to a whole number; the sum is of the type of what was added. */
export function incrementRecord(
  context: RpcContext,
  key: Key,
  by: number | bigint,
  options: IncrementOptions | undefined,
): Promise<number | bigint> {
  const { operation } = context;
  const rows = counterRows(
    checkData(operation, "key", key),
    checkInteger(operation, "by", by, INT64_MIN, INT64_MAX),
    options,
    // The server uses the ends of the range for its own purposes.
    (initial) => checkInteger(operation, "initial", initial, INT64_MIN + 1n, INT64_MAX - 1n),
  );
  return callProcedure(context, {
    name: "increment",
    rows,
    take(output) {
      const sum = integerRow(output, "num");
      if (typeof by === "bigint") return BigInt(sum);
      const number = Number(sum);
      if (Number.isSafeInteger(number)) return number;
      throw new RangeError(
        `Cannot return the result of ${operation}: ${sum} is stored, ` +
          "but too large for a number; add a bigint instead",
      );
    },
  });
}

/** Adds to a number with a fraction. */
export function incrementRecordDouble(
  context: RpcContext,
  key: Key,
  by: number,
  options: IncrementOptions<number> | undefined,
): Promise<number> {
  const { operation } = context;
  const rows = counterRows(
    checkData(operation, "key", key),
    decimal(operation, "by", by),
    options,
    (initial) => decimal(operation, "initial", initial),
  );
  return callProcedure(context, { name: "increment_double", rows, take: decimalResult });
}

function decimalResult(output: ProcedureOutput): number {
  const text = lossyText(requiredRow(output, "num"));
  if (/^-?inf$/.test(text)) return text === "inf" ? Infinity : -Infinity;
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  throw new ProtocolError(`Cannot read a reply: the row "num" is no number but "${text}"`);
}

/** What adds to a counter takes; `num` is what is added. */
function counterRows<N extends number | bigint>(
  key: Key,
  num: string,
  options: IncrementOptions<N> | undefined,
  textOf: (initial: N) => string,
): Row[] {
  const rows = [row("key", key), row("num", num)];
  if (options === undefined) return rows;
  const { initial } = options;
  if (initial === "must-exist") rows.push(row("orig", "try"));
  else if (initial === "reset") rows.push(row("orig", "set"));
  else if (initial !== undefined) rows.push(row("orig", textOf(initial as N)));
  rows.push(...expirationRows(expirationToXt(options)));
  return rows;
}

function checkInteger(
  operation: string,
  name: string,
  n: number | bigint,
  minimum: bigint,
  maximum: bigint,
): string {
  if (typeof n === "bigint") {
    if (n >= minimum && n <= maximum) return String(n);
    throw new RangeError(`Cannot ${operation}: "${name}" is ${n}, out of the server's 64 bits`);
  }
  if (Number.isSafeInteger(n)) return String(n);
  const message = `Cannot ${operation}: "${name}" is ${
    describe(n)
  }, not a safe integer or a bigint`;
  throw typeof n === "number" ? new RangeError(message) : new TypeError(message);
}

/** A number as the server reads it: no more than 16 digits count, and its fractions have 15. */
function decimal(operation: string, name: string, n: number): string {
  if (typeof n !== "number" || Number.isNaN(n)) {
    throw new TypeError(`Cannot ${operation}: "${name}" is ${describe(n)}, not a number`);
  }
  if (Math.abs(n) >= 2 ** 63) {
    // Infinity is one of its numbers, but it stands for what an absent record is counted from, too.
    if (Math.abs(n) === Infinity && name === "by") return n > 0 ? "inf" : "-inf";
    throw new RangeError(`Cannot ${operation}: "${name}" is ${n}, out of the server's 64 bits`);
  }
  const text = String(n);
  return text.includes("e") ? n.toFixed(15) : text;
}
