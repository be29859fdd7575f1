/** A mock server, a client of it whose values are text, and what the one was asked by the other. */

import { connect, type ConnectOptions, type KyotoTycoon, text, type Value } from "../../mod.ts";
import { type MockServer, type MockServerOptions, startMockServer } from "../../mock_server/mod.ts";

export interface Setting extends AsyncDisposable {
  server: MockServer;
  kt: KyotoTycoon<string, Value>;
}

/** Both, connected; they end together. */
export async function mockAndClient(
  options: MockServerOptions = {},
  connectOptions: ConnectOptions<string, Value> = {},
): Promise<Setting> {
  const server = await startMockServer(options);
  const kt = await connect(server.url, { codec: text, ...connectOptions });
  return {
    server,
    kt,
    async [Symbol.asyncDispose]() {
      await kt.close();
      await server.stop();
    },
  };
}

/** How often a procedure was called whose name begins so; a space ends the name. */
export function calls(server: MockServer, name: string): number {
  return [...server.requests].filter((request) => request.name?.startsWith(`POST /rpc/${name}`))
    .length;
}
