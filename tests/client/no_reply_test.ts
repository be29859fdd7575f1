import { assertEquals, assertRejects } from "@std/assert";
import { startMockServer } from "../../mock_server/mod.ts";
import { connect, text } from "../../mod.ts";
import { brief } from "../connection/_fake_socket.ts";
import { test } from "../_harness.ts";
import { connected } from "./_client.ts";

test("calls without a reply resolve to nothing and say so on the wire", async () => {
  await using setting = await connected();
  const { kt, requests } = setting;
  const noReply = true;
  assertEquals(
    await Promise.all([
      kt.set("k", "v", { noReply }),
      kt.remove("k", { noReply }),
      kt.setBulk({ a: "1" }, { noReply }),
      kt.removeBulk(["a"], { noReply }),
      kt.playScript("p", { a: "1" }, { noReply }),
    ]),
    [undefined, undefined, undefined, undefined, undefined],
  );
  await kt.ping();
  assertEquals(requests.map(brief), [
    ...["set! 0:k=v", "remove! 0:k", "set! 0:a=1", "remove! 0:a", "script! p a=1", "get"],
  ]);
});

test("what has types for both kinds of calls compiles", async () => {
  await using setting = await connected();
  const { kt } = setting;
  const removed: boolean = await kt.remove("k");
  const nothing: void = await kt.remove("k", { noReply: true });
  const count: number = await kt.setBulk({});
  const output: Map<string, Uint8Array> = await kt.playScript("p");
  const keys: Map<Uint8Array, Uint8Array> = await kt.playScript("p", {}, { keys: "bytes" });
  assertEquals([removed, nothing, count, output.size, keys.size], [true, undefined, 0, 0, 0]);
});

test("calls with and without reply keep their order", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ port: server.port, codec: text });
  const [, value, , gone] = await Promise.all([
    kt.set("k", "v", { noReply: true }),
    kt.get("k"),
    kt.remove("k", { noReply: true }),
    kt.get("k"),
  ]);
  assertEquals([value, gone], ["v", null]);
});

test("a call without reply learns of no failure; the next call lives with the consequences", async () => {
  await using server = await startMockServer({ readOnly: true });
  await using kt = await connect({ port: server.port });
  await kt.set("k", "v", { noReply: true });
  // A refusal closes the connection without a word; a read is simply asked again.
  assertEquals(await kt.get("k"), null);
  await kt.playScript("none", {}, { noReply: true });
  assertEquals(await kt.get("k"), null);
});

test("a call without reply into a missing database is lost silently", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ port: server.port });
  await kt.set("k", "v", { noReply: true, database: 7 });
  assertEquals(await kt.get("k", { database: 7 }), null);
});

test("wrong arguments reject all the same", async () => {
  await using setting = await connected();
  const { kt } = setting;
  await assertRejects(() => kt.set("k", "v", { noReply: true, database: -1 }), RangeError);
  await assertRejects(() => kt.remove(5 as never, { noReply: true }), TypeError);
});
