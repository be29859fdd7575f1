/** Whatever happens on the way, each call gets its own reply or its own error. */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import { ClosedError, ConnectionError } from "../../src/errors.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import type { PlainRequest } from "../plain_parser.ts";
import { replies } from "../scripted_server.ts";
import { get, Outcome, outcomes, remove, script, set, shortText } from "./_calls.ts";
import { unconnected } from "./_fake_pool.ts";
import type { FakeSocket } from "./_fake_socket.ts";

const utf8 = (text: string) => new TextDecoder().decode(new TextEncoder().encode(text));
const isThere = (key: string) => utf8(key).length % 2 === 0;

/** A server whose replies tell what they answer. */
function answer({ kind, name, records, flags }: PlainRequest): Uint8Array | null {
  const keys = records.map(({ key }) => new TextDecoder().decode(key));
  switch (kind) {
    case "get":
      return replies.get(
        ...keys.filter(isThere).map((key) => ({ key, value: `of ${key}` })),
      );
    case "set":
      return (flags & 1) === 1 ? null : replies.set(records[0].database === 0 ? records.length : 0);
    case "remove":
      return replies.remove(Number(isThere(keys[0])));
    case "script":
      return replies.script([name, "output"]);
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ get: shortText }) },
  { weight: 2, arbitrary: fc.record({ set: shortText, missing: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ tell: shortText }) },
  { weight: 2, arbitrary: fc.record({ remove: shortText }) },
  { weight: 2, arbitrary: fc.record({ script: shortText }) },
  { weight: 3, arbitrary: fc.constant("turn" as const) },
  { weight: 4, arbitrary: fc.record({ reply: fc.integer({ min: 1, max: 80 }) }) },
  { weight: 2, arbitrary: fc.record({ abort: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.constant("stall" as const) },
  { weight: 2, arbitrary: fc.constant("take" as const) },
  { weight: 1, arbitrary: fc.constant("end" as const) },
);

/** What a server still has to send on a socket. */
function owed(socket: FakeSocket, answered: number): Uint8Array {
  const bytes: number[] = [];
  for (const request of socket.requests) bytes.push(...answer(request) ?? []);
  return Uint8Array.from(bytes).subarray(answered);
}

test("no call ever gets another call's reply", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 60 }),
      fc.integer({ min: 1, max: 2 }),
      fc.boolean(),
      async (steps, connections, batching) => {
        const { pool, server, timers } = unconnected({
          connections,
          ...(batching ? {} : { batch: { records: 1, bytes: 0 } }),
        });
        await pool.open();
        const made: {
          outcome: Outcome;
          check: (value: unknown) => void;
          abort: AbortController;
        }[] = [];
        const make = (
          submit: (options: { signal: AbortSignal }) => Promise<unknown>,
          check: (value: unknown) => void,
        ) => {
          const abort = new AbortController();
          made.push({ outcome: new Outcome(submit({ signal: abort.signal })), check, abort });
        };
        const sent = new Map<FakeSocket, number>();
        const reply = (socket: FakeSocket, size: number) => {
          const start = sent.get(socket) ?? 0;
          const bytes = owed(socket, start).subarray(0, size);
          sent.set(socket, start + bytes.length);
          if (bytes.length > 0) socket.receive(bytes);
        };
        for (const step of steps) {
          if (step === "turn") await turn();
          else if (step === "stall") server.socket.stalled = true;
          else if (step === "take") server.socket.take();
          else if (step === "end") server.socket.end();
          else if ("reply" in step) {
            for (const socket of server.sockets) {
              reply(socket, step.reply);
            }
          } else if ("abort" in step) made[step.abort]?.abort.abort(new Error("given up"));
          else if ("get" in step) {
            const key = step.get;
            make(
              (options) => pool.submit(get(key), options),
              (value) => assertEquals(value, isThere(key) ? `of ${utf8(key)}` : null),
            );
          } else if ("set" in step) {
            const { set: key, missing } = step;
            make(
              (options) => pool.submit(set(key, "v", missing ? 9 : 0), options),
              (value) => assert(value === undefined && !missing),
            );
          } else if ("tell" in step) {
            make(
              (options) => pool.submit(set(step.tell, "v", 0, true), options),
              (value) => assertEquals(value, undefined),
            );
          } else if ("remove" in step) {
            const key = step.remove;
            make(
              (options) => pool.submit(remove(key), options),
              (value) => assertEquals(value, Number(isThere(key))),
            );
          } else {
            const name = step.script;
            make(
              (options) => pool.submit(script(name), options),
              (value) =>
                assertEquals(
                  (value as [Uint8Array][]).map(([key]) => new TextDecoder().decode(key)),
                  [utf8(name)],
                ),
            );
          }
        }
        const closed = outcomes(pool.close());
        while (!closed[0].settled) {
          for (const socket of server.sockets) {
            socket.stalled = false;
            socket.take();
            reply(socket, Infinity);
          }
          await timers.advance(500);
          assert(timers.now() < 60_000, "closing takes too long");
        }
        for (const { outcome, check, abort } of made) {
          assert(outcome.settled);
          if (outcome.error === undefined) check(outcome.value);
          else if (outcome.error.name === "ServerError") {
            assert(outcome.error.message.includes("9"));
          } else if (outcome.error.message === "given up") assert(abort.signal.aborted);
          else if (!(outcome.error instanceof ClosedError)) {
            assertInstanceOf(outcome.error, ConnectionError);
          }
        }
        assertEquals([timers.running, pool.stats.pending, pool.stats.pendingBytes], [0, 0, 0]);
        assert(server.sockets.every(({ closed }) => closed));
      },
    ),
    { numRuns: 500 },
  );
});
