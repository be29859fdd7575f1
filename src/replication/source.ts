/**
 * The follower's end of a replication stream: connects, decodes in place, acknowledges heartbeats,
 * and connects again from where it was. The client and the mock server both follow with it.
 *
 * How heartbeats are acknowledged: a heartbeat is the last thing that a master sends before it waits
 * for the acknowledgement, and it holds back all updates until then. It is acknowledged when the
 * consumer has taken all that stands before it, so a master goes on as fast as the consumer reads. A
 * consumer that stays away longer would be cut off by the master's `-tout`; so a heartbeat that has
 * waited for {@linkcode ACKNOWLEDGE_AFTER} is acknowledged ahead of the consumer, as long as what
 * waits for it has room. When it has not, the socket is paused: nothing is read or acknowledged, and
 * memory stays as it is. If the master then gives up, what was received is still delivered, and the
 * stream goes on from there over a new connection.
 */

import { u32At } from "../codec/bytes.ts";
import { Magic } from "../codec/constants.ts";
import { ByteReader, type Decoder } from "../codec/decoder.ts";
import { encodeReplication } from "../codec/request.ts";
import {
  decodeUpdates,
  FrameKind,
  HEARTBEAT_SIZE,
  UPDATE_HEADER_SIZE,
  UpdateFrame,
} from "../codec/update_log.ts";
import { ByteWriter } from "../codec/writer.ts";
import { ConnectionError, ServerError } from "../errors.ts";
import { type Channel, channelOf, type Receiver } from "../transport/channel.ts";
import { closeTransport, connectOrAbort } from "../transport/connecting.ts";
import type { Timers } from "../transport/timers.ts";
import type { Connector, Transport } from "../transport/transport.ts";

/** From this many received and unread bytes on, the socket is paused. */
const HIGH_WATER = 256 * 1024;
/** Below this many it is resumed. */
const LOW_WATER = 64 * 1024;
/** Milliseconds that a heartbeat waits for a slow consumer; the shortest `-tout` is a second. */
const ACKNOWLEDGE_AFTER = 500;
/** Milliseconds of silence, ten times a second interrupted by a master that lives. */
const SILENCE_LIMIT = 30_000;

/** Time as the stream uses it: no clock. */
export type StreamTimers = Pick<Timers, "start">;

/** How an {@linkcode UpdateSource} is made. */
export interface UpdateSourceOptions {
  connector: Connector;
  /** Updates with a stamp above this one are wanted. */
  since: bigint;
  serverId: number;
  /** Only the updates of `serverId` are wanted; otherwise all but those. */
  only: boolean;
  /** Whether the master's database stores values without expiration (`#ktopts=p`). */
  isPersistent: (database: number) => boolean;
  /**
   * Milliseconds to wait after the connection could not be made, or broke, `failures` times in a
   * row; `null`: give up. `accepted`: the master has once accepted the follower.
   */
  retry: (failures: number, accepted: boolean) => number | null;
  timers: StreamTimers;
}

/** The updates of a master, one after the other, whatever happens to the connections. */
export class UpdateSource {
  /** What {@linkcode read} has read; valid until it is called again, or anything is awaited. */
  readonly frame: UpdateFrame = new UpdateFrame();
  /** The stamp of the last update, empty message or heartbeat that was read: where to go on from. */
  position: bigint;
  /** The position before the last update: where to go on from for somebody who is not done with it. */
  before: bigint;
  readonly #options: UpdateSourceOptions;
  readonly #abort = new AbortController();
  #link: Link | null = null;
  #accepted = false;
  #failures = 0;
  #delay = 0;
  #ended: { error?: unknown } | null = null;
  /** Ends the wait until the next attempt. */
  #wake: () => void = () => {};

  constructor(options: UpdateSourceOptions) {
    this.#options = options;
    this.position = this.before = options.since;
  }

  /** Whether a connection is open, and the master has accepted the follower on it. */
  get connected(): boolean {
    return this.#link !== null && this.#link.accepted;
  }

  /**
   * Reads the next update into `frame`, if it is at hand. To be called after the consumer is done
   * with the one before.
   *
   * @throws {ProtocolError} The master sent something else.
   * @throws {ServerError} The master has no update log.
   */
  read(): boolean {
    const link = this.#link, frame = this.frame;
    if (link === null) return false;
    try {
      while (link.next()) {
        switch (frame.kind) {
          case FrameKind.ACCEPTED:
            link.accepted = this.#accepted = true;
            break;
          case FrameKind.REFUSED:
            throw new ServerError("Cannot replicate: the server has no update log", {
              operation: "replicate",
            });
          case FrameKind.HEARTBEAT:
            link.acknowledge();
            this.#advance();
            break;
          case FrameKind.SKIPPED:
            this.#advance();
            break;
          default:
            this.before = this.position;
            this.position = frame.timestamp;
            this.#failures = 0;
            return true;
        }
      }
      return false;
    } catch (error) {
      this.stop(error);
      throw error;
    }
  }

  /**
   * Waits until it is worth calling {@linkcode read} again, after it returned false. One call at a
   * time.
   *
   * @returns Whether it is; `false` once it was stopped without an error.
   * @throws {ConnectionError} The connection broke, and is not to be made again.
   * @throws What it was stopped with.
   */
  async ready(): Promise<boolean> {
    while (this.#ended === null) {
      const link = this.#link;
      if (link === null) await this.#connect();
      else if (link.news) return true;
      else if (link.over) this.#lost(link.reason);
      else await link.more();
    }
    if ("error" in this.#ended) throw this.#ended.error;
    return false;
  }

  /** Closes the connection for good; what waits ends, with `error` if there is one. */
  stop(...error: [unknown?]): void {
    if (this.#ended !== null) return;
    this.#ended = error.length > 0 ? { error: error[0] } : {};
    this.#abort.abort();
    this.#link?.close();
    this.#link = null;
    this.#wake();
  }

  /** A heartbeat behind a reconnection may be older than the last update. */
  #advance(): void {
    this.#failures = 0;
    const stamp = this.frame.timestamp;
    if (stamp > this.position) this.position = stamp;
  }

  async #connect(): Promise<void> {
    const { connector, timers } = this.#options;
    if (this.#delay > 0) {
      let cancel = () => {};
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        cancel = timers.start(this.#delay, true, resolve);
      });
      cancel();
    }
    if (this.#ended !== null) return;
    let transport: Transport;
    try {
      transport = await connectOrAbort(connector, this.#abort.signal);
    } catch (error) {
      return this.#lost(error);
    }
    if (this.#ended !== null) return closeTransport(transport);
    this.#link = new Link(channelOf(transport), this.frame, this.#options);
    const { serverId, only } = this.#options;
    const writer = new ByteWriter();
    encodeReplication(writer, this.position, serverId, only);
    this.#link.send(writer.copy());
  }

  /** The connection could not be made, or broke, and all that came over it has been read. */
  #lost(reason: unknown): void {
    this.#link?.close();
    const sent = this.#link !== null;
    this.#link = null;
    if (this.#ended !== null) return;
    const delay = this.#options.retry(++this.#failures, this.#accepted);
    if (delay !== null) {
      this.#delay = delay;
    } else if (reason instanceof ConnectionError) {
      this.stop(reason);
    } else {
      const what = sent ? "the connection broke" : "no connection could be made";
      this.stop(new ConnectionError(`Cannot replicate: ${what}`, { sent, cause: reason }));
    }
  }
}

const ACKNOWLEDGEMENT = Uint8Array.of(Magic.REPLICATION);

/** One connection: what it received stands in one run of memory, and is decoded there. */
class Link implements Receiver {
  accepted = false;
  /** Whether something has come since the decoder last ran out. */
  news = false;
  /** Whether nothing more will come. */
  over = false;
  reason: unknown;
  readonly #channel: Channel;
  readonly #timers: StreamTimers;
  readonly #reader = new ByteReader();
  readonly #decoder: Decoder<never>;
  #need = 0;
  #paused = false;
  #closed = false;
  /** Where the reader's window begins in all that was received. */
  #base = 0;
  /** The end of the last acknowledged heartbeat, counted likewise. */
  #acknowledged = 0;
  #writing = false;
  /** Acknowledgements to be written after the current write. */
  #owed = 0;
  /** Set while the consumer waits. */
  #wake: (() => void) | null = null;
  #cancelLate: (() => void) | null = null;

  constructor(channel: Channel, frame: UpdateFrame, options: UpdateSourceOptions) {
    this.#channel = channel;
    this.#timers = options.timers;
    this.#reader.window = new Uint8Array(LOW_WATER);
    this.#decoder = decodeUpdates(this.#reader, frame, options.isPersistent);
    channel.start(this);
  }

  /** Decodes the next frame, if it is at hand. */
  next(): boolean {
    const reader = this.#reader;
    this.news = false;
    if (this.#paused && reader.available < LOW_WATER) this.#resume();
    while (reader.available >= this.#need) {
      this.#need = this.#decoder.next().value as number;
      if (this.#need === 0) return true;
      if (this.#paused && reader.available < this.#need) this.#resume();
    }
    return false;
  }

  /** Waits until something comes; the process is kept alive meanwhile. */
  async more(): Promise<void> {
    this.#channel.ref();
    const cancel = this.#timers.start(SILENCE_LIMIT, false, () => {
      this.error(new Error(`nothing came for ${SILENCE_LIMIT / 1000} seconds`));
    });
    await new Promise<void>((resolve) => this.#wake = resolve);
    cancel();
    if (!this.#closed) this.#channel.unref();
  }

  /** Acknowledges the heartbeat that has just been decoded, unless that was done ahead. */
  acknowledge(): void {
    const end = this.#base + this.#reader.position;
    if (end <= this.#acknowledged) return;
    this.#acknowledged = end;
    this.send(ACKNOWLEDGEMENT);
  }

  send(bytes: Uint8Array): void {
    if (this.#writing) {
      this.#owed++;
      return;
    }
    const written = this.#channel.write(bytes);
    if (written === undefined) return;
    this.#writing = true;
    written.then(() => {
      this.#writing = false;
      const owed = this.#owed;
      this.#owed = 0;
      if (owed > 0 && !this.#closed) this.send(new Uint8Array(owed).fill(Magic.REPLICATION));
    }, (error) => this.error(error));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = this.over = true;
    this.#cancelLate?.();
    this.#cancelLate = null;
    this.#channel.close();
    this.#woken();
  }

  data(chunk: Uint8Array): void {
    const reader = this.#reader, size = chunk.length;
    if (reader.end + size > reader.window.length) this.#makeRoom(size);
    reader.window.set(chunk, reader.end);
    reader.end += size;
    this.news = true;
    if (reader.available >= HIGH_WATER && !this.#paused) {
      this.#paused = true;
      this.#channel.pause();
    }
    this.#woken();
    this.#watch();
  }

  end(): void {
    this.error(new Error("the server closed the connection"));
  }

  error(reason: unknown): void {
    if (this.over) return;
    this.over = this.news = true;
    this.reason = reason;
    this.#woken();
  }

  #woken(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  #resume(): void {
    this.#paused = false;
    this.#channel.resume();
    this.#watch();
  }

  /** Moves the unread bytes to the front, of larger memory if need be. */
  #makeRoom(size: number): void {
    const reader = this.#reader, { window, position, end, available } = reader;
    if (available + size > window.length) {
      reader.window = new Uint8Array(Math.max(available + size, 2 * window.length));
      reader.window.set(window.subarray(position, end));
    } else {
      window.copyWithin(0, position, end);
    }
    this.#base += position;
    reader.position = 0;
    reader.end = available;
  }

  /** Sees to a heartbeat that may wait for a consumer that is away. */
  #watch(): void {
    this.#cancelLate ??= this.#timers.start(ACKNOWLEDGE_AFTER, false, () => {
      this.#cancelLate = null;
      // While the consumer waits, the decoder acknowledges; and only otherwise does the reader stand
      // between two frames.
      if (this.#wake === null && this.accepted && !this.#paused && !this.over) {
        this.#acknowledgeLast();
      }
    });
  }

  /** Acknowledges the heartbeat that ends what was received, if one does. */
  #acknowledgeLast(): void {
    const reader = this.#reader, { window, position, end } = reader;
    let at = position, last = -1;
    while (at < end) {
      last = window[at] === Magic.HEARTBEAT ? at : -1;
      if (last >= 0) at += HEARTBEAT_SIZE;
      else if (at + UPDATE_HEADER_SIZE > end) return;
      else at += UPDATE_HEADER_SIZE + u32At(window, at + 9);
    }
    if (at !== end || last < 0 || this.#base + end <= this.#acknowledged) return;
    if (last - HEARTBEAT_SIZE >= position && this.#base + last === this.#acknowledged) {
      // It stands for the one before it, too: a long absence must not gather heartbeats.
      window.copyWithin(last - HEARTBEAT_SIZE, last, end);
      reader.end -= HEARTBEAT_SIZE;
    }
    this.#acknowledged = this.#base + reader.end;
    this.send(ACKNOWLEDGEMENT);
  }
}
