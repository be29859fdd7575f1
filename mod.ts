/**
 * A client for Kyoto Tycoon servers, on Deno, Bun and Node.
 *
 * @example
 * ```ts
 * import { connect, text } from "@kyoto/tycoon";
 * import { startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await startMockServer();
 * await using kt = await connect({ port: server.port, codec: text });
 * await kt.set("japan", "tokyo", { expireIn: 60_000 });
 * assertEquals(await kt.get("japan"), "tokyo");
 * ```
 *
 * @module
 */

export {
  type BulkKey,
  type BulkRecord,
  type BulkRecords,
  KyotoTycoon,
  type NoReplyOptions,
  type RecordOptions,
  type ScriptInput,
  type ScriptOptions,
  type SetOptions,
  type Stats,
} from "./src/client.ts";
export {
  type BatchingOptions,
  connect,
  type ConnectOptions,
  type ReconnectOptions,
} from "./src/connect.ts";
export {
  ClosedError,
  ConnectionError,
  type ErrorCode,
  KyotoTycoonError,
  ProtocolError,
  QueueFullError,
  ServerError,
  TimeoutError,
  type TimeoutPhase,
} from "./src/errors.ts";
export type { Connector, TlsOptions, Transport } from "./src/transport/transport.ts";
export type { CallOptions, Entry, ExpirationOptions, Key, Value } from "./src/types.ts";
export { bytes, type Codec, json, text } from "./src/value_codec.ts";
