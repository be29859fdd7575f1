/** The binary requests: what a session does with each, and the real server's rules for errors. */

import {
  BULK_HEADER_SIZE,
  FLAG_NO_REPLY,
  FLAG_WHITE_LIST,
  KEY_HEADER_SIZE,
  Magic,
  REPLICATION_HEADER_SIZE,
  SCRIPT_HEADER_SIZE,
} from "../../src/codec/constants.ts";
import type { ByteReader, Decoder } from "../../src/codec/decoder.ts";
import { encodeCount, encodeScriptReply } from "../../src/codec/reply.ts";
import {
  decodeKeys,
  decodeRecords,
  decodeScriptName,
  decodeScriptRecords,
  type KeyVisitor,
  type RecordVisitor,
} from "../../src/codec/request.ts";
import type { ProcedureOutcome } from "../procedures/procedures.ts";
import { type Operation, RequestNote } from "../session/recorder.ts";
import { Interruption, type Session } from "../session/session.ts";
import type { ServerState } from "../session/state.ts";
import type { Database, StoredRecord } from "../storage/storage.ts";
import { serveUnderFaults } from "./faulty_requests.ts";

/** Serves a connection: request after request until the stream ends, or an error ends it. */
export function serve(session: Session, reader: ByteReader): Decoder<void> {
  return new RequestServer(session, reader).serve();
}

/** A get_bulk of one record, without its key. */
const ONE_GET_SIZE = BULK_HEADER_SIZE + KEY_HEADER_SIZE;
/** Records of a reply between two looks at how much of it waits; few, as each may be large. */
const FLUSH_INTERVAL = 8;

/** Whether the connection goes on after a request. */
type GoesOn = boolean;

/** Executes the requests of a session. */
export class RequestServer {
  readonly #session: Session;
  readonly #reader: ByteReader;
  readonly #state: ServerState;
  readonly #databases: readonly Database[];
  /** How many records of the current request were stored or removed. */
  #hits = 0;
  /** What the current get_bulk has found. */
  #found: StoredRecord[] = [];
  #foundIn: number[] = [];
  /** The current request for the recorder, if that wants to know. */
  #note: RequestNote | null = null;

  /** Executes what comes by `reader`, which is the session's or holds a whole request. */
  constructor(session: Session, reader: ByteReader) {
    this.#session = session;
    this.#reader = reader;
    this.#state = session.state;
    this.#databases = session.state.storage.databases;
  }

  /** Executes request after request. */
  *serve(): Decoder<void> {
    const session = this.#session, r = this.#reader, { faults } = this.#state;
    for (;;) {
      if (r.available < 1) {
        session.idle = true;
        yield 1;
        session.idle = false;
      }
      if (faults.active || !this.#getAtOnce()) {
        const goesOn = yield* faults.active
          ? serveUnderFaults(session, r, (reader) => new RequestServer(session, reader))
          : this.request(r.window[r.position]);
        if (!goesOn || session.isClosed) return;
      }
      const full = session.flushIfMuch();
      if (full !== undefined) yield full;
    }
  }

  /** Executes the request that begins with this byte, which is unread. */
  *request(magic: number): Decoder<GoesOn> {
    switch (magic) {
      case Magic.GET_BULK:
        return yield* this.#getBulk();
      case Magic.SET_BULK:
        return yield* this.#setBulk();
      case Magic.REMOVE_BULK:
        return yield* this.#removeBulk();
      case Magic.PLAY_SCRIPT:
        return yield* this.#playScript();
      case Magic.REPLICATION:
        return yield* this.#replication();
      default:
        return magic > 0 && magic < 0x80 &&
          (yield* this.#state.serveHttp(this.#session, this.#reader));
    }
  }

  /** Answers a get_bulk of one record if all of it is there, as most are; else nothing is read. */
  #getAtOnce(): boolean {
    const r = this.#reader, start = r.position;
    if (r.available < ONE_GET_SIZE || r.window[start] !== Magic.GET_BULK) return false;
    r.skip(5);
    const count = r.u32(), index = r.u16(), size = r.u32();
    if (count !== 1 || r.available < size || this.#state.recorder.active) {
      r.position = start;
      return false;
    }
    this.#getOne(index, r.window, r.position, r.position + size);
    r.skip(size);
    const { out } = this.#session, found = this.#found;
    encodeCount(out, Magic.GET_BULK, found.length);
    if (found.length > 0) {
      out.storedRecord(this.#foundIn.pop()!, found.pop()!);
    }
    return true;
  }

  *#setBulk(): Decoder<GoesOn> {
    const r = this.#reader;
    if (r.available < BULK_HEADER_SIZE) yield BULK_HEADER_SIZE;
    r.skip(1);
    const noReply = (r.u32() & FLAG_NO_REPLY) !== 0, count = r.u32();
    this.#begin("set_bulk", noReply);
    try {
      yield* decodeRecords(r, count, this.#setOne);
    } catch (error) {
      return this.#refuse(error, noReply);
    }
    this.#record();
    if (!noReply) encodeCount(this.#session.out, Magic.SET_BULK, this.#hits);
    return true;
  }

  readonly #setOne: RecordVisitor = (index, xt, bytes, start, keySize, valueSize, owned) => {
    this.#note?.add(index, bytes, start, keySize, valueSize, xt);
    const database = this.#databases[index];
    if (database === undefined) return;
    this.#state.counters.set++;
    if (this.#state.storage.readOnly) {
      this.#state.counters.setMisses++;
      throw new Refusal();
    }
    this.#hits++;
    if (owned) database.setPayload(bytes, keySize, xt);
    else database.setCopy(bytes, start, keySize, valueSize, xt);
  };

  *#removeBulk(): Decoder<GoesOn> {
    const r = this.#reader;
    if (r.available < BULK_HEADER_SIZE) yield BULK_HEADER_SIZE;
    r.skip(1);
    const noReply = (r.u32() & FLAG_NO_REPLY) !== 0, count = r.u32();
    this.#begin("remove_bulk", noReply);
    try {
      yield* decodeKeys(r, count, this.#removeOne);
    } catch (error) {
      return this.#refuse(error, noReply);
    }
    this.#record();
    if (!noReply) encodeCount(this.#session.out, Magic.REMOVE_BULK, this.#hits);
    return true;
  }

  readonly #removeOne: KeyVisitor = (index, bytes, start, end) => {
    this.#note?.add(index, bytes, start, end - start);
    const database = this.#databases[index];
    if (database === undefined) return;
    const { counters, storage } = this.#state;
    counters.remove++;
    if (storage.readOnly) {
      counters.removeMisses++;
      throw new Refusal();
    }
    if (database.remove(bytes, start, end)) this.#hits++;
    else counters.removeMisses++;
  };

  *#getBulk(): Decoder<GoesOn> {
    const r = this.#reader;
    if (r.available < BULK_HEADER_SIZE) yield BULK_HEADER_SIZE;
    // The no-reply bit has no meaning here, not even for errors.
    r.skip(5);
    const count = r.u32();
    this.#begin("get_bulk", false);
    try {
      yield* decodeKeys(r, count, this.#getOne);
    } catch (error) {
      return this.#refuse(error, false);
    }
    this.#record();
    const found = this.#found, foundIn = this.#foundIn;
    let { out } = this.#session;
    encodeCount(out, Magic.GET_BULK, found.length);
    for (let i = 0; i < found.length; i++) {
      out.storedRecord(foundIn[i], found[i]);
      if (i % FLUSH_INTERVAL !== 0) continue;
      const full = this.#session.flushIfMuch();
      if (full !== undefined) yield full;
      out = this.#session.out;
    }
    this.#found = [];
    this.#foundIn = [];
    return true;
  }

  readonly #getOne: KeyVisitor = (index, bytes, start, end) => {
    this.#note?.add(index, bytes, start, end - start);
    const database = this.#databases[index];
    if (database === undefined) return;
    const { counters } = this.#state;
    counters.get++;
    const record = database.find(bytes, start, end);
    if (record === undefined) {
      counters.getMisses++;
    } else {
      this.#found.push(record);
      this.#foundIn.push(index);
    }
  };

  *#playScript(): Decoder<GoesOn> {
    const r = this.#reader;
    if (r.available < SCRIPT_HEADER_SIZE) yield SCRIPT_HEADER_SIZE;
    r.skip(1);
    const noReply = (r.u32() & FLAG_NO_REPLY) !== 0, nameSize = r.u32(), count = r.u32();
    let name: Uint8Array;
    try {
      name = yield* decodeScriptName(r, nameSize);
    } catch (error) {
      // So the real server does: what comes next is taken for another request.
      if (error instanceof Interruption && error.kind === "timeout") return true;
      throw error;
    }
    const records = yield* decodeScriptRecords(r, count);
    this.#begin("play_script", noReply);
    if (this.#note !== null) {
      this.#note.name = new TextDecoder().decode(name);
      for (const [key, value] of records) this.#note.addInput(key, value);
    }
    this.#record();
    this.#state.counters.script++;
    let outcome = this.#state.procedures?.call(name, records);
    if (outcome instanceof Promise) {
      const called = outcome;
      let settled!: ProcedureOutcome;
      // The replies to earlier requests need not wait.
      this.#session.flush();
      yield called.then((value) => {
        settled = value;
      });
      outcome = settled;
    }
    if (outcome?.error !== undefined) this.#state.report(outcome.error);
    if (noReply) return true;
    if (outcome?.code === 0) encodeScriptReply(this.#session.out, outcome.output);
    else this.#session.out.u8(Magic.ERROR);
    return true;
  }

  *#replication(): Decoder<GoesOn> {
    const r = this.#reader;
    if (r.available < REPLICATION_HEADER_SIZE) yield REPLICATION_HEADER_SIZE;
    r.skip(1);
    const only = (r.u32() & FLAG_WHITE_LIST) !== 0, since = r.u64(), serverId = r.u16();
    this.#begin("replication", false);
    this.#record();
    const { serveReplication } = this.#state;
    if (serveReplication === null) this.#session.out.u8(Magic.ERROR);
    else yield* serveReplication(this.#session, r, { since, serverId, only });
    return false;
  }

  /** What follows when a bulk request broke off, or a database refused. */
  #refuse(error: unknown, noReply: boolean): GoesOn {
    if (!noReply) this.#session.out.u8(Magic.ERROR);
    if (error instanceof Refusal) return false;
    throw error;
  }

  #begin(operation: Operation, noReply: boolean): void {
    this.#hits = 0;
    if (this.#state.recorder.active) this.#note = new RequestNote(operation, noReply);
  }

  #record(): void {
    if (this.#note === null) return;
    this.#state.recorder.add(this.#note, this.#session.id);
    this.#note = null;
  }
}

/** A database would not do what it was asked. */
class Refusal extends Error {}
