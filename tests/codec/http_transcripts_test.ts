/** What was recorded of HTTP decodes alike however it is cut, and a client would send the same. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { encodeRpcRequest, type HttpRequest } from "../../src/codec/http_request.ts";
import { decodeRows, parseContentType, requestEncoding } from "../../src/codec/tsv.ts";
import { test } from "../_harness.ts";
import { streamOf } from "../exchanges.ts";
import { connectionOf, loadScenarios, type Piece, type Scenario } from "../transcripts.ts";
import { readHttpReplies, readHttpRequests, type Received, written } from "./_http.ts";
import { toByteText } from "../../src/codec/byte_text.ts";
import type { HttpReply } from "../../src/codec/http_reply.ts";
import { byteByByte, cutAt } from "./_streams.ts";

/** How many positions a stream is cut at; one of up to so many bytes, at all of them. */
const CUTS = 300;
/** A larger stream is cut less often. */
const LARGE_STREAM = 20_000;

interface Conversation {
  name: string;
  sent: Piece[];
  received: Piece[];
}

/** What was said on each connection that speaks nothing but HTTP. */
function conversationsOf(scenario: Scenario): Conversation[] {
  const connections = new Set(scenario.steps.map(connectionOf));
  return [...connections].flatMap((connection) => {
    const steps = scenario.steps.filter((step) => connectionOf(step) === connection);
    const sent = steps.flatMap((step) => "send" in step ? step.send : []);
    const received = steps.flatMap((step) => "expect" in step ? step.expect : []);
    const plain = [...sent, ...received].every((piece) =>
      !(typeof piece === "object" && "port_of" in piece)
    );
    const first = streamOf(sent.slice(0, 1)).bytes[0];
    const binary = steps.some((step) => "send" in step && isBinary(step.send));
    return plain && first > 0 && first < 0x80 && !binary
      ? [{ name: `${scenario.name} on "${connection}"`, sent, received }]
      : [];
  });
}

function isBinary(pieces: readonly Piece[]): boolean {
  const first = streamOf(pieces.slice(0, 1)).bytes[0];
  return first === 0 || first >= 0x80;
}

function textOf(requests: readonly Received[]): string {
  return requests.map((request) =>
    typeof request === "string" || "message" in request
      ? JSON.stringify(request)
      : [request.line, ...request.headers, toByteText(request.body, 0, request.body.length)].join(
        "\n",
      )
  ).join("\n\n");
}

/** Quicker to compare than what it stands for. */
function summaryOf(replies: readonly HttpReply[]): string {
  return replies.map(({ status, keepAlive, headers, body }) =>
    [status, keepAlive, ...headers, toByteText(body, 0, body.length)].join("\n")
  ).join("\n\n");
}

function* cutsOf(stream: Uint8Array): Generator<Iterable<Uint8Array>> {
  const isLarge = stream.length > LARGE_STREAM;
  const step = Math.max(1, Math.floor(stream.length / (isLarge ? CUTS / 10 : CUTS)));
  for (let at = 0; at <= stream.length; at += step) yield cutAt(stream, at);
  if (!isLarge) yield byteByByte(stream);
}

const scenarios = (await loadScenarios()).filter(({ folder }) =>
  folder === "rpc" || folder === "rest"
);
const conversations = scenarios.flatMap(conversationsOf);

test("recorded requests decode alike however they are cut", () => {
  assert(conversations.length > 60, `${conversations.length} conversations`);
  for (const { name, sent } of conversations) {
    const stream = streamOf(sent).bytes;
    const whole = textOf(readHttpRequests([stream]));
    for (const pieces of cutsOf(stream)) {
      assertStrictEquals(textOf(readHttpRequests(pieces)), whole, name);
    }
  }
});

test("recorded replies decode alike however they are cut, one for each request", () => {
  for (const { name, sent, received } of conversations) {
    const requests = readHttpRequests([streamOf(sent).bytes]);
    const methods = requests.flatMap((request) =>
      typeof request === "string" ? [] : "method" in request ? [request.method] : ["POST"]
    );
    const stream = streamOf(received).bytes;
    const whole = readHttpReplies([stream], methods);
    const expected = summaryOf(whole);
    // A reply that was recorded row by row is not among them.
    if (whole.length < methods.length) {
      assert(/report|status|replication|truncated/.test(name), name);
    }
    for (const { status, headers, body } of whole) {
      assert(status >= 200 && status <= 503, name);
      const type = parseContentType(headers.get("content-type") ?? "");
      if (type !== null && type !== "form") {
        // Every line of the body is a row.
        assertStrictEquals(
          decodeRows(body, 0, body.length, type).length,
          body.filter((byte) => byte === 0x0a).length,
          name,
        );
      }
    }
    for (const pieces of cutsOf(stream)) {
      assertStrictEquals(summaryOf(readHttpReplies(pieces, methods)), expected, name);
    }
  }
});

test("a client writes the requests of procedures that were recorded", () => {
  let compared = 0;
  for (const scenario of scenarios) {
    for (const step of scenario.steps) {
      if (!("send" in step)) continue;
      const stream = streamOf(step.send).bytes;
      const requests = readHttpRequests([stream]);
      const [request] = requests as HttpRequest[];
      if (requests.length !== 1 || !/^POST \/rpc\/\w+ HTTP\/1.1$/.test(request.line)) continue;
      if (request.headers.get("content-type") !== "text/tab-separated-values") continue;
      const rows = decodeRows(request.body, 0, request.body.length, "");
      if (requestEncoding(rows) !== "" || request.headers.has("transfer-encoding")) continue;
      const lines = request.body.filter((byte) => byte === 0x0a).length;
      if (lines !== rows.length || !new TextDecoder().decode(stream).includes("Host: localhost")) {
        continue;
      }
      const name = request.target.slice("/rpc/".length);
      assertEquals(written((w) => encodeRpcRequest(w, name, rows)), stream, scenario.name);
      compared++;
    }
  }
  assert(compared > 300, `${compared} requests`);
});
