import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { equals } from "@std/bytes";
import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { listen } from "../../mock_server/listen.ts";
import type { TlsOptions } from "../../src/transport/transport.ts";
import { runtime, test } from "../_harness.ts";
import { type Certificate, makeAuthority } from "./_certificate.ts";
import { adapters, connectTo, End, pattern } from "./_sockets.ts";

const authority = await makeAuthority("Authority of this test run");
const stranger = await makeAuthority("Another authority");
const local = await authority.issue("localhost", "127.0.0.1");
const elsewhere = await authority.issue("elsewhere.test");

/** A TLS server that sends back what it gets. */
class EchoServer implements AsyncDisposable {
  readonly #server;
  readonly #sockets = new Set<TLSSocket>();
  /** Connections that are open. */
  readonly open = new Set<TLSSocket>();

  constructor({ certificate: cert, key }: Certificate) {
    this.#server = createServer({ cert, key }, (socket) => {
      this.#sockets.add(socket);
      this.open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.open.delete(socket));
      socket.pipe(socket);
    });
    this.#server.on("tlsClientError", () => {});
  }

  static async listen(certificate: Certificate): Promise<EchoServer> {
    const server = new EchoServer(certificate);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

for (const adapter of adapters) {
  const { name } = adapter;
  // Deno tells programs for Node its root certificates only with a permission of its own.
  if (runtime === "deno" && name !== "deno") continue;
  const connectWith = (server: { port: number }, tls: TlsOptions, hostname = "127.0.0.1") =>
    connectTo(adapter, { hostname, port: server.port, tls });
  const caCerts = [authority.certificate];

  test(`${name}: TLS with a certificate for the address`, async () => {
    await using server = await EchoServer.listen(local);
    for (const hostname of ["127.0.0.1", "localhost"]) {
      const client = new End(await connectWith(server, { caCerts }, hostname));
      await client.write("hello");
      await client.until(() => client.size === 5);
      assertEquals([client.text, client.events], ["hello", []]);
      client.channel.close();
    }
  });

  test(`${name}: TLS with a certificate for another name that is asked for`, async () => {
    await using server = await EchoServer.listen(elsewhere);
    const tls = { caCerts: [stranger.certificate, ...caCerts], serverName: "elsewhere.test" };
    const client = new End(await connectWith(server, tls));
    await client.write("hello");
    await client.until(() => client.size === 5);
    client.channel.close();
  });

  test(`${name}: TLS carries 16 MiB there and back`, async () => {
    await using server = await EchoServer.listen(local);
    const client = new End(await connectWith(server, { caCerts }));
    const bytes = pattern(16 * 2 ** 20);
    await client.channel.write(bytes);
    await client.until(() => client.size === bytes.length);
    assert(equals(client.bytes, bytes));
    client.channel.close();
  });

  const refused: [what: string, server: Certificate, tls: TlsOptions, message: RegExp][] = [
    ["of an unknown authority", local, {}, /verify|issuer/i],
    ["of another authority", local, { caCerts: [stranger.certificate] }, /verify|issuer/i],
    ["for another host", elsewhere, { caCerts }, /127\.0\.0\.1.* not|not .*127\.0\.0\.1/],
    [
      "for another host than the one asked for",
      local,
      { caCerts, serverName: "elsewhere.test" },
      /elsewhere\.test.* not|not .*elsewhere\.test/,
    ],
  ];
  for (const [what, certificate, tls, message] of refused) {
    test(`${name}: TLS refuses a certificate ${what}`, async () => {
      await using server = await EchoServer.listen(certificate);
      const error = await assertRejects(() => connectWith(server, tls), Error);
      assertMatch(error.message, message);
    });
  }

  test(`${name}: TLS to a server that does not speak it is an error`, async () => {
    const ends: End[] = [];
    const listener = await listen({ hostname: "127.0.0.1", port: 0 }, (transport) => {
      const end = new End(transport);
      ends.push(end);
      end.write("HTTP/1.1 400 Bad Request\r\n\r\n").catch(() => {});
    });
    await assertRejects(() => connectWith(listener, { caCerts }), Error);
    for (const end of ends) {
      await end.over();
      end.channel.close();
    }
    listener.close();
  });

  test(`${name}: a TLS handshake that gets no answer can be aborted`, async () => {
    const accepted = Promise.withResolvers<End>();
    const listener = await listen({ hostname: "127.0.0.1", port: 0 }, (transport) => {
      accepted.resolve(new End(transport));
    });
    const connector = await adapter.connector({
      hostname: "127.0.0.1",
      port: listener.port,
      tls: { caCerts },
    });
    const controller = new AbortController();
    const reason = new Error("given up");
    const connecting = assertRejects(async () => await connector(controller.signal));
    const server = await accepted.promise;
    // The client has begun.
    await server.until(() => server.size > 0);
    controller.abort(reason);
    assertStrictEquals(await connecting, reason);
    // Deno keeps such a socket in the background until the other side closes it.
    if (name !== "deno") await server.over();
    server.channel.close();
    listener.close();
  });

  test(`${name}: the end of a TLS connection is told`, async () => {
    await using server = await EchoServer.listen(local);
    const client = new End(await connectWith(server, { caCerts }));
    await client.write("x");
    await client.until(() => client.size === 1);
    for (const socket of server.open) socket.end();
    await client.over();
    assertEquals(client.events, ["end"]);
    client.channel.close();
  });
}
