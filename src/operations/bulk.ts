/** The bulk operations of the client: one request where it suffices, a stream of them where not. */

import { getBulkCall, recordSize, removeBulkCall, setBulkCall } from "./calls.ts";
import { type ClientCore, laneOf } from "./core.ts";
import type { WireKey, WireRecord } from "../codec/request.ts";
import type { Convert } from "../connection/call.ts";
import {
  FRAME_LIMITS,
  type FrameLimits,
  FrameSink,
  type FrameSinkOptions,
  type Preparer,
  sendAll,
  takeFrame,
} from "./frames.ts";
import {
  type BulkItem,
  type BulkKey,
  type BulkRecords,
  recordsOf,
  sourceOf,
  wireKey,
  wireRecord,
} from "./records.ts";
import type { CallOptions, Entry } from "../types.ts";
import type { Codec } from "../value_codec.ts";

/** What a bulk operation is called with. */
export interface BulkContext {
  operation: string;
  database: number;
  options: CallOptions | undefined;
  core: ClientCore;
}

type Source<T> = Iterable<T> | AsyncIterable<T>;

/** Stores records; returns how many were stored. */
export async function setBulk<In>(
  bulk: BulkContext,
  records: BulkRecords<In>,
  codec: Codec<unknown, In>,
  xt: number,
  noReply = false,
): Promise<number | undefined> {
  const preparer = recordPreparer(bulk, codec, xt);
  const source: Source<BulkItem<In>> = recordsOf<BulkItem<In>, In>(bulk.operation, records);
  const send = recordSender(bulk, noReply);
  return await inFrames(bulk, source, preparer, send);
}

/** Removes records; returns how many there were. */
export async function removeBulk(
  bulk: BulkContext,
  keys: Source<BulkKey>,
  noReply = false,
): Promise<number | undefined> {
  const lane = laneOf(bulk.core);
  const send = (frame: WireKey[]) =>
    bulk.core.pool.submit(removeBulkCall(bulk.operation, frame, noReply), bulk.options, lane);
  return await inFrames(bulk, sourceOf(bulk.operation, "keys", keys), keyPreparer(bulk), send);
}

/** The records of the keys that there are. */
export async function getBulk<V>(
  bulk: BulkContext,
  keys: Source<BulkKey>,
  toEntry: Convert<Entry<V>>,
): Promise<Entry<V>[]> {
  const preparer = keyPreparer(bulk);
  const { ready, rest } = takeFrame(sourceOf(bulk.operation, "keys", keys), preparer);
  const { send, limits } = keySender(bulk, toEntry);
  if (rest === null) return await send(ready);
  const entries: Entry<V>[] = [];
  await sendAll(ready, rest, preparer, {
    ...sinkOptions(bulk),
    limits,
    send,
    take(found) {
      for (const entry of found) entries.push(entry);
    },
  });
  return entries;
}

/** The records of the keys that there are, as they come. `start` throws where arguments are wrong. */
export async function* getBulkStream<V>(
  start: () => BulkContext,
  keys: Source<BulkKey>,
  toEntry: Convert<Entry<V>>,
): AsyncGenerator<Entry<V>, void, void> {
  const given = start();
  const source = sourceOf(given.operation, "keys", keys);
  const over = new AbortController();
  const signal = given.options?.signal === undefined
    ? over.signal
    : AbortSignal.any([given.options.signal, over.signal]);
  const bulk = { ...given, options: { ...given.options, signal } };
  // Frames that have come, and how to say that the consumer has taken one.
  const frames: { entries: Entry<V>[]; taken: () => void }[] = [];
  let changed = Promise.withResolvers<void>();
  const change = () => {
    changed.resolve();
    changed = Promise.withResolvers<void>();
  };
  let ended: { error: unknown } | true | null = null;
  sendAll([], source, keyPreparer(bulk), {
    ...sinkOptions(bulk),
    ...keySender(bulk, toEntry),
    take(entries) {
      if (over.signal.aborted) return;
      return new Promise<void>((taken) => {
        frames.push({ entries, taken });
        change();
      });
    },
  }).then(() => ended = true, (error) => ended = { error }).then(change);
  try {
    for (;;) {
      const frame = frames.shift();
      if (frame !== undefined) {
        yield* frame.entries;
        frame.taken();
      } else if (ended === null) {
        await changed.promise;
      } else if (ended === true) {
        return;
      } else {
        throw (ended as { error: unknown }).error;
      }
    }
  } finally {
    over.abort();
    for (const frame of frames) frame.taken();
  }
}

/** A stream that stores what is written to it. `start` throws where arguments are wrong. */
export function writable<In>(
  start: () => {
    bulk: BulkContext;
    codec: Codec<unknown, In>;
    xt: number;
    noReply: boolean | undefined;
  },
): WritableStream<BulkItem<In>> {
  let sink: FrameSink<WireRecord, number>;
  let preparer: Preparer<BulkItem<In>, WireRecord>;
  return new WritableStream<BulkItem<In>>({
    start() {
      const { bulk, codec, xt, noReply = false } = start();
      preparer = recordPreparer(bulk, codec, xt);
      sink = new FrameSink({
        ...sinkOptions(bulk),
        limits: () => FRAME_LIMITS,
        send: recordSender(bulk, noReply),
        take() {},
      });
    },
    write(given) {
      try {
        const item = preparer.prepare(given);
        return sink.add(item, preparer.sizeOf(item));
      } catch (error) {
        return sink.abort(error);
      }
    },
    close: () => sink.end(),
    abort: async (reason) => {
      await sink.abort(reason).catch(() => {});
    },
  });
}

/** Sends all of a source and adds up what the server counts; nothing where it does not reply. */
async function inFrames<T, Item>(
  bulk: BulkContext,
  source: Source<T>,
  preparer: Preparer<T, Item>,
  send: (frame: Item[]) => Promise<number>,
): Promise<number | undefined> {
  const { ready, rest } = takeFrame(source, preparer);
  if (rest === null) return await send(ready);
  let total: number | undefined = 0;
  await sendAll(ready, rest, preparer, {
    ...sinkOptions(bulk),
    limits: () => FRAME_LIMITS,
    send,
    take(count: number | undefined) {
      total = count === undefined || total === undefined ? undefined : total + count;
    },
  });
  return total;
}

function sinkOptions({ operation, core, options }: BulkContext) {
  return { operation, timers: core.timers, signal: options?.signal };
}

function recordPreparer<In>(
  { operation, database }: BulkContext,
  codec: Codec<unknown, In>,
  xt: number,
): Preparer<BulkItem<In>, WireRecord> {
  return {
    prepare: (given) => wireRecord(operation, database, xt, codec, given),
    sizeOf: recordSize,
  };
}

function recordSender(bulk: BulkContext, noReply: boolean) {
  const lane = laneOf(bulk.core);
  return (frame: WireRecord[]): Promise<number> =>
    bulk.core.pool.submit(setBulkCall(bulk.operation, frame, noReply), bulk.options, lane);
}

function keyPreparer({ operation, database }: BulkContext): Preparer<BulkKey, WireKey> {
  return {
    prepare: (given) => wireKey(operation, database, given),
    sizeOf: ({ key }) => key.length,
  };
}

/** Replies of about this many bytes, once the size of the values is known. */
const REPLY_SIZE = 1024 * 1024;
const FIRST_KEYS = 256;

/** Asks for keys, as many at a time as make replies of a moderate size. */
function keySender<V>(
  bulk: BulkContext,
  toEntry: Convert<Entry<V>>,
): Pick<FrameSinkOptions<WireKey, Entry<V>[]>, "send" | "limits"> {
  const lane = laneOf(bulk.core);
  const { pool, maxReplyBytes } = bulk.core;
  let limits: FrameLimits = { ...FRAME_LIMITS, records: FIRST_KEYS };
  return {
    limits: () => limits,
    send(frame) {
      const measure = (bytes: number) => {
        const perKey = Math.max(1, bytes / frame.length);
        const records = Math.floor(Math.min(FRAME_LIMITS.records, REPLY_SIZE / perKey));
        limits = { ...FRAME_LIMITS, records: Math.max(1, records) };
      };
      const call = getBulkCall(bulk.operation, frame, maxReplyBytes, toEntry, measure);
      return pool.submit(call, bulk.options, lane);
    },
  };
}
