/** Where a stream keeps how far its consumer has come. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { formatRts, parseRts } from "../../src/codec/rts.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { heartbeat, setMessage } from "./_log.ts";
import { Master, Outcome } from "./_master.ts";

const log = Array.from({ length: 5 }, (_, i) => setMessage(BigInt(10 * (i + 1)), `k${i}`, "v"));

/** A folder that is gone afterwards. */
async function temporary(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "checkpoint-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

test("a time stamp file is 20 digits and a line feed", () => {
  assertEquals(formatRts(0n), "00000000000000000000\n");
  assertEquals(formatRts(1795403102758000000n), "01795403102758000000\n");
  assertEquals(parseRts(formatRts(2n ** 64n - 1n)), 2n ** 64n - 1n);
  for (
    const wrong of ["", "1\n", "01795403102758000000", "99999999999999999999\n", "x".repeat(21)]
  ) {
    const error = (() => {
      try {
        return parseRts(wrong);
      } catch (error) {
        return error;
      }
    })();
    assert(error instanceof TypeError && error.message.includes(JSON.stringify(wrong)), `${error}`);
  }
});

test("a checkpoint function is told at most once a second, and only of what is done", async () => {
  const master = new Master();
  const kept: bigint[] = [];
  const stream = master.follow({ checkpoint: (stamp) => void kept.push(stamp) });
  const first = stream.next();
  const end = await master.accepted();
  end.send(concat(log));
  await first;
  await master.timers.advance(5000);
  // The first update is still in the consumer's hands.
  assertEquals(kept, []);
  await stream.next();
  await stream.next();
  await master.timers.advance(999);
  assertEquals(kept, []);
  await master.timers.advance(1);
  assertEquals(kept, [20n]);
  await stream.next();
  await stream.next();
  const sixth = stream.next();
  end.send(heartbeat(60n));
  await turn();
  await master.timers.advance(1000);
  assertEquals(kept, [20n, 60n]);
  end.send(heartbeat(70n));
  await turn();
  await stream.return();
  await sixth;
  assertEquals([kept, stream.lastTimestamp], [[20n, 60n, 70n], 70n]);
});

test("the update in hand when a loop is left comes again, whatever it was left for", async () => {
  const master = new Master();
  const kept: bigint[] = [];
  const stream = master.follow({ checkpoint: (stamp) => void kept.push(stamp) });
  setTimeout(async () => (await master.accepted()).send(concat(log)));
  for await (const { timestamp } of stream) {
    if (timestamp === 30n) break;
  }
  assertEquals([kept, stream.lastTimestamp], [[20n], 30n]);
});

test("an update counts when the consumer asks for more after an abort, too", async () => {
  const master = new Master();
  const kept: bigint[] = [];
  const controller = new AbortController();
  const { signal } = controller;
  const stream = master.follow({ signal, checkpoint: (stamp) => void kept.push(stamp) });
  const first = stream.next();
  (await master.accepted()).send(concat(log));
  await first;
  await stream.next();
  controller.abort();
  await turn();
  assertEquals(kept, [10n]);
  await stream.next().catch(() => {});
  assertEquals(kept, [10n, 20n]);
});

test("a checkpoint function that is slow is not called again meanwhile", async () => {
  const master = new Master();
  const kept: bigint[] = [];
  const saved = Promise.withResolvers<void>();
  const stream = master.follow({
    async checkpoint(stamp) {
      kept.push(stamp);
      await saved.promise;
    },
  });
  const first = stream.next();
  (await master.accepted()).send(concat(log));
  await first;
  await stream.next();
  await master.timers.advance(1000);
  await stream.next();
  const closed = new Outcome(stream.return());
  await master.timers.advance(5000);
  assertEquals([kept, closed.settled], [[10n], false]);
  saved.resolve();
  await turn();
  assertEquals([kept, closed.settled], [[10n, 20n], true]);
});

test("what a checkpoint function throws ends the stream", async () => {
  const failure = new Error("disk full");
  const master = new Master();
  const stream = master.follow({
    checkpoint() {
      throw failure;
    },
  });
  const first = stream.next();
  const end = await master.accepted();
  end.send(concat(log));
  await first;
  await stream.next();
  await master.timers.advance(1000);
  assert(end.closed);
  assertStrictEquals(await stream.next().catch((error) => error), failure);
});

test("a checkpoint file is Kyoto Tycoon's own, and a stream begins where it says", async () => {
  await using folder = await temporary();
  const file = join(folder.path, "kt.rts");
  for (const checkpoint of [file, pathToFileURL(file)]) {
    await rm(file, { force: true });
    const master = new Master();
    const stream = master.follow({ checkpoint, since: 5n });
    const first = stream.next();
    const end = await waitFor(() => master.ends[0]);
    end.send([0xb1], concat(log.slice(0, 2)));
    await first;
    await stream.next();
    await stream.return();
    assertEquals(await readFile(file, "utf8"), "00000000000000000010\n");
    assertEquals(await readdir(folder.path), ["kt.rts"]);

    const other = new Master();
    await using second = other.follow({ checkpoint, since: "now" });
    const next = second.next();
    const { request } = await waitFor(() => other.ends[0]);
    assertEquals(new DataView(request.buffer).getBigUint64(5), 10n);
    await second.return();
    await next;
    assertEquals(await readFile(file, "utf8"), "00000000000000000010\n");
  }
});

test("a checkpoint file of zeros, as of a server that has got nothing, does not count", async () => {
  await using folder = await temporary();
  const file = join(folder.path, "kt.rts");
  await writeFile(file, formatRts(0n));
  const master = new Master();
  await using stream = master.follow({ checkpoint: file, since: 5n });
  const next = stream.next();
  const { request } = await waitFor(() => master.ends[0]);
  assertEquals(new DataView(request.buffer).getBigUint64(5), 5n);
  await stream.return();
  await next;
});

test("a checkpoint file of something else is a TypeError, and left alone", async () => {
  await using folder = await temporary();
  const file = join(folder.path, "kt.rts");
  await writeFile(file, "precious");
  const master = new Master();
  const stream = master.follow({ checkpoint: file });
  await assertRejects(() => stream.next(), TypeError, "precious");
  assertEquals([master.attempts.length, await readFile(file, "utf8")], [0, "precious"]);
});

test("a checkpoint file that cannot be written ends the stream", async () => {
  await using folder = await temporary();
  const master = new Master();
  const stream = master.follow({ checkpoint: join(folder.path, "missing", "kt.rts") });
  const first = stream.next();
  const end = await waitFor(() => master.ends[0]);
  end.send([0xb1], concat(log));
  await first;
  await stream.next();
  await assertRejects(() => stream.return(), Error, "missing");
  assert(end.closed);
});

/** Files take their time. */
async function waitFor<T>(look: () => T | undefined): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    await turn();
  }
}
