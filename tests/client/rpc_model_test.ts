/**
 * Random operations, binary ones and those of HTTP mixed, do what they do to a model in memory: on one
 * connection in the order in which they are made, on several from each task that waits for its own.
 */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { connect, text } from "../../mod.ts";
import { startMockServer } from "../../mock_server/mod.ts";
import { test } from "../_harness.ts";
import { Model, type Operation, operations } from "./_rpc_model.ts";

const TASKS = ["a", "b", "c", "d", "e"];

function described(operations: readonly Operation[], results: readonly unknown[]): unknown[] {
  return operations.map(({ name }, i) => [name, results[i]]);
}

test("operations made without waiting are carried out in order on one connection", async () => {
  await using server = await startMockServer({ databases: ["%"] });
  await using kt = await connect(server.url, { codec: text });
  const property = fc.asyncProperty(
    fc.array(operations(""), { minLength: 1, maxLength: 60, size: "max" }),
    async (list) => {
      await kt.clear();
      const model = new Model();
      const results = await Promise.all(list.map(({ perform }) => perform(kt)));
      const expected = list.map(({ apply }) => apply(model));
      assertEquals(described(list, results), described(list, expected));
      const left: string[] = [];
      for await (const { key, value } of kt.entries({ keys: "text" })) left.push(key, value);
      assertEquals(left, model.keys("").flatMap((key) => [key, model.get(key)!]));
    },
  );
  await fc.assert(property, { numRuns: 150 });
  assertEquals(kt.stats.connected, 1);
});

test("tasks that wait for their own operations do not disturb each other on a pool", async () => {
  await using server = await startMockServer({ databases: TASKS.map(() => "%") });
  await using kt = await connect(server.url, { codec: text, connections: 3 });
  const property = fc.asyncProperty(
    fc.tuple(...TASKS.map((task) => fc.array(operations(task), { maxLength: 25, size: "max" }))),
    async (lists) => {
      await Promise.all(lists.map(async (list, database) => {
        const view = kt.database(database), model = new Model();
        await view.clear();
        for (const { name, perform, apply } of list) {
          assertEquals([name, await perform(view)], [name, apply(model)]);
        }
        const found = await view.matchPrefix("", { keys: "text" });
        assertEquals(found, model.keys(""));
      }));
    },
  );
  await fc.assert(property, { numRuns: 60 });
  assertEquals(kt.stats.connections, 3);
});
