/** Imports point one way, and only the files that are there for it know a runtime. */

import { assertEquals, assertGreater } from "@std/assert";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "./_harness.ts";

/** From the bottom to the top: a file may import from its own layer and from those before it. */
const LAYERS = [
  ["src/errors.ts"],
  ["src/types.ts"],
  ["src/diagnostics.ts"],
  ["src/codec/"],
  ["src/value_codec.ts"],
  ["src/arguments.ts"],
  ["src/transport/"],
  ["src/replication/source.ts", "src/replication/checkpoint.ts"],
  ["src/replication/"],
  ["src/connection/"],
  ["src/operations/"],
  ["src/client.ts"],
  ["src/connect/"],
  ["src/connect.ts"],
  ["mod.ts"],
];

/** The same for the mock server, which shares with the client what has nothing to do with calls. */
const MOCK_LAYERS = [
  ["src/errors.ts", "src/types.ts", "src/codec/", "src/transport/", "src/replication/source.ts"],
  ["mock_server/storage/"],
  ["mock_server/procedures/"],
  ["mock_server/session/"],
  ["mock_server/replication/"],
  ["mock_server/http/"],
  ["mock_server/binary/"],
  ["mock_server/listen"],
  ["mock_server/options.ts"],
  ["mock_server/server.ts"],
  ["mock_server/mod.ts", "mock_server/seed.ts", "mock_server/cli"],
];
/** Three ways to be served that know nothing of each other. */
const APART = ["mock_server/replication/", "mock_server/http/", "mock_server/binary/"];

/** The files that may name a runtime or import one of its modules. */
const RUNTIMES =
  /^src\/transport\/(deno|bun|node|detect|files)\.ts$|^mock_server\/(listen_\w+|cli)\.ts$/;
const MODULES: Record<string, string> = { "src/diagnostics.ts": "node:diagnostics_channel" };

const isIn = (paths: string[], file: string) => paths.some((path) => file.startsWith(path));

/** What is wrong with the imports of a file, given by its path from the root. */
function violations(file: string, source: string): string[] {
  const layers = isIn(["mock_server/"], file) ? MOCK_LAYERS : LAYERS;
  const layer = layers.findIndex((paths) => isIn(paths, file));
  if (layer < 0) return [`${file} has no layer`];
  const others = isIn(APART, file) ? APART.filter((path) => !file.startsWith(path)) : [];
  const allowed = layers.slice(0, layer + 1).flat().filter((path) => !others.includes(path));

  const code = source.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*/g, "");
  const found = [];
  for (const [, name] of code.matchAll(/\b(?:from|import)\b[\s(]*["']([^"']+)["']/g)) {
    if (name.startsWith(".")) {
      const target = new URL(name, `file:///${file}`).pathname.slice(1);
      if (!isIn(allowed, target)) found.push(`${file} imports ${target}`);
    } else if (MODULES[file] !== name && !(RUNTIMES.test(file) && name.startsWith("node:"))) {
      found.push(`${file} imports ${name}`);
    }
  }
  for (const [name] of code.matchAll(/\b(Deno|Bun)\??\.\w+|\.(Deno|Bun)\b/g)) {
    if (!RUNTIMES.test(file)) found.push(`${file} names ${name}`);
  }
  return found;
}

test("imports point one way, and only adapters know a runtime", () => {
  const root = new URL("..", import.meta.url);
  const files = ["src", "mock_server"].flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" })
      .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
  ).filter((file) => file.endsWith(".ts"));
  assertGreater(files.length, 10);
  const read = (file: string) => readFileSync(new URL(file, root), "utf8");
  assertEquals([...files, "mod.ts"].flatMap((file) => violations(file, read(file))), []);
});

test("an import in the wrong direction, from outside or of a runtime is found", () => {
  const found = (file: string, source: string) => violations(file, source).length;
  assertEquals(found("src/codec/a.ts", `import type { A } from "../transport/deno.ts";`), 1);
  assertEquals(found("src/codec/a.ts", `export * from '../connect.ts';`), 1);
  assertEquals(found("src/client.ts", `await import("./connect.ts");`), 1);
  assertEquals(found("mock_server/server.ts", `import "../src/connection/pool.ts";`), 1);
  assertEquals(found("mock_server/server.ts", `import { b } from "../src/codec/b.ts";`), 0);
  assertEquals(found("mock_server/server.ts", `import "./http/rest.ts";`), 0);
  assertEquals(found("mock_server/http/a.ts", `import "../server.ts";`), 1);
  assertEquals(found("mock_server/binary/a.ts", `import "../http/rest.ts";`), 1);
  assertEquals(found("src/client.ts", `import { a } from "@std/bytes";`), 1);
  assertEquals(found("src/client.ts", `import { a } from "node:net";`), 1);
  assertEquals(found("src/transport/node.ts", `import { a } from "node:net";`), 0);
  assertEquals(found("src/client.ts", `Deno.cwd(); globalThis.Bun;`), 2);
  assertEquals(found("src/client.ts", `/** import "./connect.ts" */ // Deno.cwd()`), 0);
  assertEquals(found("src/new.ts", ""), 1);
  assertEquals(found("mock_server/new.ts", ""), 1);
});
