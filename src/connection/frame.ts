/**
 * What leaves as one request and comes back as one reply: a call, or several neighbours together.
 * Pure: no socket, no clock.
 */

import { charCode } from "../codec/char_code.ts";
import { Magic } from "../codec/constants.ts";
import type { ByteReader, Decoder } from "../codec/decoder.ts";
import { decodeCount, type GetVisitor, readGetReply, REFUSED, takeCount } from "../codec/reply.ts";
import { encodeBulkHeader } from "../codec/request.ts";
import { type ByteWriter, toBytes } from "../codec/writer.ts";
import { ProtocolError, ServerError } from "../errors.ts";
import type { Key } from "../types.ts";
import { type Call, type ExchangeCall, type GetCall, Refused, type SetCall } from "./call.ts";

/** One request on the wire. */
export interface Frame {
  readonly calls: readonly Call[];
  /** Milliseconds that the reply may take when its turn has come; 0: the default. */
  readonly patience: number;
  encode(w: ByteWriter): void;
  /**
   * Reads the reply and settles the calls, at once (`null`) if all of it is at hand, otherwise by a
   * decoder. Throws {@linkcode Refused} when the server closes after it.
   */
  decode(r: ByteReader): Decoder<void> | null;
}

/** A call that travels alone. */
export class ExchangeFrame implements Frame {
  readonly calls: [ExchangeCall];
  readonly patience: number;

  constructor(call: ExchangeCall) {
    this.calls = [call];
    this.patience = call.patience;
  }

  encode(w: ByteWriter): void {
    this.calls[0].encode(w);
  }

  decode(r: ByteReader): Decoder<void> | null {
    try {
      const reply = this.calls[0].decode(r);
      return reply === null ? null : this.#decode(reply);
    } catch (error) {
      this.#refuse(error);
      return null;
    }
  }

  *#decode(reply: Decoder<unknown>): Decoder<void> {
    try {
      this.calls[0].resolve(yield* reply);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #refuse(error: unknown): void {
    if (!(error instanceof Refused)) throw error;
    this.calls[0].reject(error.error);
    if (error.closes) throw error;
  }
}

/** Neighbouring `get` and `getEntry` calls as one get_bulk. Its reply lists what was found, in order. */
export class GetFrame implements Frame, GetVisitor {
  readonly calls: GetCall[];
  patience = 0;
  #maxReplyBytes: number;
  /** The first call whose record has not come yet. */
  #next = 0;

  constructor(first: GetCall, maxReplyBytes: number) {
    this.calls = [first];
    this.#maxReplyBytes = maxReplyBytes;
  }

  encode(w: ByteWriter): void {
    const calls = this.calls;
    encodeBulkHeader(w, Magic.GET_BULK, 0, calls.length);
    for (let i = 0; i < calls.length; i++) {
      const call = calls[i];
      w.keyRecord(call.database, call.wireKey);
      if (call.patience > this.patience) this.patience = call.patience;
    }
  }

  decode(r: ByteReader): Decoder<void> | null {
    this.#next = 0;
    const count = readGetReply(r, this.calls.length, this.#maxReplyBytes, this);
    if (typeof count !== "number") return this.#decode(count);
    this.#settle(count);
    return null;
  }

  *#decode(reply: Decoder<number>): Decoder<void> {
    this.#settle(yield* reply);
  }

  #settle(count: number): void {
    const calls = this.calls;
    if (count === REFUSED) {
      for (const call of calls) call.reject(refusal(call.operation));
      throw new Refused(refusal("get"), true);
    }
    this.#miss(calls.length);
  }

  accept(database: number, bytes: Uint8Array, start: number, end: number): number {
    const calls = this.calls;
    for (let i = this.#next; i < calls.length; i++) {
      const call = calls[i];
      if (call.database === database && sameKey(call.wireKey, bytes, start, end)) {
        this.#miss(i);
        this.#next = i + 1;
        return i;
      }
    }
    return -1;
  }

  deliver(
    index: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    owned: boolean,
    xt: number,
  ): void {
    this.calls[index].found(bytes, start, end, owned, xt);
  }

  /** Calls up to `end` that were passed over have no record. */
  #miss(end: number): void {
    for (let i = this.#next; i < end; i++) this.calls[i].resolve(null);
  }
}

/** Neighbouring `set` calls for one database as one set_bulk. Its reply says how many were stored. */
export class SetFrame implements Frame {
  readonly calls: SetCall[];
  patience = 0;

  constructor(first: SetCall) {
    this.calls = [first];
  }

  encode(w: ByteWriter): void {
    const calls = this.calls;
    encodeBulkHeader(w, Magic.SET_BULK, calls[0].noReply ? 1 : 0, calls.length);
    for (let i = 0; i < calls.length; i++) {
      const { database, key, value, xt, patience } = calls[i];
      w.record(database, key, value, xt);
      if (patience > this.patience) this.patience = patience;
    }
  }

  decode(r: ByteReader): Decoder<void> | null {
    const count = takeCount(r, Magic.SET_BULK);
    if (count === null) return this.#decode(r);
    this.#settle(count);
    return null;
  }

  *#decode(r: ByteReader): Decoder<void> {
    this.#settle(yield* decodeCount(r, Magic.SET_BULK));
  }

  #settle(count: number): void {
    const calls = this.calls;
    if (count === calls.length) {
      for (let i = 0; i < calls.length; i++) calls[i].resolve();
      return;
    }
    if (count === REFUSED) {
      for (const call of calls) call.reject(refusal("set"));
      throw new Refused(refusal("set"), true);
    }
    if (count !== 0) {
      throw new ProtocolError(
        `Cannot set: the server stored ${count} of ${calls.length} records of one database`,
      );
    }
    // A record is left out only when its database does not exist: all of them, or none.
    for (const call of calls) call.reject(noSuchDatabase("set", call.database));
  }
}

/** The error of a request that the server answered with `bf`. */
export function refusal(operation: string): ServerError {
  return new ServerError(
    `Cannot ${operation}: the server refused (it is read-only, or storing failed)`,
    { operation },
  );
}

/** The error of a record that the server left out. */
export function noSuchDatabase(operation: string, database: number): ServerError {
  return new ServerError(`Cannot ${operation}: database ${database} does not exist on the server`, {
    operation,
  });
}

/** Whether a key, as it was given, is these bytes. */
export function sameKey(key: Key, bytes: Uint8Array, start: number, end: number): boolean {
  const size = end - start;
  if (typeof key === "string") {
    if (key.length > size) return false;
    if (key.length < size) return sameKey(toBytes(key), bytes, start, end);
    // As many bytes as characters: only ASCII can be the same.
    for (let i = 0; i < size; i++) {
      const c = charCode(key, i);
      if (c !== bytes[start + i] || c > 0x7f) return false;
    }
    return true;
  }
  if (key.length !== size) return false;
  for (let i = 0; i < size; i++) {
    if (key[i] !== bytes[start + i]) return false;
  }
  return true;
}
