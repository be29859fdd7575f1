/** Records over HTTP: GET, HEAD, PUT and DELETE on any path but those of procedures. */

import { fromByteText, toByteText } from "../../src/codec/byte_text.ts";
import { urlDecode } from "../../src/codec/column.ts";
import { NEVER, XT_NEVER } from "../../src/codec/constants.ts";
import { formatHttpDate, parseTime } from "../../src/codec/http_date.ts";
import { encodeHttpReply } from "../../src/codec/http_reply.ts";
import { type HttpRequest, splitTarget } from "../../src/codec/http_request.ts";
import type { Session } from "../session/session.ts";
import type { ServerState } from "../session/state.ts";
import { type Database, type StoredRecord, valueOf } from "../storage/storage.ts";
import { type Failure, NO_RECORD, NO_SUCH_DATABASE } from "./failures.ts";
import { read, remove, store, type StoreMode } from "./record_operations.ts";
import { findDatabase } from "./rpc.ts";

type Header = readonly [name: string, value: string];

/** A reply; `length` is that of the body, or of the one that a HEAD leaves out. */
interface RestReply {
  readonly status: number;
  readonly headers?: readonly Header[];
  readonly body?: Uint8Array;
  readonly length?: number;
}

/** Port that a URL need not name. */
const HTTP_PORT = 80;

/** Carries out a request and writes the reply. */
export function serveRest(session: Session, request: HttpRequest, keepAlive: boolean): void {
  const { state } = session;
  const [database, key] = resolve(state, splitTarget(request.target)[0]);
  const reply = database === undefined
    ? { status: 400, body: fromByteText(`${NO_SUCH_DATABASE.message}\n`) }
    : replyTo(state, request, database, key);
  const { status, headers = [], body, length } = reply;
  const isHead = request.method === "HEAD";
  encodeHttpReply(
    session.out,
    { status, date: state.storage.clock.now(), keepAlive },
    length ?? (isHead ? null : body?.length ?? 0),
    headers,
    isHead ? undefined : body,
  );
}

/** The database and the key that a path names. */
function resolve(state: ServerState, path: string): [Database | undefined, Uint8Array] {
  const { storage } = state;
  const rest = path.startsWith("/") ? path.slice(1) : path;
  const slash = rest.indexOf("/");
  if (slash < 0) return [storage.databases[0], decoded(rest)];
  const name = decoded(rest.slice(0, slash));
  const database = findDatabase(storage, toByteText(name, 0, name.length));
  return [database, decoded(rest.slice(slash + 1).replace(/^\//, ""))];
}

function decoded(text: string): Uint8Array {
  return urlDecode(fromByteText(text), 0, text.length);
}

function replyTo(
  state: ServerState,
  request: HttpRequest,
  database: Database,
  key: Uint8Array,
): RestReply {
  switch (request.method) {
    case "GET": {
      const record = read(state, database, key);
      return record === undefined
        ? failed(NO_RECORD, 404)
        : { status: 200, headers: expirationOf(record), body: valueOf(record) };
    }
    case "HEAD": {
      const record = read(state, database, key);
      return record === undefined
        ? { ...failed(NO_RECORD, 404), length: 0 }
        : { status: 200, headers: expirationOf(record), length: valueOf(record).length };
    }
    case "PUT": {
      const { body, headers, target } = request;
      const mode = modeOf(headers.get("x-kt-mode"));
      const failure = store(state, database, mode, key, body, xtOf(headers.get("x-kt-xt")));
      return failure === undefined
        ? { status: 201, headers: [["Location", locationOf(state.port, target)]] }
        : failed(failure, failure.status);
    }
    case "DELETE": {
      const failure = remove(state, database, key);
      if (failure === undefined) return { status: 204 };
      return failed(failure, failure === NO_RECORD ? 404 : failure.status);
    }
    default:
      return { status: 501 };
  }
}

function failed(failure: Failure, status: number): RestReply {
  return { status, headers: [["X-Kt-Error", failure.message]] };
}

function expirationOf(record: StoredRecord): Header[] {
  return record.expires < NEVER ? [["X-Kt-Xt", formatHttpDate(record.expires)]] : [];
}

function modeOf(header: string | undefined): StoreMode {
  const mode = header?.toLowerCase();
  return mode === "add" || mode === "replace" ? mode : "set";
}

/** Unlike a procedure's, always an absolute time; what is no such time means never. */
function xtOf(header: string | undefined): number {
  const seconds = header === undefined ? null : parseTime(header);
  return seconds !== null && seconds > 0 && seconds < NEVER ? -seconds : XT_NEVER;
}

/** The host is always this one, whatever the server or the client is called. */
function locationOf(port: number, target: string): string {
  const host = port === HTTP_PORT ? "localhost" : `localhost:${port}`;
  return `http://${host}${target.replace(BLANKS, " ").trimEnd()}`;
}

/** The server does not let them through in a header. */
// deno-lint-ignore no-control-regex -- they are what it is about
const BLANKS = /[\x01-\x20\x7f]+/g;
