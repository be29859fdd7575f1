/** Records for a server to start with, from JSON. */

import type { SeedRecord } from "./options.ts";

/**
 * Reads records from JSON: a list of objects as {@linkcode SeedRecord} has them, where `expiresAt` is
 * a date as text, and a key or value of any bytes is `{ "base64": "AAEC" }`.
 *
 * @throws {TypeError} It is something else.
 */
export function parseSeed(json: string): SeedRecord[] {
  const list: unknown = JSON.parse(json);
  if (!Array.isArray(list)) throw new TypeError("the seed is no list of records");
  return list.map((item: unknown, index) => {
    try {
      return recordOf(item);
    } catch (error) {
      throw new TypeError(`record ${index} of the seed: ${(error as Error).message}`);
    }
  });
}

const KNOWN = ["database", "key", "value", "expireIn", "expiresAt"];

function recordOf(item: unknown): SeedRecord {
  if (typeof item !== "object" || item === null) throw new TypeError("it is no object");
  const { database, key, value, expireIn, expiresAt } = item as Record<string, unknown>;
  const unknown = Object.keys(item).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) throw new TypeError(`there is no member "${unknown}"`);
  if (database !== undefined && typeof database !== "number") {
    throw new TypeError('"database" is no number');
  }
  if (expireIn !== undefined && typeof expireIn !== "number") {
    throw new TypeError('"expireIn" is no number');
  }
  const date = typeof expiresAt === "string" ? new Date(expiresAt) : null;
  if (date === null ? (expiresAt ?? null) !== null : Number.isNaN(date.getTime())) {
    throw new TypeError('"expiresAt" is no date');
  }
  return {
    database,
    key: dataOf("key", key),
    value: dataOf("value", value),
    expireIn,
    expiresAt: date,
  };
}

function dataOf(name: string, data: unknown): string | Uint8Array {
  if (typeof data === "string") return data;
  const base64 = (data as { base64?: unknown } | null | undefined)?.base64;
  if (typeof base64 !== "string") throw new TypeError(`"${name}" is no text and no base64`);
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
