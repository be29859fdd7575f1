/** The server's end of HTTP, for tests: read and put together in the plainest way. */

import { concat } from "@std/bytes";
import { connect, type ConnectOptions, type KyotoTycoon } from "../../mod.ts";
import { memoryPair } from "../../src/transport/memory.ts";
import { deadlineIn, Peer } from "../peer.ts";

/** A procedure that was called. Names and values of rows are texts of one character per byte. */
export interface PlainCall {
  procedure: string;
  rows: Map<string, string>;
  /** How the rows were encoded. */
  encoding: string;
}

const PATIENCE = 5000;

export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

export function fromLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function decoded(text: string, encoding: string): string {
  const unescape = (mark: RegExp) =>
    text.replace(mark, (escape) => String.fromCharCode(parseInt(escape.slice(1), 16)));
  switch (encoding) {
    case "":
      return text;
    case "B":
      return atob(text);
    case "Q":
      return unescape(/=[0-9A-F]{2}/g);
    case "U":
      return unescape(/%[0-9a-f]{2}/gi);
    default:
      throw new Error(`Cannot decode "${encoding}"`);
  }
}

/** The rows of a body. */
export function plainRows(body: Uint8Array, contentType: string): Map<string, string> {
  const encoding = encodingOf(contentType);
  const lines = latin1(body).split("\n");
  if (lines.pop() !== "") throw new Error("Cannot read rows: the last line has no end");
  return new Map(lines.map((line) => {
    const tab = line.indexOf("\t");
    return [decoded(line.slice(0, tab), encoding), decoded(line.slice(tab + 1), encoding)];
  }));
}

function encodingOf(contentType: string): string {
  const [, encoding = ""] = /^text\/tab-separated-values(?:; colenc=([BQU]))?$/.exec(contentType) ??
    fail(`Cannot read rows of "${contentType}"`);
  return encoding;
}

function fail(message: string): never {
  throw new Error(message);
}

/** The next procedure that is called on a connection. */
export async function nextCall(peer: Peer): Promise<PlainCall> {
  const deadline = deadlineIn(PATIENCE);
  const line = async () => {
    const text = latin1(await peer.line(deadline));
    await peer.take(2, deadline);
    return text;
  };
  const [, name] = /^POST \/rpc\/([^ ?]+) HTTP\/1\.1$/.exec(await line()) ??
    fail("Cannot read a call: the request line is another");
  const headers = new Map<string, string>();
  for (let header = await line(); header !== ""; header = await line()) {
    const [, key, value] = /^([\w-]+): (.*)$/.exec(header) ?? fail(`No header: "${header}"`);
    headers.set(key, value);
  }
  const body = await peer.take(Number(headers.get("Content-Length")), deadline);
  const type = headers.get("Content-Type") ?? "";
  return {
    procedure: decodeURIComponent(name),
    rows: plainRows(body, type),
    encoding: encodingOf(type),
  };
}

/** A reply. Rows are given as texts of one character per byte, as they go over the wire. */
export function reply(
  status: number,
  rows: Record<string, string> = {},
  headers: Record<string, string> = {},
): Uint8Array {
  const body = Object.entries(rows).map(([name, value]) => `${name}\t${value}\n`).join("");
  const all = {
    "Content-Length": String(body.length),
    "Content-Type": "text/tab-separated-values",
    ...headers,
  };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return fromLatin1(`HTTP/1.1 ${status} Whatever\r\n${head}\r\n${body}`);
}

/** A client whose connections, made in memory, end in a test. */
export interface Scripted extends AsyncDisposable {
  kt: KyotoTycoon;
  /** The ends of the connections, in the order in which they were made. */
  peers: Peer[];
  /** The end of the next connection. */
  accept(): Promise<Peer>;
}

export async function scripted(options: Omit<ConnectOptions, "codec"> = {}): Promise<Scripted> {
  const peers: Peer[] = [];
  let accepted = 0;
  let wake = () => {};
  const kt = await connect({
    connector: () => {
      const [client, server] = memoryPair();
      peers.push(new Peer(server));
      wake();
      return client;
    },
    ...options,
  });
  return {
    kt,
    peers,
    async accept() {
      while (peers.length <= accepted) await new Promise<void>((resolve) => wake = resolve);
      return peers[accepted++];
    },
    [Symbol.asyncDispose]() {
      kt.destroy();
      for (const peer of peers) peer.close();
      return Promise.resolve();
    },
  };
}

/** All bytes there are, in one value. */
export const allBytes: Uint8Array = Uint8Array.from({ length: 256 }, (_, i) => i);

/** Texts as bytes. */
export function utf8(...texts: string[]): Uint8Array {
  return concat(texts.map((text) => new TextEncoder().encode(text)));
}
