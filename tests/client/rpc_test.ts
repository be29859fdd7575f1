/** What the methods that only HTTP has come to, against the mock. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { connect, json, ServerError } from "../../mod.ts";
import { test } from "../_harness.ts";
import { mockAndClient } from "./_mock.ts";

const in2100 = new Date("2100-01-01T00:00:00Z");

test("what is stored over HTTP takes the same expirations as set()", async () => {
  await using all = await mockAndClient({ clock: { now: () => 1_000_000 } });
  const { kt } = all;
  const seconds = async (key: string) => ((await kt.check(key))?.expiresAt?.getTime() ?? 0) / 1000;
  await kt.add("add", "v", { expireIn: 5001 });
  assertEquals(await seconds("add"), 1006);
  await kt.replace("add", "v", { expireAt: in2100 });
  assertEquals(await seconds("add"), in2100.getTime() / 1000);
  await kt.append("add", "v", { expireAt: { epochMilliseconds: 2_000_000 } });
  assertEquals(await seconds("add"), 2000);
  await kt.append("add", "v");
  assertEquals(await kt.check("add"), { size: 3, expiresAt: null });
  await kt.increment("n", 1, { expireIn: 0 });
  assertEquals(await seconds("n"), 1000);
  await kt.incrementDouble("d", 1, { expireIn: 9000 });
  assertEquals(await seconds("d"), 1009);
  await kt.cas("cas", null, "v", { expireIn: 3000 });
  assertEquals(await seconds("cas"), 1003);
  await kt.setBulk({ b: "1" }, { atomic: true, expireIn: 3000 });
  assertEquals(await seconds("b"), 1003);
  // Far off is never, in whatever form it is written.
  for (const milliseconds of [2 ** 40 * 1000, 1e300, Infinity]) {
    await kt.append("far", "", { expireIn: milliseconds });
    assertEquals((await kt.check("far"))?.expiresAt, null);
    await kt.append("far", "", { expireAt: { epochMilliseconds: milliseconds } });
    assertEquals((await kt.check("far"))?.expiresAt, null);
  }
  await kt.append("gone", "v", { expireAt: new Date(0) });
  assertEquals(await kt.check("gone"), null);
});

test("the database is that of the call, or of the view, or 0", async () => {
  await using all = await mockAndClient({ databases: ["*", "%", ":"] });
  const { kt } = all;
  const view = kt.database(1);
  await view.add("k", "1");
  await view.add("k", "2", { database: 2 });
  assertEquals([await kt.get("k"), await view.get("k"), await kt.get("k", { database: 2 })], [
    null,
    "1",
    "2",
  ]);
  assertEquals((await view.status()).path, "%");
  assertEquals((await view.status({ database: 2 })).path, ":");
  assertEquals(await view.matchPrefix("", { keys: "text" }), ["k"]);
  assertEquals((await view.rpc("get", { key: "k" })).text("value"), "1");
  assertEquals((await view.rpc("get", { key: "k", DB: "2" })).text("value"), "2");
  assertEquals((await view.rpc("get", { key: "k" }, { database: 2 })).text("value"), "2");
  await view.clear();
  assertEquals(await kt.get("k", { database: 2 }), "2");
});

test("values go through the codec of the view", async () => {
  await using all = await mockAndClient();
  const users = all.kt.withCodec(json<{ n: number }>());
  assertEquals(await users.add("u", { n: 1 }), true);
  assertEquals(await users.cas("u", { n: 1 }, { n: 2 }), true);
  assertEquals(await users.cas("u", { n: 1 }, { n: 3 }), false);
  assertEquals(await users.getBulk(["u"], { atomic: true }), [
    { key: "u", value: { n: 2 }, database: 0 },
  ]);
  assertEquals(await users.seize("u"), { n: 2 });
  await all.kt.set("bad", "{");
  await assertRejects(() => users.seize("bad"), SyntaxError);
  assertEquals(await all.kt.get("bad"), null, "it is removed all the same");
});

test("increment() counts in the type that it is given", async () => {
  await using all = await mockAndClient();
  const { kt } = all;
  assertEquals(await kt.increment("n"), 1);
  assertEquals(await kt.increment("n", 41n), 42n);
  assertEquals(await kt.increment("n", -42), 0);
  const largest = BigInt(Number.MAX_SAFE_INTEGER);
  assertEquals(await kt.increment("n", Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
  const error = await assertRejects(() => kt.increment("n"), RangeError);
  assert(error.message.includes(String(largest + 1n)), error.message);
  assertEquals(await kt.increment("n", 0n), largest + 1n, "it is stored all the same");
  assertEquals(await kt.increment("o", 1, { initial: 2n ** 50n }), 2 ** 50 + 1);
  assertEquals(await kt.increment("o", 1, { initial: "reset" }), 1);
  assertEquals(await kt.increment("o", 1, { initial: "must-exist" }), 2);
  await assertRejects(() => kt.increment("p", 1, { initial: "must-exist" }), ServerError);
});

test("incrementDouble() gives the sum to six decimals", async () => {
  await using all = await mockAndClient();
  const { kt } = all;
  assertEquals(await kt.incrementDouble("d", 0.1), 0.1);
  assertEquals(await kt.incrementDouble("d", 0.2), 0.3);
  assertEquals(await kt.incrementDouble("d", 1e-7), 0.3);
  assertEquals(await kt.incrementDouble("d", -1e18), -1e18);
  assertEquals(await kt.incrementDouble("e", 1.5, { initial: -0.25 }), 1.25);
  assertEquals(await kt.incrementDouble("e", Infinity), Infinity);
});

test("atomic bulk operations take what the others take, and count alike", async () => {
  await using all = await mockAndClient({ databases: ["*", "%"] });
  const { kt } = all;
  const atomic = true;
  async function* later() {
    yield ["c", "3"] as const;
    yield { key: "d", value: "4", database: 0 };
  }
  assertEquals(await kt.setBulk({ a: "1", b: "2" }, { atomic }), 2);
  assertEquals(await kt.setBulk(later(), { atomic }), 2);
  assertEquals(await kt.setBulk([["e", "5"], ["e", "6"]], { atomic }), 1);
  assertEquals(await kt.setBulk([], { atomic }), 0);
  const entries = await kt.getBulk(["e", "no", { key: "a" }, "e"], { atomic });
  assertEquals(entries, [
    { key: "e", value: "6", database: 0 },
    { key: "a", value: "1", database: 0 },
    { key: "e", value: "6", database: 0 },
  ]);
  assertEquals(await kt.removeBulk(["e", "no", "a", "e"], { atomic }), 2);
  assertEquals(await kt.setBulk({ z: "1" }, { atomic, database: 1 }), 1);
  assertEquals(await kt.getBulk(["z"], { atomic, database: 1 }), [
    { key: "z", value: "1", database: 1 },
  ]);
  await assertRejects(
    () => kt.setBulk([{ key: "a", value: "1", database: 1 }], { atomic }),
    TypeError,
  );
  await assertRejects(
    () => kt.setBulk([{ key: "a", value: "1", expireIn: 5 }], { atomic }),
    TypeError,
  );
  await assertRejects(() => kt.getBulk([{ key: "a", database: 1 }], { atomic }), TypeError);
});

test("a source that stalls can be given up, and nothing is sent", async () => {
  await using all = await mockAndClient();
  const { kt } = all;
  const calls: ((source: AsyncIterable<string>, signal: AbortSignal) => Promise<unknown>)[] = [
    (keys, signal) => kt.getBulk(keys, { atomic: true, signal }),
    (keys, signal) => kt.removeBulk(keys, { atomic: true, signal }),
    async (keys, signal) => {
      async function* records() {
        for await (const key of keys) yield [key, "v"] as const;
      }
      return await kt.setBulk(records(), { atomic: true, signal });
    },
  ];
  const reason = new Error("enough");
  for (const call of calls) {
    // While it waits for the source, before, and when the source itself gives up.
    for (const when of ["waiting", "before", "source"]) {
      const controller = new AbortController();
      const abort = () => controller.abort(reason);
      const stalling = async function* () {
        yield "k";
        if (when === "source") abort();
        if (when === "waiting") setTimeout(abort, 0);
        await new Promise(() => {});
      };
      if (when === "before") abort();
      const error = await call(stalling(), controller.signal).catch((error) => error);
      assertEquals(error, reason, `${when}: ${call}`);
    }
  }
  async function* failing() {
    yield "k";
    throw reason;
  }
  assertEquals(await kt.getBulk(failing(), { atomic: true }).catch((error) => error), reason);
  assertEquals([...all.server.requests], []);
});

test("what comes twice from an atomic getBulk() is given away twice", async () => {
  await using all = await mockAndClient();
  const kt = await connect(all.server.url);
  await kt.set("k", "v");
  const [one, two] = await kt.getBulk(["k", "k"], { atomic: true });
  one.value[0] = 0;
  assertEquals(two.value, Uint8Array.of(0x76));
  await kt.close();
});

test("errors say the procedure, the status, and what the server said", async () => {
  await using all = await mockAndClient();
  const { kt } = all;
  await kt.set("text", "abc");
  const failures: [() => Promise<unknown>, Partial<ServerError>][] = [
    [() => kt.increment("text"), {
      operation: "increment",
      procedure: "increment",
      status: 450,
      serverCode: 8,
      serverMessage: "logical inconsistency: logical inconsistency",
      message: "Cannot increment: DB: 8: logical inconsistency: logical inconsistency (status 450)",
    }],
    [() => kt.add("k", "v", { database: 7 }), {
      status: 400,
      serverCode: null,
      serverMessage: "no such database",
    }],
    [() => kt.matchRegex("("), {
      status: 450,
      serverCode: 8,
      serverMessage: "logical inconsistency: compilation failed",
    }],
    [() => kt.synchronize({ command: "../x" }), { status: 500, serverCode: 8 }],
    [() => kt.updateLogs(), { operation: "updateLogs", procedure: "ulog_list", status: 400 }],
    [() => kt.follow(null), { status: 501, serverMessage: "the RTS file is not set" }],
    [() => kt.rpc("né"), { procedure: "né", status: 501, serverMessage: "not implemented: né" }],
    [() => kt.rpc("get", { key: "none" }), { status: 450, serverCode: 7 }],
    [() => kt.entries({ reverse: true }).next(), {
      operation: "entries",
      procedure: "cur_jump_back",
      status: 501,
      serverCode: 1,
    }],
  ];
  for (const [call, expected] of failures) {
    const error = await call().catch((error) => error);
    assertInstanceOf(error, ServerError);
    const { operation, procedure, status, serverCode, serverMessage, message } = error;
    const all = { operation, procedure, status, serverCode, serverMessage, message };
    assertEquals(all, { ...all, ...expected });
  }
});

test("a server that is read-only refuses", async () => {
  await using all = await mockAndClient({ readOnly: true });
  const { kt } = all;
  const calls = [
    () => kt.add("k", "v"),
    () => kt.replace("k", "v"),
    () => kt.append("k", "v"),
    () => kt.increment("k"),
    () => kt.incrementDouble("k", 1),
    () => kt.cas("k", null, "v"),
    () => kt.seize("k"),
    () => kt.setBulk({ k: "v" }, { atomic: true }),
    () => kt.removeBulk(["k"], { atomic: true }),
    () => kt.set("k", "v", { wake: "x" }),
  ];
  for (const call of calls) {
    const error = await assertRejects<ServerError>(call, ServerError);
    assertEquals([error.status, error.serverCode], [500, 4], String(call));
  }
});

test("bad arguments reject, and nothing is sent", async () => {
  await using all = await mockAndClient();
  const { kt } = all;
  // deno-lint-ignore no-explicit-any -- arguments of the wrong type are what this is about
  const any = kt as any;
  const type: (() => Promise<unknown>)[] = [
    () => any.add(1, "v"),
    () => any.add("k", 1),
    () => any.replace("k"),
    () => any.increment("k", "1"),
    () => any.increment("k", 1, { initial: "never" }),
    () => any.incrementDouble("k", 1n),
    () => any.incrementDouble("k", NaN),
    () => any.cas("k", undefined, "v"),
    () => any.add("k", "v", { expireIn: 1, expireAt: in2100 }),
    () => any.add("k", "v", { wake: 5 }),
    () => any.add("k", "v", { wake: {} }),
    () => any.add("k", "v", { wake: null }),
    () => any.set("k", "v", { wake: "x", noReply: true }),
    () => any.remove("k", { wake: "x", noReply: true }),
    () => any.setBulk({ k: "v" }, { wake: "x" }),
    () => any.setBulk({ k: "v" }, { atomic: true, noReply: true }),
    () => any.removeBulk(["k"], { atomic: true, noReply: true }),
    () => any.getBulk("k", { atomic: true }),
    () => any.matchPrefix("k", { keys: "both" }),
    () => any.entries({ keys: "both" }).next(),
    () => any.entries({ from: 1 }).next(),
    () => any.follow("host"),
    () => any.follow({}),
    () => any.follow({ hostname: "h", since: "today" }),
    () => any.removeUpdateLogs("today"),
    () => any.wake(),
    () => any.waitFor(5),
    () => any.synchronize({ command: 5 }),
    () => any.rpc(5),
    () => any.rpc("\ud800"),
    () => any.rpc("echo", "rows"),
    () => any.rpc("echo", { a: 1 }),
    () => any.rpc("echo", ["ab"]),
    () => any.matchRegex(/k/),
    () => any.matchPrefix(null),
    () => any.rpc("cur_get", { CUR: "1" }),
    () => any.status({ signal: "now" }),
    () => any.report(5),
    () => Promise.try(() => any.cursor({ keys: "both" })),
    () => kt.cursor().jump(1 as unknown as string),
    () => kt.cursor().setValue(1 as unknown as string),
  ];
  for (const call of type) await assertRejects(call, TypeError, undefined, String(call));
  const range: (() => Promise<unknown>)[] = [
    () => kt.add("k", "v", { database: -1 }),
    () => kt.add("k", "v", { expireIn: -1 }),
    () => kt.increment("k", 0.5),
    () => kt.increment("k", 2 ** 53),
    () => kt.increment("k", 2n ** 63n),
    // The ends of the range mean something else to the server.
    () => kt.increment("k", 1, { initial: 2n ** 63n - 1n }),
    () => kt.increment("k", 1, { initial: -(2n ** 63n) }),
    () => kt.incrementDouble("k", 2 ** 63),
    () => kt.incrementDouble("k", 1, { initial: Infinity }),
    () => kt.matchPrefix("", { limit: -1 }),
    () => kt.matchPrefix("", { limit: 0.5 }),
    () => kt.matchSimilar("", { distance: -1 }),
    () => kt.vacuum({ steps: -1 }),
    () => kt.entries({ limit: NaN }).next(),
    () => kt.entries({ database: 1e9 }).next(),
    () => Promise.try(() => kt.cursor({ database: -1 })),
    () => kt.follow({ hostname: "h", port: 0 }),
    () => kt.follow({ hostname: "h", interval: -1 }),
    () => kt.follow({ hostname: "h", since: -1n }),
    () => kt.follow({ hostname: "h", since: new Date(NaN) }),
    () => kt.removeUpdateLogs(2n ** 63n),
    () => kt.waitFor("x", 0),
    () => kt.waitFor("x", Infinity),
    () => kt.rpc(""),
    () => kt.rpc("x".repeat(8001)),
    () => kt.status({ timeout: 0 }),
  ];
  for (const call of range) await assertRejects(call, RangeError, undefined, String(call));
  assertEquals([...all.server.requests], []);
});

test("a request that the server would not take is not made", async () => {
  await using all = await mockAndClient();
  const megabyte = new Uint8Array(2 ** 20).fill(10);
  const records = Array.from({ length: 202 }, (_, i) => [String(i), megabyte] as const);
  // In Base64, 202 MiB become more than 256.
  await assertRejects(() => all.kt.setBulk(records, { atomic: true }), RangeError);
  await assertRejects(
    () => all.kt.append("k", { length: 2 ** 28 + 1 } as unknown as Uint8Array),
    TypeError,
  );
  assertEquals([...all.server.requests], []);
});

test("every method can be aborted, and have a time of its own", async () => {
  await using all = await mockAndClient({ databases: ["%"], updateLog: true, follow: {} });
  const { kt, server } = all;
  const calls: ((options: { signal?: AbortSignal; timeout?: number }) => Promise<unknown>)[] = [
    (options) => kt.add("k", "v", options),
    (options) => kt.replace("k", "v", options),
    (options) => kt.append("k", "v", options),
    (options) => kt.increment("k", 1, options),
    (options) => kt.incrementDouble("k", 1, options),
    (options) => kt.cas("k", null, "v", options),
    (options) => kt.check("k", options),
    (options) => kt.seize("k", options),
    (options) => kt.set("k", "v", { ...options, wake: "x" }),
    (options) => kt.remove("k", { ...options, wake: "x" }),
    (options) => kt.setBulk({ k: "v" }, { ...options, atomic: true }),
    (options) => kt.getBulk(["k"], { ...options, atomic: true }),
    (options) => kt.removeBulk(["k"], { ...options, atomic: true }),
    (options) => kt.matchPrefix("k", options),
    (options) => kt.matchRegex("k", options),
    (options) => kt.matchSimilar("k", options),
    (options) => kt.entries(options).next(),
    (options) => kt.cursor().jump(undefined, options),
    (options) => kt.cursor().get(options),
    (options) => kt.clear(options),
    (options) => kt.synchronize(options),
    (options) => kt.vacuum(options),
    (options) => kt.status(options),
    (options) => kt.report(options),
    (options) => kt.updateLogs(options),
    (options) => kt.removeUpdateLogs("now", options),
    (options) => kt.follow(null, options),
    (options) => kt.wake("x", options),
    (options) => kt.rpc("void", {}, options),
  ];
  await kt.ping();
  server.pause();
  const reason = new Error("enough");
  for (const call of calls) {
    assertEquals(await call({ signal: AbortSignal.abort(reason) }).catch((e) => e), reason);
    const controller = new AbortController();
    const result = call({ signal: controller.signal }).catch((e) => e);
    await Promise.resolve();
    controller.abort(reason);
    assertEquals(await result, reason, String(call));
  }
  const late = calls.map((call) => call({ timeout: 20 }).catch((error) => error.name));
  assertEquals(await Promise.all(late), calls.map(() => "TimeoutError"));
  server.resume();
  // Replies to calls that were given up are not taken for others.
  assertEquals(await kt.add("last", "v"), true);
  assertEquals(kt.stats.pending, 0);
});

test("the rows of rpc() are any bytes, and found by name", async () => {
  await using all = await mockAndClient();
  const raw = Uint8Array.from({ length: 256 }, (_, i) => i);
  const output = await all.kt.rpc("echo", [[raw, raw], ["", "empty"], ["é", Uint8Array.of(255)]]);
  assertEquals(output.size, 3);
  assertEquals(output.get(raw), raw);
  assertEquals(output.text(""), "empty");
  assertEquals(output.get("é"), Uint8Array.of(255));
  assertEquals(output.get("none"), undefined);
  let message = "";
  try {
    output.text("é");
  } catch (error) {
    assertInstanceOf(error, TypeError);
    message = error.message;
  }
  assert(message !== "");
  assertEquals([...output].length, 3);
  assertEquals((await all.kt.rpc("void")).size, 0);
});
