/** Searching for keys: the server looks through a whole database. */

import { checkData } from "../arguments.ts";
import type { Row } from "../codec/tsv.ts";
import type { Key } from "../types.ts";
import { checkLimit, keyDecoder } from "./keys.ts";
import type { MatchOptions, SimilarOptions } from "./options.ts";
import type { ProcedureOutput } from "./output.ts";
import { callProcedure, lossyText, row, type RpcContext } from "./rpc_call.ts";

const UNDERSCORE = 0x5f;

/** The keys that begin so. */
export function matchPrefix(
  context: RpcContext,
  prefix: Key,
  options: MatchOptions | undefined,
): Promise<Key[]> {
  return match(context, "match_prefix", "prefix", prefix, options, []);
}

/** The keys that contain what an expression describes. */
export function matchRegex(
  context: RpcContext,
  regex: Key,
  options: MatchOptions | undefined,
): Promise<Key[]> {
  return match(context, "match_regex", "regex", regex, options, []);
}

/** The keys that differ little, the most similar ones first. */
export function matchSimilar(
  context: RpcContext,
  origin: Key,
  options: SimilarOptions | undefined,
): Promise<Key[]> {
  const { distance, utf8 = false } = options ?? {};
  const rows: Row[] = [];
  if (distance !== undefined) {
    // The server takes what is larger for something else.
    const range = Math.min(checkLimit(context.operation, "distance", distance), 0x7fff_ffff);
    rows.push(row("range", range));
  }
  if (utf8) rows.push(row("utf", ""));
  return match(context, "match_similar", "origin", origin, options, rows);
}

function match(
  context: RpcContext,
  name: string,
  parameter: string,
  pattern: Key,
  options: MatchOptions | undefined,
  more: readonly Row[],
): Promise<Key[]> {
  const { operation } = context;
  const rows = [row(parameter, checkData(operation, parameter, pattern)), ...more];
  const limit = checkLimit(operation, "limit", options?.limit ?? Infinity);
  if (limit !== Infinity) rows.push(row("max", limit));
  const decode = keyDecoder(operation, options);
  return callProcedure(context, {
    name,
    rows,
    pure: true,
    take: (output) => keysByRank(output).map(decode),
  });
}

function keysByRank(output: ProcedureOutput): Uint8Array[] {
  const found: { rank: number; key: Uint8Array }[] = [];
  for (const [name, value] of output) {
    if (name[0] !== UNDERSCORE) continue;
    found.push({ rank: Number(lossyText(value)), key: name.slice(1) });
  }
  return found.sort((a, b) => a.rank - b.rank).map(({ key }) => key);
}
