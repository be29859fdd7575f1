/** Procedures over HTTP: `/rpc/` and their name (docs/protocol.md, section 5). */

import { fromByteText, parseDecimal, parseInteger, toByteText } from "../../src/codec/byte_text.ts";
import { urlDecode } from "../../src/codec/column.ts";
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

/** Their names by the paths that need no decoding, as most do. */
const KNOWN_PATHS: ReadonlyMap<string, string> = new Map(
  Array.from(PROCEDURES.keys(), (name) => [RPC_PREFIX + name, name]),
);
const NO_QUERY = new Uint8Array(0);

/** Seconds that a condition is waited for when nothing else is said. */
const DEFAULT_WAIT = 30;

type Rows = ReadonlyMap<string, Uint8Array>;

interface Outcome {
  readonly failure?: Failure | void;
  readonly output: readonly Row[];
}

const NO_ROWS: readonly Row[] = [];

/** Serves procedures to all connections of a server. */
export class RpcServer {
  readonly #parts: RpcParts;
  readonly #conditions = new Conditions();
  /** Each connection has its own. */
  readonly #cursors = new WeakMap<Session, Map<bigint, Cursor>>();

  constructor(parts: RpcParts) {
    this.#parts = parts;
  }

  /**
   * Carries out the call that a request is, and writes the reply: at once, or when the promise
   * resolves.
   */
  serve(session: Session, request: HttpRequest, keepAlive: boolean): Promise<void> | undefined {
    const { target, method, headers, body } = request;
    const known = KNOWN_PATHS.get(target);
    const [path, query] = known === undefined ? splitTarget(target) : [target, NO_QUERY];
    const name = known ?? procedureName(path.slice(RPC_PREFIX.length));
    const input = decodeInput(query, headers.get("content-type"), body);
    const reply = (outcome: Outcome) => {
      const status = outcome.failure?.status ?? 200;
      const head = { status, date: session.state.storage.clock.now(), keepAlive };
      encodeRpcReply(session.out, head, rowsOf(outcome), method !== "HEAD");
    };
    const outcome = input.has("WAIT")
      ? this.#executeLater(session, name, input)
      : this.#execute(session, name, input);
    if (outcome instanceof Promise) return outcome.then(reply);
    reply(outcome);
    return undefined;
  }

  async #executeLater(session: Session, name: string, input: Rows): Promise<Outcome> {
    const signalled = await this.#wait(session, input);
    return signalled
      ? this.#execute(session, name, input)
      : { failure: TIMED_OUT, output: NO_ROWS };
  }

  #execute(session: Session, name: string, input: Rows): Outcome | Promise<Outcome> {
    const { state } = session;
    const database = findDatabase(state.storage, textOf(input, "DB") ?? "");
    const cursor = this.#cursor(session, textOf(input, "CUR") ?? "", database, name);
    if (cursor === "deleted") return { output: NO_ROWS };
    const call = new RpcCall(this.#parts, state, input, database, cursor);
    const procedure = PROCEDURES.get(name);
    const failure = procedure === undefined
      ? { status: 501, message: `not implemented: ${name}` }
      : procedure(call);
    return failure instanceof Promise
      ? failure.then((settled) => this.#outcome(call, settled))
      : this.#outcome(call, failure);
  }

  #outcome(call: RpcCall, failure: Failure | void): Outcome {
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

function rowsOf({ output, failure }: Outcome): readonly Row[] {
  return failure === undefined ? output : [...output, ["ERROR", failure.message]];
}

/** What a path names. */
function procedureName(encoded: string): string {
  const name = urlDecode(fromByteText(encoded), 0, encoded.length);
  return toByteText(name, 0, name.length);
}
