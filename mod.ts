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

export { KyotoTycoon } from "./src/client.ts";
export type {
  Cursor,
  CursorRemoveOptions,
  CursorSetOptions,
  StepOptions,
} from "./src/operations/cursor.ts";
export type {
  AtomicOptions,
  CursorOptions,
  EntriesOptions,
  IncrementOptions,
  KeyOptions,
  Master,
  MatchOptions,
  ModifyOptions,
  NoReplyOptions,
  RecordOptions,
  RpcInput,
  RpcOptions,
  ScriptOptions,
  SetOptions,
  SimilarOptions,
  StoreOptions,
  SynchronizeOptions,
  VacuumOptions,
  WakeOptions,
} from "./src/operations/options.ts";
export type { ProcedureOutput } from "./src/operations/output.ts";
export type { AtomicEntry } from "./src/operations/rpc_atomic.ts";
export type { RecordInfo } from "./src/operations/rpc_records.ts";
export type { UpdateLogFile } from "./src/operations/rpc_server.ts";
export type {
  DatabaseSize,
  DatabaseStatus,
  MasterReport,
  OperationCount,
  ServerReport,
} from "./src/operations/status.ts";
export type {
  BulkItem,
  BulkKey,
  BulkRecord,
  BulkRecords,
  ScriptInput,
} from "./src/operations/records.ts";
export { connect } from "./src/connect.ts";
export type {
  BatchingOptions,
  ConnectOptions,
  ReconnectOptions,
  ServerOptions,
} from "./src/connect/options.ts";
export type { WhenFull } from "./src/connection/admission.ts";
export type { Stats } from "./src/connection/stats.ts";
export type { Status, StatusEvent } from "./src/connection/status.ts";
export type { CallMessage } from "./src/diagnostics.ts";
export {
  BulkError,
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
export type { ReplicationOptions, Since, Update } from "./src/replication/options.ts";
export type { ReplicationStream } from "./src/replication/stream.ts";
export type { Connector, TlsOptions, Transport } from "./src/transport/transport.ts";
export type { CallOptions, Entry, ExpirationOptions, Key, Value } from "./src/types.ts";
export { bytes, type Codec, json, text } from "./src/value_codec.ts";
