/** A raw client for the mock server's tests: requests as bytes, replies as they come. */

import { XT_NEVER } from "../../src/codec/constants.ts";
import {
  encodeGet,
  encodeRemove,
  encodeScript,
  encodeSet,
  type WireKey,
  type WireRecord,
} from "../../src/codec/request.ts";
import { ByteWriter } from "../../src/codec/writer.ts";
import { runtimeConnector } from "../../src/transport/detect.ts";
import type { Key } from "../../src/types.ts";
import type { MockServer } from "../../mock_server/mod.ts";
import { deadlineIn, Peer } from "../peer.ts";

const NO_REPLY = 1;

function written(write: (w: ByteWriter) => void): Uint8Array {
  const w = new ByteWriter();
  write(w);
  return w.copy();
}

export function setRequest(
  records: Record<string, Key> | WireRecord[],
  { noReply = false, xt = XT_NEVER, database = 0 } = {},
): Uint8Array {
  const list = Array.isArray(records)
    ? records
    : Object.entries(records).map(([key, value]) => ({ database, key, value, xt }));
  return written((w) => encodeSet(w, noReply ? NO_REPLY : 0, list));
}

export function getRequest(...keys: (string | WireKey)[]): Uint8Array {
  return written((w) => encodeGet(w, 0, keys.map(wireKey)));
}

export function removeRequest(...keys: (string | WireKey)[]): Uint8Array {
  return written((w) => encodeRemove(w, 0, keys.map(wireKey)));
}

export function scriptRequest(name: Key, input: Record<string, Key> = {}): Uint8Array {
  return written((w) => encodeScript(w, 0, name, Object.entries(input)));
}

function wireKey(key: string | WireKey): WireKey {
  return typeof key === "string" ? { database: 0, key } : key;
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function join(...parts: Uint8Array[]): Uint8Array {
  return written((w) => parts.forEach((part) => w.bytes(part)));
}

/** The reply of get_bulk that holds a record of database 0 that never expires. */
export function foundReply(key: string, value: string): string {
  return hex(written((w) => {
    w.u8(0xba);
    w.u32(1);
    w.record(0, key, value, 0xff_ffff_ffff);
  }));
}

export const STORED = "b800000001";
export const REMOVED = "b900000001";
export const NOT_FOUND = "ba00000000";

/** A connection to a mock server; disposing it closes it. */
export class RawClient implements AsyncDisposable {
  readonly peer: Peer;

  constructor(peer: Peer) {
    this.peer = peer;
  }

  send(...parts: Uint8Array[]): Promise<void> {
    return this.peer.send(join(...parts));
  }

  /** The next bytes, as many as `expected` has, in hexadecimal digits. */
  async reply(expected: string, ms = 5000): Promise<string> {
    return hex(await this.peer.take(expected.length / 2, deadlineIn(ms)));
  }

  closed(ms = 5000): Promise<void> {
    return this.peer.closed(deadlineIn(ms));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.peer.close();
    return Promise.resolve();
  }
}

/** Connects in memory, without a socket. */
export function inMemory(server: MockServer): RawClient {
  return new RawClient(new Peer(server.connectInMemory()));
}

/** Connects by a socket. */
export async function bySocket(server: MockServer): Promise<RawClient> {
  const address = server.port === 0
    ? { path: server.hostname }
    : { hostname: server.hostname, port: server.port };
  const connector = await runtimeConnector(address);
  return new RawClient(new Peer(await connector(new AbortController().signal)));
}

/** Waits until something has become so, for at most five seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = deadlineIn(5000);
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Cannot wait any longer: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
