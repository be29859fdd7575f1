/** What a user is told when there is no server, or something else than one. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  connect,
  ConnectionError,
  type ConnectOptions,
  type KyotoTycoon,
  ProtocolError,
  TimeoutError,
} from "../../mod.ts";
import { test } from "../_harness.ts";
import { type ConnectionScript, replies, ScriptedServer } from "../scripted_server.ts";
import { BlackHole } from "./_black_hole.ts";

/** A port of the loopback on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = await ScriptedServer.listen(() => {});
  const { port } = server;
  await server[Symbol.asyncDispose]();
  return port;
}

/** A client of a server that follows `scripts`, over sockets. */
async function withServer(
  scripts: ConnectionScript[],
  use: (kt: KyotoTycoon, server: ScriptedServer) => Promise<void>,
  options: ConnectOptions = {},
): Promise<void> {
  await using server = await ScriptedServer.listen(...scripts);
  const kt = await connect({
    port: server.port,
    reconnect: { minDelay: 1, maxDelay: 2 },
    ...options,
  });
  try {
    await use(kt, server);
  } finally {
    kt.destroy();
  }
}

test("a closed port: connect() rejects and says where it tried", async () => {
  const port = await closedPort();
  const error = await assertRejects(() => connect({ port }), ConnectionError);
  assert(error.message.startsWith(`Cannot connect to 127.0.0.1:${port}: `), error.message);
  assertEquals([error.sent, error.code], [false, "ERR_CONNECTION"]);
  assertInstanceOf(error.cause, Error);
});

test("a host that does not exist: connect() rejects", async () => {
  const error = await assertRejects(
    () => connect("kt://no-such-host.invalid"),
    ConnectionError,
  );
  assert(error.message.startsWith("Cannot connect to no-such-host.invalid:1978: "), error.message);
});

test("a server that never accepts: connect() gives up in time", async () => {
  await using hole = await BlackHole.open();
  const { port } = hole;
  const error = await assertRejects(() => connect({ port, connectTimeout: 100 }), TimeoutError);
  assertEquals(error.message, `Cannot connect to 127.0.0.1:${port}: no answer within 100 ms`);
  assertEquals([error.phase, error.sent], ["connect", false]);
  const reason = new Error("given up");
  const controller = new AbortController();
  const connecting = connect({ port, signal: controller.signal });
  setTimeout(() => controller.abort(reason), 20);
  assertStrictEquals(await connecting.catch((error) => error), reason);
});

test("a connector that never answers: connect() gives up in time", async () => {
  const signals: AbortSignal[] = [];
  const error = await assertRejects(
    () =>
      connect({
        connectTimeout: 20,
        connector: (signal) => new Promise(() => signals.push(signal)),
      }),
    TimeoutError,
  );
  assertEquals(error.message, "Cannot connect to the connector's server: no answer within 20 ms");
  assertStrictEquals(signals[0].reason, error);
});

test("a server that accepts and says nothing: the call gives up in time", async () => {
  await withServer([() => {}], async (kt) => {
    const error = await assertRejects(() => kt.set("k", "v"), TimeoutError);
    assertEquals(error.message, "Cannot set: no reply within 50 ms");
    assertEquals([error.phase, error.sent], ["reply", true]);
  }, { replyTimeout: 50 });
});

test("a server that closes at once: a read is tried again and again, and rejects in the end", async () => {
  await withServer([(connection) => connection.close()], async (kt, server) => {
    const error = await assertRejects(() => kt.get("k"), ConnectionError);
    assert(
      error.message.startsWith("Cannot get: the connection was lost before the reply came") ||
        error.message === `Cannot get: cannot connect to 127.0.0.1:${server.port}`,
      error.message,
    );
  }, { reconnect: { attempts: 3, minDelay: 1, maxDelay: 1 } });
});

test("a server that closes at once, without reconnection: the call rejects", async () => {
  await withServer([(connection) => connection.close()], async (kt) => {
    const error = await assertRejects(() => kt.get("k"), ConnectionError);
    assert(error.message.startsWith("Cannot get: the connection was lost"), error.message);
    await assertRejects(() => kt.set("k", "v"), ConnectionError);
  }, { reconnect: false });
});

test("a server that closes once: the read finds the next connection", async () => {
  await withServer([
    (connection) => connection.close(),
    async (connection) => {
      await connection.request();
      await connection.send(replies.get({ key: "k", value: "v" }));
    },
  ], async (kt) => {
    assertEquals(await kt.get("k"), new TextEncoder().encode("v"));
  });
});

const nonsense: [what: string, bytes: Uint8Array, message: string][] = [
  [
    "speaks HTTP",
    new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"),
    "Cannot read a reply: expected the first byte 0xba or 0xbf, got 0x48",
  ],
  [
    "answers garbage",
    Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    "Cannot read a reply: expected the first byte 0xba or 0xbf, got 0x00",
  ],
  [
    "answers with the wrong first byte",
    replies.set(1),
    "Cannot read a reply: expected the first byte 0xba or 0xbf, got 0xb8",
  ],
  [
    "answers with more than was asked for",
    replies.get({ key: "k", value: "" }, { key: "k", value: "" }),
    "Cannot read a reply: 2 records came for 1 keys asked for",
  ],
  [
    "answers with something else than was asked for",
    replies.get({ key: "other", value: "" }),
    "Cannot read a reply: a record came that was not asked for",
  ],
  [
    "announces more than it may",
    replies.get({ key: "k", value: "x".repeat(2_000) }).subarray(0, 30),
    'Cannot read a reply: it announces more than "maxReplyBytes", 1000 bytes',
  ],
];
for (const [what, bytes, message] of nonsense) {
  test(`a server that ${what}: the call rejects with an error of the protocol`, async () => {
    await withServer([async (connection) => {
      await connection.request();
      await connection.send(bytes);
    }], async (kt, server) => {
      const error = await assertRejects(() => kt.get("k"), ProtocolError);
      assertEquals([error.message, error.code], [message, "ERR_PROTOCOL"]);
      await server.connections[0].ended();
    }, { maxReplyBytes: 1_000 });
  });
}

test("a server that talks first: the call rejects or goes on elsewhere, and nothing is mixed up", async () => {
  await withServer([
    async (connection) => await connection.send(replies.get({ key: "k", value: "not asked for" })),
    async (connection) => {
      for (;;) {
        await connection.request();
        await connection.send(replies.get({ key: "k", value: "v" }));
      }
    },
  ], async (kt, server) => {
    await server.connections[0]?.ended();
    while (kt.stats.connections > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    assertEquals(await kt.get("k"), new TextEncoder().encode("v"));
  });
});

test("half a reply, then the end: a write rejects and says that it was sent", async () => {
  await withServer([async (connection) => {
    await connection.request();
    await connection.send(replies.set(1).subarray(0, 3));
    connection.close();
  }], async (kt) => {
    const error = await assertRejects(() => kt.set("k", "v"), ConnectionError);
    assertEquals(
      error.message,
      "Cannot set: the connection was lost before the reply came: the server closed the connection",
    );
    assertEquals(error.sent, true);
  });
});

test("half a reply, then the end: a read gets it from the next connection", async () => {
  const reply = replies.get({ key: "k", value: "whole" });
  await withServer([
    async (connection) => {
      await connection.request();
      await connection.send(reply.subarray(0, reply.length - 2));
      connection.close();
    },
    async (connection) => {
      await connection.request();
      await connection.send(reply);
    },
  ], async (kt) => {
    assertEquals(await kt.get("k"), new TextEncoder().encode("whole"));
  });
});

test("a reply and then another that nobody asked for: the first counts", async () => {
  await withServer([async (connection) => {
    await connection.request();
    await connection.send(replies.get(), replies.get());
  }], async (kt, server) => {
    assertEquals(await kt.get("k"), null);
    await server.connections[0].ended();
  });
});

test("a server that only sends, and never reads, is noticed when it is written to", async () => {
  await withServer([(connection) => connection.channel.pause()], async (kt) => {
    const error = await assertRejects(
      () => kt.set("k", new Uint8Array(64 * 2 ** 20)),
      TimeoutError,
    );
    assertEquals([error.phase, error.sent], ["reply", true]);
  }, { replyTimeout: 300 });
});

test("a transport that is there already: its loss is final", async () => {
  await using server = ScriptedServer.inMemory(async (connection) => {
    await connection.request();
    await connection.send(replies.get());
    await connection.request();
    connection.close();
  });
  const transport = await server.connector(new AbortController().signal);
  await using kt = await connect({ transport });
  assertEquals(await kt.get("k"), null);
  const error = await assertRejects(() => kt.get("k"), ConnectionError);
  assertEquals(
    error.message,
    "Cannot get: the connection was lost before the reply came: the server closed the connection",
  );
  await assertRejects(() => kt.get("k"), ConnectionError);
  await assertRejects(
    () => connect({ transport }),
    TypeError,
    "Cannot use a transport: its streams are in use already",
  );
});
