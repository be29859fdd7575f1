/** One call of a procedure over HTTP: its input, its output, and what it works on. */

import { commonText, fromByteText, parseInteger, toByteText } from "../../src/codec/byte_text.ts";
import { NEVER, XT_NEVER } from "../../src/codec/constants.ts";
import type { Column } from "../../src/codec/tsv.ts";
import type { ServerState } from "../session/state.ts";
import type { Cursor } from "../storage/cursor.ts";
import type { Database, StoredRecord } from "../storage/storage.ts";
import { type Failure, NO_SUCH_CURSOR, NO_SUCH_DATABASE } from "./failures.ts";
import type { RpcParts } from "./rpc_parts.ts";

/** What a procedure does. It returns its failure, or nothing. */
export type RpcProcedure = (call: RpcCall) => Failure | void | Promise<Failure | void>;

/** A call. Names of rows are texts of one character per byte. */
export class RpcCall {
  readonly server: RpcParts;
  readonly state: ServerState;
  readonly input: ReadonlyMap<string, Uint8Array>;
  /** What comes back; no two rows have the same name. */
  readonly output: [name: string, value: Column][] = [];
  /** What the parameter `DB` names. */
  readonly database: Database | undefined;
  /** What the parameter `CUR` names. */
  readonly cursor: Cursor | undefined;

  constructor(
    server: RpcParts,
    state: ServerState,
    input: ReadonlyMap<string, Uint8Array>,
    database: Database | undefined,
    cursor: Cursor | undefined,
  ) {
    this.server = server;
    this.state = state;
    this.input = input;
    this.database = database;
    this.cursor = cursor;
  }

  /** A parameter's bytes. */
  bytes(name: string): Uint8Array | undefined {
    return this.input.get(name);
  }

  /** A parameter as text of one character per byte. */
  text(name: string): string | undefined {
    return textOf(this.input, name);
  }

  /** A parameter as a whole number. */
  integer(name: string): bigint | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parseInteger(text);
  }

  /** Whether a parameter is there, with any value. */
  has(name: string): boolean {
    return this.input.has(name);
  }

  /** The expiration of what is stored; never, if nothing is said. */
  get xt(): number {
    const xt = this.integer("xt");
    return xt === undefined ? XT_NEVER : Number(xt);
  }

  /** The keys that rows with an underscore in front name, in order, with the values of these rows. */
  records(): [key: Uint8Array, value: Uint8Array][] {
    return [...this.input]
      .filter(([name]) => name[0] === "_")
      .sort(([a], [b]) => a < b ? -1 : 1)
      .map(([name, value]) => [fromByteText(name.slice(1)), value]);
  }

  /** Adds a row to the output. */
  give(name: string, value: Uint8Array | string | number | bigint): void {
    this.output.push([name, value instanceof Uint8Array ? value : String(value)]);
  }

  /** Adds a row with an underscore and a key as its name. */
  giveRecord(key: Uint8Array, value: Uint8Array | string | number): void {
    this.give(`_${toByteText(key, 0, key.length)}`, value);
  }

  /** Adds the row `xt`, if the record can expire. */
  giveExpiration(record: StoredRecord): void {
    if (record.expires < NEVER) this.give("xt", record.expires);
  }
}

/** A row as text of one character per byte. */
export function textOf(
  input: ReadonlyMap<string, Uint8Array>,
  name: string,
): string | undefined {
  const bytes = input.get(name);
  return bytes === undefined ? undefined : commonText(bytes, 0, bytes.length);
}

/** A procedure that needs a database. */
export function onDatabase(
  procedure: (call: RpcCall, database: Database) => Failure | void,
): RpcProcedure {
  return (call) => call.database === undefined ? NO_SUCH_DATABASE : procedure(call, call.database);
}

/** A procedure that needs a cursor. */
export function onCursor(
  procedure: (call: RpcCall, cursor: Cursor) => Failure | void,
): RpcProcedure {
  return (call) => call.cursor === undefined ? NO_SUCH_CURSOR : procedure(call, call.cursor);
}
