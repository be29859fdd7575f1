import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startMockServer } from "../../mock_server/mod.ts";
import { connect, ConnectionError, json, text } from "../../mod.ts";
import { memoryPair } from "../../src/transport/memory.ts";
import { test } from "../_harness.ts";
import { ScriptedServer } from "../scripted_server.ts";

// deno-lint-ignore no-explicit-any -- arguments of the wrong type are what this is about
type Untyped = any;

const none = () => new Promise<never>(() => {});

test("wrong options reject and say what is wrong, before anything is connected", async () => {
  const number = (name: string, shown: string) => `"${name}" is ${shown}, not a number above 0`;
  const only = 'give only one of "connector", "transport", "path", and "hostname" with "port"';
  const minimum = (shown: string, most: number) =>
    `"minConnections" is ${shown}, not a whole number from 0 to "connections", which is ${most}`;
  const ofOne = (name: string) => `"${name}" cannot be set for one of several servers`;
  const [transport] = memoryPair();
  const wrong: [options: unknown, error: ErrorConstructor, message: string][] = [
    [null, TypeError, "the options are null, not an object or URL"],
    [5, TypeError, "the options are 5, not an object or URL"],
    [{ host: "127.0.0.1" }, TypeError, 'unknown option "host"'],
    [{ timeout: 5 }, TypeError, 'unknown option "timeout"'],
    [{ port: 0 }, RangeError, '"port" is 0, not a whole number from 1 to 65535'],
    [{ port: 65536 }, RangeError, '"port" is 65536, not a whole number from 1 to 65535'],
    [{ port: 1.5 }, RangeError, '"port" is 1.5, not a whole number from 1 to 65535'],
    [{ port: "1978" }, RangeError, '"port" is "1978", not a whole number from 1 to 65535'],
    [{ hostname: 5 }, TypeError, '"hostname" is 5, not a name'],
    [{ hostname: "" }, TypeError, '"hostname" is "", not a name'],
    [{ path: "" }, TypeError, '"path" is "", not a name'],
    [{ path: "/tmp/a", port: 5 }, TypeError, only],
    [{ connector: none, hostname: "h" }, TypeError, only],
    [{ connector: none, transport }, TypeError, only],
    [{ connector: 5 }, TypeError, '"connector" is 5, not a function'],
    [
      { transport: 5 },
      TypeError,
      'Cannot use a transport: it has no streams "readable" and "writable"',
    ],
    [{ path: "/tmp/a", tls: true }, TypeError, '"tls" is only for "hostname" and "port"'],
    [{ connector: none, tls: {} }, TypeError, '"tls" is only for "hostname" and "port"'],
    [{ transport, tls: true }, TypeError, '"tls" is only for "hostname" and "port"'],
    [{ tls: "yes" }, TypeError, '"tls" is "yes", not true, false or an object'],
    [{ tls: { ca: [] } }, TypeError, 'unknown option "tls.ca"'],
    [
      { tls: { caCerts: "PEM" } },
      TypeError,
      '"tls.caCerts" is "PEM", not an array of texts in PEM',
    ],
    [{ tls: { serverName: 5 } }, TypeError, '"tls.serverName" is 5, not a name'],
    [{ database: -1 }, RangeError, '"database" is -1, not a whole number from 0 to 65535'],
    [{ database: "0" }, RangeError, '"database" is "0", not a whole number from 0 to 65535'],
    [{ codec: {} }, TypeError, 'the codec has no "encode" and "decode"'],
    [{ connections: 0 }, RangeError, number("connections", "0")],
    [{ connections: 1.5 }, RangeError, '"connections" is 1.5, not a whole number'],
    [{ connectTimeout: 0 }, RangeError, number("connectTimeout", "0")],
    [{ replyTimeout: -1 }, RangeError, number("replyTimeout", "-1")],
    [{ queueTimeout: NaN }, RangeError, number("queueTimeout", "NaN")],
    [{ queueTimeout: "5" }, RangeError, number("queueTimeout", '"5"')],
    [{ maxReplyBytes: 0 }, RangeError, number("maxReplyBytes", "0")],
    [{ maxQueue: 0 }, RangeError, number("maxQueue", "0")],
    [{ maxQueueBytes: 0 }, RangeError, number("maxQueueBytes", "0")],
    [{ reconnect: null }, TypeError, '"reconnect" is null, not true, false or an object'],
    [{ reconnect: 5 }, TypeError, '"reconnect" is 5, not true, false or an object'],
    [{ reconnect: { retries: 5 } }, TypeError, 'unknown option "reconnect.retries"'],
    [{ reconnect: { attempts: 0 } }, RangeError, number("reconnect.attempts", "0")],
    [{ reconnect: { minDelay: -1 } }, RangeError, number("reconnect.minDelay", "-1")],
    [{ reconnect: { maxDelay: 0 } }, RangeError, number("reconnect.maxDelay", "0")],
    [{ batching: null }, TypeError, '"batching" is null, not true, false or an object'],
    [{ batching: { size: 5 } }, TypeError, 'unknown option "batching.size"'],
    [{ batching: { records: 0 } }, RangeError, number("batching.records", "0")],
    [{ batching: { bytes: 0 } }, RangeError, number("batching.bytes", "0")],
    [{ signal: {} }, TypeError, '"signal" is of type "object", not an AbortSignal'],
    [{ minConnections: 2 }, RangeError, minimum("2", 1)],
    [{ minConnections: -1, connections: 4 }, RangeError, minimum("-1", 4)],
    [{ minConnections: "1" }, RangeError, minimum('"1"', 1)],
    [{ idleTimeout: 0 }, RangeError, number("idleTimeout", "0")],
    [{ pingInterval: 0 }, RangeError, number("pingInterval", "0")],
    [{ failbackInterval: 0 }, RangeError, number("failbackInterval", "0")],
    [{ whenFull: "block" }, TypeError, '"whenFull" is "block", neither "reject" nor "wait"'],
    [{ diagnostics: 1 }, TypeError, '"diagnostics" is 1, not true or false'],
    [{ onStatus: {} }, TypeError, '"onStatus" is of type "object", not a function'],
    [{ servers: [] }, TypeError, '"servers" is not an array of at least one server'],
    [{ servers: "kt://h" }, TypeError, '"servers" is not an array of at least one server'],
    [{ servers: [5] }, TypeError, "a server is 5, not an object or URL"],
    [{ servers: [null] }, TypeError, "a server is null, not an object or URL"],
    [
      { servers: ["h:1978"] },
      TypeError,
      'the URL begins with "h:", not "kt:", "kts:" or "kt+unix:"',
    ],
    [{ servers: [{ database: 1 }] }, TypeError, ofOne("database")],
    [{ servers: ["kt://h?database=1"] }, TypeError, ofOne("database")],
    [{ servers: [{ transport }] }, TypeError, ofOne("transport")],
    [{ servers: [{ port: 0 }] }, RangeError, '"port" is 0, not a whole number from 1 to 65535'],
    [
      { servers: ["kt://h"], path: "/tmp/a" },
      TypeError,
      '"path" is of one server, and "servers" are given',
    ],
  ];
  for (const [options, error, message] of wrong) {
    for (const given of [[options], ["kt://127.0.0.1", options]]) {
      if (given.length > 1 && /port|hostname|path/.test(message)) continue;
      const connecting = (connect as Untyped)(...given);
      assertInstanceOf(connecting, Promise);
      const reason = await connecting.then(() => "connected", (reason: unknown) => reason);
      assertInstanceOf(reason, error, message);
      if (given.length === 1) {
        const whole = message.startsWith("Cannot") ? message : `Cannot connect: ${message}`;
        assertEquals(reason.message, whole);
      }
    }
  }
});

test("wrong URLs reject and say what is wrong", async () => {
  const wrong: [url: string, error: ErrorConstructor, message: string][] = [
    ["", TypeError, '"" is not a URL'],
    ["127.0.0.1:1978", TypeError, '"127.0.0.1:1978" is not a URL'],
    ["/run/kt.sock", TypeError, '"/run/kt.sock" is not a URL'],
    ["kt://host:65536", TypeError, '"kt://host:65536" is not a URL'],
    [
      "http://127.0.0.1:1978",
      TypeError,
      'the URL begins with "http:", not "kt:", "kts:" or "kt+unix:"',
    ],
    ["kt:///path", TypeError, '"kt:///path" does not name a host'],
    [
      "kt://host/1",
      TypeError,
      '"kt://host/1" has a path; a database is given as "?database=1"',
    ],
    ["kt://host:0", RangeError, '"port" is 0, not a whole number from 1 to 65535'],
    ["kt://user@host", TypeError, "the URL has a user, password or fragment"],
    ["kt://:secret@host", TypeError, "the URL has a user, password or fragment"],
    ["kt://host#1", TypeError, "the URL has a user, password or fragment"],
    ["kt://host?codec=text", TypeError, 'unknown option "codec" in the URL'],
    ["kt://host?Database=1", TypeError, 'unknown option "Database" in the URL'],
    ["kt://host?database=one", RangeError, '"database" is "one" in the URL, not a number'],
    ["kt://host?database=", RangeError, '"database" is "" in the URL, not a number'],
    ["kt://host?database=-1", RangeError, '"database" is -1, not a whole number from 0 to 65535'],
    ["kt://host?replyTimeout=0", RangeError, '"replyTimeout" is 0, not a number above 0'],
    [
      "kt+unix://run/kt.sock",
      TypeError,
      '"kt+unix://run/kt.sock" does not name a path, as kt+unix:///path does',
    ],
    ["kt+unix:///", TypeError, '"kt+unix:///" does not name a path, as kt+unix:///path does'],
    ["kt+unix:///run/%zz", TypeError, '"kt+unix:///run/%zz" is not a URL'],
  ];
  for (const [url, error, message] of wrong) {
    const reason = await connect(url).then(() => "connected", (reason) => reason);
    assertInstanceOf(reason, error, url);
    assertEquals(reason.message, `Cannot connect: ${message}`);
  }
});

test("a URL names host and port, and sets numeric options", async () => {
  await using server = await startMockServer({ databases: 3 });
  const url = `kt://127.0.0.1:${server.port}`;
  for (const target of [url, `${url}/`, new URL(url), `${url}?database=2&replyTimeout=2000`]) {
    await using kt = await connect(target);
    await kt.set("k", "v");
  }
  await using kt = await connect(url);
  const entries = await kt.getBulk([0, 1, 2].map((database) => ({ key: "k", database })));
  assertEquals(entries.map(({ database }) => database), [0, 2]);
});

test("options beside a URL are taken, and the URL wins", async () => {
  await using server = await startMockServer({ databases: 3 });
  await using kt = await connect(`kt://127.0.0.1:${server.port}?database=1`, {
    codec: json(),
    database: 2,
  });
  await kt.set("k", [1]);
  assertEquals((await kt.getEntry("k"))?.database, 1);
});

test("the port of a URL without one is 1978", async () => {
  const error = await assertRejects(() => connect("kt://no-such-host.invalid"), ConnectionError);
  assertStringIncludes(error.message, "no-such-host.invalid:1978");
});

test("an IPv6 address stands in brackets", async () => {
  const server = await startMockServer({ hostname: "::1" }).catch(() => null);
  // Not every machine has IPv6.
  if (server === null) return;
  await using _ = server;
  for (const target of [`kt://[::1]:${server.port}`, { hostname: "::1", port: server.port }]) {
    await using kt = await connect(target);
    await kt.ping();
  }
  const { port } = server;
  await server.stop();
  const error = await assertRejects(() => connect(`kt://[::1]:${port}`), ConnectionError);
  assertStringIncludes(error.message, `Cannot connect to [::1]:${port}: `);
});

test("a Unix socket is named by `path` or by a URL, with any characters", async () => {
  const folder = await mkdtemp(join(tmpdir(), "kt "));
  try {
    const path = join(folder, "é.sock");
    await using server = await startMockServer({ path });
    assert(server.url.startsWith("kt+unix:///"));
    for (const target of [server.url, { path }]) {
      await using kt = await connect(target);
      await kt.set("k", "v");
      assertEquals(await kt.withCodec(text).get("k"), "v");
    }
    const error = await assertRejects(() => connect({ path: `${path}x` }), ConnectionError);
    assertStringIncludes(error.message, `Cannot connect to ${path}x: `);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("options that are undefined are as if they were not there", async () => {
  await using server = await startMockServer();
  await using kt = await connect({
    port: server.port,
    hostname: undefined,
    path: undefined,
    tls: undefined,
    connector: undefined,
    transport: undefined,
    codec: undefined,
    reconnect: undefined,
    batching: undefined,
    signal: undefined,
    maxQueue: undefined,
  });
  await kt.ping();
});

test("limits may be infinite", async () => {
  await using server = await startMockServer();
  const infinite = Infinity;
  await using kt = await connect({
    port: server.port,
    connectTimeout: infinite,
    replyTimeout: infinite,
    queueTimeout: infinite,
    maxReplyBytes: infinite,
    maxQueue: infinite,
    maxQueueBytes: infinite,
    reconnect: { attempts: infinite },
  });
  await kt.set("k", "v");
  assertEquals(await kt.get("k", { timeout: infinite }), new TextEncoder().encode("v"));
});

test("several connections share the load, each in its own order", async () => {
  let open = 0;
  await using server = await ScriptedServer.listen(async (connection) => {
    open++;
    await connection.ended();
  });
  const kt = await connect({ port: server.port, connections: 3 });
  assertEquals(kt.stats.connections, 1);
  const calls = [];
  for (let i = 0; i < 6; i++) {
    calls.push(kt.get(`${i}`));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assertEquals([kt.stats.connections, open], [3, 3]);
  kt.destroy();
  await Promise.allSettled(calls);
});
