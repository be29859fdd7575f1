/** The examples about replication do what they say. */

import { assertEquals } from "@std/assert";
import { copyServer } from "../../examples/copy_server.ts";
import { lineOf } from "../../examples/dump_ndjson.ts";
import { startMockServer, type Storage } from "../../mock_server/mod.ts";
import { keyOf, valueOf } from "../../mock_server/storage/record.ts";
import { connect } from "../../mod.ts";
import { startScript, test } from "../_harness.ts";

const encoder = new TextEncoder(), decoder = new TextDecoder();

function contents({ databases }: Storage): string[] {
  return databases.flatMap((database) =>
    [...database.records()].map((record) => {
      const [key, value] = [keyOf(record), valueOf(record)].map((part) => decoder.decode(part));
      return `${database.index}: ${key}=${value} until ${record.expires}`;
    })
  );
}

test("copy_server.ts copies what there is and what comes, in the order of each key", async () => {
  await using source = await startMockServer({
    updateLog: true,
    databases: 2,
    heartbeatInterval: 5,
  });
  await using target = await startMockServer({ databases: 2 });
  const change = (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      const database = source.storage.databases[i % 2];
      const key = encoder.encode(`k${i % 37}`);
      if (i % 501 === 500) database.clear();
      else if (i % 5 === 4) database.remove(key);
      else database.set(key, encoder.encode(`${i}`), i % 3 === 0 ? -4102444800 : 2 ** 40);
    }
  };
  change(0, 3000);
  await using from = await connect(source.url);
  await using to = await connect(target.url);
  const stamps: bigint[] = [];
  const stream = from.replicate();
  const copying = copyServer(
    stream,
    to,
    (stamp) => void stamps.push(stamp),
  );
  await from.ping();
  change(3000, 6000);
  source.storage.databases[0].set(encoder.encode("last"), encoder.encode("one"));
  while (!contents(target.storage).some((line) => line.startsWith("0: last"))) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  // Behind whatever else was under way.
  await to.ping();
  assertEquals(contents(target.storage), contents(source.storage));
  assertEquals(stamps, stamps.toSorted((a, b) => a < b ? -1 : 1));
  await stream.return();
  await copying;
});

test("dump_ndjson.ts makes a line of each update", () => {
  const head = { timestamp: 1795403065764000001n, serverId: 7, database: 1 };
  const expiresAt = new Date("2100-01-01T00:00:00Z");
  const lines = [
    lineOf({
      ...head,
      op: "set",
      key: encoder.encode("clé"),
      value: Uint8Array.of(0, 255),
      expiresAt,
    }),
    lineOf({ ...head, op: "remove", key: Uint8Array.of(255, 0), value: null, expiresAt: null }),
    lineOf({ ...head, op: "clear", key: null, value: null, expiresAt: null }),
  ];
  const stamp = '{"timestamp":"1795403065764000001","serverId":7,"database":1';
  assertEquals(lines, [
    `${stamp},"op":"set","key":"clé","value":"AP8=","expiresAt":"2100-01-01T00:00:00.000Z"}\n`,
    `${stamp},"op":"remove","key":{"base64":"/wA="},"value":null,"expiresAt":null}\n`,
    `${stamp},"op":"clear","key":null,"value":null,"expiresAt":null}\n`,
  ]);
});

test("dump_ndjson.ts prints the updates of a server as a command", async () => {
  await using server = await startMockServer({ updateLog: true });
  server.storage.databases[0].set(encoder.encode("k"), encoder.encode("v"));
  await using dump = await startScript("examples/dump_ndjson.ts", [server.url], {
    permissions: ["--allow-net=127.0.0.1"],
  });
  const { op, key, value } = JSON.parse(await dump.nextLine());
  assertEquals([op, key, value], ["set", "k", "dg=="]);
  server.storage.databases[0].clear();
  assertEquals(JSON.parse(await dump.nextLine()).op, "clear");
});
