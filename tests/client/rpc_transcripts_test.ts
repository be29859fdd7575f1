/**
 * The client calls procedures as a real server was recorded to understand them, and makes of its
 * replies what they say. What was recorded on a connection is played to a client: each procedure is
 * called by the method that reaches it, or by `rpc`.
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { type Cursor, ServerError } from "../../mod.ts";
import { test } from "../_harness.ts";
import { connectionOf, loadScenarios, Pieces, type Scenario } from "../transcripts.ts";
import { fromLatin1, latin1, nextCall, plainRows, scripted } from "./_rpc.ts";
import { type Cursors, NO_RECORD, type Rows, rpcUse, type Use, useOf } from "./_rpc_uses.ts";

/** A procedure that was called, and what came back. */
interface Exchange {
  procedure: string;
  rows: Rows;
  /** The reply as it was sent, its status and rows. */
  answer: Uint8Array;
  status: number;
  output: Rows;
}

/** By which method a procedure is called: its own, or the one for all. */
type Style = "method" | "rpc";

/** The exchanges on a connection, as far as each is one procedure and its reply. */
function exchangesOf(scenario: Scenario, connection: string): Exchange[] {
  const pieces = new Pieces(0);
  const exchanges: Exchange[] = [];
  let sent: Uint8Array | null = null;
  for (const step of scenario.steps) {
    if (connectionOf(step) !== connection) continue;
    if ("send" in step) sent = pieces.render(step.send);
    if (!("expect" in step) || sent === null) continue;
    const exchange = exchangeOf(sent, pieces.render(step.expect));
    if (exchange !== null) exchanges.push(exchange);
    sent = null;
  }
  return exchanges;
}

/** `null` for what a client would not send, such as rows in a query or lines that are no rows. */
function exchangeOf(sent: Uint8Array, answer: Uint8Array): Exchange | null {
  const request = /^POST \/rpc\/(\w+) HTTP\/1\.1\r\n(.*?)\r\n\r\n(.*)$/s.exec(latin1(sent));
  const reply = /^HTTP\/1\.1 (\d+) (.*?)\r\n\r\n(.*)$/s.exec(latin1(answer));
  if (request === null || reply === null) return null;
  const [, procedure, head, body] = request;
  const [, status, replyHead, replyBody] = reply;
  const header = (head: string, name: string) => new RegExp(`^${name}: (.*?)\r?$`, "m").exec(head);
  const length = (head: string) => Number(header(head, "Content-Length")?.[1] ?? NaN);
  if (length(head) !== body.length || length(replyHead) !== replyBody.length) return null;
  const isPlain = header(head, "Content-Type")?.[1] === "text/tab-separated-values";
  const lines = body.split("\n").slice(0, -1);
  if (!isPlain && body !== "" || !lines.every((line) => /\t(.*[^\r])?$/.test(line))) return null;
  if (body !== "" && !body.endsWith("\n")) return null;
  const rows = plainRows(fromLatin1(body), "text/tab-separated-values");
  if (rows.size !== lines.length) return null;
  const output = plainRows(fromLatin1(replyBody), header(replyHead, "Content-Type")![1]);
  return { procedure, rows, answer, status: Number(status), output };
}

/** What a reply is to come to: a value, or a refusal with what the server says. */
function outcomeOf({ procedure, status, output }: Exchange, use: Use): unknown {
  if (status === 200) return { value: use.success(output) };
  const said = output.get("ERROR")!;
  const [, code, message = said] = /^DB: (\d+): (.*)$/.exec(said) ?? [];
  const serverCode = code === undefined ? null : Number(code);
  if (serverCode !== null && serverCode in (use.misses ?? {})) {
    return { value: use.misses![serverCode] };
  }
  return { refusal: { procedure, status, serverCode, serverMessage: message } };
}

async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return { value: await call };
  } catch (error) {
    if (!(error instanceof ServerError)) return { error };
    const { procedure, status, serverCode, serverMessage } = error;
    return { refusal: { procedure, status, serverCode, serverMessage } };
  }
}

/** Plays a connection to a client; returns how many procedures were called, by name. */
async function play(exchanges: readonly Exchange[], style: Style): Promise<Map<string, number>> {
  await using setting = await scripted();
  const { kt } = setting;
  const main = await setting.accept();
  const cursors: Cursors = new Map();
  const numbers = new Map<Cursor, string>();
  const called = new Map<string, number>();
  for (const exchange of exchanges) {
    const { procedure, rows, answer } = exchange;
    const use = style === "rpc" ? rpcUse(procedure, rows) : useOf(procedure, rows, cursors);
    if (use === null) continue;
    called.set(procedure, (called.get(procedure) ?? 0) + 1);
    const result = outcome(use.call(kt));
    // Who waits does so on a connection of its own.
    const peer = rows.has("WAIT") ? await setting.accept() : main;
    const sent = await nextCall(peer);
    assertEquals(sent.procedure, procedure);
    const expected = new Map(rows);
    if (expected.get("DB") === "0") expected.delete("DB");
    if (style === "method") expected.delete(NO_RECORD);
    const recorded = rows.get("CUR");
    if (recorded !== undefined) {
      const { cursor, database } = cursors.get(recorded)!;
      if (database > 0) expected.set("DB", String(database));
      const number = numbers.get(cursor) ?? sent.rows.get("CUR")!;
      numbers.set(cursor, number);
      expected.set("CUR", number);
    }
    if (style === "rpc" && rows.get("DB") === "0") expected.set("DB", "0");
    assertEquals(sortedRows(sent.rows), sortedRows(expected));
    await peer.send(answer);
    assertEquals(await result, outcomeOf(exchange, use));
  }
  assertEquals(new Set(numbers.values()).size, numbers.size, "cursors have numbers of their own");
  assertEquals(main.unread.length, 0, "more was sent");
  return called;
}

function sortedRows(rows: Rows): [string, string][] {
  return [...rows].sort(([a], [b]) => a < b ? -1 : 1);
}

const scenarios = (await loadScenarios()).filter(({ folder }) => folder === "rpc");

for (const [style, how] of [["method", "by its own method"], ["rpc", "by rpc()"]] as const) {
  test(`the client calls what was recorded in rpc/, ${how}, and takes the reply`, async () => {
    const total = new Map<string, number>();
    for (const scenario of scenarios) {
      for (const connection of new Set(scenario.steps.map(connectionOf))) {
        try {
          const called = await play(exchangesOf(scenario, connection), style);
          for (const [name, n] of called) total.set(name, (total.get(name) ?? 0) + n);
        } catch (error) {
          const { message } = error as Error;
          throw new Error(`${scenario.name} on "${connection}": ${message}`, { cause: error });
        }
      }
    }
    const calls = [...total.values()].reduce((sum, n) => sum + n, 0);
    assertGreater(calls, style === "rpc" ? 250 : 140);
    if (style === "rpc") return;
    const reached = [
      ...["add", "append", "cas", "check", "clear", "get_bulk", "increment", "increment_double"],
      ...["match_prefix", "match_regex", "match_similar", "remove_bulk", "replace", "seize"],
      ...["set_bulk", "synchronize", "tune_replication", "ulog_remove", "vacuum", "void", "set"],
      ...["jump", "jump_back", "step", "step_back", "set_value", "remove", "seize", "get"].map(
        (name) => `cur_${name}`,
      ),
      ...["cur_get_key", "cur_get_value"],
    ];
    for (const name of reached) assert(total.has(name), name);
  });
}
