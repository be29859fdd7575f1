import { assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { ByteWriter } from "../../src/codec/writer.ts";
import { GetCall } from "../../src/connection/call.ts";
import { DEFAULT_BATCH } from "../../src/connection/request_queue.ts";
import { ConnectionError, ProtocolError, ServerError } from "../../src/errors.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { replies } from "../scripted_server.ts";
import { get, outcomes, remove, script, set, values } from "./_calls.ts";
import { Wire } from "./_wire.ts";

test("a call that is given up while it waits leaves nothing on the wire", async () => {
  const wire = new Wire();
  const calls = [get("a"), get("b"), get("c"), set("d"), remove("e")];
  const results = outcomes(...calls);
  wire.push(...calls);
  for (const i of [0, 1, 3, 4]) calls[i].reject(new Error("given up"));
  assertEquals(wire.send(), ["get 0:c"]);
  wire.receive(replies.get({ key: "c", value: "3" }));
  await turn();
  assertEquals(values(results), ["given up", "given up", "3", "given up", "given up"]);
  assertEquals(wire.queue.queued, 0);
});

test("when all that waits is given up nothing is sent", () => {
  const wire = new Wire();
  const calls = [get("a"), set("b")];
  outcomes(...calls);
  wire.push(...calls);
  for (const call of calls) call.reject(new Error("given up"));
  assertEquals([wire.encode().length, wire.queue.queued, wire.queue.inFlight], [0, 0, 0]);
});

test("a written call that is given up keeps its place and its late reply is dropped", async () => {
  const wire = new Wire();
  const calls = [get("a"), remove("b"), get("c"), script("p"), get("d")];
  const results = outcomes(...calls);
  wire.send(...calls);
  for (const i of [0, 1, 3]) calls[i].reject(new Error("given up"));
  wire.receive(
    replies.get({ key: "a", value: "of a" }),
    replies.remove(1),
    replies.get({ key: "c", value: "of c" }),
    replies.script(["k", "v"]),
    replies.get({ key: "d", value: "of d" }),
  );
  await turn();
  assertEquals(values(results), ["given up", "given up", "of c", "given up", "of d"]);
});

test("one of several calls in a request is given up and the others get their values", async () => {
  const wire = new Wire();
  const calls = [get("a"), get("b"), get("c")];
  const results = outcomes(...calls);
  wire.send(...calls);
  calls[1].reject(new Error("given up"));
  wire.receive(replies.get(...["a", "b", "c"].map((key) => ({ key, value: `of ${key}` }))));
  await turn();
  assertEquals(values(results), ["of a", "given up", "of c"]);
});

test("a value that nobody waits for any more is not decoded", () => {
  const wire = new Wire();
  let decoded = 0;
  const calls = ["a", "b"].map((key) => new GetCall("get", 0, key, () => decoded++));
  outcomes(...calls);
  wire.send(...calls);
  calls[0].reject(new Error("given up"));
  wire.receive(replies.get(...["a", "b"].map((key) => ({ key, value: "v" }))));
  assertEquals(decoded, 1);
});

test("replies that come byte by byte are told apart", async () => {
  const wire = new Wire();
  const calls = [get("a"), get("b"), set("c"), remove("d"), script("p"), get("e")];
  const results = outcomes(...calls);
  wire.send(...calls);
  const stream = [
    replies.get({ key: "b", value: "x".repeat(100) }),
    replies.set(1),
    replies.remove(1),
    replies.script(),
    replies.get({ key: "e", value: "" }),
  ];
  for (const reply of stream) for (const byte of reply) wire.receive(Uint8Array.of(byte));
  await turn();
  assertEquals(values(results), [null, "x".repeat(100), undefined, 1, [], ""]);
  assertEquals(wire.replies, 5);
});

test("a call without reply ends when its bytes have left, and takes no reply", async () => {
  const wire = new Wire();
  const calls = [set("a", "1", 0, true), remove("b", true), get("c")];
  const results = outcomes(...calls);
  wire.push(...calls);
  await turn();
  assertEquals(values(results), ["waits", "waits", "waits"]);
  wire.send();
  await turn();
  assertEquals(values(results), [undefined, undefined, "waits"]);
  assertEquals(wire.queue.inFlight, 1);
  wire.receive(replies.get({ key: "c", value: "3" }));
  await turn();
  assertEquals(results[2].value, "3");
});

test("a refusal rejects the calls of that request and ends the connection", async () => {
  const wire = new Wire();
  const calls = [set("a"), set("b"), get("c")];
  const results = outcomes(...calls);
  wire.send(...calls);
  assertThrows(() => wire.receive(replies.error));
  await turn();
  assertEquals(results.map(({ settled }) => settled), [true, true, false]);
  for (const { error } of results.slice(0, 2)) {
    assertInstanceOf(error, ServerError);
    assertEquals(
      error.message,
      "Cannot set: the server refused (it is read-only, or storing failed)",
    );
  }
});

test("a refused script rejects alone: the server keeps the connection", async () => {
  const wire = new Wire();
  const calls = [script("p"), get("c")];
  const results = outcomes(...calls);
  wire.send(...calls);
  wire.receive(replies.error, replies.get());
  await turn();
  assertInstanceOf(results[0].error, ServerError);
  assertEquals(values(results), [
    'Cannot playScript "p": the server has no such procedure, or the procedure failed',
    null,
  ]);
});

const unexpected: [what: string, reply: Uint8Array, message: string][] = [
  ["of another kind", replies.set(1), "expected the first byte 0xba or 0xbf, got 0xb8"],
  [
    "with too many records",
    replies.get(...["a", "b", "x"].map((key) => ({ key, value: "" }))),
    "3 records came for 2 keys asked for",
  ],
  [
    "with another key",
    replies.get({ key: "x", value: "" }),
    "a record came that was not asked for",
  ],
  [
    "with another database",
    replies.get({ key: "a", value: "", database: 1 }),
    "a record came that was not asked for",
  ],
  [
    "in another order",
    replies.get({ key: "b", value: "" }, { key: "a", value: "" }),
    "a record came that was not asked for",
  ],
  [
    "over the limit",
    replies.get({ key: "a", value: "x".repeat(1000) }),
    'it announces more than "maxReplyBytes", 500 bytes',
  ],
];
for (const [what, reply, message] of unexpected) {
  test(`a reply ${what} is an error of the protocol`, () => {
    const wire = new Wire(DEFAULT_BATCH, 500);
    const calls = [get("a"), get("b")];
    outcomes(...calls);
    wire.send(...calls);
    assertThrows(() => wire.receive(reply), ProtocolError, `Cannot read a reply: ${message}`);
  });
}

test("a key in Latin-1 is not the same text in UTF-8", () => {
  const wire = new Wire();
  const call = get("é");
  outcomes(call);
  wire.send(call);
  assertThrows(
    () => wire.receive(replies.get({ key: Uint8Array.of(0xe9), value: "" })),
    ProtocolError,
    "a record came that was not asked for",
  );
});

test("a reply that counts stored records of one database in part is an error", () => {
  const wire = new Wire();
  const calls = [set("a"), set("b")];
  outcomes(...calls);
  wire.send(...calls);
  assertThrows(
    () => wire.receive(replies.set(1)),
    ProtocolError,
    "Cannot set: the server stored 1 of 2 records of one database",
  );
});

test("a size over the limit is refused before the bytes come", () => {
  const wire = new Wire(DEFAULT_BATCH, 500);
  const calls = [get("a"), get("b")];
  outcomes(...calls);
  wire.send(...calls);
  const announced = replies.get({ key: "a", value: "x".repeat(1000) }).subarray(0, 23);
  assertThrows(() => wire.receive(announced), ProtocolError);
});

test("bytes that nobody asked for are an error of the protocol", () => {
  const wire = new Wire();
  assertThrows(
    () => wire.receive(replies.set(1)),
    ProtocolError,
    "Cannot read a reply: the server sent bytes that nobody asked for",
  );
});

test("losing the connection returns unsent calls and written reads, in order", async () => {
  const wire = new Wire();
  const written = [get("a"), set("b"), remove("c"), script("p"), get("d")];
  const queued = [set("e"), get("f"), remove("g")];
  const results = outcomes(...written, ...queued);
  wire.send(...written);
  wire.push(...queued);
  const remaining = wire.queue.lose(new Error("gone"), { serial: 1, made: 1 });
  assertEquals(remaining, [written[0], written[4], ...queued]);
  await turn();
  const lost = (operation: string) =>
    `Cannot ${operation}: the connection was lost before the reply came: gone`;
  assertEquals(values(results), [
    "waits",
    lost("set"),
    lost("remove"),
    lost("playScript"),
    "waits",
    "waits",
    "waits",
    "waits",
  ]);
  const { error } = results[1];
  assertInstanceOf(error, ConnectionError);
  assertEquals([error.sent, (error.cause as Error).message], [true, "gone"]);
});

test("a read that was sent again is not sent a third time", async () => {
  const first = new Wire(), second = new Wire();
  const call = get("a");
  const results = outcomes(call);
  first.send(call);
  assertEquals(first.queue.lose(new Error("gone"), { serial: 1, made: 1 }), [call]);
  assertEquals(second.send(call), ["get 0:a"]);
  assertEquals(second.queue.lose(new Error("gone again"), { serial: 2, made: 2 }), []);
  await turn();
  assertInstanceOf(results[0].error, ConnectionError);
  assertEquals(results[0].error.sent, true);
});

test("a reply that is cut off gives what came of it, and the rest is asked for again", async () => {
  const first = new Wire(), second = new Wire();
  const calls = [get("a"), get("b"), get("c"), get("d")];
  const results = outcomes(...calls);
  first.send(...calls);
  const reply = replies.get(...["b", "c"].map((key) => ({ key, value: `of ${key}` })));
  first.receive(reply.subarray(0, reply.length - 1));
  await turn();
  // "a" was passed over, so it is not there; of "c" not everything came.
  assertEquals(values(results), [null, "of b", "waits", "waits"]);
  assertEquals(second.send(...first.queue.lose(new Error("cut"), { serial: 1, made: 1 })), [
    "get 0:c 0:d",
  ]);
  second.receive(replies.get({ key: "c", value: "new" }));
  await turn();
  assertEquals(values(results), [null, "of b", "new", null]);
});

test("an error of the protocol goes to the request that it met, all others are lost", async () => {
  const wire = new Wire();
  const calls = [get("a"), set("b"), get("c")];
  const results = outcomes(...calls);
  wire.send(...calls);
  const reason = new ProtocolError("Cannot read a reply: nonsense");
  assertEquals(wire.queue.lose(reason, { serial: 1, made: 1 }), [calls[2]]);
  await turn();
  assertStrictEquals(results[0].error, reason);
  assertInstanceOf(results[1].error, ConnectionError);
  assertEquals(results[1].error.sent, true);
});

test("a call without reply whose bytes may not have left rejects as sent", async () => {
  const wire = new Wire();
  const call = set("a", "1", 0, true);
  const results = outcomes(call);
  wire.push(call);
  wire.queue.encode(new ByteWriter());
  wire.queue.lose(new Error("gone"), { serial: 1, made: 1 });
  await turn();
  assertInstanceOf(results[0].error, ConnectionError);
  assertEquals(results[0].error.sent, true);
});
