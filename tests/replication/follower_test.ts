/** The mock server as a follower: rings, chains, and what survives a restart. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type MockServer, startMockServer, Storage } from "../../mock_server/mod.ts";
import { ReplicationFollower } from "../../mock_server/replication/follower.ts";
import { keyOf, valueOf } from "../../mock_server/storage/record.ts";
import { ProtocolError, ServerError } from "../../src/errors.ts";
import type { StreamTimers } from "../../src/replication/source.ts";
import { test } from "../_harness.ts";
import { turn } from "../fake_timers.ts";
import { accepted, heartbeat, message, parseUpdates, setMessage } from "./_log.ts";
import { Master } from "./_master.ts";

const encoder = new TextEncoder(), decoder = new TextDecoder();
const FOLLOWED = { hostname: "in-memory", port: 1978 };

/** A hundred times as fast as the system's. */
const quick: StreamTimers = {
  start(ms, _keepAlive, fire) {
    const timer = setTimeout(fire, ms / 100);
    return () => clearTimeout(timer);
  },
};

/** All live records of all databases, as text. */
function contents(storage: Storage): string[] {
  return storage.databases.flatMap((database) =>
    [...database.records()].map((record) =>
      `${database.index}: ${decoder.decode(keyOf(record))}=${decoder.decode(valueOf(record))}`
    )
  );
}

/** Waits for what takes a few turns of a real network. */
async function eventually(what: string, look: () => boolean): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    if (look()) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`It does not happen: ${what}`);
}

/** A server for others to follow, with quick heartbeats. */
function start(serverId: number): Promise<MockServer> {
  return startMockServer({ updateLog: true, serverId, databases: 2, heartbeatInterval: 2 });
}

/** Lets a server follow another one in this process. */
function follow(server: MockServer, master: MockServer, serverId: number): ReplicationFollower {
  const follower = new ReplicationFollower({
    storage: server.storage,
    serverId,
    timers: quick,
    connectorOf: () => () => master.connectInMemory(),
  });
  follower.tune(FOLLOWED, null, null);
  return follower;
}

/** Whose updates are in a server's log, with their keys, in order. */
async function logged(server: MockServer): Promise<string[]> {
  const { hostname, port } = server;
  const { runtimeConnector } = await import("../../src/transport/detect.ts");
  const { deadlineIn, Peer } = await import("../peer.ts");
  const connector = await runtimeConnector({ hostname, port });
  const peer = new Peer(await connector(new AbortController().signal));
  await peer.send(Uint8Array.from([0xb1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]));
  await peer.take(1, deadlineIn(5000));
  // Everything up to the first heartbeat, of which no more than one comes.
  let size = -1;
  while (size !== peer.unread.length || size === 0) {
    size = peer.unread.length;
    await peer.more(deadlineIn(50));
  }
  const bytes = await peer.take(size, deadlineIn(5000));
  peer.close();
  return parseUpdates(bytes).map(({ message }) =>
    `${message?.serverId}:${message?.op.toString(16)}:${decoder.decode(message?.operands)}`
  );
}

/** A write to one of two servers. */
const writes = fc.record({
  server: fc.nat({ max: 1 }),
  database: fc.nat({ max: 1 }),
  key: fc.constantFrom("a", "b", "c", "d", "e"),
  value: fc.string({ maxLength: 5 }),
  op: fc.constantFrom("set", "set", "set", "remove", "clear"),
});

test("a ring of two converges, each update logged once on either side", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(writes, { minLength: 1, maxLength: 30 }), async (list) => {
      await using a = await start(1);
      await using b = await start(2);
      const followers = [follow(a, b, 1), follow(b, a, 2)];
      try {
        const servers = [a, b];
        let count = 0;
        for (const { server, database: index, key, value, op } of list) {
          const database = servers[server].storage.databases[index];
          // Keys of its own for each side: whoever writes last to a shared one is not defined.
          const bytes = encoder.encode(`${server}${key}`);
          if (op === "set") database.set(bytes, encoder.encode(value));
          else if (op === "remove") database.remove(bytes);
          else continue;
          count++;
          if (count % 7 === 0) await turn();
        }
        const settled = () => {
          const [left, right] = servers.map(({ storage }) => JSON.stringify(contents(storage)));
          return left === right;
        };
        await eventually("both hold the same", settled);
        let logs: string[][] = [];
        for (let i = 0; i < 100; i++) {
          logs = await Promise.all(servers.map(logged));
          if (logs.every(({ length }) => length === count)) break;
        }
        // Each in the order of its origin, once.
        for (const log of logs) assertEquals(log.length, count);
        for (const id of ["1:", "2:"]) {
          const [left, right] = logs.map((log) => log.filter((line) => line.startsWith(id)));
          assertEquals(left, right);
        }
        assert(settled());
      } finally {
        await Promise.all(followers.map((follower) => follower.stop()));
      }
    }),
    { numRuns: 8 },
  );
});

test("a chain of three hands on updates under the id of their origin, clears included", async () => {
  await using a = await start(1);
  await using b = await start(2);
  await using c = await start(3);
  const followers = [follow(b, a, 2), follow(c, b, 3)];
  try {
    const [first, second] = a.storage.databases;
    first.set(encoder.encode("gone"), encoder.encode("1"));
    first.clear();
    first.set(encoder.encode("a"), encoder.encode("1"));
    second.set(encoder.encode("b"), encoder.encode("2"), -4102444800);
    second.remove(encoder.encode("never there"));
    // Not before the clear has come, which would clear this, too.
    await eventually("all is in b", () => contents(b.storage).length === 2);
    b.storage.databases[0].set(encoder.encode("from b"), encoder.encode("3"));
    await eventually("all is in c", () => contents(c.storage).length === 3);
    assertEquals(contents(c.storage), ["0: a=1", "0: from b=3", "1: b=2"]);
    assertEquals(c.storage.databases[1].get(encoder.encode("b"))?.expires, 4102444800);
    assertEquals(contents(a.storage), ["0: a=1", "1: b=2"]);
    const ids = (await logged(c)).map((line) => line[0]);
    assertEquals(ids.toSorted().join(""), "111112");
  } finally {
    await Promise.all(followers.map((follower) => follower.stop()));
  }
});

test("what a follower has itself made, and what is for databases it lacks, is not applied", async () => {
  const master = new Master();
  const storage = new Storage({ databases: 1 });
  const follower = new ReplicationFollower({
    storage,
    serverId: 1,
    leftOut: 5,
    timers: master.timers,
    connectorOf: () => master.connector,
  });
  follower.tune(FOLLOWED, 3n, null);
  const end = await master.end();
  assertEquals([...end.request.subarray(5)], [0, 0, 0, 0, 0, 0, 0, 3, 0, 5]);
  const other = setMessage(30n, "c", "3");
  other[14] = 2;
  const missing = setMessage(20n, "b", "2");
  missing[14] = 2;
  missing[16] = 1;
  end.send(accepted(setMessage(10n, "a", "1"), missing, other, heartbeat(31n)));
  await turn();
  await turn();
  assertEquals([contents(storage), follower.timestamp], [["0: c=3"], 31n]);
  assertEquals([end.acknowledgements, follower.connected], [1, true]);
  await follower.stop();
  assert(end.closed);
});

test("a follower connects a second after a failure, for ever, from where it was", async () => {
  const master = new Master();
  const reported: unknown[] = [];
  const follower = new ReplicationFollower({
    storage: new Storage(),
    serverId: 9,
    timers: master.timers,
    connectorOf: () => master.connector,
    report: (error) => reported.push(error),
  });
  const since = () => new DataView(master.ends.at(-1)!.request.buffer).getBigUint64(5);
  master.connecting = new Error("refused");
  follower.tune(FOLLOWED, null, null);
  await turn();
  for (let i = 1; i <= 5; i++) {
    assertEquals(master.attempts.length, i);
    await master.timers.advance(999);
    assertEquals(master.attempts.length, i);
    if (i === 5) master.connecting = "succeeds";
    await master.timers.advance(1);
  }
  // One that refuses, one that sends nonsense, one that hangs up.
  master.ends.at(-1)!.send([0xbf]);
  await master.timers.advance(1000);
  assert(reported.at(-1) instanceof ServerError);
  let end = await master.accepted();
  end.send(setMessage(10n, "k", "v"), message(11n, [1]));
  await master.timers.advance(1000);
  assert(reported.at(-1) instanceof ProtocolError);
  assertEquals(since(), 10n);
  end = await master.accepted();
  end.send(heartbeat(15n));
  await turn();
  end.end();
  await master.timers.advance(1000);
  assertEquals([since(), master.ends.length, reported.length], [15n, 4, 8]);
  await follower.stop();
  assertEquals(master.timers.running, 0);
});

test("a follower may be told to follow another master, or none, from another stamp", async () => {
  const [one, two] = [new Master(), new Master()];
  const follower = new ReplicationFollower({
    storage: new Storage(),
    serverId: 9,
    timers: one.timers,
    connectorOf: ({ port }) => (port === 1 ? one : two).connector,
  });
  follower.tune({ hostname: "h", port: 1 }, 5n, 0.5);
  (await one.accepted()).send(heartbeat(7n));
  await turn();
  assertEquals([follower.timestamp, follower.interval, follower.master?.port], [7n, 0.5, 1]);
  follower.tune({ hostname: "h", port: 2 }, null, null);
  const end = await two.end();
  assert(one.ends[0].closed);
  assertEquals(new DataView(end.request.buffer).getBigUint64(5), 7n);
  follower.tune(null, 3n, 0);
  await turn();
  assert(end.closed);
  assertEquals([follower.timestamp, follower.interval, follower.master], [3n, 0, null]);
  await one.timers.advance(5000);
  assertEquals([one.attempts.length, two.attempts.length], [1, 1]);
});

test("an interval slows a follower down", async () => {
  const master = new Master();
  const storage = new Storage();
  const follower = new ReplicationFollower({
    storage,
    serverId: 9,
    interval: 25,
    timers: master.timers,
    connectorOf: () => master.connector,
  });
  follower.tune(FOLLOWED, null, null);
  const updates = Array.from({ length: 10 }, (_, i) => setMessage(BigInt(i + 1), `k${i}`, ""));
  (await master.accepted()).send(...updates);
  await turn();
  assertEquals(contents(storage).length, 4);
  await master.timers.advance(100);
  assertEquals(contents(storage).length, 8);
  await master.timers.advance(100);
  assertEquals(contents(storage).length, 10);
  await follower.stop();
});

test("a follower that is stopped and started again misses nothing and repeats nothing", async () => {
  const folder = await mkdtemp(join(tmpdir(), "follower-"));
  const rts = join(folder, "kt.rts");
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 8 }),
        async (runs) => {
          await rm(rts, { force: true });
          await using master = await start(1);
          const applied: string[] = [];
          const storage = new Storage();
          storage.updates = {
            set: (_database, record) => void applied.push(decoder.decode(keyOf(record))),
            remove() {},
            clear() {},
          };
          let written = 0;
          const write = () => {
            master.storage.databases[0].set(encoder.encode(`k${written++}`), new Uint8Array(100));
          };
          for (const turns of [...runs, -1]) {
            const follower = new ReplicationFollower({
              storage,
              serverId: 2,
              rts,
              timers: quick,
              connectorOf: () => () => master.connectInMemory(),
            });
            await follower.start(FOLLOWED);
            for (let i = 0; i < 5; i++) write();
            for (let i = 0; i < turns; i++) await turn();
            if (turns < 0) await eventually("all came", () => applied.length >= written);
            await follower.stop();
            assertEquals(BigInt(await readFile(rts, "utf8")), follower.timestamp);
            for (let i = 0; i < 5; i++) write();
          }
          const wanted = Array.from({ length: written - 5 }, (_, i) => `k${i}`);
          assertEquals(applied, wanted);
        },
      ),
      { numRuns: 15 },
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("the file is written at the start and when a connection ends, not in between", async () => {
  const folder = await mkdtemp(join(tmpdir(), "follower-"));
  const rts = join(folder, "kt.rts");
  try {
    await using master = await start(1);
    await using server = await startMockServer({
      serverId: 2,
      databases: 2,
      follow: { hostname: master.hostname, port: master.port, rts },
    });
    assertEquals(await readFile(rts, "utf8"), "00000000000000000000\n");
    master.storage.databases[1].set(encoder.encode("k"), encoder.encode("v"));
    await eventually("it came", () => contents(server.storage).length === 1);
    assertEquals(await readFile(rts, "utf8"), "00000000000000000000\n");
    await server.stop();
    assert(BigInt(await readFile(rts, "utf8")) > 1_700_000_000_000_000_000n);

    await writeFile(rts, "nonsense");
    const follow = { hostname: master.hostname, port: master.port, rts };
    await assertRejects(() => startMockServer({ follow }), TypeError, "nonsense");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a mock server is a live copy of another, and can be followed itself", async () => {
  await using master = await start(1);
  const follow = { hostname: master.hostname, port: master.port };
  await using copy = await startMockServer({ updateLog: true, serverId: 2, databases: 2, follow });
  for (let i = 0; i < 1000; i++) {
    master.storage.databases[i % 2].set(encoder.encode(`k${i}`), encoder.encode(`${i}`));
  }
  await eventually("all came", () => contents(copy.storage).length === 1000);
  assertEquals(contents(copy.storage), contents(master.storage));
  assertEquals((await logged(copy)).length, 1000);
  await master.stop();
  await copy.stop();
});
