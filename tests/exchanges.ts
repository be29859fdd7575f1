/**
 * The recorded scenarios cut into exchanges: some requests on one connection, and the replies to
 * them. Only what speaks the ordinary binary requests; not HTTP, not replication.
 */

import { isAnswered, parseReplies, parseRequests } from "./plain_parser.ts";
import {
  connectionOf,
  type Piece,
  Pieces,
  type Scenario,
  type Step,
  usesReplication,
} from "./transcripts.ts";

export interface Exchange {
  /** The scenario, the connection, and the number of the exchange on it. */
  name: string;
  sent: Piece[];
  received: Piece[];
  /** Whether the server closed the connection at the end of it. */
  closes: boolean;
}

/** The exchanges of a scenario, each with whole requests and replies where the recording has them. */
export function exchangesOf(scenario: Scenario): Exchange[] {
  const connections = [...new Set(scenario.steps.map(connectionOf))];
  return connections.flatMap((connection) => {
    const steps = scenario.steps.filter((step) => connectionOf(step) === connection);
    const binary = steps.every((step) =>
      "send" in step
        ? step.send.every(isBinary)
        : "expect" in step
        ? step.expect.every(isBinary)
        : !("accept" in step || "expect_repl" in step || "expect_http" in step)
    );
    if (!binary || usesReplication(scenario) && startsAs(steps, "b1")) return [];
    const exchanges: Exchange[] = [];
    let exchange: Exchange | undefined;
    for (const step of steps) {
      if ("send" in step) {
        if (exchange === undefined || isWhole(exchange)) {
          const name = `${scenario.name} on "${connection}", exchange ${exchanges.length}`;
          exchange = { name, sent: [], received: [], closes: false };
          exchanges.push(exchange);
        }
        exchange.sent.push(...step.send);
      } else if ("expect" in step) exchange?.received.push(...step.expect);
      else if ("expect_close" in step && exchange !== undefined) exchange.closes = true;
    }
    return exchanges;
  });
}

function isBinary(piece: Piece): boolean {
  return typeof piece === "string" || "repeat" in piece || "xt" in piece || "xt_dec" in piece;
}

/** Whether the first bytes that are sent on a connection are these. */
function startsAs(steps: readonly Step[], hex: string): boolean {
  const first = steps.flatMap((step) => "send" in step ? step.send : [])[0];
  return typeof first === "string" && first.startsWith(hex);
}

function isWhole({ sent, received }: Exchange): boolean {
  const pieces = new Pieces(0);
  const { requests, outcome } = parseRequests(pieces.render(sent));
  const kinds = requests.filter(isAnswered).map(({ kind }) => kind);
  const replies = parseReplies(pieces.render(received), kinds);
  return outcome === "complete" && replies.outcome === "complete" &&
    replies.replies.length === kinds.length;
}

/** Bytes in one direction. */
export interface Stream {
  bytes: Uint8Array;
  /** Where one and the same pattern stands again and again: start and end of each such run. */
  runs: [start: number, end: number][];
}

/** Renders pieces, with the times filled in from the clock. */
export function streamOf(pieces: readonly Piece[]): Stream {
  const renderer = new Pieces(0);
  const runs: [number, number][] = [];
  let at = 0;
  for (const piece of pieces) {
    const { length } = renderer.render([piece]);
    if (typeof piece === "object" && "repeat" in piece) runs.push([at, at + length]);
    at += length;
  }
  return { bytes: renderer.render(pieces), runs };
}
