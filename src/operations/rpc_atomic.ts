/** The bulk operations as one step that nobody sees half done. */

import { toByteText } from "../codec/byte_text.ts";
import type { Row } from "../codec/tsv.ts";
import { toBytes } from "../codec/writer.ts";
import type { Entry, Key } from "../types.ts";
import type { Codec } from "../value_codec.ts";
import { forEach } from "./frames.ts";
import type { AtomicOptions } from "./options.ts";
import type { ProcedureOutput } from "./output.ts";
import {
  type BulkItem,
  type BulkKey,
  type BulkRecords,
  recordsOf,
  sourceOf,
  wireKey,
  wireRecord,
} from "./records.ts";
import {
  callProcedure,
  type DatabaseContext,
  expirationRows,
  integerRow,
  row,
} from "./rpc_call.ts";
import { checkReplied } from "./rpc_records.ts";

/** What an atomic `getBulk` returns: entries whose expiration the server does not tell. */
export type AtomicEntry<V = Uint8Array> = Omit<Entry<V>, "expiresAt">;

type Source<T> = Iterable<T> | AsyncIterable<T>;

const ATOMIC = row("atomic", "");
const UNDERSCORE = 0x5f;

/** Whether that is asked for. Fails where the options contradict each other. */
export function isAtomic(
  operation: string,
  options: (AtomicOptions & { noReply?: boolean }) | undefined,
): boolean {
  if (options?.atomic) {
    checkReplied(operation, "atomic", options);
    return true;
  }
  if (options?.wake === undefined) return false;
  throw new TypeError(`Cannot ${operation}: "wake" needs "atomic"`);
}

/** Stores records at once; returns how many, of equal keys only the last. */
export async function setAtomically<In>(
  context: DatabaseContext,
  records: BulkRecords<In>,
  codec: Codec<unknown, In>,
  xt: number,
): Promise<number> {
  const { operation, database } = context;
  const rows: Row[] = [];
  const source: Source<BulkItem<In>> = recordsOf<BulkItem<In>, In>(operation, records);
  const take = (item: BulkItem<In>) => {
    const record = wireRecord(operation, database, xt, codec, item);
    if (record.xt !== xt) {
      throw new TypeError(
        `Cannot ${operation}: a record has an expiration of its own, which "atomic" rules out`,
      );
    }
    checkSameDatabase(context, record.database);
    rows.push(row(rowName(record.key), record.value));
  };
  const all = gather(context, source, take);
  if (all !== undefined) await all;
  rows.push(ATOMIC, ...expirationRows(xt));
  return await callProcedure(context, { name: "set_bulk", rows, take: countOf });
}

/** Removes records at once; returns how many there were. */
export async function removeAtomically(
  context: DatabaseContext,
  keys: Source<BulkKey>,
): Promise<number> {
  const gathered = gatherKeys(context, keys);
  const rows = keyRows(gathered instanceof Promise ? await gathered : gathered);
  return await callProcedure(context, { name: "remove_bulk", rows, take: countOf });
}

/** The records of the keys that there are, all as they were at one moment. */
export async function getAtomically<V>(
  context: DatabaseContext,
  keys: Source<BulkKey>,
  codec: Codec<V, never>,
): Promise<AtomicEntry<V>[]> {
  const gathered = gatherKeys(context, keys);
  const given = gathered instanceof Promise ? await gathered : gathered;
  const { database } = context;
  return await callProcedure(context, {
    name: "get_bulk",
    rows: keyRows(given),
    pure: true,
    take(output) {
      const entries: AtomicEntry<V>[] = [];
      const taken = new Set<string>();
      for (const key of given) {
        const name = rowName(key);
        const value = output.get(name);
        if (value === undefined) continue;
        // Whatever is given away is given away once.
        const text = toByteText(name, 0, name.length);
        const own = taken.has(text) ? value.slice() : value;
        taken.add(text);
        entries.push({ key, value: codec.decode(own), database });
      }
      return entries;
    },
  });
}

function countOf(output: ProcedureOutput): number {
  return Number(integerRow(output, "num"));
}

/** The keys of a source, in a promise only if it is asynchronous. */
function gatherKeys(context: DatabaseContext, keys: Source<BulkKey>): Key[] | Promise<Key[]> {
  const { operation, database } = context;
  const source = sourceOf(operation, "keys", keys);
  const given: Key[] = [];
  const take = (item: BulkKey) => {
    const key = wireKey(operation, database, item);
    checkSameDatabase(context, key.database);
    given.push(key.key);
  };
  return gather(context, source, take)?.then(() => given) ?? given;
}

/**
 * Gives each item of a source to `take`. Returns a promise only where the source is asynchronous, so
 * that other calls keep the order in which they were made.
 */
function gather<T>(
  { options }: DatabaseContext,
  source: Source<T>,
  take: (item: T) => void,
): Promise<void> | undefined {
  if (Symbol.asyncIterator in source) {
    return forEach(source, (item) => void take(item), options?.signal);
  }
  for (const item of source) take(item);
  return undefined;
}

function checkSameDatabase({ operation, database }: DatabaseContext, other: number): void {
  if (other !== database) {
    throw new TypeError(
      `Cannot ${operation}: "atomic" rules out several databases, ${database} and ${other}`,
    );
  }
}

function keyRows(keys: readonly Key[]): Row[] {
  return [...keys.map((key) => row(rowName(key), "")), ATOMIC];
}

/** What names a record among the parameters: an underscore, and the key. */
function rowName(key: Key): Uint8Array {
  const bytes = toBytes(key);
  const name = new Uint8Array(bytes.length + 1);
  name[0] = UNDERSCORE;
  name.set(bytes, 1);
  return name;
}
