/** When heartbeats are acknowledged, and when the socket stands still. */

import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { concat } from "@std/bytes";
import { ConnectionError } from "../../src/errors.ts";
import { ReplicationStream } from "../../src/replication/stream.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { heartbeat, setMessage } from "./_log.ts";
import { brief, Master, Outcome } from "./_master.ts";

/** As the stream's own file says. */
const ACKNOWLEDGE_AFTER = 500, HIGH_WATER = 256 * 1024, SILENCE_LIMIT = 30_000;

const value = "v".repeat(100);

/** Updates with rising stamps from `first` on, some 1.3 KB each ten. */
function updates(first: number, count: number): Uint8Array {
  return concat(
    Array.from({ length: count }, (_, i) => setMessage(BigInt(first + i), `k${first + i}`, value)),
  );
}

test("a heartbeat is acknowledged at once while the consumer waits", async () => {
  const master = new Master();
  await using stream = master.follow();
  const next = stream.next();
  const end = await master.accepted();
  for (let i = 1; i <= 3; i++) {
    end.send(heartbeat(BigInt(i)));
    await turn();
    assertEquals(end.acknowledgements, i);
  }
  await stream.return();
  await next;
});

test("a heartbeat is acknowledged when the consumer has taken all that stands before it", async () => {
  const master = new Master();
  await using stream = master.follow();
  const first = stream.next();
  const end = await master.accepted();
  end.send(updates(1, 3), heartbeat(3n));
  await first;
  await stream.next();
  await stream.next();
  await turn();
  assertEquals(end.acknowledgements, 0);
  const more = stream.next();
  await turn();
  assertEquals(end.acknowledgements, 1);
  end.send(updates(4, 1));
  await more;
});

test("a heartbeat does not wait longer for a slow consumer than a server would", async () => {
  const master = new Master();
  await using stream = master.follow();
  const first = stream.next();
  const end = await master.accepted();
  // In one piece with the update that the consumer waits for.
  end.send(concat([updates(1, 3), heartbeat(3n)]));
  await first;
  await master.timers.advance(ACKNOWLEDGE_AFTER - 1);
  assertEquals([end.acknowledgements, stream.lastTimestamp], [0, 1n]);
  await master.timers.advance(1);
  assertEquals([end.acknowledgements, stream.lastTimestamp], [1, 1n]);
  // It is not acknowledged again when its turn comes.
  await stream.next();
  await stream.next();
  const more = stream.next();
  await turn();
  assertEquals([end.acknowledgements, stream.lastTimestamp], [1, 3n]);
  end.send(heartbeat(4n), updates(5, 1));
  await more;
  assertEquals(end.acknowledgements, 2);
});

test("a consumer may be away for days: heartbeats are acknowledged, and not gathered", async () => {
  const master = new Master();
  const running = new Set<() => void>();
  const timers = {
    start(_ms: number, _keepAlive: boolean, fire: () => void) {
      running.add(fire);
      return () => running.delete(fire);
    },
  };
  await using stream = new ReplicationStream(master.connector, {}, { ...master.parts, timers });
  const first = stream.next();
  const end = await master.accepted();
  end.send(updates(1, 2));
  await first;
  // Each after the acknowledgement of the one before, as a master does it; if they were gathered, so
  // many would stop the socket.
  const beats = Math.ceil(HIGH_WATER / 9);
  for (let i = 1; i <= beats; i++) {
    end.send(heartbeat(BigInt(2 + i)));
    for (const fire of [...running]) {
      running.delete(fire);
      fire();
    }
    if (end.received.length !== i) throw new Error(`${end.received.length} acknowledged of ${i}`);
  }
  assertEquals(end.paused, false);
  end.send(updates(100, 1));
  assertEquals(brief((await stream.next()).value!), `set k2=${value}`);
  assertEquals(stream.lastTimestamp, 2n);
  assertEquals(brief((await stream.next()).value!), `set k100=${value}`);
  assertEquals(end.acknowledgements, beats);
});

test("a consumer that does not read stops the socket, and nothing is acknowledged", async () => {
  const master = new Master();
  await using stream = master.follow();
  const first = stream.next();
  const end = await master.accepted();
  const total = 10_000, piece = 100;
  for (let i = 1; i <= total; i += piece) end.send(updates(i, piece));
  end.send(heartbeat(BigInt(total)));
  await first;
  assert(end.paused);
  const whole = updates(1, total).length;
  assertLess(whole - end.held, HIGH_WATER + 2 * updates(1, piece).length);
  await master.timers.advance(10 * ACKNOWLEDGE_AFTER);
  const held = end.held;
  assertEquals(end.acknowledgements, 0);

  for (let i = 2; i <= total; i++) {
    const { value: update } = await stream.next();
    if (update?.timestamp !== BigInt(i)) throw new Error(`${update?.timestamp} instead of ${i}`);
    if (i === 100) assertEquals(end.held, held);
  }
  assertEquals(end.held, 0);
  const more = stream.next();
  await turn();
  assertEquals(end.acknowledgements, 1);
  await stream.return();
  await more;
});

test("a heartbeat that came before the socket was stopped is acknowledged once there is room", async () => {
  const master = new Master();
  await using stream = master.follow();
  const first = stream.next();
  const end = await master.accepted();
  // In one piece, as the system may give it.
  const count = Math.ceil(HIGH_WATER / (updates(1, 10).length / 10)) + 100;
  end.send(concat([updates(1, count), heartbeat(BigInt(count))]));
  await first;
  assert(end.paused);
  await master.timers.advance(2 * ACKNOWLEDGE_AFTER);
  assertEquals(end.acknowledgements, 0);
  for (let i = 2; i < count - 100; i++) await stream.next();
  assertEquals(end.paused, false);
  await master.timers.advance(ACKNOWLEDGE_AFTER);
  assertEquals(end.acknowledgements, 1);
});

test("a large value arrives while the consumer waits, whatever the bounds", async () => {
  const master = new Master();
  await using stream = master.follow();
  const first = stream.next();
  const end = await master.accepted();
  const size = 4 * HIGH_WATER;
  const groups = [(size + 5) >>> 14 | 0x80, (size + 5) >>> 7 & 0x7f | 0x80, (size + 5) & 0x7f];
  const head = [0, 1, 0, 0, 0xa1, 0, ...groups, 0xff, 0xff, 0xff, 0xff, 0xff];
  const body = new Uint8Array(head.length + size).fill(7);
  body.set(head);
  const frame = new Uint8Array(13 + body.length);
  frame.set([0xb1, 0, 0, 0, 0, 0, 0, 0, 9]);
  new DataView(frame.buffer).setUint32(9, body.length);
  frame.set(body, 13);
  for (let at = 0; at < frame.length; at += 100_000) {
    end.send(frame.subarray(at, at + 100_000));
    await turn();
  }
  assertEquals((await first).value?.value?.length, size);
});

test("a server that is silent for half a minute counts as gone", async () => {
  const master = new Master();
  await using stream = master.follow({ resume: false });
  const next = new Outcome(stream.next());
  const end = await master.accepted();
  await master.timers.advance(SILENCE_LIMIT - 1);
  end.send(heartbeat(1n));
  await master.timers.advance(SILENCE_LIMIT - 1);
  assertEquals(next.settled, false);
  await master.timers.advance(1);
  assert(next.error instanceof ConnectionError && end.closed);
  assertEquals(String(next.error.cause), "Error: nothing came for 30 seconds");
});

test("the process is kept alive while the consumer waits, and not while it is away", async () => {
  const master = new Master();
  await using stream = master.follow();
  const first = stream.next();
  const end = await master.accepted();
  await turn();
  assertEquals(end.referenced, true);
  end.send(updates(1, 1), heartbeat(1n));
  await first;
  await turn();
  assertEquals([end.referenced, master.timers.keepingAlive], [false, 0]);
  const next = stream.next();
  await turn();
  assertEquals(end.referenced, true);
  await stream.return();
  await next;
});

test("whoever waits forever for a server that never answers is told so", async () => {
  const master = new Master();
  const next = master.follow().next();
  next.catch(() => {});
  await master.timers.advance(SILENCE_LIMIT);
  await assertRejects(() => next, ConnectionError, "Cannot replicate");
});
