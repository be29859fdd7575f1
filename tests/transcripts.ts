/**
 * The recorded exchanges in `golden/`: loading them, and the pieces that their bytes are written in.
 * `golden/README.md` explains both.
 */

import { readFile } from "node:fs/promises";
import { concat, repeat } from "@std/bytes";
import { Mismatch, type Peer } from "./peer.ts";

/** A part of the bytes that are sent or expected; a string is hexadecimal. */
export type Piece =
  | string
  | { text: string }
  | { repeat: string; count: number }
  | { xt: number; width?: 5 | 8; neg?: boolean; tol?: number }
  | { xt_dec: number; tol?: number }
  | { xt_http: number; tol?: number }
  | { ts: "now"; plus_ms?: number; tol_ms?: number; save?: string; gt?: string }
  | { var: string; plus?: number }
  | { mask: "line"; name: string; sample: string }
  | { server_port: true }
  | { port_of: string };

/** What is looked at of an HTTP reply that is not the same on every server. */
export interface ExpectedHttp {
  status_line: string;
  headers?: Record<string, string>;
  tsv_has?: string[];
  tsv_is?: Record<string, string>;
}

export type Step =
  & { conn?: string; note?: string; within_ms?: number }
  & (
    | { send: Piece[]; chunks?: "bytes" | number[]; gap_ms?: number }
    | { expect: Piece[] }
    | { expect_repl: Piece[][] }
    | { expect_http: ExpectedHttp }
    | { expect_close: true }
    | { quiet_ms: number }
    | { sleep_ms: number }
    | { sleep_until_ms: number }
    | { mark: true }
    | { half_close: true }
    | { disconnect: true }
    | { listen: string }
    | { accept: string; conn: string }
  );

export interface Scenario {
  name: string;
  title: string;
  config: string;
  /** `bin`, `xt`, `wire`, `script`, `repl`, `rpc` or `rest`. */
  folder: string;
  fresh?: boolean;
  early_in_second?: boolean;
  needs?: string[];
  steps: Step[];
}

/** How a server was started, of which `args` and `dbs` are ktserver's command line. */
export interface Config {
  args: string[];
  dbs: string[];
  sid: number;
  ulog: boolean;
  script: boolean;
  readonly: boolean;
  /** Seconds. */
  tout: number;
}

async function load<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(new URL(`golden/${file}`, import.meta.url), "utf8"));
}

/** All scenarios, in the order of the index. */
export async function loadScenarios(): Promise<Scenario[]> {
  const index = await load<{ file: string; name: string }[]>("index.json");
  return await Promise.all(index.map(async ({ file }) => ({
    ...await load<Omit<Scenario, "folder">>(file),
    folder: file.slice(0, file.indexOf("/")),
  })));
}

export async function loadConfigs(): Promise<Record<string, Config>> {
  return await load("configs.json");
}

/** Whether a piece belongs to HTTP: the binary scenarios are written without text. */
function isText(piece: Piece): boolean {
  return typeof piece === "object" && ("text" in piece || "mask" in piece);
}

/** Whether a scenario speaks HTTP, alone or beside the binary protocol. */
export function usesHttp(scenario: Scenario): boolean {
  return scenario.steps.some((step) =>
    "expect_http" in step ||
    "send" in step && step.send.some(isText) ||
    "expect" in step && step.expect.some(isText)
  );
}

/** Whether a scenario is about replication, as master or as slave. */
export function usesReplication(scenario: Scenario): boolean {
  return scenario.folder === "repl";
}

/** The milliseconds that a scenario spends waiting by design. */
export function waitingTime(scenario: Scenario): number {
  let total = 0;
  for (const step of scenario.steps) {
    if ("sleep_ms" in step) total += step.sleep_ms;
    else if ("quiet_ms" in step) total += step.quiet_ms;
    else if ("sleep_until_ms" in step) total = Math.max(total, step.sleep_until_ms);
    else if ("send" in step && step.chunks !== undefined) {
      const writes = step.chunks === "bytes" ? 100 : step.chunks.length + 1;
      total += writes * (step.gap_ms ?? 1);
    }
  }
  return total + (scenario.early_in_second ? 600 : 0);
}

/** What a scenario's `conn` says, or leaves out. */
export function connectionOf(step: Step): string {
  return step.conn ?? "a";
}

function hex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const ascii = (text: string) => new TextEncoder().encode(text);
const latin1 = (bytes: Uint8Array) => String.fromCharCode(...bytes);

function bigEndian(n: bigint, width: number): Uint8Array {
  return hex(BigInt.asUintN(width * 8, n).toString(16).padStart(width * 2, "0"));
}

function fromBigEndian(bytes: Uint8Array): bigint {
  const n = BigInt(`0x${toHex(bytes)}`);
  return bytes.length === 8 ? BigInt.asIntN(64, n) : n;
}

/**
 * Pieces within one run of a scenario: the bytes of those that are known in advance, and whether
 * bytes that came agree with one. Some depend on the time, on ports, and on what came before.
 */
export class Pieces {
  /** Whole seconds since 1970 at the start of the scenario, or the last mark. */
  seconds = 0;
  readonly ports: Map<string, number> = new Map();
  readonly #saved = new Map<string, bigint>();
  readonly #serverPort: number;
  readonly #now: () => number;

  /** `now` is the clock, in milliseconds since 1970. */
  constructor(serverPort: number, now: () => number = Date.now) {
    this.#serverPort = serverPort;
    this.#now = now;
    this.mark();
  }

  /** Starts counting time anew. */
  mark(): void {
    this.seconds = Math.floor(this.#now() / 1000);
  }

  #stamp(plusMs = 0): bigint {
    return BigInt(this.#now() + plusMs) * 1_000_000n;
  }

  #get(name: string): bigint {
    const value = this.#saved.get(name);
    if (value === undefined) throw new Error(`Cannot use "${name}": nothing was saved under it`);
    return value;
  }

  /** The bytes to send; where a peer would choose them, some that are right. */
  render(pieces: readonly Piece[]): Uint8Array {
    return concat(pieces.map((piece) => this.#render(piece)));
  }

  #render(piece: Piece): Uint8Array {
    if (typeof piece === "string") return hex(piece);
    if ("text" in piece) return ascii(piece.text);
    if ("repeat" in piece) return repeat(hex(piece.repeat), piece.count);
    if ("xt" in piece) {
      const n = BigInt(this.seconds + piece.xt);
      return bigEndian(piece.neg ? -n : n, piece.width ?? 8);
    }
    if ("xt_dec" in piece) return ascii(String(this.seconds + piece.xt_dec));
    if ("xt_http" in piece) {
      return ascii(new Date((this.seconds + piece.xt_http) * 1000).toUTCString());
    }
    if ("ts" in piece) {
      let stamp = this.#stamp(piece.plus_ms);
      const above = piece.gt === undefined ? 0n : this.#get(piece.gt);
      if (stamp <= above) stamp = above + 1n;
      if (piece.save !== undefined) this.#saved.set(piece.save, stamp);
      return bigEndian(stamp, 8);
    }
    if ("var" in piece) return bigEndian(this.#get(piece.var) + BigInt(piece.plus ?? 0), 8);
    if ("mask" in piece) return ascii(piece.sample);
    if ("server_port" in piece) return ascii(String(this.#serverPort));
    const port = this.ports.get(piece.port_of);
    if (port === undefined) {
      throw new Error(`Cannot name the port of "${piece.port_of}": no listener`);
    }
    return ascii(String(port));
  }

  /** Reads what these pieces describe. Throws a {@linkcode Mismatch} where something else comes. */
  async check(pieces: readonly Piece[], peer: Peer, deadline: number): Promise<void> {
    for (const [i, piece] of pieces.entries()) {
      try {
        await this.#check(piece, peer, deadline);
      } catch (error) {
        if (!(error instanceof Mismatch)) throw error;
        throw new Mismatch(`piece ${i}: ${error.message}`);
      }
    }
  }

  async #check(piece: Piece, peer: Peer, deadline: number): Promise<void> {
    if (typeof piece === "object") {
      if ("mask" in piece) {
        const line = await peer.line(deadline);
        if (line.length === 0) throw new Mismatch(`the masked field "${piece.name}" is empty`);
        return;
      }
      if ("ts" in piece) {
        const stamp = BigInt.asUintN(64, fromBigEndian(await peer.take(8, deadline)));
        const tolerance = BigInt(piece.tol_ms ?? 5000) * 1_000_000n;
        within("time stamp", stamp, this.#stamp(piece.plus_ms), tolerance);
        if (piece.gt !== undefined && stamp <= this.#get(piece.gt)) {
          throw new Mismatch(`time stamp ${stamp} is not above ${this.#get(piece.gt)}`);
        }
        if (piece.save !== undefined) this.#saved.set(piece.save, stamp);
        return;
      }
    }
    const wanted = this.#render(piece);
    const got = await peer.take(wanted.length, deadline);
    if (typeof piece === "object") {
      const tolerance = BigInt("tol" in piece ? piece.tol ?? 2 : 2);
      if ("xt" in piece) {
        return within("expiration", fromBigEndian(got), fromBigEndian(wanted), tolerance);
      }
      if ("xt_dec" in piece) {
        if (!/^\d+$/.test(latin1(got))) throw new Mismatch(`"${latin1(got)}" is no number`);
        return within("expiration", BigInt(latin1(got)), BigInt(latin1(wanted)), tolerance);
      }
      if ("xt_http" in piece) {
        const time = Date.parse(latin1(got));
        if (Number.isNaN(time) || new Date(time).toUTCString() !== latin1(got)) {
          throw new Mismatch(`"${latin1(got)}" is no date as RFC 1123 writes it`);
        }
        const second = (text: string) => BigInt(Date.parse(text) / 1000);
        return within("expiration", second(latin1(got)), second(latin1(wanted)), tolerance);
      }
    }
    for (let i = 0; i < wanted.length; i++) {
      if (got[i] !== wanted[i]) {
        const around = (bytes: Uint8Array) => toHex(bytes.subarray(Math.max(0, i - 16), i + 24));
        throw new Mismatch(
          `byte ${i} of ${wanted.length} differs: got ..${around(got)}, wanted ..${around(wanted)}`,
        );
      }
    }
  }
}

function within(what: string, got: bigint, wanted: bigint, tolerance: bigint): void {
  const distance = got > wanted ? got - wanted : wanted - got;
  if (distance > tolerance) throw new Mismatch(`${what} ${got} is not near ${wanted}`);
}
