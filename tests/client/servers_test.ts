import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { startMockServer } from "../../mock_server/mod.ts";
import { connect, ConnectionError, type StatusEvent, text } from "../../mod.ts";
import { runScript, test } from "../_harness.ts";

const SOON = { failbackInterval: 20, codec: text };

/** Makes calls until they go to this server. */
async function until(kt: { stats: { server: string | null }; ping(): Promise<void> }, url: string) {
  const deadline = performance.now() + 20_000;
  while (`kt://${kt.stats.server}` !== url) {
    assert(performance.now() < deadline, `no connection to ${url}`);
    await kt.ping();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("calls move to the second server when the first stops, and back when it returns", async () => {
  await using a = await startMockServer();
  await using b = await startMockServer();
  const events: StatusEvent[] = [];
  await using kt = await connect({
    servers: [a.url, new URL(b.url)],
    onStatus: (event) => events.push(event),
    ...SOON,
  });
  await kt.set("k", "in a");
  await a.stop();
  await until(kt, b.url);
  await kt.set("k", "in b");
  assertEquals(`kt://${kt.stats.server}`, b.url);
  await a.start();
  await until(kt, a.url);
  assertEquals(await kt.get("k"), "in a");
  assertEquals([kt.stats.connected, kt.stats.reconnects], [3, 1]);
  await kt.close();
  assertEquals(events.map(({ status, server }) => `${status} ${server}`), [
    `connected ${a.hostname}:${a.port}`,
    `disconnected ${a.hostname}:${a.port}`,
    `reconnecting ${a.hostname}:${a.port}, ${b.hostname}:${b.port}`,
    `connected ${b.hostname}:${b.port}`,
    `connected ${a.hostname}:${a.port}`,
    `closed ${a.hostname}:${a.port}, ${b.hostname}:${b.port}`,
  ]);
});

test("the second server serves when the first cannot be reached, whatever it is", async () => {
  await using b = await startMockServer();
  await using silent = await startMockServer();
  silent.faults.add({ action: "hang" });
  const stopped = await startMockServer();
  await stopped.stop();
  for (const first of [stopped.url, silent.url]) {
    await using kt = await connect({ servers: [first, b.url], connectTimeout: 200, ...SOON });
    assertEquals(`kt://${kt.stats.server}`, b.url);
    await kt.set("k", "v");
  }
});

test("when no server can be reached the error names all of them", async () => {
  const stopped = await Promise.all([startMockServer(), startMockServer()]);
  for (const server of stopped) await server.stop();
  const servers = stopped.map(({ url }) => url);
  const error = await assertRejects(() => connect({ servers }), ConnectionError);
  assertStringIncludes(error.message, "Cannot connect to any of 2 servers: ");
  for (const { port } of stopped) assertStringIncludes(error.message, `:${port}`);
});

test("under load servers come and go, and every call ends with its own result", async () => {
  await using a = await startMockServer();
  await using b = await startMockServer();
  // As a pair of masters that replicate each other would have it.
  const all = ["a", "b"].map((server) => server === "a" ? a : b);
  for (const server of all) {
    const { databases: [database] } = server.storage;
    const bytes = (text: string) => new TextEncoder().encode(text);
    for (let i = 0; i < 100; i++) database.set(bytes(`k${i}`), bytes(`v${i}`), 2 ** 40);
  }
  await using kt = await connect({ servers: [a.url, b.url], connections: 2, ...SOON });
  let isOver = false, made = 0;
  const task = async () => {
    for (let i = 0; !isOver; i++, made++) assertEquals(await kt.get(`k${i % 100}`), `v${i % 100}`);
  };
  const tasks = Array.from({ length: 20 }, task);
  for (let i = 0; i < 5; i++) {
    await until(kt, a.url);
    await a.stop();
    await until(kt, b.url);
    await a.start();
  }
  isOver = true;
  await Promise.all(tasks);
  assert(made > 0 && kt.stats.reconnects >= 5);
});

test("a script with several servers ends by itself", async () => {
  await using a = await startMockServer();
  const stopped = await startMockServer();
  await stopped.stop();
  const { code, ms } = await runScript("tests/fixtures/two_servers.ts", [stopped.url, a.url], {
    permissions: ["--allow-net=127.0.0.1"],
  });
  assertEquals(code, 0);
  assert(ms < 10_000, `${ms} ms`);
});
