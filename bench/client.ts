/** The product, connected to the server under its rows, with the records of the bench in it. */

import { connect, type KyotoTycoon, text, type Value } from "../mod.ts";
import { pairs } from "./records.ts";
import type { Address } from "./servers.ts";

/** Values are text on both sides of every comparison, but where a row says otherwise. */
export async function connectClient(
  { hostname, port }: Address,
): Promise<KyotoTycoon<string, Value>> {
  const kt = await connect({ hostname, port, codec: text });
  await kt.setBulk(pairs);
  return kt;
}

/** Stops the bench when a side does not return what it should: a fast wrong answer is none. */
export function check(side: string, got: unknown, expected: unknown): void {
  if (got !== expected) throw new Error(`Cannot compare: ${side} gave "${got}", not "${expected}"`);
}
