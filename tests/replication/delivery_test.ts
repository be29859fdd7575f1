/** What a consumer of a replication stream is given. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { ProtocolError, ServerError } from "../../src/errors.ts";
import type { ReplicationOptions, Update } from "../../src/replication/options.ts";
import { json, text } from "../../src/value_codec.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { toHex } from "../transcripts.ts";
import {
  accepted,
  cutAt,
  heartbeat,
  message,
  parseRemove,
  parseSet,
  parseUpdates,
  recordedStreams,
  setMessage,
} from "./_log.ts";
import { brief, Master, Outcome } from "./_master.ts";

/** An empty message alone would leave a consumer waiting. */
const recordings = (await recordedStreams()).filter(({ messages }) => messages[0].length > 13);

/** What a stream is to give, according to the tests' own parser. */
function expected(bytes: Uint8Array, persistent: boolean): Update[] {
  return parseUpdates(bytes).flatMap<Update>(({ stamp: timestamp, message }) => {
    if (message === null) return [];
    const { serverId, database, op, operands } = message;
    const head = { timestamp, serverId, database };
    const nothing = { value: null, expiresAt: null };
    if (op === 0xa5) return [{ ...head, op: "clear", key: null, ...nothing }];
    if (op === 0xa2) return [{ ...head, op: "remove", key: parseRemove(operands), ...nothing }];
    const [key, stored] = parseSet(operands);
    if (persistent && database === 0) {
      return [{ ...head, op: "set", key, value: stored, expiresAt: null }];
    }
    const seconds = parseInt(toHex(stored.subarray(0, 5)), 16);
    const expiresAt = seconds === 2 ** 40 - 1 ? null : new Date(seconds * 1000);
    return [{ ...head, op: "set", key, value: stored.slice(5), expiresAt }];
  });
}

test("recorded streams arrive as they are, with heartbeats anywhere and cut anywhere", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...recordings),
      fc.array(fc.nat({ max: 30 }), { maxLength: 6 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      fc.boolean(),
      async ({ name, messages }, beats, cuts, slowly) => {
        const persistent = name.startsWith("repl-persist");
        const parts = [...messages];
        for (const at of beats) parts.splice(at % (parts.length + 1), 0, heartbeat(7n));
        const wanted = expected(concat(messages), persistent);
        const master = new Master();
        await using stream = master.follow(persistent ? { persistent: [0] } : {});
        const first = stream.next();
        const end = await master.end();
        for (const piece of cutAt(accepted(...parts), cuts)) {
          end.send(piece);
          if (slowly) await turn();
        }
        const got = [(await first).value];
        while (got.length < wanted.length) got.push((await stream.next()).value);
        assertEquals(got, wanted, name);
        assertEquals(stream.lastTimestamp, wanted.at(-1)!.timestamp);
        // Those behind the last update are acknowledged once more is asked for.
        const more = stream.next();
        await turn();
        assertEquals(end.acknowledgements, beats.length, name);
        await stream.return();
        assertEquals(await more, { done: true, value: undefined });
      },
    ),
    { numRuns: 60 },
  );
});

const requests: [what: string, options: ReplicationOptions, hex: string][] = [
  ["the beginning by default", {}, "b1000000000000000000000000ffff"],
  ["the beginning", { since: "beginning", serverId: 7 }, "b10000000000000000000000000007"],
  ["a stamp", { since: 0x18ea8d92e3229501n }, "b10000000018ea8d92e3229501ffff"],
  ["the last stamp there is", { since: 2n ** 64n - 1n }, "b100000000ffffffffffffffffffff"],
  ["only the updates of a server", { serverId: 7, only: true }, "b10000000100000000000000000007"],
  // One below the first stamp of the millisecond, as the stamp is exclusive.
  ["a date", { since: new Date(1), serverId: 0 }, "b10000000000000000000f423f0000"],
  ["a date in 1970", { since: new Date(0), serverId: 0 }, "b10000000000000000000000000000"],
  ["a date before", { since: new Date(-5), serverId: 0 }, "b10000000000000000000000000000"],
];

for (const [what, options, hex] of requests) {
  test(`replicate() asks for ${what}`, async () => {
    const master = new Master();
    await using stream = master.follow(options);
    const next = stream.next();
    assertEquals(toHex((await master.end()).request), hex);
    await stream.return();
    await next;
  });
}

test('replicate() from "now" on leaves out nothing of the millisecond it is called in', async () => {
  const master = new Master();
  await using stream = master.follow({ since: "now" });
  assertEquals(stream.lastTimestamp, 1_700_000_000_123_000_000n - 1n);
  const next = stream.next();
  const { request } = await master.end();
  assertEquals(new DataView(request.buffer).getBigUint64(5), stream.lastTimestamp);
  await stream.return();
  await next;
});

test("nothing is connected before the first update is asked for", async () => {
  const master = new Master();
  const stream = master.follow();
  await turn();
  assertEquals(master.attempts.length, 0);
  await stream.return();
  assertEquals([await stream.next(), master.attempts.length], [
    { done: true, value: undefined },
    0,
  ]);
});

test("lastTimestamp stays behind what the consumer has not been given", async () => {
  const master = new Master();
  await using stream = master.follow({ since: 5n });
  const first = stream.next();
  assertEquals(stream.lastTimestamp, 5n);
  const end = await master.accepted();
  end.send(concat([setMessage(10n, "a", "1"), setMessage(20n, "b", "2"), heartbeat(30n)]));
  await first;
  assertEquals(stream.lastTimestamp, 10n);
  await turn();
  assertEquals(stream.lastTimestamp, 10n);
  await stream.next();
  assertEquals(stream.lastTimestamp, 20n);
  const third = stream.next();
  await turn();
  assertEquals(stream.lastTimestamp, 30n);
  end.send(message(40n, []));
  await turn();
  assertEquals(stream.lastTimestamp, 40n);
  // A master that has nothing new tells a time a second ago.
  end.send(heartbeat(35n));
  await turn();
  assertEquals(stream.lastTimestamp, 40n);
  await stream.return();
  await third;
});

test("unknown operations are passed over, and their stamps count", async () => {
  const master = new Master();
  await using stream = master.follow();
  const first = stream.next();
  const end = await master.accepted();
  end.send(message(10n, [0, 1, 0, 0, 0xa8]), message(11n, [0, 1, 0, 0, 0xee, 1, 2, 3]));
  await turn();
  assertEquals(stream.lastTimestamp, 11n);
  end.send(setMessage(12n, "k", "v"));
  assertEquals(brief((await first).value!), "set k=v");
});

test("calls of next() that do not wait for each other are answered in order", async () => {
  const master = new Master();
  await using stream = master.follow();
  const results = Promise.all([stream.next(), stream.next(), stream.next()]);
  const end = await master.accepted();
  end.send(setMessage(1n, "a", ""));
  await turn();
  end.send(concat([setMessage(2n, "b", ""), setMessage(3n, "c", ""), setMessage(4n, "d", "")]));
  assertEquals((await results).map(({ value }) => brief(value!)), ["set a=", "set b=", "set c="]);
  assertEquals(brief((await stream.next()).value!), "set d=");
});

test("keys come as text, and values as the codec decodes them", async () => {
  const master = new Master();
  await using stream = master.follow<{ n: number }, string>({ keys: "text", codec: json() });
  const first = stream.next();
  const end = await master.accepted();
  const key = new TextEncoder().encode("ä");
  const value = new TextEncoder().encode('{"n":1}');
  const never = [0xff, 0xff, 0xff, 0xff, 0xff];
  end.send(
    message(1n, [0, 1, 0, 2, 0xa1, key.length, value.length + 5, ...key, ...never, ...value]),
  );
  const nothing = { serverId: 1, database: 2, expiresAt: null, timestamp: 1n };
  assertEquals((await first).value, { ...nothing, op: "set", key: "ä", value: { n: 1 } });
});

test("a key that is not UTF-8 ends a stream of text keys, and is not passed over", async () => {
  const master = new Master();
  await using stream = master.follow({ keys: "text" });
  const first = stream.next();
  const end = await master.accepted();
  end.send(message(10n, [0, 1, 0, 0, 0xa2, 1, 0x41]), message(11n, [0, 1, 0, 0, 0xa2, 1, 0xff]));
  assertEquals((await first).value?.key as unknown, "A");
  await assertRejects(() => stream.next(), TypeError, "update 11");
  assertEquals([stream.lastTimestamp, end.closed], [10n, true]);
});

test("what the codec throws ends the stream; the update stays to be read again", async () => {
  const failure = new Error("cannot decode");
  const master = new Master();
  const codec = {
    encode: () => "",
    decode: (): string => {
      throw failure;
    },
  };
  await using stream = master.follow({ codec });
  const first = stream.next();
  const end = await master.accepted();
  end.send(heartbeat(9n), setMessage(10n, "k", "v"));
  assertStrictEquals(await first.catch((error) => error), failure);
  assertEquals([stream.lastTimestamp, end.closed, end.acknowledgements], [9n, true, 1]);
});

test("bytes that were given are nobody else's, and small ones keep nothing large alive", async () => {
  const master = new Master();
  await using stream = master.follow();
  const first = stream.next();
  const end = await master.accepted();
  const sizes = [[3, 5], [3, 100_000], [200_000, 3], [100, 100], [0, 0], [70_000, 70_000]];
  const varnum = (n: number) => [n >>> 14 & 0x7f | 0x80, n >>> 7 & 0x7f | 0x80, n & 0x7f];
  const messages = sizes.map(([k, v], i) => {
    const body = new Uint8Array(11 + k + 5 + v).fill(0xff);
    body.set([0, 1, 0, 0, 0xa1, ...varnum(k), ...varnum(v + 5)]);
    body.fill(i, 11, 11 + k);
    body.fill(i + 10, 11 + k + 5);
    return message(BigInt(i + 1), body);
  });
  for (const piece of cutAt(concat(messages), [5000, 50_000, 150_000, 250_000])) end.send(piece);
  const updates = [(await first).value];
  while (updates.length < sizes.length) updates.push((await stream.next()).value);
  // Overwrites whatever memory is used again.
  for (let i = 0; i < 20; i++) end.send(message(9n, new Uint8Array(65_000).fill(0xee)));
  end.send(setMessage(10n, "k", "v"));
  await stream.next();
  for (const [i, [k, v]] of sizes.entries()) {
    const { key, value } = updates[i]! as { key: Uint8Array; value: Uint8Array };
    assertEquals(key, new Uint8Array(k).fill(i));
    assertEquals(value, new Uint8Array(v).fill(i + 10));
    for (const part of [key, value]) {
      assert(
        part.buffer.byteLength <= 2 * part.length + 133,
        `${part.buffer.byteLength} for ${part.length}`,
      );
    }
  }
});

test("a value of a database that never expires is only known as one if it is named", async () => {
  const raw = message(3n, [0, 1, 0, 4, 0xa1, 1, 3, 0x6b, 1, 2, 3]);
  const master = new Master();
  await using stream = master.follow({ persistent: [4] });
  const first = stream.next();
  (await master.accepted()).send(raw);
  assertEquals((await first).value?.value, Uint8Array.of(1, 2, 3));

  await using other = master.follow();
  const second = other.next();
  (await master.accepted()).send(raw);
  await assertRejects(() => second, ProtocolError, '"#ktopts=p"');
});

test("a server without an update log is a ServerError at once, and not asked again", async () => {
  const master = new Master();
  const stream = master.follow();
  const first = stream.next();
  const end = await master.end();
  end.send([0xbf]);
  end.end();
  const error = await assertRejects(() => first, ServerError, "no update log");
  assertInstanceOf(error, ServerError);
  assertEquals(error.operation, "replicate");
  await master.timers.advance(60_000);
  assertEquals([master.attempts.length, end.closed, master.timers.running], [1, true, 0]);
  await assertRejects(() => stream.next(), ServerError);
});

test("a damaged message is a ProtocolError that names its stamp, and not asked for again", async () => {
  const master = new Master();
  const stream = master.follow();
  const first = stream.next();
  const end = await master.accepted();
  end.send(concat([setMessage(10n, "k", "v"), message(11n, [0, 1, 0, 0, 0xa2, 9])]));
  await first;
  await assertRejects(() => stream.next(), ProtocolError, "update 11");
  await master.timers.advance(60_000);
  assertEquals([master.attempts.length, end.closed, master.timers.running], [1, true, 0]);
  assertEquals(stream.lastTimestamp, 10n);
});

test("a message that announces 300 MiB is refused before it has come", async () => {
  const master = new Master();
  await using stream = master.follow();
  const first = stream.next();
  const end = await master.accepted();
  const head = message(10n, [0, 1, 0, 0, 0xa1, 0, 0x81, 0x96, 0x80, 0x80, 0x00]);
  new DataView(head.buffer).setUint32(9, 11 + 300 * 2 ** 20);
  end.send(head, new Uint8Array(1000));
  await assertRejects(() => first, ProtocolError, "update 10");
  assert(end.closed);
});

const mistakes: [options: ReplicationOptions, message: string][] = [
  [{ since: -1n }, '"since"'],
  [{ since: 2n ** 64n }, '"since"'],
  [{ since: new Date(NaN) }, '"since"'],
  [{ since: "yesterday" as "now" }, '"since"'],
  [{ since: 5 as unknown as bigint }, '"since"'],
  [{ serverId: 65536 }, '"serverId"'],
  [{ serverId: 1.5 }, '"serverId"'],
  [{ only: true }, '"serverId"'],
  [{ keys: "json" as "text" }, '"keys"'],
  [{ checkpoint: 5 as unknown as string }, '"checkpoint"'],
  [{ signal: {} as AbortSignal }, '"signal"'],
];

test("wrong options reject the first next(), and nothing is connected", async () => {
  for (const [options, message] of mistakes) {
    const master = new Master();
    const error = await master.follow(options).next().catch((error) => error);
    assert(error instanceof TypeError || error instanceof RangeError, `${error}`);
    assert(error.message.startsWith("Cannot replicate: ") && error.message.includes(message));
    assertEquals(master.attempts.length, 0);
  }
});

test("readable gives the same updates and can be piped", async () => {
  const master = new Master();
  const stream = master.follow<string, string>({ keys: "text", codec: text });
  assertStrictEquals(stream.readable, stream.readable);
  const seen: string[] = [];
  const piped = stream.readable.pipeTo(
    new WritableStream({
      write(update) {
        seen.push(`${update.op} ${update.key}`);
        if (seen.length === 3) throw new Error("enough");
      },
    }),
  );
  const outcome = new Outcome(piped);
  const end = await master.accepted();
  end.send(concat([setMessage(1n, "a", "1"), setMessage(2n, "b", "2")]));
  await turn();
  end.send(concat([setMessage(3n, "c", "3"), setMessage(4n, "d", "4")]));
  await turn();
  assertEquals(seen, ["set a", "set b", "set c"]);
  assertEquals(String(outcome.error), "Error: enough");
  assert(end.closed);
});
