/** However a stream ends, its socket is closed and whoever waits is told. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes";
import { ConnectionError } from "../../src/errors.ts";
import type { ReplicationStream } from "../../src/replication/stream.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { setMessage } from "./_log.ts";
import { Master, type MasterEnd, Outcome } from "./_master.ts";

/** What a stream may be at when it ends. */
const moments: [
  what: string,
  reach: (master: Master, stream: ReplicationStream) => Promise<unknown>,
][] = [
  ["before it connects", async () => {}],
  ["while it connects", async (master, stream) => {
    master.connecting = "hangs";
    stream.next().catch(() => {});
    await turn();
  }],
  ["before it is accepted", async (_, stream) => {
    stream.next().catch(() => {});
    await turn();
  }],
  ["while it waits for updates", async (master, stream) => {
    stream.next().catch(() => {});
    await master.accepted();
    await turn();
  }],
  ["while the consumer has an update in hand", async (master, stream) => {
    const first = stream.next();
    (await master.accepted()).send(concat([setMessage(1n, "a", ""), setMessage(2n, "b", "")]));
    await first;
  }],
  ["while it waits to connect again", async (master, stream) => {
    stream.next().catch(() => {});
    const end = await master.accepted();
    await turn();
    end.end();
    await turn();
  }],
];

/** How it ends: what the next call of `next` then gives. */
const reason = new Error("given up");
const endings: [
  what: string,
  end: (stream: ReplicationStream, controller: AbortController) => unknown,
  result: unknown,
][] = [
  ["return()", (stream) => stream.return(), "done"],
  ["disposing", (stream) => stream[Symbol.asyncDispose](), "done"],
  ["an abort", (_, controller) => controller.abort(reason), reason],
];

for (const [what, finish, result] of endings) {
  for (const [when, reach] of moments) {
    test(`${what} closes everything ${when}`, async () => {
      const master = new Master();
      const controller = new AbortController();
      const stream = master.follow({ signal: controller.signal });
      await reach(master, stream);
      const pending = new Outcome(stream.next());
      await finish(stream, controller);
      await turn();
      assert(pending.settled || when.includes("in hand"));
      for (const next of [stream.next(), stream.next()]) {
        assertStrictEquals(await next.then(({ done }) => done && "done", (error) => error), result);
      }
      assert(master.ends.every(({ closed }) => closed));
      assert(master.attempts.every((signal) => signal.aborted));
      assertEquals(master.timers.running, 0);
    });
  }
}

test("leaving a loop closes the socket", async () => {
  const master = new Master();
  let end: MasterEnd | undefined;
  setTimeout(async () => {
    end = await master.accepted();
    end.send(setMessage(1n, "k", "v"));
  });
  for await (const { timestamp } of master.follow()) {
    assertEquals(timestamp, 1n);
    break;
  }
  assert(end?.closed);
});

test("an exception in a loop closes the socket", async () => {
  const master = new Master();
  setTimeout(async () => (await master.accepted()).send(setMessage(1n, "k", "v")));
  const error = await assertRejects(async () => {
    for await (const _ of master.follow()) throw reason;
  });
  assertStrictEquals(error, reason);
  assert(master.ends[0].closed);
});

test("cancelling readable closes the socket", async () => {
  const master = new Master();
  const reader = master.follow().readable.getReader();
  const read = reader.read();
  const end = await master.accepted();
  await turn();
  await reader.cancel();
  assertEquals([(await read).done, end.closed], [true, true]);
});

test("an abort ends readable with the signal's reason", async () => {
  const master = new Master();
  const controller = new AbortController();
  const reader = master.follow({ signal: controller.signal }).readable.getReader();
  const read = reader.read();
  const end = await master.accepted();
  controller.abort(reason);
  assertStrictEquals(await read.catch((error) => error), reason);
  assert(end.closed);
});

test("a signal that is aborted already connects nothing", async () => {
  const master = new Master();
  const stream = master.follow({ signal: AbortSignal.abort(reason) });
  assertStrictEquals(await stream.next().catch((error) => error), reason);
  assertEquals(master.attempts.length, 0);
});

test("no listener stays with the signal when the stream has ended", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal), drop = signal.removeEventListener.bind(signal);
  signal.addEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
    listeners++;
    add(type, listener);
  };
  signal.removeEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
    listeners--;
    drop(type, listener);
  };
  const master = new Master();
  const stream = master.follow({ signal, resume: false });
  const next = stream.next();
  const end = await master.accepted();
  assertEquals(listeners, 1);
  end.end();
  await assertRejects(() => next, ConnectionError);
  assertEquals(listeners, 0);
});

test("a connection that comes too late is closed", async () => {
  const master = new Master();
  const opened = Promise.withResolvers<void>();
  const { connector } = master;
  const late = {
    ...master.parts,
  };
  const { ReplicationStream } = await import("../../src/replication/stream.ts");
  const stream = new ReplicationStream(
    async (signal) => {
      await opened.promise;
      return connector(signal);
    },
    {},
    late,
  );
  const next = stream.next();
  await turn();
  await stream.return();
  assertEquals((await next).done, true);
  opened.resolve();
  assert((await master.end()).closed);
});
