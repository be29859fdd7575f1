/** Replication streams as bytes: recorded ones, made-up ones, and a parser of its own for both. */

import { concat } from "@std/bytes";
import { connectionOf, loadScenarios, Pieces } from "../transcripts.ts";

/** One message as it stands on the wire. */
export interface PlainUpdate {
  stamp: bigint;
  /** `null`: an empty message. */
  message: null | { serverId: number; database: number; op: number; operands: Uint8Array };
}

/** Messages and heartbeats one behind the other; heartbeats are left out. */
export function parseUpdates(bytes: Uint8Array): PlainUpdate[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const updates: PlainUpdate[] = [];
  for (let at = 0; at < bytes.length;) {
    const stamp = view.getBigUint64(at + 1);
    if (bytes[at] === 0xb0) {
      at += 9;
      continue;
    }
    const size = view.getUint32(at + 9);
    at += 13;
    const message = size === 0 ? null : {
      serverId: view.getUint16(at),
      database: view.getUint16(at + 2),
      op: bytes[at + 4],
      operands: bytes.slice(at + 5, at + size),
    };
    updates.push({ stamp, message });
    at += size;
  }
  return updates;
}

/** A number in groups of seven bits, and where it ends. */
function plainVarnum(bytes: Uint8Array, at: number): [number, number] {
  let bits = "";
  for (;; at++) {
    bits += (bytes[at] & 0x7f).toString(2).padStart(7, "0");
    if (bytes[at] < 0x80) return [parseInt(bits, 2), at + 1];
  }
}

/** Key and stored value of an update, which is a set. */
export function parseSet(operands: Uint8Array): [key: Uint8Array, stored: Uint8Array] {
  const [keySize, second] = plainVarnum(operands, 0);
  const [valueSize, at] = plainVarnum(operands, second);
  const end = at + keySize;
  if (end + valueSize !== operands.length) throw new Error("sizes do not add up");
  return [operands.slice(at, end), operands.slice(end)];
}

/** The key of an update, which is a removal. */
export function parseRemove(operands: Uint8Array): Uint8Array {
  return operands.slice(plainVarnum(operands, 0)[1]);
}

/** A message of a stream, by hand. */
export function message(stamp: bigint, body: readonly number[] | Uint8Array): Uint8Array {
  const bytes = new Uint8Array(13 + body.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0xb1;
  view.setBigUint64(1, stamp);
  view.setUint32(9, body.length);
  bytes.set(body, 13);
  return bytes;
}

/** A heartbeat, by hand. */
export function heartbeat(stamp: bigint): Uint8Array {
  const bytes = new Uint8Array(9);
  bytes[0] = 0xb0;
  new DataView(bytes.buffer).setBigUint64(1, stamp);
  return bytes;
}

/** That `key` was set to `value`, for good, at server 1 in database 0; both short. */
export function setMessage(stamp: bigint, key: string, value: string): Uint8Array {
  const text = new TextEncoder().encode(key + value);
  const never = [0xff, 0xff, 0xff, 0xff, 0xff];
  const body = [0, 1, 0, 0, 0xa1, key.length, value.length + 5];
  return message(stamp, [
    ...body,
    ...text.slice(0, key.length),
    ...never,
    ...text.slice(key.length),
  ]);
}

export interface Recording {
  /** The scenario and the connection. */
  name: string;
  /** The messages, one by one. */
  messages: Uint8Array[];
}

/** What masters were recorded to send, with times filled in. */
export async function recordedStreams(): Promise<Recording[]> {
  const recordings: Recording[] = [];
  for (const { name, steps } of await loadScenarios()) {
    const pieces = new Pieces(0);
    const streams = new Map<string, Uint8Array[]>();
    for (const step of steps) {
      if (!("expect_repl" in step)) continue;
      const connection = connectionOf(step);
      const messages = step.expect_repl.map((message) => pieces.render(message));
      streams.set(connection, [...streams.get(connection) ?? [], ...messages]);
    }
    for (const [connection, messages] of streams) {
      recordings.push({ name: `${name} on "${connection}"`, messages });
    }
  }
  return recordings;
}

/** Cuts bytes at the given places. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const cuts = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) =>
    a - b
  );
  return [0, ...cuts].map((start, i) => bytes.slice(start, cuts[i] ?? bytes.length));
}

/** What a stream begins with when the master has an update log. */
export function accepted(...messages: Uint8Array[]): Uint8Array {
  return concat([Uint8Array.of(0xb1), ...messages]);
}
