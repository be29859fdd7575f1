/** What status() and report() make of what servers say; most of it was copied from a real one. */

import { assertEquals, assertRejects } from "@std/assert";
import { ProtocolError } from "../../mod.ts";
import { test } from "../_harness.ts";
import { nextCall, reply, scripted } from "./_rpc.ts";

const tree = {
  apow: "8",
  bnum: "1000",
  chksum: "188",
  count: "12",
  frgcnt: "0",
  ktcapcnt: "-1",
  ktcapsiz: "-1",
  ktopts: "0",
  path: "/var/lib/named records.kct",
  rcomp: "lexical",
  realsize: "12800",
  realtype: "49",
  size: "12800",
  type: "49",
};

const server = {
  cnt_get: "3",
  cnt_get_misses: "1",
  cnt_misc: "9",
  cnt_remove: "4",
  cnt_remove_misses: "2",
  cnt_script: "5",
  cnt_set: "7",
  cnt_set_misses: "6",
  conf_kc_features: "(atomic)(zlib)",
  conf_kc_version: "1.2.76 (16.13)",
  conf_kt_features: "(epoll)(lua)",
  conf_kt_version: "0.9.56b (2.19)",
  conf_os_name: "Linux",
  db_0: "count=1 size=8390592 path=*",
  db_1: "count=-1 size=0 path=/a b/notes of count=1.kcx",
  db_total_count: "0",
  db_total_size: "8390592",
  serv_conn_count: "2",
  serv_current_time: "1795426696.080063",
  serv_proc_id: "1837",
  serv_running_term: "1.040234",
  serv_task_count: "0",
  serv_thread_count: "4",
  sys_mem_rss: "7692288",
};

const master = {
  repl_delay: "0.123000",
  repl_interval: "0.040000",
  repl_master_host: "db1",
  repl_master_port: "1978",
  repl_timestamp: "1795426696194000000",
};

async function ask(what: "status" | "report", rows: Record<string, string>) {
  await using setting = await scripted();
  const { kt } = setting, peer = await setting.accept();
  const result = what === "status" ? kt.database(3).status() : kt.report();
  const sent = await nextCall(peer);
  assertEquals(sent.procedure, what);
  assertEquals([...sent.rows], what === "status" ? [["DB", "3"]] : []);
  await peer.send(reply(200, rows));
  return await result;
}

test("status() gives what all databases say, and all that one says beside it", async () => {
  assertEquals(await ask("status", tree), {
    count: 12,
    size: 12800,
    path: "/var/lib/named records.kct",
    type: "file tree",
    ordered: true,
    rows: new Map(Object.entries(tree)),
  });
});

test("status() knows the kinds of databases, and which of them are ordered", async () => {
  const kinds: [number, string, boolean][] = [
    [16, "prototype hash", false],
    [17, "prototype tree", true],
    [24, "stash", false],
    [32, "cache hash", false],
    [33, "cache tree", true],
    [48, "file hash", false],
    [64, "directory hash", false],
    [65, "directory tree", true],
    [80, "plain text", false],
    [128, "other", false],
  ];
  for (const [number, type, ordered] of kinds) {
    const found = await ask("status", { ...tree, type: String(number) });
    assertEquals({ ...found, rows: null }, {
      count: 12,
      size: 12800,
      path: tree.path,
      type,
      ordered,
      rows: null,
    });
  }
});

test("status() says -1 where the server does not know how many records there are", async () => {
  const { count: _, ...rows } = tree;
  const found = await ask("status", rows);
  assertEquals(found.count, -1);
});

test("report() has numbers, times and databases", async () => {
  assertEquals(await ask("report", server), {
    databases: [
      { count: 1, size: 8390592, path: "*" },
      { count: -1, size: 0, path: "/a b/notes of count=1.kcx" },
    ],
    count: 0,
    size: 8390592,
    connections: 2,
    tasks: 0,
    threads: 4,
    time: new Date(1795426696080.063),
    uptime: 1040.234,
    version: "0.9.56b (2.19)",
    stored: { count: 7, misses: 6 },
    removed: { count: 4, misses: 2 },
    read: { count: 3, misses: 1 },
    scripts: 5,
    others: 9,
    master: null,
    rows: new Map(Object.entries(server)),
  });
});

test("report() says whom the server follows", async () => {
  const found = await ask("report", { ...server, ...master });
  assertEquals("master" in found && found.master, {
    hostname: "db1",
    port: 1978,
    timestamp: 1795426696194000000n,
    interval: 40,
    delay: 123,
  });
});

test("a reply without what all servers say is none", async () => {
  for (
    const [what, rows] of [
      ["status", {}],
      ["status", { ...tree, size: "large" }],
      ["report", {}],
      ["report", { ...server, serv_current_time: "now" }],
      ["report", { ...server, db_0: "count=1" }],
      ["report", { ...server, ...master, repl_master_port: "" }],
    ] as const
  ) await assertRejects(() => ask(what, rows), ProtocolError);
});
