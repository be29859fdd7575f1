/**
 * Options that decide what comes back do so for the compiler too; where it cannot know them, as in a
 * variable, it is told of all that may come. What is wrong here fails the type check.
 */

import { assert, assertEquals } from "@std/assert";
import type {
  CursorOptions,
  EntriesOptions,
  Entry,
  Key,
  MatchOptions,
  NoReplyOptions,
  ScriptOptions,
  SetOptions,
  SimilarOptions,
} from "../../mod.ts";
import { connect, text } from "../../mod.ts";
import { startMockServer } from "../../mock_server/mod.ts";
import { test } from "../_harness.ts";

/** Compiles only where `T` is exactly the type of the value. */
function typed<T>() {
  return <U>(value: U, ..._same: Same<T, U> extends true ? [] : [never]): U => value;
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : false;

test("options given in place decide the type of what comes back", async () => {
  await using server = await startMockServer({
    databases: ["%"],
    procedures: { echo: (input) => input },
  });
  await using kt = await connect(server.url, { codec: text });
  assertEquals(typed<number>()(await kt.setBulk({ a: "1", b: "2" })), 2);
  typed<void>()(await kt.setBulk({ c: "3" }, { noReply: true }));
  typed<number>()(await kt.setBulk({ c: "3" }, { noReply: false, atomic: true }));
  typed<boolean>()(await kt.remove("c"));
  typed<void>()(await kt.remove("c", { noReply: true }));
  typed<number>()(await kt.removeBulk(["c"]));
  typed<void>()(await kt.removeBulk(["c"], { noReply: true }));
  typed<Entry<string>[]>()(await kt.getBulk(["a"]));
  typed<string[]>()(await kt.matchPrefix("a", { keys: "text" }));
  typed<Uint8Array[]>()(await kt.matchPrefix("a", { limit: 1 }));
  typed<Map<string, string>>()(await kt.playScript("echo", { a: "1" }, { timeout: 1000 }));
  typed<Map<Uint8Array, string>>()(await kt.playScript("echo", { a: "1" }, { keys: "bytes" }));
  typed<void>()(await kt.playScript("echo", { a: "1" }, { noReply: true }));
  for await (const entry of kt.entries({ keys: "text", limit: 1 })) {
    assertEquals(typed<Entry<string, string>>()(entry).key, "a");
  }
  for await (const key of kt.entries({ keysOnly: true, limit: 1 })) typed<Uint8Array>()(key);
});

test("options in a variable are taken, and anything that they may ask for comes back", async () => {
  await using server = await startMockServer({
    databases: ["%"],
    procedures: { echo: (input) => input },
  });
  await using kt = await connect(server.url, { codec: text });
  const set: SetOptions = { expireIn: 60_000 };
  assertEquals(typed<number | void>()(await kt.setBulk({ a: "1", b: "2" }, set)), 2);
  const noReply: NoReplyOptions = { noReply: true };
  assertEquals(typed<boolean | void>()(await kt.remove("b", noReply)), undefined);
  assertEquals(typed<number | void>()(await kt.removeBulk(["b"], noReply)), undefined);
  const match: MatchOptions = { keys: "text" }, similar: SimilarOptions = match;
  assertEquals(typed<string[] | Uint8Array[]>()(await kt.matchPrefix("a", match)), ["a"]);
  assertEquals(typed<string[] | Uint8Array[]>()(await kt.matchRegex("a", match)), ["a"]);
  assertEquals(typed<string[] | Uint8Array[]>()(await kt.matchSimilar("a", similar)), ["a"]);
  const script: ScriptOptions = { keys: "bytes" };
  const output = typed<Map<string, string> | Map<Uint8Array, string> | void>()(
    await kt.playScript("echo", { a: "1" }, script),
  );
  assert(output instanceof Map);
  assertEquals([...output.keys()], [Uint8Array.of(0x61)]);
  const entries: EntriesOptions = { keysOnly: true, keys: "text" };
  for await (const item of kt.entries(entries)) {
    assertEquals(typed<Entry<string, Key> | Key>()(item), "a");
  }
  const atomic: { atomic?: boolean } = { atomic: true };
  const [entry] = await kt.getBulk(["a"], atomic);
  assertEquals(entry.value, "1");
  const place: CursorOptions = { keys: "text" };
  await using cursor = kt.cursor(place);
  await cursor.jump();
  assertEquals(typed<Key | null>()(await cursor.getKey()), "a");
});
