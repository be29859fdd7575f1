import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { runScript, runtime, startScript, test } from "./_harness.ts";

const echo = "tests/fixtures/echo.ts";

test("runScript() gives the exit code and what the script wrote", async () => {
  const good = await runScript(echo, ["", "a", "b"]);
  assertEquals([good.code, good.stdout, good.stderr], [0, "args: a,b\n", ""]);
  assert(good.ms > 0);
  const bad = await runScript(echo, ["fail"]);
  assertEquals([bad.code, bad.stdout, bad.stderr], [3, "args: \n", "failed on purpose\n"]);
});

test("runScript() passes on stdin, the environment and permissions", async () => {
  const copy = await runScript(echo, ["copy"], { stdin: "zwölf\n".repeat(20_000) });
  assertEquals(copy.stdout, "args: \n" + "zwölf\n".repeat(20_000) + "\n");
  const env = await runScript(echo, ["env"], {
    permissions: ["--allow-env=GREETING"],
    env: { GREETING: "hello" },
  });
  assertEquals(env.stdout, "args: \nhello\n");
});

test("runScript() gives a script no permission unasked", {
  only: "deno",
  reason: "no other runtime has permissions",
}, async () => {
  const { code, stderr } = await runScript(echo, ["env"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "Requires env access");
});

test("runScript() rejects for a script that takes too long", async () => {
  await assertRejects(
    () => runScript(echo, ["wait"], { timeoutMs: 1_500 }),
    Error,
    `"${echo}" ran for more than 1500 ms`,
  );
});

test("startScript() reads line by line and stops the script by a signal", async () => {
  await using script = await startScript(echo, ["wait", "x"]);
  assertEquals(await script.nextLine(), "args: x");
  assert(script.pid > 0);
  script.kill("SIGTERM");
  await assertRejects(() => script.nextLine(), Error, "Cannot read a line: the script ended");
  assertEquals(await script.status, { code: 143, signal: "SIGTERM" });
  script.kill();
});

test("a script that is disposed of has ended", async () => {
  const script = await startScript(echo, ["wait"]);
  await script[Symbol.asyncDispose]();
  assertEquals((await script.status).signal, "SIGKILL");
});

test("the suite knows its runtime", () => {
  const globals = globalThis as { Deno?: unknown; Bun?: unknown };
  const expected = globals.Deno ? "deno" : globals.Bun ? "bun" : "node";
  assertEquals(runtime, expected);
});
