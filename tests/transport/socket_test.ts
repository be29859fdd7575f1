import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { equals } from "@std/bytes";
import { test } from "../_harness.ts";
import { adapters, connectTo, End, Pair, pattern, steady } from "./_sockets.ts";

const MIB = 2 ** 20;

for (const adapter of adapters) {
  const { name } = adapter;

  test(`${name}: bytes go both ways`, async () => {
    await using pair = await Pair.open(adapter);
    const [client, server] = pair.ends();
    await client.write("ping");
    await server.until(() => server.size === 4);
    await server.write("pong!");
    await client.until(() => client.size === 5);
    assertEquals([server.text, client.text], ["ping", "pong!"]);
  });

  test(`${name}: 32 MiB leave in one write and arrive as they were`, async () => {
    await using pair = await Pair.open(adapter);
    const [client, server] = pair.ends();
    const bytes = pattern(32 * MIB);
    await client.channel.write(bytes);
    await server.until(() => server.size >= bytes.length);
    assert(equals(server.bytes, bytes));
  });

  test(`${name}: both sides write 8 MiB at the same time`, async () => {
    await using pair = await Pair.open(adapter);
    const [client, server] = pair.ends();
    const bytes = pattern(8 * MIB);
    await Promise.all([client.channel.write(bytes), server.channel.write(bytes)]);
    await Promise.all([client, server].map((end) => end.until(() => end.size >= bytes.length)));
    assert(equals(server.bytes, bytes));
    assert(equals(client.bytes, bytes));
  });

  test(`${name}: many small writes arrive in order`, async () => {
    await using pair = await Pair.open(adapter);
    const [client, server] = pair.ends();
    let expected = "";
    for (let i = 0; i < 500; i++) {
      expected += `${i},`;
      await client.write(`${i},`);
    }
    await server.until(() => server.size >= expected.length);
    assertEquals(server.text, expected);
  });

  test(`${name}: a chunk is a plain Uint8Array`, async () => {
    await using pair = await Pair.open(adapter);
    const server = new End(pair.serverTransport), client = new End(pair.clientTransport, false);
    const kinds = new Set<unknown>();
    client.channel.start({
      data: (chunk) => {
        kinds.add(Object.getPrototypeOf(chunk));
        client.data(chunk);
      },
      end: () => client.end(),
      error: (reason) => client.error(reason),
    });
    await server.write("x");
    await client.until(() => client.size === 1);
    assertEquals([...kinds], [Uint8Array.prototype]);
  });

  test(`${name}: a reader that pauses stops the writer`, async () => {
    await using pair = await Pair.open(adapter);
    const [client, server] = pair.ends();
    server.channel.pause();
    let written = 0;
    const piece = new Uint8Array(MIB);
    const writing = (async () => {
      for (let i = 0; i < 64; i++) {
        await client.channel.write(piece);
        written += piece.length;
      }
    })();
    const before = await steady(() => written);
    assertLess(before, 32 * MIB);
    assertLess(server.size, MIB);
    server.channel.resume();
    await writing;
    await server.until(() => server.size === 64 * MIB);
    assertEquals(server.events, []);
  });

  test(`${name}: pausing and resuming again and again loses nothing`, async () => {
    await using pair = await Pair.open(adapter);
    const client = new End(pair.clientTransport), server = new End(pair.serverTransport, false);
    server.channel.start({
      data(chunk) {
        server.data(chunk);
        server.channel.pause();
        setTimeout(() => server.channel.resume());
      },
      end: () => server.end(),
      error: (reason) => server.error(reason),
    });
    const bytes = pattern(2 * MIB);
    await client.channel.write(bytes);
    await client.channel.closeWrite();
    await server.over();
    assert(equals(server.bytes, bytes));
    assertEquals(server.events, ["end"]);
  });

  test(`${name}: a client that has closed its end still gets the reply`, async () => {
    await using pair = await Pair.open(adapter);
    const [client, server] = pair.ends();
    await client.write("last words");
    await client.channel.closeWrite();
    await server.over();
    assertEquals([server.text, server.events], ["last words", ["end"]]);
    assertEquals(client.events, []);
    const bytes = pattern(4 * MIB);
    await server.channel.write(bytes);
    await server.channel.closeWrite();
    await client.over();
    assertEquals(client.events, ["end"]);
    assert(equals(client.bytes, bytes));
  });

  test(`${name}: a server that has closed its end still gets what comes`, async () => {
    await using pair = await Pair.open(adapter);
    const [client, server] = pair.ends();
    await server.channel.closeWrite();
    await client.over();
    assertEquals(client.events, ["end"]);
    await client.write("still here");
    await server.until(() => server.size === 10);
    assertEquals(server.text, "still here");
  });

  test(`${name}: what was written before close() still arrives`, async () => {
    await using pair = await Pair.open(adapter);
    const [client, server] = pair.ends();
    const bytes = pattern(MIB);
    await client.channel.write(bytes);
    client.channel.close();
    await server.over();
    assertEquals(server.events, ["end"]);
    assert(equals(server.bytes, bytes));
  });

  test(`${name}: close() gives up both directions, not only one`, async () => {
    await using pair = await Pair.open(adapter);
    const [client, server] = pair.ends();
    client.channel.close();
    await server.over();
    // The other side goes on; sooner or later it must learn that nobody listens.
    const error = await assertRejects(async () => {
      for (let i = 0; i < 1000; i++) {
        await server.write("x".repeat(1000));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    });
    assertInstanceOf(error, Error);
    assertEquals(client.size, 0);
  });

  test(`${name}: close() is idempotent and ends all events`, async () => {
    await using pair = await Pair.open(adapter);
    const [client, server] = pair.ends();
    await server.write("one");
    await client.until(() => client.size === 3);
    client.channel.close();
    client.channel.close();
    await server.channel.write(new TextEncoder().encode("two"))?.catch(() => {});
    await server.over();
    assertEquals([client.text, client.events], ["one", []]);
    await assertRejects(async () => await client.write("three"));
  });

  test(`${name}: close() rejects a write that waits`, async () => {
    await using pair = await Pair.open(adapter);
    const [client, server] = pair.ends();
    server.channel.pause();
    const writing = assertRejects(async () => await client.channel.write(pattern(64 * MIB)));
    await steady(() => server.size);
    client.channel.close();
    await writing;
    assertEquals(client.events, []);
  });

  test(`${name}: a peer that is gone is told, once, and a waiting write rejects`, async () => {
    await using pair = await Pair.open(adapter);
    const [client, server] = pair.ends();
    server.channel.pause();
    const writing = assertRejects(async () => await client.channel.write(pattern(64 * MIB)));
    await steady(() => server.size);
    // Closed with unread bytes: the system resets the connection.
    server.channel.close();
    await writing;
    await client.over();
    await steady(() => client.events.length);
    assertEquals(client.events.length, 1);
  });

  test(`${name}: what comes before anybody listens is not lost`, async () => {
    await using pair = await Pair.open(adapter);
    const server = new End(pair.serverTransport);
    await server.write("early");
    await server.channel.closeWrite();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const client = new End(pair.clientTransport);
    await client.over();
    assertEquals([client.text, client.events], ["early", ["end"]]);
  });

  test(`${name}: what comes during a pause is told in order when it ends`, async () => {
    await using pair = await Pair.open(adapter);
    const [client, server] = pair.ends();
    client.channel.pause();
    await server.write("late");
    server.channel.close();
    await new Promise((resolve) => setTimeout(resolve, 30));
    assertEquals([client.size, client.events], [0, []]);
    client.channel.resume();
    await client.over();
    client.channel.pause();
    client.channel.resume();
    await steady(() => client.events.length);
    assertEquals([client.text, client.events], ["late", ["end"]]);
  });

  test(`${name}: a closed port is an error`, async () => {
    const listener = await adapter.listen({ hostname: "127.0.0.1", port: 0 }, () => {});
    const { port } = listener;
    listener.close();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const error = await assertRejects(
      () => connectTo(adapter, { hostname: "127.0.0.1", port }),
      Error,
    );
    assertGreater(error.message.length, 5);
  });

  test(`${name}: a host that does not exist is an error`, async () => {
    await assertRejects(
      () => connectTo(adapter, { hostname: "no-such-host.invalid", port: 1978 }),
      Error,
    );
  });

  test(`${name}: connecting can be aborted before it begins`, async () => {
    let accepted = 0;
    const listener = await adapter.listen({ hostname: "127.0.0.1", port: 0 }, (transport) => {
      accepted++;
      transport.close!();
    });
    const connector = await adapter.connector({ hostname: "127.0.0.1", port: listener.port });
    const reason = new Error("given up");
    const error = await assertRejects(async () => await connector(AbortSignal.abort(reason)));
    assertStrictEquals(error, reason);
    await steady(() => accepted);
    listener.close();
  });

  test(`${name}: connecting can be aborted at any moment, and leaves nothing open`, async () => {
    const servers: End[] = [];
    const listener = await adapter.listen({ hostname: "127.0.0.1", port: 0 }, (transport) => {
      servers.push(new End(transport));
    });
    const connector = await adapter.connector({ hostname: "127.0.0.1", port: listener.port });
    let connected = 0;
    for (let step = 0; step < 30; step++) {
      const controller = new AbortController();
      const connecting = Promise.resolve(connector(controller.signal));
      if (step < 20) { for (let i = 0; i < step; i++) await Promise.resolve(); }
      else await new Promise((resolve) => setTimeout(resolve, (step - 20) / 5));
      controller.abort(new Error("given up"));
      await connecting.then((transport) => {
        connected++;
        transport.close!();
      }, (error) => assertEquals((error as Error).message, "given up"));
    }
    assertLess(connected, 30);
    await steady(() => servers.length);
    // Whatever was accepted has been closed by the client's side.
    for (const server of servers) {
      await server.over();
      server.channel.close();
    }
    listener.close();
  });
}
