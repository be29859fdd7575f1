/**
 * What happened in a run: the calls as the client saw them, and what the server stored, in its order.
 * Everything has a tick, so that before and after can be told.
 */

import type { Database, StoredRecord, UpdateSink } from "../../mock_server/mod.ts";
import { keyOf, valueOf } from "../../mock_server/storage/record.ts";
import { COUNTER, DATABASES, LOG, type PlannedKey } from "./_plan.ts";

/** Where a record is, whatever form its key was given in. */
export type Place = string;

export function placeOf({ database, name }: Pick<PlannedKey, "database" | "name">): Place {
  return `${database}:${name}`;
}

export function existing({ database }: Pick<PlannedKey, "database">): boolean {
  return database < DATABASES;
}

/** A value that is stored once. */
export interface Write {
  call: CallRecord;
  /** Where it is to be stored; `null`: where a cursor stands. */
  place: Place | null;
  value: string;
  /** Whether it may be stored in place of what is there; `null`: nothing. */
  mayReplace: (value: string | null) => boolean;
  /** The record's earliest end in seconds since 1970; `null`: never. */
  expires: number | null;
  exists: boolean;
  /** When it was stored, as often as it was. */
  applied: number[];
}

/** What a value is to be like; by default nothing in particular. */
export interface WriteOptions {
  padding?: number;
  expires?: number | null;
  mayReplace?: Write["mayReplace"];
}

/** A removal, or a number counted up by one. */
export interface Deed {
  what: "removed" | "counted";
  place: Place;
  /** Whether it may happen at all. */
  exists: boolean;
  /** Whether it has happened if the call has succeeded. */
  isCertain: boolean;
}

/** What a call found in one place; `null`: nothing. */
export interface Sight {
  place: Place;
  exists: boolean;
  value: string | null;
  /** Whether it found anything but that. */
  other?: boolean;
  expires?: number | null;
}

/** What a call came to. */
export type Outcome =
  | { kind: "pending" }
  | { kind: "resolved" }
  | { kind: "rejected"; error: unknown };

/** A call as it was made. */
export interface CallRecord {
  op: string;
  /** For messages. */
  about: string;
  start: number;
  end: number;
  outcome: Outcome;
  noReply: boolean;
  /** Whether it left, as one request, when it was made: then its place among the others is known. */
  inOrder: boolean;
  writes: Write[];
  /** What it does to places without leaving a mark of its own. */
  deeds: Deed[];
  /** Whether the server has said that it did nothing. */
  declined: boolean;
  /** Whether the server may refuse it. */
  refusable: boolean;
  /** What it saw, once it has ended. */
  sights: Sight[];
  /** What it may reject with though nothing is wrong. */
  expected: Set<unknown>;
  /** Whether it was aborted, or wrong, before it was made. */
  stillborn: boolean;
  /** What else is wrong with its result. */
  complaints: string[];
}

/** A place's value from a tick on. */
export interface Change {
  at: number;
  value: string | null;
  expires: number | null;
  /** What was done, if it was not storing. */
  deed?: Deed["what"];
}

const decoder = new TextDecoder();
/** Before a value's padding. */
const SEPARATOR = "|";

/** One run's past. */
export class History implements UpdateSink {
  readonly calls: CallRecord[] = [];
  /** Calls that have not ended. */
  open = 0;
  /** How much has happened: as long as it grows, something is going on. */
  tick = 0;
  readonly #writes = new Map<string, Write>();
  readonly #changes = new Map<Place, Change[]>();
  readonly complaints: string[] = [];
  /** When the client was told to end, and how. */
  ending: { at: number; how: "close" | "destroy" } | null = null;

  close(how: "close" | "destroy"): void {
    this.ending ??= { at: ++this.tick, how };
  }

  begin(op: string, about: string): CallRecord {
    const call: CallRecord = {
      op,
      about,
      start: ++this.tick,
      end: Infinity,
      outcome: { kind: "pending" },
      noReply: false,
      inOrder: true,
      writes: [],
      deeds: [],
      declined: false,
      refusable: false,
      sights: [],
      expected: new Set(),
      stillborn: false,
      complaints: [],
    };
    this.calls.push(call);
    this.open++;
    return call;
  }

  end(call: CallRecord, outcome: Outcome): void {
    if (call.outcome.kind !== "pending") {
      this.complaints.push(`${call.about} ended twice`);
      return;
    }
    call.end = ++this.tick;
    call.outcome = outcome;
    this.open--;
  }

  /** A new value for a place. */
  write(call: CallRecord, key: PlannedKey | null, options: WriteOptions = {}): Write {
    const { padding = 0, expires = null, mayReplace = () => true } = options;
    const token = `${this.#writes.size}@${call.op}`;
    const write: Write = {
      call,
      place: key === null ? null : placeOf(key),
      value: token + SEPARATOR + "x".repeat(padding),
      mayReplace,
      expires,
      exists: key === null || existing(key),
      applied: [],
    };
    this.#writes.set(token, write);
    call.writes.push(write);
    return write;
  }

  /** What a place went through, in order; at first it holds nothing. */
  changes(place: Place): readonly Change[] {
    let changes = this.#changes.get(place);
    if (changes === undefined) {
      changes = [{ at: 0, value: null, expires: null }];
      this.#changes.set(place, changes);
    }
    return changes;
  }

  /** Everything that was ever stored somewhere. */
  get places(): Place[] {
    return [...this.#changes.keys()];
  }

  /** What a place holds now, on the server. */
  value(place: Place): string | null {
    return this.changes(place).at(-1)!.value;
  }

  /** A record that is there from the beginning. */
  seed(key: PlannedKey, value: string): void {
    this.#changes.set(placeOf(key), [{ at: 0, value, expires: null }]);
  }

  set({ index }: Database, record: StoredRecord): void {
    const { name, value } = textOf(record);
    const place = placeOf({ database: index, name });
    const before = this.value(place);
    const at = ++this.tick;
    if (name.startsWith(COUNTER)) {
      if (Number(value) !== Number(before) + 1) {
        this.complaints.push(`${place} was counted from ${before} to ${value}`);
      }
      return this.#change(place, { at, value, expires: null, deed: "counted" });
    }
    const expires = record.expires >= 2 ** 40 - 1 ? null : record.expires;
    const kept = name.startsWith(LOG) ? before ?? "" : "";
    if (!value.startsWith(kept)) this.complaints.push(`${place} has lost what it held`);
    this.#note(value.slice(kept.length), place, before, expires);
    this.#change(place, { at, value, expires });
  }

  /** Notes that a call's value was stored. */
  #note(value: string, place: Place, before: string | null, expires: number | null): void {
    const write = this.#writes.get(value.slice(0, value.indexOf(SEPARATOR)));
    if (write === undefined || write.value !== value) {
      this.complaints.push(`"${brief(value)}" was stored, which nobody wrote`);
      return;
    }
    if (place !== (write.place ?? place)) {
      this.complaints.push(`"${brief(value)}" was stored in ${place}`);
    }
    if (!write.mayReplace(before)) {
      this.complaints.push(`"${brief(value)}" was stored in place of "${brief(before)}"`);
    }
    // Its life begins when it is stored.
    if (
      expires === null ? write.expires !== null : expires < (write.expires ?? Infinity)
    ) {
      this.complaints.push(`"${brief(value)}" was to end at ${write.expires}, not ${expires}`);
    }
    write.applied.push(this.tick);
  }

  remove({ index }: Database, key: Uint8Array): void {
    const place = placeOf({ database: index, name: decoder.decode(key) });
    this.#change(place, { at: ++this.tick, value: null, expires: null, deed: "removed" });
  }

  clear(): void {
    this.complaints.push("a database was cleared");
  }

  #change(place: Place, change: Change): void {
    (this.changes(place) as Change[]).push(change);
  }
}

/** Key and value of a stored record as text; those of counters are numbers of eight bytes. */
function textOf(record: StoredRecord): { name: string; value: string } {
  const name = decoder.decode(keyOf(record)), value = valueOf(record);
  if (!name.startsWith(COUNTER)) return { name, value: decoder.decode(value) };
  return { name, value: String(new DataView(value.slice().buffer).getBigInt64(0)) };
}

/** Not more of a value than a message needs. */
export function brief(value: string | null): string {
  return value === null ? "nothing" : value.length > 60 ? `${value.slice(0, 60)}...` : value;
}
