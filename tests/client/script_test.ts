import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { startMockServer } from "../../mock_server/mod.ts";
import { connect, ServerError, text } from "../../mod.ts";
import { test } from "../_harness.ts";
import { replies, ScriptedServer } from "../scripted_server.ts";
import { connected } from "./_client.ts";

test("playScript() sends the input and gives the output, sorted as the server sorts it", async () => {
  await using server = await startMockServer({
    procedures: { echo: (input) => input },
  });
  await using kt = await connect({ port: server.port, codec: text });
  const output = await kt.playScript("echo", { b: "2", a: "1", "é": "3", B: "4" });
  assertEquals([...output], [["B", "4"], ["a", "1"], ["b", "2"], ["é", "3"]]);
  assertEquals(await kt.playScript("echo"), new Map());
});

test("the input may be pairs, a map or an object", async () => {
  await using setting = await connected({ codec: text });
  const { kt } = setting;
  for (const input of [[["a", "1"]] as [string, string][], new Map([["a", "1"]]), { a: "1" }]) {
    assertEquals(await kt.playScript("p", input), new Map([["a", "1"]]));
  }
});

test("keys of the output are text, or bytes where they are asked for", async () => {
  await using server = ScriptedServer.inMemory(async (connection) => {
    for (;;) {
      await connection.request();
      await connection.send(replies.script(["ok", "1"], [Uint8Array.of(0xff), "2"]));
    }
  });
  await using kt = await connect({ connector: server.connector, codec: text });
  const error = await assertRejects(() => kt.playScript("p"), TypeError);
  assertEquals(
    error.message,
    'Cannot playScript "p": a key of the output is not UTF-8; ask for keys as "bytes"',
  );
  assertEquals(
    [...await kt.playScript("p", {}, { keys: "bytes" })],
    [[new TextEncoder().encode("ok"), "1"], [Uint8Array.of(0xff), "2"]],
  );
});

test("a procedure that does not exist, or fails, is an error of the server's", async () => {
  await using server = await startMockServer({
    procedures: {
      broken() {
        throw new Error("on purpose");
      },
    },
    onError: () => {},
  });
  await using kt = await connect({ port: server.port });
  for (const name of ["broken", "missing", ""]) {
    const error = await assertRejects(() => kt.playScript(name), ServerError);
    assertEquals(
      error.message,
      `Cannot playScript "${name}": the server has no such procedure, or the procedure failed`,
    );
    assertEquals(error.operation, "playScript");
  }
  // The connection has survived all that.
  assertEquals(kt.stats.connected, 1);
  await kt.ping();
});

test("a slow script holds up the calls behind it, not their results", async () => {
  await using server = ScriptedServer.inMemory(async (connection) => {
    await connection.request();
    await connection.request();
    await connection.send(replies.script(["done", ""]), replies.get({ key: "k", value: "v" }));
  });
  await using kt = await connect({ connector: server.connector, codec: text });
  const script = kt.playScript("slow", {}, { timeout: 60_000 });
  const value = await kt.get("k");
  assertInstanceOf(await script, Map);
  assertEquals(value, "v");
});
