/** Server-side procedures (play_script): what a user writes, and how it is called. */

import { toByteText } from "../../src/codec/byte_text.ts";
import { compareBytes } from "../../src/codec/bytes.ts";
import { toBytes } from "../../src/codec/writer.ts";
import type { Key } from "../../src/types.ts";
import type { Storage } from "../storage/storage.ts";
import { ProcedureDatabase } from "./procedure_database.ts";

/** The results that Kyoto Tycoon has names for; a procedure may return any other number too. */
export const ResultCode = {
  SUCCESS: 0,
  NOT_IMPLEMENTED: 1,
  INVALID: 2,
  LOGICAL: 3,
  TIMEOUT: 4,
  INTERNAL: 5,
} as const;

/**
 * What a procedure throws to fail with a certain result; any other exception counts as
 * `ResultCode.INTERNAL`.
 *
 * @example
 * ```ts
 * import { ProcedureError, ResultCode } from "@kyoto/tycoon/mock-server";
 *
 * console.log(new ProcedureError(ResultCode.INVALID).result); // 2
 * ```
 */
export class ProcedureError extends Error {
  /** Tells it from other exceptions. */
  override readonly name = "ProcedureError";
  /** The result, not 0. */
  readonly result: number;

  /** Makes the failure with a result. */
  constructor(result: number, message: string = `The procedure failed with result ${result}`) {
    super(message);
    this.result = result;
  }
}

/**
 * A procedure. What it returns decides about the result:
 *
 * - an object, a `Map`, or anything that gives pairs of a key and a value: success, with this output
 * - nothing, or a boolean: success without output
 * - a number: that result, cut towards zero; all but 0 are failures and have no output
 * - a string: the number that it spells, if any, else success
 *
 * Throwing is a failure, with the result of a {@linkcode ProcedureError} or else 5. Output keys and
 * values may be strings, bytes, numbers (whole ones in digits, others with six decimals) and
 * booleans; what else there is is left out. The client gets the output sorted by the keys' bytes.
 *
 * @example
 * ```ts
 * import { type Procedure, startMockServer } from "@kyoto/tycoon/mock-server";
 * import { connect, text } from "@kyoto/tycoon";
 * import { assertEquals } from "@std/assert";
 *
 * const visit: Procedure = (input, { databases, fail }) => {
 *   const name = input.text("name") ?? fail(2);
 *   return { visits: databases[0].increment(name) ?? fail(3) };
 * };
 *
 * await using server = await startMockServer({ procedures: { visit } });
 * await using kt = (await connect(server.url)).withCodec(text);
 * assertEquals(await kt.playScript("visit", { name: "ann" }), new Map([["visits", "1"]]));
 * ```
 */
export type Procedure = (
  input: ProcedureInput,
  context: ProcedureContext,
) => ProcedureResult | Promise<ProcedureResult>;

/** What a procedure may return. */
export type ProcedureResult = ProcedureOutput | number | bigint | boolean | string | null | void;

/** The output of a procedure: an object, or anything that gives pairs of a key and a value. */
export type ProcedureOutput =
  | { readonly [key: string]: unknown }
  | Iterable<readonly [key: unknown, value: unknown]>;

/** Procedures by name. A name is any string, or bytes. */
export type Procedures =
  | { readonly [name: string]: Procedure }
  | ReadonlyMap<Key, Procedure>;

/** What a procedure works with, beside its input. */
export interface ProcedureContext {
  /** The server's databases, by index. */
  readonly databases: readonly ProcedureDatabase[];
  /** Milliseconds since 1970, by the server's clock. */
  now(): number;
  /** Ends the procedure with a result, not 0. */
  fail(result: number): never;
}

/** The input records of a procedure: a map by the keys' bytes, in the order of the keys' bytes. */
export class ProcedureInput implements Iterable<[key: Uint8Array, value: Uint8Array]> {
  readonly #records: readonly [Uint8Array, Uint8Array][];

  /** Takes records as they came: of equal keys the last one counts. */
  constructor(records: readonly [key: Uint8Array, value: Uint8Array][]) {
    this.#records = sortedRecords(records);
  }

  /** How many records there are. */
  get size(): number {
    return this.#records.length;
  }

  /** The value of a key. */
  get(key: Key): Uint8Array | undefined {
    const bytes = toBytes(key);
    let low = 0, high = this.#records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compareBytes(this.#records[middle][0], bytes);
      if (order === 0) return this.#records[middle][1];
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }

  /** The value of a key as UTF-8. */
  text(key: Key): string | undefined {
    const value = this.get(key);
    return value === undefined ? undefined : new TextDecoder().decode(value);
  }

  /** Whether there is a record with a key. */
  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  /** The keys, in order. */
  *keys(): Generator<Uint8Array, void, void> {
    for (const [key] of this.#records) yield key;
  }

  /** The values, in the order of their keys. */
  *values(): Generator<Uint8Array, void, void> {
    for (const [, value] of this.#records) yield value;
  }

  /** Keys and values, in the order of the keys. */
  *[Symbol.iterator](): Generator<[key: Uint8Array, value: Uint8Array], void, void> {
    for (const [key, value] of this.#records) yield [key, value];
  }
}

/** What came out of a call: the output is empty unless the code is 0. */
export interface ProcedureOutcome {
  /** The result. */
  readonly code: number;
  /** Sorted by key. */
  readonly output: readonly [key: Uint8Array, value: Uint8Array][];
  /** What was thrown, if it was no {@linkcode ProcedureError}. */
  readonly error?: unknown;
}

/** The procedures of a server, found by their names' bytes. */
export class ProcedureRegistry {
  readonly #procedures = new Map<string, Procedure>();
  #longestName = 0;
  readonly #context: ProcedureContext;

  /** Takes procedures that will work on `storage`; what is no function is left out. */
  constructor(procedures: Procedures, storage: Storage) {
    const entries: Iterable<[Key, unknown]> = procedures instanceof Map
      ? procedures
      : Object.entries(procedures);
    for (const [name, procedure] of entries) {
      if (typeof procedure !== "function") continue;
      const bytes = toBytes(name);
      this.#procedures.set(toByteText(bytes, 0, bytes.length), procedure as Procedure);
      this.#longestName = Math.max(this.#longestName, bytes.length);
    }
    this.#context = {
      databases: storage.databases.map((database) => new ProcedureDatabase(storage, database)),
      now: () => storage.clock.now(),
      fail(result) {
        throw new ProcedureError(result);
      },
    };
  }

  /**
   * Calls the procedure that a request names; the name ends at its first NUL. The outcome is there at
   * once unless the procedure is asynchronous. It is never rejected.
   */
  call(
    name: Uint8Array,
    records: readonly [key: Uint8Array, value: Uint8Array][],
  ): ProcedureOutcome | Promise<ProcedureOutcome> {
    const nul = name.indexOf(0);
    const end = nul < 0 ? name.length : nul;
    const procedure = end <= this.#longestName
      ? this.#procedures.get(toByteText(name, 0, end))
      : undefined;
    if (procedure === undefined) return failure(ResultCode.NOT_IMPLEMENTED);
    try {
      const result = procedure(new ProcedureInput(records), this.#context);
      return result instanceof Promise ? result.then(outcomeOf).catch(caught) : outcomeOf(result);
    } catch (error) {
      return caught(error);
    }
  }
}

function failure(code: number): ProcedureOutcome {
  return { code, output: [] };
}

function caught(error: unknown): ProcedureOutcome {
  if (!(error instanceof ProcedureError)) return { ...failure(ResultCode.INTERNAL), error };
  return failure(Math.trunc(error.result) || ResultCode.INTERNAL);
}

function outcomeOf(result: ProcedureResult): ProcedureOutcome {
  if (typeof result === "string") result = numberOf(result);
  if (typeof result === "number" || typeof result === "bigint") {
    return failure(Math.trunc(Number(result)) || 0);
  }
  if (typeof result !== "object" || result === null) return failure(ResultCode.SUCCESS);
  const pairs = Symbol.iterator in result
    ? result as Iterable<readonly [unknown, unknown]>
    : Object.entries(result);
  const output: [Uint8Array, Uint8Array][] = [];
  for (const pair of pairs) {
    const key = outputBytes(pair[0]), value = outputBytes(pair[1]);
    if (key !== undefined && value !== undefined) output.push([key, value]);
  }
  return { code: ResultCode.SUCCESS, output: sortedRecords(output) };
}

/** What a string counts as where a number is wanted: blanks around it are allowed, `0x` too. */
function numberOf(text: string): number {
  return /^\s*[+-]?(0x[\da-f]+|(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)\s*$/i.test(text)
    ? text.trim().startsWith("-") ? -Number(text.replace("-", "")) : Number(text.replace("+", ""))
    : 0;
}

function outputBytes(data: unknown): Uint8Array | undefined {
  switch (typeof data) {
    case "string":
      return toBytes(data);
    case "number":
      return toBytes(numberText(data));
    case "bigint":
    case "boolean":
      return toBytes(String(data));
    default:
      return data instanceof Uint8Array ? data : undefined;
  }
}

function numberText(n: number): string {
  if (Number.isInteger(n)) return String(BigInt(n));
  return Number.isFinite(n) ? n.toFixed(6) : Number.isNaN(n) ? "nan" : n < 0 ? "-inf" : "inf";
}

/** Sorted by key; of equal keys the last one stays. */
function sortedRecords(
  records: readonly [key: Uint8Array, value: Uint8Array][],
): [key: Uint8Array, value: Uint8Array][] {
  const sorted = [...records].sort(([a], [b]) => compareBytes(a, b));
  return sorted.filter(([key], i) =>
    i + 1 === sorted.length || compareBytes(key, sorted[i + 1][0]) !== 0
  );
}
