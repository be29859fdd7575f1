/**
 * A mock Kyoto Tycoon server, in this process and in memory, that answers byte for byte as the real
 * one does. For tests, and for work on a machine without the real one.
 *
 * @example
 * ```ts
 * import { connect, text } from "@kyoto/tycoon";
 * import { startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await startMockServer();
 * await using kt = (await connect(server.url)).withCodec(text);
 * await kt.set("k", "v");
 * assertEquals(await kt.get("k"), "v");
 * ```
 *
 * @module
 */

export type { Transport } from "../src/transport/transport.ts";
export type { ExpirationOptions, Key, Value } from "../src/types.ts";
export { type Clock, systemClock } from "./storage/clock.ts";
export type { FollowOptions } from "./replication/follower.ts";
export { Faults, parseFault } from "./session/faults.ts";
export type { Fault, FaultAction, FaultRule, FaultSubject } from "./session/faults.ts";
export { ProcedureDatabase } from "./procedures/procedure_database.ts";
export type { ProcedureRecord, ProcedureSetOptions } from "./procedures/procedure_database.ts";
export { ProcedureError, ProcedureInput, ResultCode } from "./procedures/procedures.ts";
export type {
  Procedure,
  ProcedureContext,
  ProcedureOutput,
  ProcedureResult,
  Procedures,
} from "./procedures/procedures.ts";
export type {
  Operation,
  RecordedRequest,
  RequestedRecord,
  RequestLog,
} from "./session/recorder.ts";
export { MockServer, startMockServer } from "./server.ts";
export type { MockServerOptions, SeedRecord } from "./options.ts";
export { Database, keyOf, Storage, valueOf } from "./storage/storage.ts";
export type { StorageOptions, StoredRecord, UpdateSink } from "./storage/storage.ts";
