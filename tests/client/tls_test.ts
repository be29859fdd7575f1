import { assert, assertEquals, assertRejects } from "@std/assert";
import { type AddressInfo, connect as connectTcp, type Socket } from "node:net";
import { createServer } from "node:tls";
import { type MockServer, startMockServer } from "../../mock_server/mod.ts";
import { connect, ConnectionError, text, TimeoutError } from "../../mod.ts";
import { test } from "../_harness.ts";
import { ScriptedServer } from "../scripted_server.ts";
import { makeAuthority } from "../transport/_certificate.ts";

const authority = await makeAuthority("Authority of this test run");
const caCerts = [authority.certificate];
const issued = await authority.issue("localhost", "127.0.0.1");

/** Stands in front of a server that speaks no TLS itself. */
async function startProxy(server: MockServer) {
  const sockets = new Set<Socket>();
  const proxy = createServer({ cert: issued.certificate, key: issued.key }, (outside) => {
    const inside = connectTcp(server.port, "127.0.0.1");
    outside.pipe(inside).pipe(outside);
    for (const socket of [outside, inside]) {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => (inside.destroy(), outside.destroy()));
    }
  });
  proxy.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    port: (proxy.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}

test("a server behind a TLS proxy is reached by options or by a URL", async () => {
  await using server = await startMockServer();
  await using proxy = await startProxy(server);
  const value = "é".repeat(200_000);
  for (
    const kt of [
      await connect({ port: proxy.port, tls: { caCerts }, codec: text }),
      await connect(`kts://localhost:${proxy.port}`, { tls: { caCerts }, codec: text }),
    ]
  ) {
    await kt.set("k", value);
    assertEquals(await kt.get("k"), value);
    await kt.close();
  }
});

test("a certificate that is not trusted: connect() rejects and says why", async () => {
  await using server = await startMockServer();
  await using proxy = await startProxy(server);
  for (const target of [{ port: proxy.port, tls: true }, `kts://127.0.0.1:${proxy.port}`]) {
    const error = await assertRejects(() => connect(target), ConnectionError);
    assert(
      /^Cannot connect to 127\.0\.0\.1:\d+: .*(verify|issuer)/i.test(error.message),
      error.message,
    );
  }
  const error = await assertRejects(
    () => connect({ port: proxy.port, tls: { caCerts, serverName: "elsewhere.test" } }),
    ConnectionError,
  );
  assert(error.message.includes("elsewhere.test"), error.message);
});

test("a server that does not answer the TLS handshake: connect() gives up in time", async () => {
  await using server = await ScriptedServer.listen(async (connection) => {
    await connection.more();
  });
  const error = await assertRejects(
    () => connect({ port: server.port, tls: { caCerts }, connectTimeout: 50 }),
    TimeoutError,
  );
  assertEquals(error.phase, "connect");
});

test("a server that speaks no TLS: connect() rejects", async () => {
  await using server = await startMockServer();
  await assertRejects(() => connect({ port: server.port, tls: { caCerts } }), ConnectionError);
});
