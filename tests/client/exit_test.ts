/** A script that ends without closing its client, in a process of its own. */

import { assertEquals, assertGreaterOrEqual, assertLess, assertStringIncludes } from "@std/assert";
import { runScript, type ScriptResult, test } from "../_harness.ts";
import { type ConnectionScript, replies, ScriptedServer } from "../scripted_server.ts";
import { BlackHole } from "./_black_hole.ts";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const found = replies.get({ key: "k", value: "found" });

/** What a process may take in all, on a machine that is busy. */
const PATIENCE = 5_000;

/** Runs a case of the script, with no more permission than to reach the server's port. */
async function end(what: string, port: number): Promise<ScriptResult> {
  const result = await runScript("tests/client/_ending.ts", [what, `${port}`], {
    permissions: [`--allow-net=127.0.0.1:${port}`],
    timeoutMs: 20_000,
  });
  assertEquals([result.code, result.stderr], [0, ""]);
  return result;
}

async function answered(connection: Parameters<ConnectionScript>[0]): Promise<void> {
  for (;;) {
    const { kind, flags } = await connection.request();
    if (kind === "get") await connection.send(found);
    else if ((flags & 1) === 0) await connection.send(replies[kind](1 as never));
  }
}

test("a script that connects, works and ends, exits by itself at once", async () => {
  await using server = await ScriptedServer.listen(answered);
  const bare = await end("nothing", server.port);
  const { stdout, ms } = await end("work", server.port);
  assertEquals(stdout, "found\n");
  console.log(`the script took ${ms.toFixed()} ms, the bare runtime ${bare.ms.toFixed()} ms`);
  // A second would do; a busy machine gets more.
  assertLess(ms - bare.ms, PATIENCE);
});

test("a script that connects and ends, exits by itself", async () => {
  await using server = await ScriptedServer.listen(answered);
  assertLess((await end("connect", server.port)).ms, PATIENCE);
});

test("a script stays alive as long as a call is pending", async () => {
  await using server = await ScriptedServer.listen(async (connection) => {
    await connection.request();
    await sleep(600);
    await connection.send(found);
  });
  const { stdout, ms } = await end("pending", server.port);
  assertEquals(stdout, "found\n");
  assertGreaterOrEqual(ms, 600);
});

test("a script whose call has timed out does not wait for the reply", async () => {
  await using server = await ScriptedServer.listen(() => {});
  const { stdout, ms } = await end("timeout", server.port);
  assertEquals(stdout, "TimeoutError\n");
  assertLess(ms, PATIENCE);
});

test("a script whose call was aborted does not wait for the reply", async () => {
  await using server = await ScriptedServer.listen(() => {});
  const { stdout, ms } = await end("abort", server.port);
  assertEquals(stdout, "AbortError\n");
  assertLess(ms, PATIENCE);
});

test("a script stays alive until the reply timeout, and no longer", async () => {
  await using server = await ScriptedServer.listen(() => {});
  const { stdout, ms } = await end("silent", server.port);
  assertEquals(stdout, "TimeoutError\n");
  assertLess(ms, PATIENCE);
});

test("a script stays alive while it connects again and again, and no longer", async () => {
  await using server = await ScriptedServer.listen(async (connection) => {
    await connection.request();
    connection.close();
  });
  const { stdout, ms } = await end("closed", server.port);
  assertEquals(stdout, "ConnectionError,ConnectionError,ConnectionError,ConnectionError\n");
  assertLess(ms, PATIENCE);
});

test("a script that has connected again exits by itself", async () => {
  await using server = await ScriptedServer.listen(async (connection) => {
    await connection.request();
    await connection.send(replies.get());
    await connection.request();
    connection.close();
  }, answered);
  const { stdout, ms } = await end("reconnect", server.port);
  assertEquals(stdout, "found\n");
  assertLess(ms, PATIENCE);
});

test("a script that cannot connect exits by itself", async () => {
  const server = await ScriptedServer.listen(() => {});
  const { port } = server;
  await server[Symbol.asyncDispose]();
  const { stdout, ms } = await end("refused", port);
  assertEquals(stdout, "ConnectionError\n");
  assertLess(ms, PATIENCE);
});

test("a script that gave up connecting exits by itself", {
  only: "deno",
  reason: "Bun.connect cannot be cancelled and keeps the process alive until the system gives up",
}, async () => {
  await using hole = await BlackHole.open();
  const { stdout, ms } = await end("hole", hole.port);
  assertEquals(stdout, "TimeoutError\n");
  assertLess(ms, PATIENCE);
});

test("no rejection is ever unhandled but the user's own", async () => {
  await using server = await ScriptedServer.listen(() => {});
  const { stdout } = await end("careless", server.port);
  assertEquals(stdout, "closed\n");
});

test("the client needs no other permission than to reach the server", {
  only: "deno",
  reason: "no other runtime has permissions",
}, async () => {
  await using server = await ScriptedServer.listen(answered);
  const { port } = server;
  const denied = await runScript("tests/client/_ending.ts", ["work", `${port}`], {
    permissions: [`--allow-net=127.0.0.1:${port - 1}`],
  });
  assertEquals(denied.code, 1);
  assertStringIncludes(denied.stdout, `Requires net access to "127.0.0.1:${port}"`);
});
