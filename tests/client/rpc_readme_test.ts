/** The README says how to reach every procedure that the protocol's description knows. */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { readFileSync } from "node:fs";
import { connect } from "../../mod.ts";
import { startMockServer } from "../../mock_server/mod.ts";
import { test } from "../_harness.ts";

/** The rows of the first table under a heading. */
function tableUnder(heading: string, file: string): string[][] {
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
  const lines = text.slice(text.indexOf(`\n${heading}\n`)).split("\n");
  const start = lines.findIndex((line) => line.startsWith("|"));
  const end = lines.findIndex((line, i) => i > start && !line.startsWith("|"));
  return lines.slice(start + 2, end).map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
}

/** What is marked as code. */
function codeIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code);
}

const features = tableUnder("### Every procedure and how to call it", "README.md");

test("the README's table has every procedure, binary request and REST method", () => {
  const procedures = tableUnder("#### Procedures", "docs/protocol.md")
    .flatMap(([names]) => names.split(", "));
  assertGreater(procedures.length, 38);
  const listed = new Set(
    features.flatMap(([names]) => {
      const kind = /^(binary|REST) /.exec(names)?.[0] ?? "";
      return codeIn(names).map((name) => kind + name);
    }),
  );
  const expected = [
    ...procedures,
    ...["get_bulk", "set_bulk", "remove_bulk", "play_script", "replication"].map((name) =>
      `binary ${name}`
    ),
    ...["GET", "HEAD", "PUT", "DELETE"].map((name) => `REST ${name}`),
    ...["DB", "WAIT", "WAITTIME", "SIGNAL", "SIGNALBROAD"],
  ];
  assertEquals([...listed].sort(), expected.sort());
});

test("the README's table names methods that there are, and leaves none out", async () => {
  await using server = await startMockServer();
  await using kt = await connect(server.url);
  await using cursor = kt.cursor();
  const named = new Set<string>();
  for (const [names, methods] of features) {
    for (const code of codeIn(methods)) {
      const [, ofCursor, method] = /^(cursor\(\)\.)?(\w+)/.exec(code)!;
      if (names === "`DB`" || names.startsWith("REST `PUT`")) continue;
      const isOption = methods.includes(`with \`${code}\``) || code === "atomic";
      if (isOption) continue;
      const owner: object = ofCursor === undefined ? kt : cursor;
      assert(method in owner, code);
      named.add((ofCursor ?? "") + method);
    }
  }
  const own = (prototype: object, prefix: string) =>
    Object.entries(Object.getOwnPropertyDescriptors(prototype))
      .filter(([name, { value }]) => name !== "constructor" && typeof value === "function")
      .map(([name]) => prefix + name);
  const all = [
    ...own(Object.getPrototypeOf(kt), ""),
    ...own(Object.getPrototypeOf(cursor), "cursor()."),
  ];
  const views = ["database", "withCodec", "ordered", "cursor", "close", "destroy"];
  assertEquals(all.filter((name) => !named.has(name) && !views.includes(name)), []);
});
