/** What happens when the connection breaks: nothing is lost, and nothing comes twice. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { ConnectionError, ServerError } from "../../src/errors.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { heartbeat, setMessage } from "./_log.ts";
import { Master, type MasterEnd, Outcome } from "./_master.ts";

/** The stamp that a follower asked for. */
function since({ request }: MasterEnd): bigint {
  return new DataView(request.buffer).getBigUint64(5);
}

/** Lets the wait until the next attempt pass; returns its connection. */
async function reconnected(master: Master): Promise<MasterEnd> {
  const before = master.ends.length;
  for (let i = 0; i < 20 && master.ends.length === before; i++) await master.timers.advance(100);
  return await master.accepted();
}

const log = Array.from({ length: 12 }, (_, i) => setMessage(BigInt(10 * (i + 1)), `k${i}`, "v"));

/** All that a master has behind a stamp, with a heartbeat behind each third update and at the end. */
function contents(after: bigint): Uint8Array {
  const parts = log.flatMap((message, i) => {
    const stamp = BigInt(10 * (i + 1));
    if (stamp <= after) return [];
    return i % 3 === 2 ? [message, heartbeat(stamp)] : [message];
  });
  return concat(parts);
}

test("a stream that is cut anywhere, again and again, gives each update once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: 200 }), { maxLength: 8 }),
      fc.boolean(),
      fc.boolean(),
      async (cuts, slow, breaks) => {
        const master = new Master();
        await using stream = master.follow();
        const got: bigint[] = [];
        const consumer = (async () => {
          for await (const { timestamp } of stream) {
            got.push(timestamp);
            if (slow) await turn();
            if (got.length === log.length) return;
          }
        })();
        let end = await master.accepted();
        for (const cut of cuts) {
          if (got.length === log.length) break;
          end.send(contents(since(end)).subarray(0, cut));
          if (breaks) end.break();
          else end.end();
          for (let i = 0; i < log.length + 5; i++) await turn();
          if (got.length === log.length) break;
          assertEquals(since(end = await reconnected(master)), got.at(-1) ?? 0n);
        }
        end.send(contents(since(end)));
        await consumer;
        assertEquals(got, log.map((_, i) => BigInt(10 * (i + 1))));
      },
    ),
    { numRuns: 40 },
  );
});

const places: [where: string, sent: Uint8Array, since: bigint][] = [
  ["inside a header", concat([log[0], log[1].subarray(0, 7)]), 10n],
  ["inside a message", concat([log[0], log[1].subarray(0, 20)]), 10n],
  ["between an update and a heartbeat", concat([log[0], log[1]]), 20n],
  ["inside a heartbeat", concat([log[0], heartbeat(15n).subarray(0, 4)]), 10n],
  ["behind a heartbeat", concat([log[0], heartbeat(15n)]), 15n],
];

for (const [where, sent, stamp] of places) {
  test(`a stream that is cut ${where} goes on from there`, async () => {
    const master = new Master();
    await using stream = master.follow();
    const next = stream.next();
    const end = await master.accepted();
    end.send(sent);
    end.end();
    await next;
    if (stamp === 20n) await stream.next();
    const more = stream.next();
    await turn();
    assert(end.closed);
    const other = await reconnected(master);
    assertEquals([since(other), stream.lastTimestamp], [stamp, stamp]);
    other.send(setMessage(100n, "k", "v"));
    assertEquals((await more).value?.timestamp, 100n);
  });
}

test("what came before the cut is delivered before anything is done about it", async () => {
  const master = new Master();
  await using stream = master.follow();
  const first = stream.next();
  const end = await master.accepted();
  end.send(concat(log));
  end.break();
  await first;
  await master.timers.advance(60_000);
  for (let i = 1; i < log.length; i++) await stream.next();
  assertEquals(master.attempts.length, 1);
  const more = stream.next();
  assertEquals(since(await reconnected(master)), 120n);
  await stream.return();
  await more;
});

test("the waits between attempts grow, and begin anew when the server has said something", async () => {
  const master = new Master();
  await using stream = master.follow();
  const next = stream.next();
  let end = await master.accepted();
  end.send(heartbeat(5n));
  await turn();
  master.connecting = new Error("refused");
  end.end();
  await turn();
  // The test's backoff: 100 ms, doubled up to 1000.
  for (const wait of [100, 200, 400, 800, 1000, 1000]) {
    const attempts = master.attempts.length;
    await master.timers.advance(wait - 1);
    assertEquals(master.attempts.length, attempts);
    if (wait === 1000) master.connecting = "succeeds";
    await master.timers.advance(1);
    assertEquals(master.attempts.length, attempts + 1);
    if (wait === 1000) break;
  }
  // Accepting and hanging up is no progress.
  end = await master.accepted();
  await turn();
  end.end();
  await turn();
  assertEquals(master.timers.next, 1000);
  await master.timers.advance(1000);
  end = await master.accepted();
  end.send(heartbeat(6n));
  await turn();
  end.end();
  await turn();
  assertEquals(master.timers.next, 100);
  await stream.return();
  await next;
});

test("the process is kept alive while a stream waits to connect again", async () => {
  const master = new Master();
  await using stream = master.follow();
  const next = stream.next();
  const end = await master.accepted();
  await turn();
  end.end();
  await turn();
  assertEquals(master.timers.keepingAlive, 1);
  await stream.return();
  await next;
});

test("without resume a broken connection is a ConnectionError, behind what had come", async () => {
  const master = new Master();
  const stream = master.follow({ resume: false });
  const first = stream.next();
  const end = await master.accepted();
  const cause = new Error("reset");
  end.send(log[0], log[1], log[2].subarray(0, 9));
  end.break(cause);
  await first;
  assertEquals((await stream.next()).value?.timestamp, 20n);
  const error = await assertRejects(() => stream.next(), ConnectionError, "Cannot replicate: ");
  assertStrictEquals((error as ConnectionError).cause, cause);
  assertEquals([(error as ConnectionError).sent, stream.lastTimestamp], [true, 20n]);
  assertEquals([master.attempts.length, master.timers.running], [1, 0]);
});

test("a first connection that cannot be made is a ConnectionError at once", async () => {
  const master = new Master();
  const cause = master.connecting = new Error("refused");
  const error = await assertRejects(() => master.follow().next(), ConnectionError);
  assertStrictEquals((error as ConnectionError).cause, cause);
  assertEquals([(error as ConnectionError).sent, master.attempts.length], [false, 1]);
});

test("a server that hangs up before it accepts is a ConnectionError", async () => {
  const master = new Master();
  const next = new Outcome(master.follow().next());
  (await master.end()).end();
  await turn();
  assert(next.error instanceof ConnectionError);
  assertEquals(master.attempts.length, 1);
});

test("a server that has lost its update log in a restart is a ServerError", async () => {
  const master = new Master();
  const stream = master.follow();
  const first = stream.next();
  const end = await master.accepted();
  end.send(log[0]);
  await first;
  end.end();
  const next = new Outcome(stream.next());
  await turn();
  await master.timers.advance(100);
  master.ends[1].send([0xbf]);
  await turn();
  assert(next.error instanceof ServerError);
  assertEquals(master.timers.running, 0);
});
