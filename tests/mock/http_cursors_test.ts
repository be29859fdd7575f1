import { assertEquals, assertStrictEquals } from "@std/assert";
import { startMockServer } from "../../mock_server/mod.ts";
import { test } from "../_harness.ts";
import { HttpPeer } from "./_http_peer.ts";

const NO_RECORD = { status: 450, rows: { ERROR: "DB: 7: no record: no record" } };
const NO_CURSOR = { status: 400, rows: { ERROR: "no such cursor" } };

async function start(keys: string, clock = { now: () => 1_000_000_000_000 }) {
  const server = await startMockServer({ databases: ["*", "%"], clock });
  const peer = new HttpPeer(server);
  const records = [...keys].map((key) => [`_${key}`, `value of ${key}`]);
  await peer.call("set_bulk", { DB: 1, ...Object.fromEntries(records) });
  return { server, peer };
}

test("a cursor walks over every record of a database without order once", async () => {
  await using server = await startMockServer();
  using peer = new HttpPeer(server);
  const keys = Array.from({ length: 300 }, (_, i) => `_key ${i}`);
  await peer.call("set_bulk", Object.fromEntries(keys.map((key) => [key, ""])));
  await peer.call("cur_jump", { CUR: 7, DB: 0 });
  const seen: string[] = [];
  for (;;) {
    const { status, rows } = await peer.call("cur_get_key", { CUR: 7, step: "" });
    if (status !== 200) break;
    seen.push(`_${rows.key}`);
  }
  assertEquals(seen.sort(), keys.sort());
});

test("a cursor sees what is stored ahead of it, and passes over what is removed", async () => {
  const { server, peer } = await start("bdf");
  await using _ = server;
  using __ = peer;
  await peer.call("cur_jump", { CUR: 1, DB: 1 });
  await peer.call("set_bulk", { DB: 1, _a: "", _c: "" });
  await peer.call("remove", { DB: 1, key: "d" });
  const seen: string[] = [];
  for (let i = 0; i < 3; i++) {
    seen.push((await peer.call("cur_get_key", { CUR: 1, step: "" })).rows.key);
  }
  assertEquals(seen, ["b", "c", "f"]);
  assertEquals(await peer.call("cur_get_key", { CUR: 1 }), NO_RECORD);
});

test("a cursor steps over records that expire, forward and backward", async () => {
  const clock = { time: 1_000_000_000_000, now: () => clock.time };
  const { server, peer } = await start("ace", clock);
  await using _ = server;
  using __ = peer;
  await peer.call("set_bulk", { DB: 1, _b: "", _d: "", xt: 1 });
  await peer.call("cur_jump", { CUR: 1, DB: 1, key: "b" });
  assertEquals((await peer.call("cur_get_key", { CUR: 1 })).rows, { key: "b" });
  clock.time += 5000;
  assertEquals((await peer.call("cur_get_key", { CUR: 1 })).rows, { key: "c" });
  await peer.call("cur_step", { CUR: 1 });
  assertEquals((await peer.call("cur_get_key", { CUR: 1 })).rows, { key: "e" });
  await peer.call("cur_step_back", { CUR: 1 });
  assertEquals((await peer.call("cur_get_key", { CUR: 1 })).rows, { key: "c" });
  await peer.call("cur_jump_back", { CUR: 1, key: "d" });
  assertEquals((await peer.call("cur_get_key", { CUR: 1 })).rows, { key: "c" });
});

test("a cursor writes, removes and seizes where it stands", async () => {
  const { server, peer } = await start("abcd");
  await using _ = server;
  using __ = peer;
  await peer.call("cur_jump", { CUR: 1, DB: 1 });
  await peer.call("cur_set_value", { CUR: 1, value: "new", step: "" });
  await peer.call("cur_remove", { CUR: 1 });
  assertEquals((await peer.call("cur_seize", { CUR: 1 })).rows, { key: "c", value: "value of c" });
  assertEquals((await peer.call("cur_get", { CUR: 1 })).rows, { key: "d", value: "value of d" });
  assertEquals((await peer.call("cur_set_value", { CUR: 1, value: "x", step: "" })).status, 200);
  assertEquals(await peer.call("cur_remove", { CUR: 1 }), NO_RECORD);
  assertEquals((await peer.call("get_bulk", { DB: 1, _a: "", _b: "", _c: "", _d: "" })).rows, {
    _a: "new",
    _d: "x",
    num: "2",
  });
});

test("stepping off either end leaves a cursor nowhere until it jumps", async () => {
  const { server, peer } = await start("ab");
  await using _ = server;
  using __ = peer;
  for (const [jump, step] of [["cur_jump", "cur_step_back"], ["cur_jump_back", "cur_step"]]) {
    assertStrictEquals((await peer.call(jump, { CUR: 1, DB: 1 })).status, 200);
    assertEquals(await peer.call(step, { CUR: 1 }), NO_RECORD);
    assertEquals(await peer.call("cur_get", { CUR: 1 }), NO_RECORD);
    assertEquals(await peer.call(step, { CUR: 1 }), NO_RECORD);
  }
});

test("cursors have numbers of their own on each connection, and stay with their database", async () => {
  const { server, peer } = await start("a");
  await using _ = server;
  using __ = peer;
  using other = new HttpPeer(server);
  await peer.call("cur_jump", { CUR: "9223372036854775807", DB: 1 });
  assertEquals(await other.call("cur_get", { CUR: "9223372036854775807", DB: 1 }), NO_RECORD);
  assertEquals(await other.call("cur_get", { CUR: 1, DB: 9 }), NO_CURSOR);
  assertEquals(await other.call("cur_get", { CUR: 1 }), NO_RECORD);
  assertEquals(await other.call("cur_jump", { CUR: 1, DB: 1 }), NO_RECORD);
  const { rows } = await peer.call("cur_get_key", { CUR: "9223372036854775807", DB: 0 });
  assertEquals(rows, { key: "a" });
});

test("deleting a cursor signals nobody, and forgets where it stood", async () => {
  const { server, peer } = await start("a");
  await using _ = server;
  using __ = peer;
  await peer.call("cur_jump", { CUR: 1, DB: 1 });
  assertEquals(await peer.call("cur_delete", { CUR: 1, SIGNAL: "x" }), { status: 200, rows: {} });
  assertEquals(await peer.call("cur_get", { CUR: 1, DB: 1 }), NO_RECORD);
});
