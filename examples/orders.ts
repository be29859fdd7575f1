/**
 * What Kyoto Tycoon speaks over HTTP only, on the same connection as the rest: numbers that are never
 * given twice, changes that do not get lost, and a walk through keys in their order.
 *
 *     deno run --allow-net=127.0.0.1 examples/orders.ts     # with a mock server in this process
 *     bun examples/orders.ts kt://127.0.0.1:1978            # with a server whose database 0 is "%"
 */

import { connect, json, type Key, type KyotoTycoon } from "@kyoto/tycoon";
import { startMockServer } from "@kyoto/tycoon/mock-server";
import process from "node:process";

export interface Order {
  items: string[];
  isShipped: boolean;
}

type Orders = KyotoTycoon<Order, Order>;

const PREFIX = "order/";

/** Stores an order under a number of its own, however many others do the same; returns its key. */
export async function place(kt: Orders, ...items: string[]): Promise<string> {
  const number = await kt.increment("last-order");
  const key = PREFIX + String(number).padStart(8, "0");
  if (!await kt.add(key, { items, isShipped: false })) throw new Error(`${key} is there already`);
  return key;
}

/** Changes a value. Where somebody else was faster it begins anew, so that no change is lost. */
export async function change<V>(
  kt: KyotoTycoon<V, V>,
  key: Key,
  next: (value: V) => V,
): Promise<V | null> {
  for (;;) {
    const before = await kt.get(key);
    if (before === null) return null;
    const after = next(before);
    if (await kt.cas(key, before, after)) return after;
  }
}

/** Removes the orders that are shipped; returns their keys. */
export async function cleanUp(kt: Orders): Promise<string[]> {
  const removed: string[] = [];
  await using cursor = kt.cursor({ keys: "text" });
  await cursor.jump(PREFIX);
  for (;;) {
    const entry = await cursor.get();
    if (entry === null || !entry.key.startsWith(PREFIX)) return removed;
    if (!entry.value.isShipped) await cursor.step();
    else if (await cursor.remove()) removed.push(entry.key); // which moves on, too
  }
}

if (import.meta.main) {
  const [url] = process.argv.slice(2);
  await using server = url === undefined ? await startMockServer({ databases: ["%"] }) : null;
  await using kt = await connect(url ?? server!.url, { codec: json<Order>() });

  const [first] = await Promise.all([place(kt, "tea"), place(kt, "milk", "sugar"), place(kt)]);
  await Promise.all(
    ["cup", "spoon", "tray"].map((item) =>
      change(kt, first, (order) => ({ ...order, items: [...order.items, item].sort() }))
    ),
  );
  for await (const { key, value } of kt.entries({ from: PREFIX, keys: "text" })) {
    console.log(key, value.items.join(", ") || "nothing");
  }
  await change(kt, first, (order) => ({ ...order, isShipped: true }));
  console.log("removed", (await cleanUp(kt)).join());
  console.log("left", (await kt.matchPrefix(PREFIX, { keys: "text" })).join());
}
