/** Importing the client loads no module of a runtime: only the adapter that is picked may do so. */

import { assertArrayIncludes, assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { test } from "./_harness.ts";

const ROOT = new URL("..", import.meta.url);

/** What a source loads at once: its own imports and exports, but neither types nor `import()`. */
function staticImports(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*/g, "");
  const statements = code.matchAll(
    /^(?:import|export)\s(?!type\b)(?:[^"'();]*?\sfrom\s*)?["']([^"']+)["']/gm,
  );
  return [...statements].map(([, name]) => name);
}

/** The files that are loaded with a file, itself included, by their paths from the root; and modules. */
function loadedWith(file: string, loaded: Set<string> = new Set()): Set<string> {
  if (loaded.has(file)) return loaded;
  loaded.add(file);
  for (const name of staticImports(readFileSync(new URL(file, ROOT), "utf8"))) {
    if (name.startsWith(".")) {
      loadedWith(new URL(name, `file:///${file}`).pathname.slice(1), loaded);
    } else {
      loaded.add(name);
    }
  }
  return loaded;
}

for (const entry of ["mod.ts", "mock_server/mod.ts"]) {
  test(`importing ${entry} loads no module of a runtime and no adapter`, () => {
    const loaded = [...loadedWith(entry)];
    assertArrayIncludes(loaded, [entry, "src/transport/channel.ts", "src/codec/decoder.ts"]);
    const own = /^(mod\.ts|(src|mock_server)\/.*\.ts)$/;
    const adapter = /\/(deno|bun|node|listen_\w+)\.ts$/;
    assertEquals(loaded.filter((name) => !own.test(name) || adapter.test(name)), []);
  });
}

test("what is loaded at once is told from types and from what is loaded later", () => {
  const source = [
    `import { a } from "./a.ts";`,
    `import {\n  b,\n  type B,\n} from "node:b";`,
    `import "./c.ts";`,
    `export * from './d.ts';`,
    `import type { E } from "./e.ts";`,
    `export type { F } from "./f.ts";`,
    `const g = await import("./g.ts");`,
    `/** import { h } from "./h.ts"; */`,
    `export const i = "./i.ts";`,
  ];
  assertEquals(staticImports(source.join("\n")), ["./a.ts", "node:b", "./c.ts", "./d.ts"]);
});
