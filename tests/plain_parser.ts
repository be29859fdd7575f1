/**
 * Binary requests and replies, parsed in the plainest way from bytes that are all there, straight
 * from the protocol's description: the independent judge of what the codec's decoders make of pieces.
 */

/** A record, with zero or nothing for what its message does not have. */
export interface PlainRecord {
  database: number;
  /** As a double, which is exact up to 2^53. */
  xt: number;
  key: Uint8Array;
  value: Uint8Array;
}

export type Kind = "set" | "remove" | "get" | "script";

export interface PlainRequest {
  kind: Kind;
  flags: number;
  /** The name of the procedure. */
  name: Uint8Array;
  /** How many records are announced. */
  count: number;
  records: PlainRecord[];
}

export interface PlainReply {
  /** How many records or hits there are; -1 for the error byte. */
  count: number;
  records: PlainRecord[];
}

/** How a stream of messages ends. */
export type Outcome =
  /** Behind a message. */
  | "complete"
  /** Within one. */
  | "unfinished"
  /** At a size over the limit. */
  | "too large"
  /** At a first byte that means nothing there. */
  | "unknown";

const KINDS: Record<number, Kind> = { 0xb4: "script", 0xb8: "set", 0xb9: "remove", 0xba: "get" };
const MAGICS: Record<Kind, number> = { script: 0xb4, set: 0xb8, remove: 0xb9, get: 0xba };
const LIMIT = 268435456;
const NOTHING = new Uint8Array(0);

/** Thrown where a stream ends. */
class Stop {
  constructor(readonly outcome: Outcome) {}
}

class Cursor {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get left(): number {
    return this.#bytes.length - this.at;
  }

  /** Moves on by `size` bytes if they are there; returns where they begin. */
  #move(size: number): number {
    if (this.left < size) throw new Stop("unfinished");
    this.at += size;
    return this.at - size;
  }

  u8 = (): number => this.#view.getUint8(this.#move(1));
  u16 = (): number => this.#view.getUint16(this.#move(2));
  u32 = (): number => this.#view.getUint32(this.#move(4));
  i64 = (): number => Number(this.#view.getBigInt64(this.#move(8)));

  bytes(size: number): Uint8Array {
    const start = this.#move(size);
    return this.#bytes.slice(start, start + size);
  }

  /** Sizes of a request, to be looked at once the whole header they stand in has come. */
  checked(...sizes: number[]): void {
    if (sizes.some((size) => size > LIMIT)) throw new Stop("too large");
  }
}

function until(stream: () => void): Outcome {
  try {
    stream();
    return "complete";
  } catch (error) {
    if (error instanceof Stop) return error.outcome;
    throw error;
  }
}

/** A record of a request, or of the reply to one. */
function record(c: Cursor, kind: Kind, inRequest: boolean): PlainRecord {
  const named = kind === "remove" || kind === "get" && inRequest;
  const database = kind === "script" ? 0 : c.u16();
  const keySize = c.u32();
  const valueSize = named ? 0 : c.u32();
  const xt = named || kind === "script" ? 0 : c.i64();
  if (inRequest) c.checked(keySize, valueSize);
  const key = c.bytes(keySize);
  return { database, xt, key, value: c.bytes(valueSize) };
}

/** All requests in `bytes`, the last as far as it goes. */
export function parseRequests(
  bytes: Uint8Array,
): { requests: PlainRequest[]; outcome: Outcome; end: number } {
  const c = new Cursor(bytes);
  const requests: PlainRequest[] = [];
  let end = 0;
  const outcome = until(() => {
    while (c.left > 0) {
      const kind = KINDS[c.u8()];
      if (kind === undefined) throw new Stop("unknown");
      const flags = c.u32();
      const nameSize = kind === "script" ? c.u32() : 0;
      const request: PlainRequest = { kind, flags, name: NOTHING, count: c.u32(), records: [] };
      requests.push(request);
      c.checked(nameSize);
      request.name = c.bytes(nameSize);
      // The records of a bulk request count one by one, those of a procedure only together.
      const records = kind === "script" ? [] : request.records;
      while (records.length < request.count) records.push(record(c, kind, true));
      request.records = records;
      end = c.at;
    }
  });
  return { requests, outcome, end };
}

/** The whole replies in `bytes` to requests of these kinds. */
export function parseReplies(
  bytes: Uint8Array,
  kinds: readonly Kind[],
): { replies: PlainReply[]; outcome: Outcome } {
  const c = new Cursor(bytes);
  const replies: PlainReply[] = [];
  const outcome = until(() => {
    for (const kind of kinds) {
      if (c.left === 0) return;
      const first = c.u8();
      const refused = first === 0xbf;
      if (!refused && first !== MAGICS[kind]) throw new Stop("unknown");
      const reply: PlainReply = { count: refused ? -1 : c.u32(), records: [] };
      if (kind === "get" || kind === "script") {
        while (reply.records.length < reply.count) reply.records.push(record(c, kind, false));
      }
      replies.push(reply);
    }
    if (c.left > 0) throw new Stop("unknown");
  });
  return { replies, outcome };
}

/** Whether a request is answered: get_bulk always is. */
export function isAnswered(request: PlainRequest): boolean {
  return request.kind === "get" || (request.flags & 1) === 0;
}
