/** Keys and records as callers give them, made ready for the wire. */

import { checkData, checkDatabase, describe } from "../arguments.ts";
import { expirationToXt } from "../codec/expiration.ts";
import type { WireKey, WireRecord } from "../codec/request.ts";
import type { ExpirationOptions, Key, Value } from "../types.ts";
import type { Codec } from "../value_codec.ts";

/** A key of a bulk call that may name its own database. */
export type BulkKey = Key | { readonly key: Key; readonly database?: number };

/** A record of `setBulk` that may have its own expiration and database. */
export interface BulkRecord<In = Value> extends ExpirationOptions {
  /** The key. */
  readonly key: Key;
  /** The value, as the codec takes it. */
  readonly value: In;
  /** The index of the database. Default: that of the call. */
  readonly database?: number;
}

/** One record of `setBulk`: an object, or a pair. */
export type BulkItem<In = Value> = BulkRecord<In> | readonly [key: Key, value: In];

/** Records: objects or pairs of any number, or an object whose properties they are. */
export type BulkRecords<In = Value> =
  | Iterable<BulkItem<In>>
  | AsyncIterable<BulkItem<In>>
  | { readonly [key: string]: In };

/** The input of a procedure. */
export type ScriptInput<In = Value> =
  | Iterable<readonly [key: Key, value: In]>
  | { readonly [key: string]: In };

/** A key for the wire. `database` is that of the call. */
export function wireKey(operation: string, database: number, item: BulkKey): WireKey {
  if (typeof item !== "object" || item === null || item instanceof Uint8Array) {
    return { database, key: checkData(operation, "key", item) };
  }
  return {
    database: item.database === undefined ? database : checkDatabase(operation, item.database),
    key: checkData(operation, "key", item.key),
  };
}

/** A record for the wire. `database` and `xt` are those of the call. */
export function wireRecord<In>(
  operation: string,
  database: number,
  xt: number,
  codec: Codec<unknown, In>,
  item: BulkItem<In>,
): WireRecord {
  if (typeof item !== "object" || item === null) {
    throw new TypeError(
      `Cannot ${operation}: a record is ${describe(item)}, not an object or pair`,
    );
  }
  if (Symbol.iterator in item) {
    const [key, value] = item;
    return {
      database,
      key: checkData(operation, "key", key),
      value: checkData(operation, "value", codec.encode(value)),
      xt,
    };
  }
  return {
    database: item.database === undefined ? database : checkDatabase(operation, item.database),
    key: checkData(operation, "key", item.key),
    value: checkData(operation, "value", codec.encode(item.value)),
    xt: item.expireIn === undefined && item.expireAt === undefined ? xt : expirationToXt(item),
  };
}

/** The items of a source of keys: anything that can be iterated over but a string. */
export function sourceOf<T>(
  operation: string,
  what: string,
  items: Iterable<T> | AsyncIterable<T>,
): Iterable<T> | AsyncIterable<T> {
  if (
    typeof items !== "object" || items === null ||
    !(Symbol.iterator in items || Symbol.asyncIterator in items)
  ) {
    throw new TypeError(`Cannot ${operation}: the ${what} are ${describe(items)}, not an iterable`);
  }
  return items;
}

/** The items of a source of records, or the properties of an object. */
export function recordsOf<Item, In>(
  operation: string,
  input: Iterable<Item> | AsyncIterable<Item> | { readonly [key: string]: In },
): Iterable<Item | [string, In]> | AsyncIterable<Item> {
  if (typeof input !== "object" || input === null) {
    throw new TypeError(`Cannot ${operation}: the records are ${describe(input)}, not an object`);
  }
  if (Symbol.asyncIterator in input) return input as AsyncIterable<Item>;
  if (Symbol.iterator in input) return input as Iterable<Item>;
  return Object.entries(input as { readonly [key: string]: In });
}
