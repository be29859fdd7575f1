/** Picks the adapter of the runtime at hand. Each is loaded only where it is used. */

import type { Address, Connector } from "./transport.ts";

/** The runtimes that have an adapter of their own; everything else is taken for Node. */
export type Runtime = "deno" | "bun" | "node";

/** Which runtime this is. */
export function detectRuntime(): Runtime {
  const g = globalThis as { Deno?: { connect?: unknown }; Bun?: { connect?: unknown } };
  if (typeof g.Deno?.connect === "function") return "deno";
  if (typeof g.Bun?.connect === "function") return "bun";
  return "node";
}

/** The connector of the runtime at hand. */
export async function runtimeConnector(address: Address): Promise<Connector> {
  switch (detectRuntime()) {
    case "deno":
      return (await import("./deno.ts")).denoConnector(address);
    case "bun":
      return (await import("./bun.ts")).bunConnector(address);
    case "node":
      return (await import("./node.ts")).nodeConnector(address);
  }
}
