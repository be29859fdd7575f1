import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { type MockServer, startMockServer } from "../../mock_server/mod.ts";
import { keyOf, valueOf } from "../../mock_server/storage/record.ts";
import { test } from "../_harness.ts";
import { HttpPeer } from "./_http_peer.ts";

const NO_RECORD = "DB: 7: no record: no record";
const NO_PERMISSION = "DB: 4: no permission: permission denied";
const INCONSISTENT = "DB: 8: logical inconsistency: logical inconsistency";
/** 2026-11-23, 03:00:00 UTC, in milliseconds. */
const NOW = Date.UTC(2026, 10, 23, 3);

/** A clock that stands still until it is told the time. */
function stoppedClock() {
  return { time: NOW, now: () => 0 };
}

async function start(databases: readonly string[] = ["*", "%"]) {
  const clock = stoppedClock();
  clock.now = () => clock.time;
  const server = await startMockServer({ databases, clock, updateLog: true });
  return { server, clock, peer: new HttpPeer(server) };
}

/** What the update log's readers would be told, in short. */
function logged(server: MockServer): string[] {
  const seen: string[] = [];
  const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);
  server.storage.updates = {
    set: (database, record) => seen.push(`${database.index} set ${text(keyOf(record))}`),
    remove: (database, key) => seen.push(`${database.index} remove ${text(key)}`),
    clear: (database) => seen.push(`${database.index} clear`),
  };
  return seen;
}

test("increment() fails on what is no number, whatever it is to start from", async () => {
  const { server, peer } = await start();
  await using _ = server;
  using __ = peer;
  await peer.call("set", { key: "k", value: "text" });
  for (const orig of ["0", "try", "set"]) {
    assertEquals(await peer.call("increment", { key: "k", num: 1, orig }), {
      status: 450,
      rows: { ERROR: INCONSISTENT },
    });
    assertStrictEquals(
      (await peer.call("increment_double", { key: "k", num: 1, orig })).status,
      450,
    );
  }
});

test("increment_double() keeps 15 decimals, cut off and not rounded", async () => {
  const { server, peer } = await start();
  await using _ = server;
  using __ = peer;
  const stored = async (num: string) => {
    await peer.call("remove", { key: "d" });
    await peer.call("increment_double", { key: "d", num });
    const record = server.storage.databases[0].get(new TextEncoder().encode("d"))!;
    const view = new DataView(valueOf(record).slice().buffer);
    return [view.getBigInt64(0), view.getBigInt64(8)];
  };
  assertEquals(await stored("0.1"), [0n, 100_000_000_000_000n]);
  assertEquals(await stored("0.3"), [0n, 299_999_999_999_999n]);
  assertEquals(await stored("-2.5"), [-2n, -500_000_000_000_000n]);
  assertEquals(await stored("-inf"), [-(2n ** 63n), 0n]);
  assertEquals(await stored("inf"), [2n ** 63n - 1n, 0n]);
  assertEquals(await stored("nan"), [-(2n ** 63n), -(2n ** 63n)]);
});

test("increment_double() carries, and knows infinity and what is no number", async () => {
  const { server, peer } = await start();
  await using _ = server;
  using __ = peer;
  const add = async (key: string, num: string) => {
    const { status, rows } = await peer.call("increment_double", { key, num });
    return status === 200 ? rows.num : status;
  };
  assertStrictEquals(await add("d", "0.75"), "0.750000");
  assertStrictEquals(await add("d", "0.75"), "1.500000");
  assertStrictEquals(await add("d", "-3"), "-1.500000");
  assertStrictEquals(await add("d", "inf"), "inf");
  assertStrictEquals(await add("d", "1"), "inf");
  assertStrictEquals(await add("e", "-inf"), "-inf");
  assertStrictEquals(await add("e", "0"), "-inf");
  assertStrictEquals(await add("f", "nan"), 450);
  assertStrictEquals(await add("f", "1"), 450);
});

test("expiration is told in seconds since 1970, and not at all for what stays", async () => {
  const { server, clock, peer } = await start();
  await using _ = server;
  using __ = peer;
  const seconds = NOW / 1000;
  await peer.call("set", { key: "k", value: "v", xt: 10 });
  assertEquals((await peer.call("get", { key: "k" })).rows, { value: "v", xt: `${seconds + 10}` });
  assertEquals((await peer.call("check", { key: "k" })).rows, { vsiz: "1", xt: `${seconds + 10}` });
  clock.time += 11_000;
  assertEquals(await peer.call("get", { key: "k" }), { status: 450, rows: { ERROR: NO_RECORD } });
  assertStrictEquals((await peer.call("add", { key: "k", value: "w" })).status, 200);
  assertEquals((await peer.call("seize", { key: "k" })).rows, { value: "w" });
});

test("expired records count as absent in compare-and-swap", async () => {
  const { server, clock, peer } = await start();
  await using _ = server;
  using __ = peer;
  await peer.call("set", { key: "k", value: "v", xt: 1 });
  clock.time += 5000;
  assertStrictEquals((await peer.call("cas", { key: "k", oval: "v", nval: "w" })).status, 450);
  assertStrictEquals((await peer.call("cas", { key: "k", nval: "w" })).status, 200);
  assertStrictEquals((await peer.call("cas", { key: "k", oval: "w" })).status, 200);
  assertStrictEquals(server.storage.databases[0].count, 0);
});

test("match procedures rank what they find, in databases without order too", async () => {
  const { server, peer } = await start(["*"]);
  await using _ = server;
  using __ = peer;
  await peer.call("set_bulk", { _kitten: "", _sitting: "", _mitten: "", "_m\xc3\xbctten": "" });
  const match = async (name: string, rows: Record<string, string>) =>
    (await peer.call(name, rows)).rows;
  assertEquals(await match("match_prefix", { prefix: "m" }), {
    _mitten: "0",
    "_m\xc3\xbctten": "1",
    num: "2",
  });
  assertEquals(await match("match_similar", { origin: "kitten", range: "3" }), {
    _kitten: "0",
    _mitten: "1",
    "_m\xc3\xbctten": "2",
    _sitting: "3",
    num: "4",
  });
  // One character is two bytes.
  assertEquals(await match("match_similar", { origin: "mitten" }), {
    _mitten: "0",
    _kitten: "1",
    num: "2",
  });
  assertEquals(await match("match_similar", { origin: "mitten", utf: "", max: "3" }), {
    _mitten: "0",
    _kitten: "1",
    "_m\xc3\xbctten": "2",
    num: "3",
  });
  assertEquals(await match("match_regex", { regex: "^[km]it+en$", max: "-3" }), {
    _kitten: "0",
    _mitten: "1",
    num: "2",
  });
});

test("what modifies is logged once for each record, in the order of the keys", async () => {
  const { server, peer } = await start();
  await using _ = server;
  using __ = peer;
  const seen = logged(server);
  await peer.call("set", { key: "k", value: "v" });
  await peer.call("add", { key: "k", value: "no" });
  await peer.call("append", { key: "k", value: "w", DB: "%" });
  await peer.call("replace", { key: "absent", value: "no" });
  await peer.call("increment", { key: "n", num: 5 });
  await peer.call("increment", { key: "n", num: 0 });
  await peer.call("increment_double", { key: "d", num: 0 });
  await peer.call("increment_double", { key: "d", num: 0 });
  await peer.call("cas", { key: "k", oval: "v" });
  await peer.call("cas", { key: "never" });
  await peer.call("set_bulk", { _b: "2", _a: "1", atomic: "" });
  await peer.call("remove_bulk", { _b: "", _absent: "" });
  await peer.call("seize", { key: "a" });
  await peer.call("remove", { key: "absent" });
  await peer.call("get", { key: "n" });
  await peer.call("clear", { DB: 1 });
  await peer.call("vacuum");
  await peer.call("synchronize");
  assertEquals(seen, [
    "0 set k",
    "1 set k",
    "0 set n",
    "0 set d",
    "0 remove k",
    "0 set a",
    "0 set b",
    "0 remove absent",
    "0 remove b",
    "0 remove a",
    "0 remove absent",
    "1 clear",
  ]);
});

test("a read-only server refuses whatever would modify, and lets the rest pass", async () => {
  const seed = [{ key: "k", value: "v", database: 0 }, { key: "k", value: "v", database: 1 }];
  await using server = await startMockServer({ databases: ["*", "%"], readOnly: true, seed });
  using peer = new HttpPeer(server);
  const record = { key: "k", value: "v", num: 1, nval: "n", _k: "v", DB: 1, CUR: 1 };
  await peer.call("cur_jump", record);
  const refused = [
    "set add replace append increment increment_double cas remove seize set_bulk remove_bulk",
    "cur_set_value cur_remove cur_seize clear",
  ].join(" ").split(" ");
  for (const procedure of refused) {
    const answer = await peer.call(procedure, record);
    assertEquals(answer, { status: 500, rows: { ERROR: NO_PERMISSION } }, procedure);
  }
  for (
    const procedure of ["get", "check", "get_bulk", "cur_get", "vacuum", "synchronize", "void"]
  ) {
    assertStrictEquals((await peer.call(procedure, record)).status, 200, procedure);
  }
  assertStrictEquals((await peer.call("increment", { key: "x", num: 0, orig: "try" })).status, 450);
  assertEquals(server.storage.databases.map(({ count }) => count), [1, 1]);
  assertStrictEquals((await peer.call("clear", { DB: 0 })).status, 200);
});

test("report counts every operation and its misses", async () => {
  const { server, clock, peer } = await start();
  await using _ = server;
  using __ = peer;
  const counted = async () => {
    const { rows } = await peer.call("report");
    const counts = ["set", "set_misses", "remove", "remove_misses", "get", "get_misses", "misc"];
    return counts.map((name) => Number(rows[`cnt_${name}`]));
  };
  let before = await counted();
  const assertCounts = async (expected: number[], name: string) => {
    const after = await counted();
    assertEquals(after.map((n, i) => n - before[i]), expected, name);
    before = after;
  };
  const record = { key: "k", value: "v", num: 1, _k: "", _absent: "", DB: 1, CUR: 1 };
  const cases: [string, number[]][] = [
    ["set", [1, 0, 0, 0, 0, 0, 0]],
    ["add", [1, 1, 0, 0, 0, 0, 0]],
    ["cas", [1, 1, 0, 0, 0, 0, 0]],
    ["increment", [1, 1, 0, 0, 0, 0, 0]],
    ["increment_double", [1, 1, 0, 0, 0, 0, 0]],
    ["get", [0, 0, 0, 0, 1, 0, 0]],
    ["check", [0, 0, 0, 0, 1, 0, 0]],
    ["get_bulk", [0, 0, 0, 0, 2, 1, 0]],
    ["cur_get", [0, 0, 0, 0, 1, 1, 0]],
    ["cur_jump", [0, 0, 0, 0, 0, 0, 1]],
    ["cur_get_key", [0, 0, 0, 0, 1, 0, 0]],
    ["cur_set_value", [1, 0, 0, 0, 0, 0, 0]],
    ["cur_step_back", [0, 0, 0, 0, 0, 0, 1]],
    ["cur_remove", [0, 0, 1, 1, 0, 0, 0]],
    ["cur_seize", [0, 0, 0, 0, 1, 1, 0]],
    ["remove_bulk", [0, 0, 2, 1, 0, 0, 0]],
    ["remove", [0, 0, 1, 1, 0, 0, 0]],
    ["seize", [0, 0, 1, 1, 1, 1, 0]],
    ["replace", [1, 1, 0, 0, 0, 0, 0]],
    ["append", [1, 0, 0, 0, 0, 0, 0]],
    ["set_bulk", [2, 0, 0, 0, 0, 0, 0]],
    ["match_prefix", [0, 0, 0, 0, 0, 0, 0]],
    ["status", [0, 0, 0, 0, 0, 0, 1]],
    ["clear", [0, 0, 0, 0, 0, 0, 1]],
    ["vacuum", [0, 0, 0, 0, 0, 0, 1]],
    ["synchronize", [0, 0, 0, 0, 0, 0, 1]],
    ["void", [0, 0, 0, 0, 0, 0, 0]],
    ["echo", [0, 0, 0, 0, 0, 0, 0]],
    ["nonsense", [0, 0, 0, 0, 0, 0, 0]],
  ];
  for (const [procedure, expected] of cases) {
    await peer.call(procedure, record);
    await assertCounts(expected, procedure);
  }
  await peer.call("set", { ...record, DB: 2 });
  await peer.call("get", { DB: 1 });
  await assertCounts([0, 0, 0, 0, 0, 0, 0], "what has no database or no key is not counted");
  for (const method of ["GET", "HEAD"]) await peer.request(`${method} /1/k HTTP/1.1\r\n\r\n`);
  await peer.request("PUT /1/k HTTP/1.1\r\nContent-Length: 1\r\n\r\nv");
  await peer.request("DELETE /1/k HTTP/1.1\r\n\r\n");
  await peer.request("DELETE /1/k HTTP/1.1\r\n\r\n");
  await assertCounts([1, 0, 2, 1, 2, 2, 0], "records over REST");
  clock.time += 1500;
  const { rows } = await peer.call("report");
  assertStrictEquals(rows.serv_running_term, "1.500000");
  assertStrictEquals(rows.serv_current_time, `${NOW / 1000 + 1}.500000`);
  assertStrictEquals(rows.serv_conn_count, "1");
  assertStrictEquals(rows.db_1, "count=0 size=0 path=%");
});

test("status tells what a database is", async () => {
  const databases = ["*", "%", ":", "dir/named.kct", "h.kch#ktopts=p"];
  await using server = await startMockServer({ databases });
  using peer = new HttpPeer(server);
  const status = async (DB: number) => {
    const { rows: { path, type, realtype, ktopts, count } } = await peer.call("status", { DB });
    return [path, type, realtype, ktopts, count];
  };
  await peer.call("set", { key: "k", value: "v", DB: "named.kct" });
  assertEquals(await status(0), ["*", "32", "32", "0", "0"]);
  assertEquals(await status(1), ["%", "33", "32", "0", "0"]);
  assertEquals(await status(2), [":", "24", "24", "0", "0"]);
  assertEquals(await status(3), ["dir/named.kct", "49", "48", "0", "1"]);
  assertEquals(await status(4), ["h.kch", "48", "48", "2", "0"]);
});

test("a database is named by its index or its name, the last of equal ones", async () => {
  await using server = await startMockServer({ databases: ["*", ":", "*", "a/x.kct"] });
  using peer = new HttpPeer(server);
  for (
    const [DB, index] of [["*", 2], ["", 0], ["1x", 1], ["x.kct", 3], ["4294967297", 1]] as const
  ) {
    await peer.call("set", { key: `by ${DB}`, value: "", DB });
    const key = new TextEncoder().encode(`by ${DB}`);
    assert(server.storage.databases[index].get(key) !== undefined, `DB=${DB}`);
  }
  for (const DB of ["4", "-1", "x", "a/x.kct"]) {
    assertEquals(await peer.call("set", { key: "k", value: "", DB }), {
      status: 400,
      rows: { ERROR: "no such database" },
    });
  }
});

test("vacuum takes as many steps as it is told", async () => {
  const { server, clock, peer } = await start(["*"]);
  await using _ = server;
  using __ = peer;
  const rows = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`_${i}`, "v"]));
  await peer.call("set_bulk", { ...rows, xt: 1 });
  clock.time += 10_000;
  await peer.call("vacuum", { step: 10 });
  const left = server.storage.databases[0].count;
  assert(left > 0, `${left} records`);
  await peer.call("vacuum");
  assertStrictEquals(server.storage.databases[0].count, 0);
});

test("procedures of the server's script may be asynchronous, and wait one for the other", async () => {
  const release = Promise.withResolvers<void>();
  await using server = await startMockServer({
    procedures: {
      slow: async () => {
        await release.promise;
        return { done: "yes" };
      },
    },
  });
  using peer = new HttpPeer(server);
  const slow = peer.call("play_script", { name: "slow" });
  const next = peer.call("echo", { a: "1" });
  release.resolve();
  assertEquals(await slow, { status: 200, rows: { _done: "yes" } });
  assertEquals(await next, { status: 200, rows: { a: "1" } });
});

test("update logs are listed and removed", async () => {
  await using server = await startMockServer({ updateLog: { maxBytes: 1 << 20 } });
  using peer = new HttpPeer(server);
  const value = new Uint8Array(50_000);
  for (let i = 0; i < 10; i++) await peer.call("set", { key: `${i}`, value });
  const { status, rows } = await peer.call("ulog_list");
  assertStrictEquals(status, 200);
  const files = Object.entries(rows);
  assert(files.length > 1, `${files.length} files`);
  for (const [path, text] of files) {
    assert(/^\d{10}\.ulog$/.test(path) && /^\d+:\d{19}$/.test(text), `${path} ${text}`);
  }
  await peer.call("ulog_remove", { ts: 0 });
  assertStrictEquals(Object.keys((await peer.call("ulog_list")).rows).length, files.length);
  await peer.call("ulog_remove", { ts: files[0][1].split(":")[1] });
  assertStrictEquals(Object.keys((await peer.call("ulog_list")).rows).length, files.length - 1);
  await peer.call("ulog_remove");
  assertStrictEquals(Object.keys((await peer.call("ulog_list")).rows).length, 1);
});
