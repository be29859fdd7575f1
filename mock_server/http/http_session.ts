/** One request of HTTP on a connection: read, carried out, answered. */

import type { ByteReader, Decoder } from "../../src/codec/decoder.ts";
import { encodeHttpRefusal } from "../../src/codec/http_reply.ts";
import { decodeHttpRequest } from "../../src/codec/http_request.ts";
import { RequestNote } from "../session/recorder.ts";
import type { Session } from "../session/session.ts";
import type { ServeHttp } from "../session/state.ts";
import { serveRest } from "./rest.ts";
import { RPC_PREFIX, RpcServer } from "./rpc.ts";
import type { RpcParts } from "./rpc_parts.ts";

/** Makes what serves HTTP to all connections of a server. */
export function httpServer(parts: RpcParts): ServeHttp {
  const rpc = new RpcServer(parts);
  return (session, reader) => serveRequest(session, reader, rpc);
}

function* serveRequest(session: Session, reader: ByteReader, rpc: RpcServer): Decoder<boolean> {
  const { state } = session;
  const request = yield* decodeHttpRequest(reader);
  if (request === null) return false;
  if ("message" in request) {
    encodeHttpRefusal(session.out, request, state.storage.clock.now());
    return false;
  }
  if (state.recorder.active) {
    const note = new RequestNote("http", false);
    note.name = request.line;
    state.recorder.add(note, session.id);
  }
  const { keepAlive } = request;
  if (request.target.startsWith(RPC_PREFIX)) {
    const waiting = rpc.serve(session, request, keepAlive);
    if (waiting !== undefined) yield waiting;
  } else {
    serveRest(session, request, keepAlive);
  }
  return keepAlive;
}
