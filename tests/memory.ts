/** How much memory this process holds, once nothing is left that is nobody's. */

import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { runtime } from "./_harness.ts";

function collector(): () => void {
  if (runtime === "bun") {
    const { Bun } = globalThis as unknown as { Bun: { gc(wait: boolean): void } };
    return () => Bun.gc(true);
  }
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}

let collect: (() => void) | undefined;

/** The memory in bytes that somebody in this process holds. */
export async function heldMemory(): Promise<number> {
  collect ??= collector();
  // What is given back late needs turns of the event loop; memory of its own goes with its owner.
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { heapUsed, external } = process.memoryUsage();
  return runtime === "bun" ? heapUsed : heapUsed + external;
}

/** Bytes as a person reads them. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
