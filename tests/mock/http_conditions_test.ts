import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Conditions } from "../../mock_server/http/conditions.ts";
import { startMockServer } from "../../mock_server/mod.ts";
import { test } from "../_harness.ts";
import { HttpPeer } from "./_http_peer.ts";

const never = new Promise<void>(() => {});

test("a signal wakes who has waited longest, a broadcast everybody", async () => {
  const conditions = new Conditions();
  const woken: string[] = [];
  const wait = (name: string, condition = "c") =>
    conditions.wait(condition, 60_000, never).then((done) => woken.push(`${name} ${done}`));
  const all = [wait("first"), wait("second"), wait("third"), wait("other", "d")];
  assertStrictEquals(conditions.signal("c", false), 1);
  await all[0];
  assertEquals(woken, ["first true"]);
  assertStrictEquals(conditions.signal("c", true), 2);
  assertStrictEquals(conditions.signal("c", true), 0);
  assertStrictEquals(conditions.signal("d", false), 1);
  await Promise.all(all);
  assertEquals(woken, ["first true", "second true", "third true", "other true"]);
});

test("a wait ends by time or by the end of the connection, and then counts no more", async () => {
  const conditions = new Conditions();
  assertStrictEquals(await conditions.wait("c", 1, never), false);
  assertStrictEquals(conditions.signal("c", true), 0);
  const end = Promise.withResolvers<void>();
  const waiting = conditions.wait("c", 60_000, end.promise);
  end.resolve();
  assertStrictEquals(await waiting, false);
  assertStrictEquals(conditions.signal("c", true), 0);
});

test("requests behind a waiting one on its connection wait as well, those of others do not", async () => {
  await using server = await startMockServer();
  using waiter = new HttpPeer(server);
  using other = new HttpPeer(server);
  const before = waiter.call("void");
  const waiting = waiter.call("set", { key: "k", value: "v", WAIT: "go", WAITTIME: 60 });
  const behind = waiter.call("get", { key: "k" });
  assertStrictEquals((await before).status, 200);
  let woken = "0";
  while (woken === "0") woken = (await other.call("void", { SIGNAL: "go" })).rows.SIGNALED;
  assertStrictEquals(woken, "1");
  assertEquals(await waiting, { status: 200, rows: {} });
  assertEquals(await behind, { status: 200, rows: { value: "v" } });
});

test("failed procedures signal too", async () => {
  await using server = await startMockServer();
  using peer = new HttpPeer(server);
  const { status, rows } = await peer.call("get", { key: "absent", SIGNAL: "x", SIGNALBROAD: "" });
  assertStrictEquals(status, 450);
  assertStrictEquals(rows.SIGNALED, "0");
});

test("stopping the server ends waits", async () => {
  const server = await startMockServer();
  using peer = new HttpPeer(server);
  const waiting = peer.call("void", { WAIT: "never", WAITTIME: 60 }).catch((error) => error);
  await server.nextRequest();
  await server.stop();
  assert(await waiting instanceof Error);
});
