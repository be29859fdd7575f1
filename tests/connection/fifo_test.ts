import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Fifo } from "../../src/connection/fifo.ts";
import { test } from "../_harness.ts";

test("Fifo gives items in the order in which they came, whatever else is done", () => {
  const operation = fc.oneof(
    { weight: 5, arbitrary: fc.record({ push: fc.nat() }) },
    { weight: 4, arbitrary: fc.constant("shift" as const) },
    { weight: 1, arbitrary: fc.record({ unshift: fc.array(fc.nat(), { maxLength: 3 }) }) },
    { weight: 1, arbitrary: fc.constant("drain" as const) },
  );
  fc.assert(fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
    const fifo = new Fifo<number>();
    let model: number[] = [];
    for (const step of operations) {
      if (step === "shift") {
        assertEquals(fifo.shift(), model.shift());
      } else if (step === "drain") {
        assertEquals(fifo.drain(), model);
        model = [];
      } else if ("push" in step) {
        fifo.push(step.push);
        model.push(step.push);
      } else {
        fifo.unshift(step.unshift);
        model.unshift(...step.unshift);
      }
      assertEquals([fifo.length, fifo.peek()], [model.length, model[0]]);
    }
  }));
});

test("Fifo keeps its order when it holds many and gives up what it has given out", () => {
  const fifo = new Fifo<number>();
  let next = 0;
  for (let i = 0; i < 10_000; i++) {
    fifo.push(2 * i);
    fifo.push(2 * i + 1);
    assertEquals(fifo.shift(), next++);
  }
  while (fifo.length > 0) assertEquals(fifo.shift(), next++);
  assertEquals([next, fifo.shift(), fifo.peek()], [20_000, undefined, undefined]);
});
