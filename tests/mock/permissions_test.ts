/** What the mock server needs in Deno: its own port, and nothing else. The client's are in exit_test.ts. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect, text } from "../../mod.ts";
import { startMockServer } from "../../mock_server/mod.ts";
import { runScript, startScript, test } from "../_harness.ts";

const denoOnly = { only: "deno", reason: "no other runtime has permissions" } as const;

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  await using server = await startMockServer();
  return server.port;
}

test("the mock server needs no other permission than to listen on its port", denoOnly, async () => {
  const port = await freePort();
  const run = (allowed: number) =>
    runScript("tests/fixtures/mock.ts", [`${port}`], {
      permissions: [`--allow-net=127.0.0.1:${allowed}`],
    });
  const { code, stdout, stderr } = await run(port);
  assertEquals([code, stdout, stderr], [0, `${port} v hello\n`, ""]);
  const denied = await run(port - 1);
  assert(denied.code !== 0);
  assertStringIncludes(denied.stderr, `Requires net access to "127.0.0.1:${port}"`);
});

test("nor does its command", denoOnly, async () => {
  const port = await freePort();
  await using script = await startScript("mock_server/cli.ts", ["--port", `${port}`], {
    permissions: [`--allow-net=127.0.0.1:${port}`],
  });
  assertStringIncludes(await script.nextLine(), `127.0.0.1:${port}`);
  await using kt = await connect({ port, codec: text });
  await kt.set("k", "v");
  assertEquals(await kt.get("k"), "v");
});
