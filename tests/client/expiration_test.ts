import { assert, assertEquals } from "@std/assert";
import { startMockServer } from "../../mock_server/mod.ts";
import { connect, text } from "../../mod.ts";
import { test } from "../_harness.ts";
import { connected } from "./_client.ts";

const NEVER = 2 ** 63;

test("expireIn is rounded up to whole seconds; expireAt is absolute", async () => {
  await using setting = await connected();
  const { kt, requests } = setting;
  const moment = Date.UTC(2100, 0, 1);
  const cases: [options: Parameters<typeof kt.set>[2], xt: number][] = [
    [undefined, NEVER],
    [{}, NEVER],
    [{ expireIn: 0 }, 0],
    [{ expireIn: 1 }, 1],
    [{ expireIn: 999.5 }, 1],
    [{ expireIn: 1000 }, 1],
    [{ expireIn: 1001 }, 2],
    [{ expireIn: 600_000 }, 600],
    [{ expireIn: Infinity }, NEVER],
    [{ expireAt: new Date(moment) }, -moment / 1000],
    [{ expireAt: new Date(moment + 1) }, -moment / 1000 - 1],
    [{ expireAt: { epochMilliseconds: moment } }, -moment / 1000],
    [{ expireAt: new Date(0) }, -1],
    [{ expireAt: new Date(-1e12) }, -1],
  ];
  for (const [options] of cases) await kt.set("k", "v", options);
  assertEquals(requests.map(({ records }) => records[0].xt), cases.map(([, xt]) => xt));
  requests.length = 0;
  for (const [options] of cases) await kt.setBulk({ k: "v" }, options);
  assertEquals(requests.map(({ records }) => records[0].xt), cases.map(([, xt]) => xt));
});

test("anything with epochMilliseconds is a moment, such as a Temporal.Instant", async () => {
  await using setting = await connected();
  class Instant {
    get epochMilliseconds(): number {
      return 4_102_444_800_000;
    }
  }
  await setting.kt.set("k", "v", { expireAt: new Instant() });
  const { Temporal } = globalThis as { Temporal?: { Instant: { from(text: string): Instant } } };
  if (Temporal !== undefined) {
    await setting.kt.set("k", "v", { expireAt: Temporal.Instant.from("2100-01-01T00:00:00Z") });
  }
  for (const { records } of setting.requests) assertEquals(records[0].xt, -4_102_444_800);
});

test("records of setBulk have their own expiration, or that of the call", async () => {
  await using setting = await connected();
  await setting.kt.setBulk([
    { key: "a", value: "" },
    { key: "b", value: "", expireIn: 5_000 },
    { key: "c", value: "", expireAt: new Date(4_102_444_800_000) },
    ["d", ""],
  ], { expireIn: 60_000 });
  assertEquals(setting.requests[0].records.map(({ xt }) => xt), [60, 5, -4_102_444_800, 60]);
});

test("a record is gone when its time is over, and its entry tells when that is", async () => {
  let now = Date.UTC(2030, 0, 1, 12);
  await using server = await startMockServer({ clock: { now: () => now } });
  await using kt = await connect({ port: server.port, codec: text });
  await kt.set("k", "v", { expireIn: 10_000 });
  const [entry] = await kt.getBulk(["k"]);
  assertEquals(entry.expiresAt, new Date(now + 10_000));
  assertEquals((await kt.getEntry("k"))?.expiresAt, new Date(now + 10_000));
  now += 10_999;
  assertEquals(await kt.get("k"), "v");
  now += 1;
  assertEquals(await kt.get("k"), null);
});

test("a record that is set again without an expiration never ends", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ port: server.port });
  await kt.set("k", "v", { expireIn: 5_000 });
  assert((await kt.getEntry("k"))?.expiresAt instanceof Date);
  await kt.set("k", "v");
  assertEquals((await kt.getEntry("k"))?.expiresAt, null);
});
