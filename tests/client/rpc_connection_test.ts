/** HTTP in the queue of a connection: order, endings, retries, bounds. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ConnectionError, type KyotoTycoon, ProtocolError, ServerError, text } from "../../mod.ts";
import { toBytes } from "../../src/codec/writer.ts";
import { test } from "../_harness.ts";
import { deadlineIn, type Peer } from "../peer.ts";
import { allBytes, fromLatin1, latin1, nextCall, reply, scripted } from "./_rpc.ts";

/** What has been written on a connection, once a certain text has. */
async function written(peer: Peer, last: string): Promise<string> {
  const deadline = deadlineIn(5000);
  while (!latin1(peer.unread).includes(last)) assertEquals(await peer.more(deadline), "bytes");
  return latin1(peer.unread);
}

const stored = Uint8Array.of(0xb8, 0, 0, 0, 1);

test("calls of one tick leave in the order in which they were made, binary or not", async () => {
  await using setting = await scripted();
  const { kt } = setting, peer = await setting.accept();
  const calls = [
    kt.set("a", "1"),
    kt.increment("b"),
    kt.set("c", "2"),
    kt.set("d", "3", { wake: "x" }),
    kt.setBulk({ e: "4" }, { atomic: true }),
    kt.check("f"),
  ];
  const sent = await written(peer, "key\tf");
  const order = ["a1", "key\tb", "c2", "key\td", "_e\t4", "key\tf"].map((part) =>
    sent.indexOf(part)
  );
  assertEquals(order, order.toSorted((a, b) => a - b));
  assert(order[0] > 0);
  // Replies may come in one piece, or byte by byte.
  const answers = [
    ...stored,
    ...reply(200, { num: "1" }),
    ...stored,
    ...reply(200),
    ...reply(200, { num: "1" }),
    ...reply(200, { vsiz: "5", xt: "4102444800" }),
  ];
  for (const byte of answers) await peer.send(Uint8Array.of(byte));
  const expiresAt = new Date("2100-01-01T00:00:00Z");
  assertEquals(await Promise.all<unknown>(calls), [
    undefined,
    1,
    undefined,
    undefined,
    1,
    { size: 5, expiresAt },
  ]);
});

test("the rows go in the fewest bytes that carry them", async () => {
  await using setting = await scripted();
  const { kt } = setting, peer = await setting.accept();
  const values: [string | Uint8Array, string][] = [
    ["plain", ""],
    ["tab\tinside", ""],
    [fromLatin1("\xff\x00"), ""],
    ["line\nfeed", "Q"],
    [allBytes, "B"],
  ];
  for (const [value, encoding] of values) {
    const result = kt.add("k", value);
    const sent = await nextCall(peer);
    assertEquals(sent.encoding, encoding, String(value));
    assertEquals(fromLatin1(sent.rows.get("value")!), toBytes(value));
    await peer.send(reply(200));
    assertEquals(await result, true);
  }
  const result = kt.rpc("echo", { "name\twith tab": "v" });
  assertEquals((await nextCall(peer)).encoding, "Q");
  await peer.send(reply(200));
  await result;
});

test("all encodings of replies are understood", async () => {
  await using setting = await scripted();
  const { kt } = setting, peer = await setting.accept();
  for (
    const [encoding, name, value] of [
      ["; colenc=B", "dmFsdWU=", "AP8K"],
      ["; colenc=U", "value", "%00%ff%0a"],
      ["; colenc=Q", "value", "=00=FF=0A"],
    ]
  ) {
    const result = kt.seize("k");
    await nextCall(peer);
    await peer.send(
      reply(200, { [name]: value }, { "Content-Type": `text/tab-separated-values${encoding}` }),
    );
    assertEquals(await result, Uint8Array.of(0, 255, 10));
  }
});

test("behind a reply that says so, the connection ends, and another is made", async () => {
  await using setting = await scripted({ reconnect: { minDelay: 1 } });
  const { kt } = setting, first = await setting.accept();
  const done = kt.add("a", "1");
  const behind = kt.add("b", "2").catch((error) => error);
  const read = kt.check("c");
  await nextCall(first);
  await first.send(reply(200, {}, { Connection: "close" }));
  assertEquals(await done, true);
  const error = await behind;
  assertInstanceOf(error, ConnectionError);
  assertEquals(error.sent, true);
  // What only reads is asked again.
  const second = await setting.accept();
  assertEquals((await nextCall(second)).rows.get("key"), "c");
  await second.send(reply(450, { ERROR: "DB: 7: no record: no record" }));
  assertEquals(await read, null);
});

test("a refusal of the transport itself is a ServerError, and ends the connection", async () => {
  await using setting = await scripted({ reconnect: { minDelay: 1 } });
  const { kt } = setting, first = await setting.accept();
  const result = kt.append("k", "v").catch((error) => error);
  await nextCall(first);
  const body = "413 Request Entity Too Large (request entity too large)\n";
  const head = `HTTP/1.1 413 Request Entity Too Large\r\nConnection: close\r\n` +
    `Content-Length: ${body.length}\r\nContent-Type: text/plain\r\n\r\n`;
  await first.send(fromLatin1(head + body));
  const error = await result;
  assertInstanceOf(error, ServerError);
  assertEquals([error.status, error.serverMessage], [413, body.trim()]);
  const next = kt.add("k", "v");
  const second = await setting.accept();
  await nextCall(second);
  await second.send(reply(200));
  assertEquals(await next, true);
});

test("what only reads is asked once more when its connection is lost, and nothing else", async () => {
  const reads: ((kt: KyotoTycoon) => Promise<unknown>)[] = [
    (kt) => kt.check("k"),
    (kt) => kt.status(),
    (kt) => kt.report(),
    (kt) => kt.matchPrefix("k"),
    (kt) => kt.matchRegex("k"),
    (kt) => kt.matchSimilar("k"),
    (kt) => kt.updateLogs(),
    (kt) => kt.getBulk(["k"], { atomic: true }),
    (kt) => kt.rpc("echo"),
    (kt) => kt.rpc("get", { key: "k" }),
  ];
  const others: ((kt: KyotoTycoon) => Promise<unknown>)[] = [
    (kt) => kt.add("k", "v"),
    (kt) => kt.replace("k", "v"),
    (kt) => kt.append("k", "v"),
    (kt) => kt.increment("k"),
    (kt) => kt.incrementDouble("k", 1),
    (kt) => kt.cas("k", null, "v"),
    (kt) => kt.seize("k"),
    (kt) => kt.set("k", "v", { wake: "x" }),
    (kt) => kt.remove("k", { wake: "x" }),
    (kt) => kt.setBulk({ k: "v" }, { atomic: true }),
    (kt) => kt.removeBulk(["k"], { atomic: true }),
    (kt) => kt.clear(),
    (kt) => kt.synchronize(),
    (kt) => kt.vacuum(),
    (kt) => kt.wake("x"),
    (kt) => kt.removeUpdateLogs(),
    (kt) => kt.follow(null),
    (kt) => kt.rpc("play_script", { name: "p" }),
    (kt) => kt.rpc("echo", {}, { wake: "x" }),
    (kt) => kt.rpc("echo", { SIGNAL: "x" }),
    (kt) => kt.cursor().get(),
    (kt) => kt.entries().next(),
  ];
  for (const call of [...reads, ...others]) {
    await using setting = await scripted({ reconnect: { minDelay: 1 } });
    const result = call(setting.kt).catch((error) => error);
    const first = await setting.accept();
    await nextCall(first);
    first.close();
    if (others.includes(call)) {
      const error = await result;
      assertInstanceOf(error, ConnectionError, String(call));
      assertEquals([error.sent, setting.peers.length], [true, 1], String(call));
    } else {
      const second = await setting.accept();
      await nextCall(second);
      await second.send(reply(400, { ERROR: "enough" }));
      assertInstanceOf(await result, ServerError, String(call));
    }
  }
});

test("a reply to a call that was given up is not taken for another", async () => {
  await using setting = await scripted();
  const { kt } = setting, peer = await setting.accept();
  const controller = new AbortController();
  const reason = new Error("enough");
  const given = kt.increment("a", 1, { signal: controller.signal }).catch((error) => error);
  const kept = kt.increment("b");
  await nextCall(peer);
  controller.abort(reason);
  assertEquals(await given, reason);
  await nextCall(peer);
  await peer.send(reply(200, { num: "1" }));
  await peer.send(reply(200, { num: "2" }));
  assertEquals(await kept, 2);
});

test("a reply of more than maxReplyBytes is refused before it has come", async () => {
  await using setting = await scripted({ maxReplyBytes: 1000, reconnect: false });
  const { kt } = setting, peer = await setting.accept();
  const result = assertRejects(() => kt.seize("k"), ProtocolError, "maxReplyBytes");
  await nextCall(peer);
  await peer.send(fromLatin1("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"));
  await result;
});

test("a reply that is none ends the connection", async () => {
  const answers: [(kt: KyotoTycoon) => Promise<unknown>, Uint8Array][] = [
    [(kt) => kt.increment("k"), reply(200)],
    [(kt) => kt.increment("k"), reply(200, { num: "many" })],
    [(kt) => kt.incrementDouble("k", 1), reply(200, { num: "1e5" })],
    [(kt) => kt.check("k"), reply(200, { vsiz: "" })],
    [(kt) => kt.check("k"), reply(200, { vsiz: "1", xt: "soon" })],
    [(kt) => kt.seize("k"), reply(200)],
    [(kt) => kt.setBulk({ k: "v" }, { atomic: true }), reply(200)],
    [(kt) => kt.cursor().get(), reply(200, { key: "k" })],
    [(kt) => kt.wake("x"), reply(200)],
    [(kt) => kt.updateLogs(), reply(200, { path: "large" })],
    [(kt) => kt.set("k", "v"), reply(200)],
  ];
  for (const [call, answer] of answers) {
    await using setting = await scripted({ reconnect: false });
    const { kt } = setting, peer = await setting.accept();
    const result = assertRejects(() => call(kt), ProtocolError, undefined, String(call));
    while (peer.unread.length === 0) await peer.more(deadlineIn(5000));
    await peer.send(answer);
    await result;
    assertEquals(kt.stats.connections, 0);
  }
});

test("what a codec throws concerns its call alone", async () => {
  await using setting = await scripted();
  const kt = setting.kt.withCodec(text), peer = await setting.accept();
  const bad = assertRejects(() => kt.seize("a"), TypeError);
  const good = kt.seize("b");
  await nextCall(peer);
  await nextCall(peer);
  await peer.send(reply(200, { value: "\xff" }));
  await peer.send(reply(200, { value: "fine" }));
  await bad;
  assertEquals(await good, "fine");
});
