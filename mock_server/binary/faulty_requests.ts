/** Serves requests while there are fault rules: slower, but the same but for the faults. */

import {
  BULK_HEADER_SIZE,
  FLAG_NO_REPLY,
  Magic,
  SCRIPT_HEADER_SIZE,
  XT_NEVER,
} from "../../src/codec/constants.ts";
import { ByteReader, type Decoder } from "../../src/codec/decoder.ts";
import {
  decodeKeys,
  decodeRecords,
  decodeScriptName,
  decodeScriptRecords,
} from "../../src/codec/request.ts";
import { ByteWriter } from "../../src/codec/writer.ts";
import type { FaultRule } from "../session/faults.ts";
import type { Operation } from "../session/recorder.ts";
import { ReplyShape } from "../session/reply_shape.ts";
import type { Session } from "../session/session.ts";
import type { RequestServer } from "./requests.ts";

const OPERATION_OF = new Map<number, Operation>([
  [Magic.SET_BULK, "set_bulk"],
  [Magic.REMOVE_BULK, "remove_bulk"],
  [Magic.GET_BULK, "get_bulk"],
  [Magic.PLAY_SCRIPT, "play_script"],
  [Magic.REPLICATION, "replication"],
]);

/** What a size says that no client should take memory for. */
const OVERSIZE = 0x7fff_ffff;

/** A request that was read into memory, so that it can be executed or not. */
interface HeldRequest {
  bytes: Uint8Array;
  databases: Set<number>;
  /** Whether there is never a reply, an error's included. */
  noReply: boolean;
  /** Why there is no more of it. */
  failure: unknown;
}

/**
 * Serves one request under the session's fault rules. A binary request is read to its end first, so
 * that its records are not seen by others while they arrive.
 *
 * @param make Makes what executes a request, for the session and any reader.
 */
export function* serveUnderFaults(
  session: Session,
  reader: ByteReader,
  make: (reader: ByteReader) => RequestServer,
): Decoder<boolean> {
  const magic = reader.window[reader.position];
  const op = OPERATION_OF.get(magic) ?? (magic > 0 && magic < 0x80 ? "http" : undefined);
  if (op === undefined) return yield* make(reader).request(magic);
  const held = op === "http" || op === "replication" ? undefined : yield* hold(reader, magic);
  const execute = () =>
    held === undefined ? make(reader).request(magic) : replay(held, make, magic);
  const databases = held?.databases ?? new Set<number>();
  const rule = held?.failure === undefined
    ? session.state.faults.match({ op, connection: session.id, databases })
    : undefined;
  if (rule === undefined) return yield* execute();
  // What follows is about this request's reply alone.
  yield session.drain();
  return yield* misbehave(session, rule, op, held?.noReply === true, execute);
}

function* misbehave(
  session: Session,
  rule: FaultRule,
  op: Operation,
  noReply: boolean,
  execute: () => Decoder<boolean>,
): Decoder<boolean> {
  const { action } = rule;
  const executed = rule.executed === true || op === "http";
  switch (action) {
    case "hang":
    case "disconnect":
    case "reset":
      if (executed && op !== "replication") {
        yield* shaped(session, new ReplyShape("silence"), execute);
      }
      if (action === "hang") yield session.closed;
      else if (action === "reset") session.reset();
      else session.close();
      return false;
    case "error":
      if (op === "http") {
        yield* shaped(session, new ReplyShape("silence"), execute);
        session.out.ascii("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
        return true;
      }
      if (!noReply) session.out.u8(Magic.ERROR);
      return op === "play_script";
    case "oversized":
      if (!noReply) announceTooMuch(session.out, op);
      yield session.drain();
      yield session.closed;
      return false;
    default:
      if (typeof action === "object" && "delay" in action) {
        yield session.sleep(action.delay);
        return yield* execute();
      }
      return yield* shaped(session, new ReplyShape(action), execute);
  }
}

/** Executes a request whose reply goes out through a shape. */
function* shaped(
  session: Session,
  shape: ReplyShape,
  execute: () => Decoder<boolean>,
): Decoder<boolean> {
  session.shape = shape;
  const goesOn = yield* execute();
  yield session.drain();
  session.shape = null;
  return goesOn;
}

function announceTooMuch(out: ByteWriter, op: Operation): void {
  switch (op) {
    case "get_bulk":
      out.u8(Magic.GET_BULK);
      out.u32(1);
      out.u16(0);
      out.u32(OVERSIZE);
      out.u32(OVERSIZE);
      out.i64(XT_NEVER);
      return;
    case "play_script":
      out.u8(Magic.PLAY_SCRIPT);
      out.u32(1);
      out.u32(OVERSIZE);
      out.u32(OVERSIZE);
      return;
    case "replication":
      out.u8(Magic.REPLICATION);
      out.u8(Magic.REPLICATION);
      out.u64(1n);
      out.u32(OVERSIZE);
      return;
    case "http":
      out.ascii(`HTTP/1.1 200 OK\r\nContent-Length: ${OVERSIZE}\r\n\r\n`);
      return;
    default:
      out.u8(op === "set_bulk" ? Magic.SET_BULK : Magic.REMOVE_BULK);
      out.u32(OVERSIZE);
  }
}

/** Reads a binary request to its end, or to where it breaks off. */
function* hold(r: ByteReader, magic: number): Decoder<HeldRequest> {
  const copy = new ByteWriter(), databases = new Set<number>();
  let failure: unknown;
  const header = magic === Magic.PLAY_SCRIPT ? SCRIPT_HEADER_SIZE : BULK_HEADER_SIZE;
  if (r.available < header) yield header;
  copy.bytes(r.copy(header));
  const view = new DataView(copy.copy().buffer);
  try {
    if (magic === Magic.PLAY_SCRIPT) {
      copy.bytes(yield* decodeScriptName(r, view.getUint32(5)));
      for (const [key, value] of yield* decodeScriptRecords(r, view.getUint32(9))) {
        copy.scriptRecord(key, value);
      }
    } else if (magic === Magic.SET_BULK) {
      const count = view.getUint32(5);
      yield* decodeRecords(r, count, (database, xt, bytes, start, keySize, valueSize) => {
        databases.add(database);
        const end = start + keySize;
        copy.record(
          database,
          bytes.slice(start, end),
          bytes.slice(end, end + valueSize),
          xt,
        );
      });
    } else {
      yield* decodeKeys(r, view.getUint32(5), (database, bytes, start, end) => {
        databases.add(database);
        copy.keyRecord(database, bytes.slice(start, end));
      });
    }
  } catch (error) {
    failure = error;
  }
  const noReply = magic !== Magic.GET_BULK && (view.getUint32(1) & FLAG_NO_REPLY) !== 0;
  return { bytes: copy.copy(), databases, noReply, failure };
}

/** Executes a request that was held. Where it broke off the execution does. */
function* replay(
  held: HeldRequest,
  make: (reader: ByteReader) => RequestServer,
  magic: number,
): Decoder<boolean> {
  const reader = new ByteReader();
  reader.window = held.bytes;
  reader.end = held.bytes.length;
  const request = make(reader).request(magic);
  let step = request.next();
  while (!step.done) {
    if (typeof step.value === "number") {
      step = request.throw(held.failure);
    } else {
      yield step.value;
      step = request.next();
    }
  }
  return step.value;
}
