/** Clients of a server that notes what it is asked and does it in the simplest way. */

import { connect, type ConnectOptions, type KyotoTycoon } from "../../mod.ts";
import type { PlainRequest } from "../plain_parser.ts";
import { replies, ScriptedServer, type ServerConnection } from "../scripted_server.ts";
import type { Value } from "../../src/types.ts";

export interface Setting<V, In> extends AsyncDisposable {
  kt: KyotoTycoon<V, In>;
  /** What the server was asked. */
  requests: PlainRequest[];
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Answers any request: stores and removes nothing, and finds every key but "missing". */
function answer({ kind, flags, records, name }: PlainRequest): Uint8Array | null {
  const keys = records.map(({ key }) => text(key));
  switch (kind) {
    case "get":
      return replies.get(
        ...records.map(({ database, key }) => ({
          database,
          key: text(key),
          value: `value of ${text(key)}`,
        })).filter(({ key }) => key !== "missing"),
      );
    case "set":
      return flags & 1 ? null : replies.set(records.filter(({ database }) => database < 10).length);
    case "remove":
      return flags & 1 ? null : replies.remove(keys.filter((key) => key !== "missing").length);
    case "script":
      if (flags & 1) return null;
      return text(name) === "fail" ? replies.error : replies.script(
        ...records.map(({ key, value }): [Uint8Array, Uint8Array] => [key, value]),
      );
  }
}

/** A client of such a server, in memory. */
export async function connected<V = Uint8Array, In = Value>(
  options: ConnectOptions<V, In> = {},
): Promise<Setting<V, In>> {
  const requests: PlainRequest[] = [];
  const server = ScriptedServer.inMemory(async (connection: ServerConnection) => {
    for (;;) {
      const request = await connection.request();
      requests.push(request);
      await connection.send(answer(request) ?? []);
    }
  });
  const kt = await connect({ connector: server.connector, ...options });
  return {
    kt,
    requests,
    async [Symbol.asyncDispose]() {
      await kt.close();
      await server[Symbol.asyncDispose]();
    },
  };
}
