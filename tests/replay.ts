/** Plays a recorded scenario's client against a server. `golden/README.md` explains the steps. */

import { createServer, type Server, type Socket } from "node:net";
import { runtimeConnector } from "../src/transport/detect.ts";
import { nodeTransport } from "../src/transport/node.ts";
import { deadlineIn, Mismatch, Peer } from "./peer.ts";
import { connectionOf, type ExpectedHttp, type Piece, Pieces } from "./transcripts.ts";
import { type Scenario, type Step, toHex } from "./transcripts.ts";

const PATIENCE_MS = 10_000;
/** How late within a second a scenario may still begin that wants to begin early. */
const EARLY_MS = 400;
/** How long surplus bytes are waited for at the end. */
const AFTERMATH_MS = 20;
const HEARTBEAT = 0xb0;
const HEARTBEAT_SIZE = 9;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Plays `scenario`. Throws a {@linkcode Mismatch} that names the step where the server differs. */
export async function replay(
  scenario: Scenario,
  server: { hostname: string; port: number },
): Promise<void> {
  if (scenario.early_in_second) await earlyInSecond();
  await using player = new Player(server.hostname, server.port);
  for (const [i, step] of scenario.steps.entries()) {
    try {
      await player.step(step);
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      const kind = Object.keys(step).find((key) => key !== "conn" && key !== "note");
      throw new Mismatch(`step ${i} (${kind}): ${error.message}`);
    }
  }
  await player.end();
}

async function earlyInSecond(): Promise<void> {
  const late = Date.now() % 1000;
  if (late > EARLY_MS) await sleep(1010 - late);
}

class Player implements AsyncDisposable {
  readonly #hostname: string;
  readonly #port: number;
  readonly #pieces: Pieces;
  readonly #peers = new Map<string, Peer>();
  readonly #listeners = new Map<string, Listener>();
  /** Replication streams, on which heartbeats may lie around at the end. */
  readonly #streams = new Set<string>();

  constructor(hostname: string, port: number) {
    this.#hostname = hostname;
    this.#port = port;
    this.#pieces = new Pieces(port);
  }

  async #peer(name: string): Promise<Peer> {
    let peer = this.#peers.get(name);
    if (peer === undefined) {
      const connect = await runtimeConnector({ hostname: this.#hostname, port: this.#port });
      peer = new Peer(await connect(AbortSignal.timeout(PATIENCE_MS)));
      this.#peers.set(name, peer);
    }
    return peer;
  }

  async step(step: Step): Promise<void> {
    if ("sleep_ms" in step) return await sleep(step.sleep_ms);
    if ("sleep_until_ms" in step) {
      const until = this.#pieces.seconds * 1000 + step.sleep_until_ms;
      return await sleep(Math.max(0, until - Date.now()));
    }
    if ("mark" in step) {
      await earlyInSecond();
      return this.#pieces.mark();
    }
    if ("listen" in step) {
      const listener = await Listener.open(this.#hostname);
      this.#listeners.set(step.listen, listener);
      this.#pieces.ports.set(step.listen, listener.port);
      return;
    }
    const deadline = deadlineIn(step.within_ms ?? PATIENCE_MS);
    if ("accept" in step) {
      const listener = this.#listeners.get(step.accept)!;
      this.#peers.set(step.conn, new Peer(nodeTransport(await listener.accept(deadline))));
      return;
    }
    const name = connectionOf(step);
    const peer = await this.#peer(name);
    if ("send" in step) {
      await sendInChunks(peer, this.#pieces.render(step.send), step.chunks, step.gap_ms ?? 1);
    } else if ("expect" in step) {
      await this.#pieces.check(step.expect, peer, deadline);
    } else if ("expect_repl" in step) {
      this.#streams.add(name);
      await this.#expectUpdates(peer, step.expect_repl, deadline);
    } else if ("expect_http" in step) {
      await expectHttp(peer, step.expect_http, deadline);
    } else if ("expect_close" in step) {
      await peer.closed(deadline);
    } else if ("quiet_ms" in step) {
      await peer.quiet(step.quiet_ms);
    } else if ("half_close" in step) {
      await peer.closeWrite();
    } else {
      peer.close();
      this.#peers.delete(name);
    }
  }

  async #expectUpdates(
    peer: Peer,
    updates: readonly (readonly Piece[])[],
    deadline: number,
  ): Promise<void> {
    for (const update of updates) {
      for (;;) {
        if (peer.unread.length === 0 && await peer.more(deadline) !== "bytes") {
          throw new Mismatch("an update is missing");
        }
        if (peer.unread[0] !== HEARTBEAT) break;
        const [, ...stamp] = await peer.take(HEARTBEAT_SIZE, deadline);
        const ms = Number(BigInt(`0x${toHex(new Uint8Array(stamp))}`) / 1_000_000n);
        if (Math.abs(ms - Date.now()) > 10_000) throw new Mismatch(`heartbeat of ${ms} ms`);
        await peer.send(new Uint8Array([0xb1]));
      }
      await this.#pieces.check(update, peer, deadline);
    }
  }

  /** Asserts that no connection holds unread bytes. */
  async end(): Promise<void> {
    const deadline = deadlineIn(AFTERMATH_MS);
    for (const [name, peer] of this.#peers) {
      if (peer.unread.length === 0) await peer.more(deadline);
      if (this.#streams.has(name)) {
        while (peer.unread[0] === HEARTBEAT && peer.unread.length >= HEARTBEAT_SIZE) {
          await peer.take(HEARTBEAT_SIZE, deadline);
        }
      }
      if (peer.unread.length > 0) {
        throw new Mismatch(
          `surplus at the end on "${name}": ${toHex(peer.unread.subarray(0, 80))}`,
        );
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers.values()) peer.close();
    for (const listener of this.#listeners.values()) await listener.close();
  }
}

async function sendInChunks(
  peer: Peer,
  bytes: Uint8Array,
  chunks: "bytes" | number[] | undefined,
  gapMs: number,
): Promise<void> {
  if (chunks === undefined) return await peer.send(bytes);
  const sizes = chunks === "bytes"
    ? Array<number>(bytes.length).fill(1)
    : [...chunks, bytes.length];
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) break;
    await peer.send(bytes.slice(at, at + size));
    at += size;
    await sleep(gapMs);
  }
}

async function expectHttp(peer: Peer, expected: ExpectedHttp, deadline: number): Promise<void> {
  const line = async () => {
    const bytes = await peer.line(deadline);
    await peer.take(2, deadline);
    return new TextDecoder().decode(bytes);
  };
  const status = await line();
  if (status !== expected.status_line) throw new Mismatch(`status line "${status}"`);
  const headers = new Map<string, string>();
  for (let header = await line(); header !== ""; header = await line()) {
    const colon = header.indexOf(": ");
    headers.set(header.slice(0, colon), header.slice(colon + 2));
  }
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    if (headers.get(name) !== value) throw new Mismatch(`header "${name}: ${headers.get(name)}"`);
  }
  const body = await peer.take(Number(headers.get("Content-Length")), deadline);
  const rows = new Map<string, string>();
  for (const row of new TextDecoder().decode(body).split("\n")) {
    const tab = row.indexOf("\t");
    if (row !== "") rows.set(row.slice(0, tab), row.slice(tab + 1));
  }
  for (const name of expected.tsv_has ?? []) {
    if (!rows.has(name)) throw new Mismatch(`the row "${name}" is missing`);
  }
  for (const [name, value] of Object.entries(expected.tsv_is ?? {})) {
    if (rows.get(name) !== value) throw new Mismatch(`the row "${name}" is "${rows.get(name)}"`);
  }
}

/** A listener on a port that ktserver would connect to: it refuses those above 32767. */
class Listener {
  readonly #server: Server;
  readonly #accepted: Socket[] = [];
  readonly port: number;
  #wake = () => {};

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on("connection", (socket) => {
      socket.on("error", () => {});
      this.#accepted.push(socket);
      this.#wake();
    });
  }

  static async open(hostname: string): Promise<Listener> {
    for (let attempt = 0; attempt < 100; attempt++) {
      const port = 20_000 + Math.floor(Math.random() * 12_000);
      const server = createServer({ allowHalfOpen: true });
      const listening = await new Promise<boolean>((resolve) => {
        server.once("error", () => resolve(false));
        server.listen(port, hostname, () => resolve(true));
      });
      if (listening) return new Listener(server, port);
    }
    throw new Error("Cannot listen: no free port was found");
  }

  async accept(deadline: number): Promise<Socket> {
    while (this.#accepted.length === 0) {
      const patience = deadline - performance.now();
      if (patience <= 0) throw new Mismatch("nobody connected");
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, patience);
      });
      clearTimeout(timer);
    }
    return this.#accepted.shift()!;
  }

  async close(): Promise<void> {
    for (const socket of this.#accepted) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
