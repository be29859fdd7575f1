/** Random operations, binary and over HTTP, and what they do to a model in memory. */

import fc from "fast-check";
import type { KyotoTycoon } from "../../mod.ts";

/** An operation. `perform` does it with a client, `apply` to the model; they must come to the same. */
export interface Operation {
  name: string;
  perform: (kt: KyotoTycoon<string, string | Uint8Array>) => Promise<unknown>;
  apply: (model: Model) => unknown;
}

/** The records of one database: texts of one character per byte, so that `<` orders them. */
export class Model {
  readonly records = new Map<string, string>();

  /** Stores a value if `allowed`; returns that. */
  store(key: string, value: string, allowed = true): boolean {
    if (allowed) this.records.set(key, value);
    return allowed;
  }

  get(key: string): string | null {
    return this.records.get(key) ?? null;
  }

  take(key: string): string | null {
    const value = this.get(key);
    this.records.delete(key);
    return value;
  }

  /** The keys that begin so, in order. */
  keys(prefix: string): string[] {
    return [...this.records.keys()].filter((key) => key.startsWith(prefix)).sort();
  }
}

/** What a counter's eight bytes are, as text of one character per byte. */
function counterText(n: bigint): string {
  let text = "";
  for (let shift = 56n; shift >= 0n; shift -= 8n) {
    text += String.fromCharCode(Number(BigInt.asUintN(64, n) >> shift & 255n));
  }
  return text;
}

/** The counter that a value is. Sums here stay small, so that its bytes are ASCII. */
function counterOf(text: string): bigint | null {
  if (text.length !== 8) return null;
  let n = 0n;
  for (let i = 0; i < 8; i++) n = n << 8n | BigInt(text.charCodeAt(i));
  return BigInt.asIntN(64, n);
}

const values = fc.constantFrom(
  "",
  "v",
  "value",
  "a\tb",
  "line\nfeed",
  "\0nul",
  "x".repeat(300),
  "\r",
);
const atomic = fc.boolean();

/** Operations on keys that begin with `prefix`. Values are ASCII. */
export function operations(prefix: string): fc.Arbitrary<Operation> {
  const keys = fc.constantFrom("", "1", "2", "a\tb", "n\n").map((key) => prefix + key);
  const several = fc.array(keys, { maxLength: 4 });
  const records = fc.dictionary(keys, values, { maxKeys: 4 });
  const make = <T>(
    name: string,
    given: fc.Arbitrary<T>,
    perform: (kt: KyotoTycoon<string, string | Uint8Array>, given: T) => Promise<unknown>,
    apply: (model: Model, given: T) => unknown,
  ): fc.Arbitrary<Operation> =>
    given.map((given) => ({
      name: `${name}(${JSON.stringify(given, (_, v) => typeof v === "bigint" ? `${v}n` : v)})`,
      perform: (kt) => perform(kt, given),
      apply: (model) => apply(model, given),
    }));
  const keyed = fc.tuple(keys, values);
  return fc.oneof(
    make("get", keys, (kt, k) => kt.get(k), (model, k) => model.get(k)),
    make("set", keyed, (kt, [k, v]) => kt.set(k, v), (model, [k, v]) => void model.store(k, v)),
    make(
      "set waking",
      keyed,
      (kt, [k, v]) => kt.set(k, v, { wake: "x" }),
      (model, [k, v]) => void model.store(k, v),
    ),
    make("remove", keys, (kt, k) => kt.remove(k), (model, k) => model.take(k) !== null),
    make(
      "remove waking",
      keys,
      (kt, k) => kt.remove(k, { wake: "x" }),
      (model, k) => model.take(k) !== null,
    ),
    make(
      "add",
      keyed,
      (kt, [k, v]) => kt.add(k, v),
      (model, [k, v]) => model.store(k, v, model.get(k) === null),
    ),
    make(
      "replace",
      keyed,
      (kt, [k, v]) => kt.replace(k, v),
      (model, [k, v]) => model.store(k, v, model.get(k) !== null),
    ),
    make(
      "append",
      keyed,
      (kt, [k, v]) => kt.append(k, v),
      (model, [k, v]) => void model.store(k, (model.get(k) ?? "") + v),
    ),
    make(
      "increment",
      fc.tuple(keys, fc.bigInt(1n, 9n), fc.boolean()),
      (kt, [k, by, mustExist]) =>
        kt.increment(k, by, mustExist ? { initial: "must-exist" } : {}).catch((e) => e.serverCode),
      (model, [k, by, mustExist]) => {
        const value = model.get(k);
        if (value === null && mustExist) return 8;
        const sum = value === null ? 0n : counterOf(value);
        if (sum === null) return 8;
        model.store(k, counterText(sum + by));
        return sum + by;
      },
    ),
    make(
      "cas",
      fc.tuple(keys, fc.option(values), fc.option(values)),
      (kt, [k, expected, next]) => kt.cas(k, expected, next),
      (model, [k, expected, next]) => {
        if (model.get(k) !== expected) return false;
        if (next === null) model.take(k);
        else model.store(k, next);
        return true;
      },
    ),
    make(
      "check",
      keys,
      async (kt, k) => (await kt.check(k))?.size,
      (model, k) => model.get(k)?.length,
    ),
    make("seize", keys, (kt, k) => kt.seize(k), (model, k) => model.take(k)),
    make(
      "setBulk",
      fc.tuple(records, atomic),
      (kt, [records, atomic]) => kt.setBulk(records, { atomic }),
      (model, [records]) => Object.entries(records).filter(([k, v]) => model.store(k, v)).length,
    ),
    make(
      "getBulk",
      fc.tuple(several, atomic),
      async (kt, [keys, atomic]) => {
        const entries = atomic ? await kt.getBulk(keys, { atomic }) : await kt.getBulk(keys);
        return entries.map(({ key, value }) => [key, value]);
      },
      (model, [keys]) =>
        keys.map((key) => [key, model.get(key)]).filter(([, value]) => value !== null),
    ),
    make(
      "removeBulk",
      fc.tuple(several, atomic),
      (kt, [keys, atomic]) => kt.removeBulk(keys, { atomic }),
      (model, [keys]) => keys.filter((key) => model.take(key) !== null).length,
    ),
    make(
      "matchPrefix",
      fc.tuple(keys, fc.nat(5)),
      (kt, [k, limit]) => kt.matchPrefix(k, { keys: "text", limit }),
      (model, [k, limit]) => model.keys(k).slice(0, limit),
    ),
    make(
      "cursor",
      fc.tuple(keys, values, fc.constantFrom("get", "set", "seize", "remove")),
      async (kt, [k, v, what]) => {
        // Made at once, so that they keep their place among the other calls.
        const cursor = kt.cursor({ keys: "text" });
        const results = [cursor.jump(k)];
        const done = what === "get"
          ? cursor.get()
          : what === "set"
          ? cursor.setValue(v)
          : what === "seize"
          ? cursor.seize()
          : cursor.remove();
        const [found, result] = await Promise.all([...results, done, cursor.close()]);
        // Another's record may stand there by now.
        return found && [typeof result === "object" ? result?.value : result];
      },
      (model, [k, v, what]) => {
        const key = model.keys("").find((key) => key >= k);
        if (key === undefined) return false;
        if (what === "get") return [model.get(key)];
        if (what === "seize") return [model.take(key)];
        if (what === "set") return [model.store(key, v)];
        return [model.take(key) !== null];
      },
    ),
  );
}
