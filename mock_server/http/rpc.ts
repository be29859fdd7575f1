/** Procedures over HTTP: `/rpc/` and their name (docs/protocol.md, section 5). */

import { fromByteText, parseDecimal, parseInteger, toByteText } from "../../src/codec/byte_text.ts";
import { urlDecode } from "../../src/codec/column.ts";
import type { Decoder } from "../../src/codec/decoder.ts";
import { encodeRpcReply } from "../../src/codec/http_reply.ts";
import { type HttpRequest, splitTarget } from "../../src/codec/http_request.ts";
import { decodeInput, type Row } from "../../src/codec/tsv.ts";
import type { Session } from "../session/session.ts";
import { Cursor } from "../storage/cursor.ts";
import type { Database, Storage } from "../storage/storage.ts";
import { Conditions } from "./conditions.ts";
import { type Failure, TIMED_OUT } from "./failures.ts";
import { RpcCall, type RpcProcedure, textOf } from "./rpc_call.ts";
import { cursorProcedures } from "./rpc_cursors.ts";
import type { RpcParts } from "./rpc_parts.ts";
import { recordProcedures } from "./rpc_records.ts";
import { serverProcedures } from "./rpc_server.ts";

/** What the paths of procedures begin with. */
export const RPC_PREFIX = "/rpc/";

const PROCEDURES: ReadonlyMap<string, RpcProcedure> = new Map([
  ...serverProcedures,
  ...recordProcedures,
  ...cursorProcedures,
]);

/** Seconds that a condition is waited for when nothing else is said. */
const DEFAULT_WAIT = 30;

type Rows = ReadonlyMap<string, Uint8Array>;

interface Outcome {
  readonly failure?: Failure | void;
  readonly output: Rows;
}

const NO_ROWS: Rows = new Map();

/** Serves procedures to all connections of a server. */
export class RpcServer {
  readonly #parts: RpcParts;
  readonly #conditions = new Conditions();
  /** Each connection has its own. */
  readonly #cursors = new WeakMap<Session, Map<bigint, Cursor>>();

  constructor(parts: RpcParts) {
    this.#parts = parts;
  }

  /** Carries out the call that a request is, and writes the reply. */
  *serve(session: Session, request: HttpRequest, keepAlive: boolean): Decoder<void> {
    const [path, query] = splitTarget(request.target);
    const name = procedureName(path.slice(RPC_PREFIX.length));
    const input = decodeInput(query, request.headers.get("content-type"), request.body);
    const { failure, output } = yield* this.#execute(session, name, input);
    const head = {
      status: failure?.status ?? 200,
      date: session.state.storage.clock.now(),
      keepAlive,
    };
    encodeRpcReply(session.out, head, rowsOf(output, failure), request.method !== "HEAD");
  }

  *#execute(session: Session, name: string, input: Rows): Decoder<Outcome> {
    if (input.has("WAIT")) {
      let signalled = false;
      yield this.#wait(session, input).then((value) => void (signalled = value));
      if (!signalled) return { failure: TIMED_OUT, output: NO_ROWS };
    }
    const { state } = session;
    const database = findDatabase(state.storage, textOf(input, "DB") ?? "");
    const cursor = this.#cursor(session, textOf(input, "CUR") ?? "", database, name);
    if (cursor === "deleted") return { output: NO_ROWS };
    const call = new RpcCall(this.#parts, state, input, database, cursor);
    const procedure = PROCEDURES.get(name);
    let failure = procedure === undefined
      ? { status: 501, message: `not implemented: ${name}` }
      : procedure(call);
    if (failure instanceof Promise) {
      let settled: Failure | void = undefined;
      yield failure.then((value) => void (settled = value));
      failure = settled;
    }
    this.#signal(call);
    return { failure, output: call.output };
  }

  #wait(session: Session, input: Rows): Promise<boolean> {
    const seconds = parseDecimal(textOf(input, "WAITTIME") ?? "");
    return this.#conditions.wait(
      textOf(input, "WAIT")!,
      (seconds > 0 ? seconds : DEFAULT_WAIT) * 1000,
      session.closed,
    );
  }

  /** Wakes those who wait for what the call signals, whether it failed or not. */
  #signal(call: RpcCall): void {
    const name = call.text("SIGNAL");
    if (name === undefined) return;
    call.give("SIGNALED", this.#conditions.signal(name, call.has("SIGNALBROAD")));
  }

  /** The cursor that a call names; whatever the procedure, it is made if there is none. */
  #cursor(
    session: Session,
    text: string,
    database: Database | undefined,
    procedure: string,
  ): Cursor | "deleted" | undefined {
    if (!/^\d/.test(text)) return undefined;
    const id = parseInteger(text);
    let cursors = this.#cursors.get(session);
    const cursor = cursors?.get(id);
    if (cursor !== undefined) {
      if (procedure !== "cur_delete") return cursor;
      cursors!.delete(id);
      return "deleted";
    }
    if (database === undefined) return undefined;
    const created = new Cursor(database);
    if (cursors === undefined) this.#cursors.set(session, cursors = new Map());
    cursors.set(id, created);
    return created;
  }
}

/** The database that a parameter or path names: by index, or the last one of that name. */
export function findDatabase(storage: Storage, text: string): Database | undefined {
  const { databases } = storage;
  if (text === "") return databases[0];
  if (/^\d/.test(text)) return databases[Number(BigInt.asIntN(32, parseInteger(text)))];
  const name = new TextDecoder().decode(fromByteText(text));
  return databases.findLast((database) => database.name === name);
}

function rowsOf(output: Rows, failure: Failure | void): Row[] {
  const rows = Array.from(output, ([name, value]): Row => [fromByteText(name), value]);
  if (failure !== undefined) rows.push([fromByteText("ERROR"), fromByteText(failure.message)]);
  return rows;
}

/** What a path names; most need no decoding. */
function procedureName(encoded: string): string {
  if (PROCEDURES.has(encoded)) return encoded;
  const name = urlDecode(fromByteText(encoded), 0, encoded.length);
  return toByteText(name, 0, name.length);
}
