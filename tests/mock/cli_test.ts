import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, text } from "../../mod.ts";
import { parseArguments } from "../../mock_server/cli_options.ts";
import { parseSeed } from "../../mock_server/seed.ts";
import { runScript, startScript, test } from "../_harness.ts";

const CLI = "mock_server/cli.ts";
const permissions = ["--allow-net=127.0.0.1", "--allow-read"];

async function withDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "mock-"));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

test("the command prints its address and stops cleanly when it is interrupted or terminated", async () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    await using script = await startScript(CLI, ["--port", "0"], { permissions });
    const address = await script.nextLine();
    assertMatch(address, /^kt:\/\/127\.0\.0\.1:\d+$/);
    await using kt = (await connect(address)).withCodec(text);
    await kt.set("k", "v");
    assertEquals(await kt.get("k"), "v");
    script.kill(signal);
    assertEquals((await script.status).code, 0);
    assertEquals([script.stdout, script.stderr], [`${address}\n`, ""]);
  }
});

test("the command takes ktserver's options, with one dash", async () => {
  await withDirectory(async (directory) => {
    const pid = join(directory, "pid"), log = join(directory, "log"), seed = join(directory, "s");
    await writeFile(seed, '[{"key": "seeded", "value": {"base64": "AAH/"}, "database": 1}]');
    const args = [
      ...["-host", "127.0.0.1", "-port", "0", "-tout", "5", "-th", "4", "-sid", "7"],
      ...["-ulog", join(directory, "ulog"), "-scr", "tests/golden/procedures.ts", "-seed", seed],
      ...["-pid", pid, "-log", log, "*", "%", join(directory, "named.kct")],
    ];
    await using script = await startScript(CLI, args, {
      permissions: [...permissions, "--allow-write"],
    });
    const address = await script.nextLine();
    assertEquals(await readFile(pid, "utf8"), `${script.pid}\n`);
    await using kt = await connect(address);
    assertEquals(await kt.database(1).get("seeded"), Uint8Array.of(0, 1, 255));
    assertEquals(
      await kt.withCodec(text).playScript("echo", { a: "b" }),
      new Map([["a", "b"]]),
    );
    assertEquals(
      await kt.withCodec(text).playScript("odd name!"),
      new Map([["name", "odd name!"]]),
    );
    await kt.playScript("raise").catch(() => {});
    await kt.close();
    script.kill();
    assertEquals((await script.status).code, 0);
    await readFile(pid).then(() => assert(false), () => {});
    const lines = await readFile(log, "utf8");
    assertStringIncludes(lines, `[INFO]: listening on ${address}`);
    assertStringIncludes(lines, "[ERROR]: Error: raised on purpose");
    assertStringIncludes(lines, "[INFO]: stopped");
  });
});

test("a wrong option gives one clear line and the status 2", async () => {
  const cases: [string[], string][] = [
    [["--prot", "1"], 'there is no option "--prot"'],
    [["casket"], '"casket" is no database'],
    [["--port"], 'the option "--port" lacks a value'],
    [["-port", "70000"], '"--port" is "70000"'],
    [["-tout", "0"], '"--tout" is 0'],
    [["--fault", "x"], '"x" is no fault'],
  ];
  const results = await Promise.all(cases.map(([args]) => runScript(CLI, args, { permissions })));
  for (const [i, { code, stdout, stderr }] of results.entries()) {
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, /^mock server: [^\n]*; --help explains the options\n$/);
    assertStringIncludes(stderr, cases[i][1]);
  }
});

test("what goes wrong at the start gives one clear line and the status 1", async () => {
  const cases = [["--seed", "/nowhere"], ["--host", "192.0.2.1"], ["--scr", "/nowhere.ts"]];
  const options = { permissions: ["--allow-net", "--allow-read"] };
  const results = await Promise.all(
    cases.map((args) => runScript(CLI, ["--port", "0", ...args], options)),
  );
  for (const { code, stdout, stderr } of results) {
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, /^mock server: [^\n]+\n$/);
  }
});

test("--help explains every option", async () => {
  const { code, stdout } = await runScript(CLI, ["--help"], { permissions });
  assertEquals(code, 0);
  const options =
    "host port tout th log pid sid ulim scr seed mhost mport rts riv max-connections " +
    "fault ord le ls ulog help";
  for (const option of options.split(" ")) assertStringIncludes(stdout, `--${option}`);
});

test("--fault makes the command misbehave", async () => {
  const args = ["--port=0", "--fault", "get_bulk:2:corrupt:0"];
  await using script = await startScript(CLI, args, { permissions });
  await using kt = await connect(await script.nextLine());
  assertEquals(await kt.get("k"), null);
  const error = await kt.get("k").catch((error) => error);
  assertEquals(error.code, "ERR_PROTOCOL");
});

test("the command line becomes the server's options", () => {
  const { server, faults, ...rest } = parseArguments([
    ...["-host", "::1", "--port=7", "-tout", "1.5", "-sid", "65535", "-ord", "-le"],
    ...["--max-connections", "9", "--fault", "connect:1:refuse", "--ulim", "16m", "-ulog"],
    ...["*#bnum=1000000", "%", ":", "-", "/tmp/x.kct#ktopts=p"],
  ]);
  assertEquals(server, {
    hostname: "::1",
    port: 7,
    databases: ["*#bnum=1000000", "%", ":", "-", "/tmp/x.kct#ktopts=p"],
    timeout: 1500,
    serverId: 65535,
    readOnly: true,
    maxConnections: 9,
    requestLogSize: 0,
    updateLog: { maxBytes: 16 * 1024 * 1024 },
    follow: undefined,
  });
  assertEquals(faults, [{ op: "connect", nth: 1, times: 1, action: "refuse" }]);
  assertEquals([rest.help, rest.log], [false, "errors"]);
});

test("a directory behind --ulog is told from a database", () => {
  const parse = (...args: string[]) => {
    const { server: { updateLog, databases } } = parseArguments(args);
    return [updateLog, databases];
  };
  assertEquals(parse(), [false, undefined]);
  assertEquals(parse("--ulog"), [true, undefined]);
  assertEquals(parse("-ulog", "/var/ulog"), [true, undefined]);
  assertEquals(parse("--ulog=/var/ulog", "*"), [true, ["*"]]);
  assertEquals(parse("-ulog", "ulog", "*"), [true, ["*"]]);
  assertEquals(parse("-ulog", "*"), [true, ["*"]]);
  assertEquals(parse("-ulog", "%#ktopts=p"), [true, ["%#ktopts=p"]]);
  assertEquals(parse("-ulog", "x.kct", "-le"), [true, ["x.kct"]]);
  assertEquals(parse("-ulog", "-le", ":"), [true, [":"]]);
});

test("--mhost and its like make a follower", () => {
  const follow = (...args: string[]) => parseArguments(args).server.follow;
  assertEquals(follow("-mport", "2000"), undefined);
  assertEquals(follow("-mhost", "a", "-mport", "2000", "-rts", "f", "-riv", "1.5"), {
    hostname: "a",
    port: 2000,
    rts: "f",
    interval: 1.5,
  });
  assertEquals(follow("-rts", "f"), {
    hostname: undefined,
    port: undefined,
    rts: "f",
    interval: 0.04,
  });
});

test("a seed is read from JSON", () => {
  const seed = parseSeed(`[
    {"key": "k", "value": "é"},
    {"database": 2, "key": {"base64": "/w=="}, "value": {"base64": ""}, "expireIn": 1500},
    {"key": "", "value": "", "expiresAt": "2100-01-01T00:00:00Z"},
    {"key": "", "value": "", "expiresAt": null}
  ]`);
  assertEquals(seed.map(({ key, value }) => [key, value]), [
    ["k", "é"],
    [Uint8Array.of(255), new Uint8Array(0)],
    ["", ""],
    ["", ""],
  ]);
  assertEquals(seed.map(({ expireIn }) => expireIn), [undefined, 1500, undefined, undefined]);
  assertEquals(seed.map(({ expiresAt }) => expiresAt?.getTime()), [
    undefined,
    undefined,
    4_102_444_800_000,
    undefined,
  ]);
  const wrong = [
    "{}",
    "[1]",
    '[{"key": 1, "value": ""}]',
    '[{"key": ""}]',
    '[{"key": "", "value": "", "exprieIn": 1}]',
    '[{"key": "", "value": "", "expireIn": "1"}]',
    '[{"key": "", "value": "", "expiresAt": "soon"}]',
    '[{"key": "", "value": "", "database": "0"}]',
  ];
  for (const json of wrong) {
    let message = "";
    try {
      parseSeed(json);
    } catch (error) {
      message = (error as Error).message;
    }
    assertMatch(message, /the seed/);
  }
});
