/** The example of what takes HTTP does what it says. */

import { assertEquals } from "@std/assert";
import { change, cleanUp, type Order, place } from "../../examples/orders.ts";
import { startMockServer } from "../../mock_server/mod.ts";
import { connect, json } from "../../mod.ts";
import { runScript, test } from "../_harness.ts";

test("orders.ts gives no number twice and loses no change, from several clients", async () => {
  await using server = await startMockServer({ databases: ["%"] });
  await using one = await connect(server.url, { codec: json<Order>(), connections: 3 });
  await using other = await connect(server.url, { codec: json<Order>() });
  const clients = Array.from({ length: 20 }, (_, i) => i % 2 === 0 ? one : other);
  const keys = await Promise.all(clients.map((kt, i) => place(kt, `item ${i}`)));
  assertEquals(new Set(keys).size, keys.length);
  await Promise.all(
    clients.map((kt, i) =>
      change(kt, keys[0], ({ items, isShipped }) => ({ items: [...items, String(i)], isShipped }))
    ),
  );
  assertEquals((await one.get(keys[0]))?.items.length, 1 + clients.length);
  assertEquals(await change(one, "order/none", (order) => order), null);
  const shipped = keys.filter((_, i) => i % 3 !== 1);
  await Promise.all(shipped.map((key) => change(one, key, (o) => ({ ...o, isShipped: true }))));
  await one.withCodec(json()).set("other", "not an order");
  assertEquals(await cleanUp(one), shipped.sort());
  assertEquals((await one.getBulk(keys)).length, keys.length - shipped.length);
});

test("orders.ts runs as a command", async () => {
  const { code, stdout } = await runScript("examples/orders.ts", [], {
    permissions: ["--allow-net=127.0.0.1"],
  });
  assertEquals(code, 0);
  assertEquals(stdout.trim().split("\n"), [
    "order/00000001 cup, spoon, tea, tray",
    "order/00000002 milk, sugar",
    "order/00000003 nothing",
    "removed order/00000001",
    "left order/00000002,order/00000003",
  ]);
});
