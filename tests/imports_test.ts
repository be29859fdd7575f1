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
  ["src/replication_stream.ts", "src/checkpoint.ts"],
  ["src/replication.ts"],
  ["src/connection/"],
  ["src/operations/"],
  ["src/client.ts"],
  ["src/connect.ts"],
  ["mod.ts"],
];

/** What the mock server may share with the client: never how the client keeps its connections. */
const MOCK_SERVER = [
  ...["mock_server/", "src/errors.ts", "src/types.ts"],
  ...["src/codec/", "src/transport/", "src/replication_stream.ts"],
];

/** The files that may name a runtime or import one of its modules. */
const RUNTIMES =
  /^src\/transport\/(deno|bun|node|detect|files)\.ts$|^mock_server\/(listen_\w+|cli)\.ts$/;
const MODULES: Record<string, string> = { "src/diagnostics.ts": "node:diagnostics_channel" };

const isIn = (paths: string[], file: string) => paths.some((path) => file.startsWith(path));

/** What is wrong with the imports of a file, given by its path from the root. */
function violations(file: string, source: string): string[] {
  const layer = LAYERS.findIndex((paths) => isIn(paths, file));
  const allowed = isIn(["mock_server/"], file) ? MOCK_SERVER : LAYERS.slice(0, layer + 1).flat();
  if (!isIn(allowed, file)) return [`${file} has no layer`];

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
  assertEquals(found("mock_server/a.ts", `import "../src/connection/pool.ts";`), 1);
  assertEquals(found("mock_server/a.ts", `import { b } from "../src/codec/b.ts";`), 0);
  assertEquals(found("src/client.ts", `import { a } from "@std/bytes";`), 1);
  assertEquals(found("src/client.ts", `import { a } from "node:net";`), 1);
  assertEquals(found("src/transport/node.ts", `import { a } from "node:net";`), 0);
  assertEquals(found("src/client.ts", `Deno.cwd(); globalThis.Bun;`), 2);
  assertEquals(found("src/client.ts", `/** import "./connect.ts" */ // Deno.cwd()`), 0);
  assertEquals(found("src/new.ts", ""), 1);
});
