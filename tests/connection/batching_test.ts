import { assertEquals, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import { MAX_FRAME_KEYS } from "../../src/connection/key_set.ts";
import { DEFAULT_BATCH } from "../../src/connection/request_queue.ts";
import { ServerError } from "../../src/errors.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { replies } from "../scripted_server.ts";
import { get, outcomes, remove, script, set, shortText, values } from "./_calls.ts";
import { Wire } from "./_wire.ts";

const encoder = new TextEncoder();

test("neighbouring gets travel as one request and each gets its own value", async () => {
  const wire = new Wire();
  const calls = [get("a"), get("b", 3), get("c")];
  const results = outcomes(...calls);
  assertEquals(wire.send(...calls), ["get 0:a 3:b 0:c"]);
  wire.receive(replies.get({ key: "a", value: "1" }, { key: "c", value: "3" }));
  await turn();
  assertEquals(values(results), ["1", null, "3"]);
});

test("neighbouring sets for one database travel as one request", async () => {
  const wire = new Wire();
  const calls = [set("a", "1"), set("b", "2"), set("c", "3", 1), set("d", "4", 1)];
  const results = outcomes(...calls);
  assertEquals(wire.send(...calls), ["set 0:a=1 0:b=2", "set 1:c=3 1:d=4"]);
  wire.receive(replies.set(2), replies.set(2));
  await turn();
  assertEquals(values(results), [undefined, undefined, undefined, undefined]);
});

test("a missing database rejects its own sets and no others", async () => {
  const wire = new Wire();
  const calls = [set("a"), set("b", "", 7), set("c", "", 7), set("d"), get("a")];
  const results = outcomes(...calls);
  assertEquals(wire.send(...calls).length, 4);
  wire.receive(replies.set(1), replies.set(0), replies.set(1), replies.get());
  await turn();
  const message = "Cannot set: database 7 does not exist on the server";
  assertEquals(values(results), [undefined, message, message, undefined, null]);
  assertInstanceOf(results[1].error, ServerError);
  assertEquals(results[1].error.operation, "set");
});

test("get, set, get of one key keep their order", async () => {
  const wire = new Wire();
  const calls = [get("k"), set("k", "new"), get("k")];
  const results = outcomes(...calls);
  assertEquals(wire.send(...calls), ["get 0:k", "set 0:k=new", "get 0:k"]);
  wire.receive(
    replies.get({ key: "k", value: "old" }),
    replies.set(1),
    replies.get({ key: "k", value: "new" }),
  );
  await turn();
  assertEquals(values(results), ["old", undefined, "new"]);
});

test("remove and playScript travel alone, in the same write", () => {
  const wire = new Wire();
  assertEquals(
    wire.send(get("a"), get("b"), remove("a"), remove("b"), script("p"), get("a"), get("b")),
    ["get 0:a 0:b", "remove 0:a", "remove 0:b", "script p", "get 0:a 0:b"],
  );
});

test("a key that is asked for again begins a new request", async () => {
  const wire = new Wire();
  const calls = [get("a"), get("b"), get("a"), get("b"), get("c"), get("b", 1)];
  const results = outcomes(...calls);
  assertEquals(wire.send(...calls), ["get 0:a 0:b", "get 0:a 0:b 0:c 1:b"]);
  // Another client stored "a" in between: only the second call may see it.
  wire.receive(replies.get(), replies.get({ key: "a", value: "late" }));
  await turn();
  assertEquals(values(results), [null, null, "late", null, null, null]);
});

test("a key as text and the same key as bytes are the same key", () => {
  const wire = new Wire();
  for (const key of ["a", "é", "", "日本", "x".repeat(50_000), "é".repeat(20_000)]) {
    assertEquals(wire.send(get(key), get(encoder.encode(key))).length, 2, key);
    assertEquals(wire.send(get(encoder.encode(key)), get(key)).length, 2, key);
  }
  // Half of a surrogate pair is sent as the replacement character.
  assertEquals(wire.send(get("\ud800"), get("\ufffd")).length, 2);
});

test("gets of any keys are answered as if each had travelled alone", async () => {
  const example = fc.record({
    key: shortText,
    asBytes: fc.boolean(),
    database: fc.nat(1),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(example, { maxLength: 30 }), async (examples) => {
      const wire = new Wire();
      const calls = examples.map(({ key, asBytes, database }) =>
        get(asBytes ? encoder.encode(key) : key, database)
      );
      const results = outcomes(...calls);
      const requests = wire.send(...calls);
      // A server that has every key with an even number of bytes.
      const has = (key: string) => encoder.encode(key).length % 2 === 0;
      let next = 0;
      for (let i = 0; i < requests.length; i++) {
        const frame = wire.queue.head!.calls.length;
        const asked = examples.slice(next, next += frame);
        wire.receive(replies.get(
          ...asked.filter(({ key }) => has(key))
            .map(({ key, database }) => ({ key, value: `${database}:${key}`, database })),
        ));
      }
      await Promise.allSettled(calls.map(({ promise }) => promise));
      assertEquals(
        values(results),
        examples.map(({ key, database }) =>
          has(key) ? new TextDecoder().decode(encoder.encode(`${database}:${key}`)) : null
        ),
      );
    }),
    { numRuns: 100 },
  );
});

test("a request takes no more records than the limit", () => {
  const wire = new Wire({ records: 2 });
  assertEquals(
    wire.send(get("a"), get("b"), get("c"), get("d"), get("e")),
    ["get 0:a 0:b", "get 0:c 0:d", "get 0:e"],
  );
  assertEquals(wire.send(set("a"), set("b"), set("c")), ["set 0:a= 0:b=", "set 0:c="]);
});

test("a request takes no more bytes than the limit, but one call always", () => {
  const wire = new Wire({ bytes: 10 });
  assertEquals(
    wire.send(set("a", "1234"), set("b", "1234"), set("c", "1"), set("d", "x".repeat(40)), set("e"))
      .map((request) => request.match(/:\w/g)!.length),
    [2, 1, 1, 1],
  );
});

test("without batching every call travels alone, still in one write", () => {
  const wire = new Wire({ records: 1, bytes: 0 });
  assertEquals(
    wire.send(get("a"), get("b"), set("a"), set("b")),
    ["get 0:a", "get 0:b", "set 0:a=", "set 0:b="],
  );
});

test("a request has at most as many keys as are checked for duplicates, whatever was asked", () => {
  const wire = new Wire({ records: 100_000, bytes: 2 ** 30 });
  const requests = wire.send(
    ...Array.from({ length: MAX_FRAME_KEYS * 2 + 1 }, (_, i) => get(`${i}`)),
  );
  assertEquals(
    requests.map((request) => request.split(" ").length - 1),
    [MAX_FRAME_KEYS, MAX_FRAME_KEYS, 1],
  );
});

test("calls with and without reply do not share a request", () => {
  const wire = new Wire();
  assertEquals(
    wire.send(set("a"), set("b", "", 0, true), set("c", "", 0, true), set("d")),
    ["set 0:a=", "set! 0:b= 0:c=", "set 0:d="],
  );
});

test("thousands of calls leave in few writes, in order", async () => {
  const wire = new Wire();
  const calls = Array.from({ length: 5_000 }, (_, i) => get(`key ${i}`));
  const results = outcomes(...calls);
  let sent = 0;
  for (let rest = wire.send(...calls); rest.length > 0; rest = wire.send()) {
    for (let i = 0; i < rest.length; i++) {
      const keys = (wire.queue.head!.calls as typeof calls).map(({ key }) => key as string);
      sent += keys.length;
      wire.receive(replies.get(...keys.map((key) => ({ key, value: `value of ${key}` }))));
    }
  }
  await turn();
  assertEquals(sent, 5_000);
  assertEquals(values(results), calls.map(({ key }) => `value of ${key}`));
  assertEquals(wire.replies, Math.ceil(5_000 / DEFAULT_BATCH.records));
});

test("huge values leave one write at a time, so that they do not pile up", async () => {
  const wire = new Wire();
  const value = new Uint8Array(3_000_000).fill(7);
  const calls = [set("a", value), set("b", value), set("c", "small")];
  const results = outcomes(...calls);
  wire.push(...calls);
  assertEquals(wire.encode().length, 9 + 18 + 1 + value.length);
  assertEquals(wire.queue.queued, 2);
  assertEquals(wire.encode().length, 9 + 18 + 1 + value.length);
  assertEquals(wire.encode().length, 9 + 18 + 1 + 5);
  wire.receive(replies.set(1), replies.set(1), replies.set(1));
  await turn();
  assertEquals(values(results), [undefined, undefined, undefined]);
});
