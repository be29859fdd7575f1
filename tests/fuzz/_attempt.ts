/** One call that is being made: its limits, what it is to write, and what it has seen. */

import type { Entry, KyotoTycoon } from "../../mod.ts";
import type { Codec } from "../../src/value_codec.ts";
import {
  type CallRecord,
  type Deed,
  existing,
  type History,
  placeOf,
  type Sight,
  type Write,
  type WriteOptions,
} from "./_history.ts";
import { OWN, type PlannedKey } from "./_plan.ts";

/** What calls are made with. */
export interface CallerParts {
  client: KyotoTycoon;
  history: History;
  /** The server's clock, in whole seconds since 1970. */
  seconds: () => number;
  /** Milliseconds on a clock that never goes back. */
  now: () => number;
  sleep: (ms: number) => Promise<void>;
  start: (ms: number, fire: () => void) => () => void;
  /** Milliseconds by which a call may end too late. */
  tolerance: number;
}

const decoder = new TextDecoder(), encoder = new TextEncoder();

/** A codec that fails for every third value. */
class Picky implements Codec<string> {
  readonly error = new Error("the codec does not like this value");

  encode(value: string): string {
    return value;
  }

  decode(bytes: Uint8Array): string {
    const value = decoder.decode(bytes);
    if (parseInt(value) % 3 === 0) throw this.error;
    return value;
  }
}

/** A call, and what it is made with. */
export class Attempt {
  readonly call: CallRecord;
  readonly client: KyotoTycoon;
  readonly history: History;
  readonly limits: { signal?: AbortSignal; timeout?: number };
  readonly #parts: CallerParts;
  readonly #own: PlannedKey[];

  /** `own` are keys of records that one call each is about; they are taken from it. */
  constructor(
    parts: CallerParts,
    call: CallRecord,
    limits: { signal?: AbortSignal; timeout?: number },
    own: PlannedKey[],
  ) {
    this.call = call;
    this.client = parts.client;
    this.history = parts.history;
    this.limits = limits;
    this.#parts = parts;
    this.#own = own;
  }

  /** The server's clock, in whole seconds since 1970. */
  seconds(): number {
    return this.#parts.seconds();
  }

  /** The client with a codec that does not like all values. */
  get picky(): KyotoTycoon<string, string> {
    const codec = new Picky();
    this.call.expected.add(codec.error);
    return this.client.withCodec(codec);
  }

  /** A new value for a key; what names no database is refused. */
  write(key: PlannedKey | null, options?: WriteOptions): Write {
    if (key !== null && !existing(key)) this.call.refusable = true;
    return this.history.write(this.call, key, options);
  }

  /** The removal of a record, if the server finds it. */
  perhapsRemove(key: PlannedKey): Deed {
    const deed = { ...removal(key), isCertain: false };
    this.call.deeds.push(deed);
    if (!existing(key)) this.call.refusable = true;
    return deed;
  }

  /** A key that no other call removes, where one is asked for and there is one. */
  take(key: PlannedKey): { key: PlannedKey; isOwn: boolean } {
    const own = key.name === OWN ? this.#own.pop() : undefined;
    return own === undefined ? { key, isOwn: false } : { key: own, isOwn: true };
  }

  /** Items at once, or one after the other with pauses between. */
  source<T>(items: T[], pause: number | undefined): Iterable<T> {
    if (pause === undefined) return items;
    this.call.inOrder = false;
    const { sleep } = this.#parts;
    return (async function* () {
      for (const item of items) {
        await sleep(pause);
        yield item;
      }
      // Both are taken alike, but the types of the client's methods tell them apart.
    })() as unknown as Iterable<T>;
  }

  /** What the entries of a bulk read tell of each key: they come in the order of the keys. */
  see(
    keys: readonly PlannedKey[],
    asked: readonly { key: string | Uint8Array }[],
    entries: readonly Entry<Uint8Array | string>[],
  ): void {
    const { sights, complaints } = this.call;
    let next = 0;
    for (const [i, key] of keys.entries()) {
      const entry = entries[next];
      if (entry?.key === asked[i].key && entry.database === key.database) {
        sights.push(sightOf(key, entry));
        next++;
      } else {
        sights.push(sight(key, null));
      }
    }
    if (next < entries.length) complaints.push("entries came unasked, or in another order");
  }

  /** What is found of the keys that begin so, was there; what is not found, was not. */
  seeAll(database: number, prefix: string, found: readonly string[]): void {
    const start = placeOf({ database, name: prefix });
    const known = this.history.places.filter((place) => place.startsWith(start));
    const seen = new Set(found.map((name) => placeOf({ database, name })));
    if (seen.size < found.length) this.call.complaints.push("it found a key twice");
    for (const place of new Set([...known, ...seen])) {
      this.call.sights.push({ place, exists: true, value: null, other: seen.has(place) });
    }
  }
}

/** A key in the form that is planned, anew each time. */
export function given({ name, asBytes }: PlannedKey): string | Uint8Array {
  return asBytes ? encoder.encode(name) : name;
}

export function sight(key: PlannedKey, value: Uint8Array | string | null): Sight {
  return {
    place: placeOf(key),
    exists: existing(key),
    value: value instanceof Uint8Array ? decoder.decode(value) : value,
  };
}

export function sightOf(
  key: PlannedKey,
  { value, expiresAt }: Pick<Entry<Uint8Array | string>, "value" | "expiresAt">,
): Sight {
  return { ...sight(key, value), expires: expiresAt === null ? null : expiresAt.getTime() / 1000 };
}

export function removal(key: PlannedKey): Deed {
  const exists = existing(key);
  return { what: "removed", place: placeOf(key), exists, isCertain: exists };
}

/** As an ordered database does: by their bytes. */
export function compareKeys(a: string, b: string): number {
  const [left, right] = [a, b].map((key) => String.fromCharCode(...encoder.encode(key)));
  return left < right ? -1 : left > right ? 1 : 0;
}
