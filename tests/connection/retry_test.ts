import { assertEquals, assertInstanceOf } from "@std/assert";
import { ConnectionError } from "../../src/errors.ts";
import { pingCall } from "../../src/connection/ping.ts";
import { getBulkCall } from "../../src/operations/calls.ts";
import { turn } from "../fake_timers.ts";
import { test } from "../_harness.ts";
import { replies } from "../scripted_server.ts";
import { get, outcomes, remove, script, set, values } from "./_calls.ts";
import { connected } from "./_fake_pool.ts";

test("a read that was sent is sent once more on the next connection", async () => {
  const { pool, server, timers } = await connected();
  const bulk = getBulkCall("getBulk", [{ database: 0, key: "b" }], 100, () => {
    throw new Error("nothing was found");
  });
  const results = outcomes(
    pool.submit(get("a")),
    pool.submit(bulk),
    pool.submit(pingCall()),
  );
  await turn();
  server.socket.end();
  await timers.advance(1_000);
  assertEquals(server.socket.sent, ["get 0:a", "get 0:b", "get"]);
  server.socket.receive(replies.get({ key: "a", value: "1" }), replies.get(), replies.get());
  await turn();
  assertEquals(values(results), ["1", [], undefined]);
});

test("a read is not sent a third time", async () => {
  const { pool, server, timers } = await connected();
  const results = outcomes(pool.submit(get("a")));
  await turn();
  server.socket.end();
  await timers.advance(1_000);
  server.socket.end();
  await turn();
  const { error } = results[0];
  assertInstanceOf(error, ConnectionError);
  assertEquals(
    error.message,
    "Cannot get: the connection was lost before the reply came: the server closed the connection",
  );
  assertEquals(error.sent, true);
});

test("a write or script that was sent rejects and is never sent again", async () => {
  const { pool, server, timers } = await connected();
  const results = outcomes(
    pool.submit(set("a")),
    pool.submit<unknown>(remove("b")),
    pool.submit<unknown>(script("p")),
  );
  await turn();
  server.socket.fail(new Error("reset"));
  outcomes(pool.submit(get("later")));
  await timers.advance(1_000);
  for (const { error } of results) {
    assertInstanceOf(error, ConnectionError);
    assertEquals(error.sent, true);
  }
  assertEquals(server.socket.sent, ["get 0:later"]);
});

test("calls that were not sent move to the next connection, in order", async () => {
  const { pool, server, timers } = await connected();
  server.socket.stalled = true;
  const first = outcomes(pool.submit(set("a")));
  await turn();
  const rest = outcomes(
    pool.submit(set("b", "1")),
    pool.submit<unknown>(get("b")),
    pool.submit<unknown>(remove("b")),
    pool.submit<unknown>(script("p")),
  );
  await turn();
  server.socket.fail(new Error("reset"));
  await timers.advance(1_000);
  assertInstanceOf(first[0].error, ConnectionError);
  assertEquals(server.socket.sent, ["set 0:b=1", "get 0:b", "remove 0:b", "script p"]);
  server.socket.receive(
    replies.set(1),
    replies.get({ key: "b", value: "1" }),
    replies.remove(1),
    replies.script(),
  );
  await turn();
  assertEquals(values(rest), [undefined, "1", 1, []]);
});

test("a read that is sent again goes before calls that were not sent", async () => {
  const { pool, server, timers } = await connected();
  outcomes(pool.submit(get("a")));
  await turn();
  server.socket.stalled = true;
  outcomes(pool.submit(get("b")));
  await turn();
  outcomes(pool.submit(set("c")), pool.submit(get("a")));
  server.socket.end();
  outcomes(pool.submit(get("d")));
  await timers.advance(1_000);
  assertEquals(server.socket.sent, ["get 0:a 0:b", "set 0:c=", "get 0:a 0:d"]);
});

test("a read that was given up is not sent again", async () => {
  const { pool, server, timers } = await connected();
  const controller = new AbortController();
  const results = outcomes(
    pool.submit(get("a"), { signal: controller.signal }),
    pool.submit(get("b")),
  );
  await turn();
  controller.abort(new Error("given up"));
  server.socket.end();
  await timers.advance(1_000);
  assertEquals(server.socket.sent, ["get 0:b"]);
  assertEquals(values(results), ["given up", "waits"]);
});

test("a read that was sent again can still be given up", async () => {
  const { pool, server, timers } = await connected();
  const controller = new AbortController();
  const results = outcomes(pool.submit(get("a"), { signal: controller.signal }));
  await turn();
  server.socket.end();
  controller.abort(new Error("given up"));
  await timers.advance(10_000);
  assertEquals(values(results), ["given up"]);
  assertEquals(server.socket.sent, []);
});

test("with several connections the calls of a lost one go on at another", async () => {
  const { pool, server, timers } = await connected({ connections: 2 });
  outcomes(pool.submit(script("slow")));
  await turn();
  outcomes(pool.submit(get("a")));
  await timers.advance(0);
  assertEquals(server.sockets.length, 2);
  const [one, two] = server.sockets;
  const results = outcomes(pool.submit(get("b")));
  await turn();
  assertEquals([one.sent, two.sent], [["script slow", "get 0:a"], ["get 0:b"]]);
  one.fail(new Error("reset"));
  await turn();
  assertEquals(two.sent, ["get 0:b", "get 0:a"]);
  two.receive(replies.get({ key: "b", value: "2" }), replies.get());
  await turn();
  // As there was much to do, another connection was made, too.
  assertEquals([results[0].value, pool.stats.connections], ["2", 2]);
});

test("a call that cannot be encoded rejects, and the others go on", async () => {
  const { pool, server } = await connected();
  const failure = new RangeError("out of memory");
  const call = remove("a");
  Object.assign(call, {
    encode: () => {
      throw failure;
    },
  });
  const results = outcomes(
    pool.submit<unknown>(set("before")),
    pool.submit<unknown>(call),
    pool.submit<unknown>(get("behind")),
  );
  await turn();
  assertInstanceOf(results[1].error, ConnectionError);
  assertEquals(results[1].error.cause, failure);
  assertEquals([server.sockets[0].sent, server.socket.sent], [[], ["get 0:behind"]]);
  server.socket.receive(replies.get());
  await turn();
  assertEquals(results.map(({ settled }) => settled), [true, true, true]);
});

test("a read outlives all connections that were lost together", async () => {
  const { pool, server } = await connected({ connections: 3 });
  for (let i = 0; i < 3; i++) {
    outcomes(pool.submit(get("a")), pool.submit(get("b")), pool.submit(get("c")));
    await turn();
  }
  const { sockets } = server;
  assertEquals(sockets.length, 3);
  for (const socket of sockets) socket.receive(...socket.requests.map(() => replies.get()));
  await turn();
  const results = outcomes(pool.submit(get("k")));
  for (const socket of sockets.slice(0, 3)) {
    await turn();
    socket.end();
  }
  await turn();
  assertEquals(sockets.length, 4);
  assertEquals(sockets[3].sent, ["get 0:k"]);
  sockets[3].end();
  await turn();
  assertInstanceOf(results[0].error, ConnectionError);
  assertEquals(results[0].error.sent, true);
});
