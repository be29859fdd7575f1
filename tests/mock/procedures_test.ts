import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Procedure,
  ProcedureError,
  ProcedureInput,
  type Procedures,
  startMockServer,
} from "../../mock_server/mod.ts";
import {
  type ProcedureOutcome,
  ProcedureRegistry,
} from "../../mock_server/procedures/procedures.ts";
import { Storage, type StorageOptions } from "../../mock_server/storage/storage.ts";
import { connect, ServerError, text } from "../../mod.ts";
import { test } from "../_harness.ts";
import { hex, inMemory, scriptRequest } from "./_client.ts";

const encoder = new TextEncoder();
const bytes = (text: string) => encoder.encode(text);

/** Calls one procedure; its outcome with the output as text. */
async function call(
  procedure: Procedure,
  input: Record<string, string> = {},
  options: StorageOptions = {},
) {
  const registry = new ProcedureRegistry({ procedure }, new Storage(options));
  const records = Object.entries(input).map(([k, v]) =>
    [bytes(k), bytes(v)] as [
      Uint8Array,
      Uint8Array,
    ]
  );
  const { code, output, error } = await registry.call(bytes("procedure"), records);
  const decode = (data: Uint8Array) => new TextDecoder().decode(data);
  return { code, output: output.map(([k, v]) => `${decode(k)}=${decode(v)}`), error };
}

function codeOf(result: unknown): number {
  const registry = new ProcedureRegistry({ p: () => result as number }, new Storage());
  return (registry.call(bytes("p"), []) as ProcedureOutcome).code;
}

test("what a procedure returns decides about its result as the real server does", () => {
  const cases: [unknown, number][] = [
    [undefined, 0],
    [null, 0],
    [true, 0],
    [false, 0],
    [0, 0],
    [3, 3],
    [0.9, 0],
    [-0.9, 0],
    [1.5, 1],
    [-2.5, -2],
    [NaN, 0],
    [99n, 99],
    ["abc", 0],
    ["", 0],
    ["3", 3],
    [" 3.7 ", 3],
    ["0x1", 1],
    ["-2", -2],
    ["1e1", 10],
    ["1e-1", 0],
    ["3 apples", 0],
    [{}, 0],
    [new Map(), 0],
  ];
  for (const [result, code] of cases) assertEquals(codeOf(result), code, `${result}`);
});

test("output is sorted by the keys' bytes, and of every type that the server knows", async () => {
  const output = new Map<unknown, unknown>([
    ["b", "text"],
    ["a", new Uint8Array([0x78, 0x79])],
    ["B", 42],
    [5, -7],
    [2.5, 1.5],
    [true, false],
    ["big", 1_099_511_627_775],
    ["bigint", 2n ** 63n - 1n],
    ["huge", 1e21],
    ["function", () => {}],
    ["list", [1]],
    ["nothing", undefined],
    [Symbol("key"), "left out"],
  ]);
  assertEquals((await call(() => output)).output, [
    "2.500000=1.500000",
    "5=-7",
    "B=42",
    "a=xy",
    "b=text",
    "big=1099511627775",
    "bigint=9223372036854775807",
    "huge=1000000000000000000000",
    "true=false",
  ]);
});

test("output may be an object, a map, pairs, or the input itself", async () => {
  const outputs: Procedure[] = [
    () => ({ k: "v" }),
    () => new Map([["k", "v"]]),
    () => [["k", "first"], ["k", "v"]],
    (input) => input,
    async (input) => await Promise.resolve(input),
    function* () {
      yield ["k", "v"] as const;
    },
  ];
  for (const procedure of outputs) {
    assertEquals((await call(procedure, { k: "v" })).output, ["k=v"], `${procedure}`);
  }
});

test("a procedure fails by a number, by fail(), or by throwing", async () => {
  const mistake = new Error("a mistake");
  const cases: [Procedure, number, unknown][] = [
    [() => 2, 2, undefined],
    [(_, { fail }) => fail(3), 3, undefined],
    [() => Promise.reject(new ProcedureError(4)), 4, undefined],
    [() => Promise.reject(mistake), 5, mistake],
    [
      () => {
        throw mistake;
      },
      5,
      mistake,
    ],
  ];
  for (const [procedure, code, error] of cases) {
    assertEquals(await call(procedure), { code, output: [], error });
  }
});

test("the input is a map by bytes, in their order, where the last of equal keys counts", () => {
  const input = new ProcedureInput([
    [Uint8Array.of(0xff, 0xfe), bytes("bytes")],
    [bytes("é"), bytes("utf-8")],
    [bytes("k"), bytes("first")],
    [Uint8Array.of(0), bytes("nul")],
    [bytes("k"), bytes("last")],
  ]);
  assertEquals(input.size, 4);
  assertEquals([...input.keys()].map(hex), ["00", "6b", "c3a9", "fffe"]);
  assertEquals([...input.values()].length, 4);
  assertEquals(input.text("k"), "last");
  assertEquals(input.text("é"), "utf-8");
  assertEquals(input.text(Uint8Array.of(0xff, 0xfe)), "bytes");
  assertEquals([input.has("k"), input.has("kk"), input.get("")], [true, false, undefined]);
});

test("names are any bytes, cut at the first NUL", async () => {
  const procedures: Procedures = new Map<string | Uint8Array, Procedure>([
    ["odd name!", () => 11],
    [Uint8Array.of(0xff, 0xfe), () => 12],
    ["", () => 13],
  ]);
  const registry = new ProcedureRegistry(procedures, new Storage());
  const code = async (name: Uint8Array) => (await registry.call(name, [])).code;
  assertEquals(await code(bytes("odd name!\0and more")), 11);
  assertEquals(await code(Uint8Array.of(0xff, 0xfe)), 12);
  assertEquals(await code(bytes("\0")), 13);
  assertEquals(await code(bytes("none")), 1);
  assertEquals(await code(new Uint8Array(1_000_000).fill(0x61)), 1);
});

test("a procedure works on the databases, with expiration", async () => {
  const procedure: Procedure = (_, { databases, now }) => {
    const [db] = databases;
    db.set("plain", "1");
    db.set("xt", "2", { xt: 10 });
    db.set("absolute", "3", { xt: -2000 });
    db.set("in", "4", { expireIn: 1500 });
    db.set("nan", "5", { xt: NaN });
    return {
      xt: [...db].map(({ expires }) => expires).join(" "),
      dates: String(db.get("in")?.expiresAt?.getTime()) + String(db.get("plain")?.expiresAt),
      text: db.get("plain")?.text,
      absent: String(db.get("absent")),
      again: db.add("plain", "x"),
      added: db.add("added", "y"),
      gone: db.remove("xt"),
      not: db.remove("xt"),
      count: db.count,
      now: now(),
      databases: databases.length,
    };
  };
  const clock = { now: () => 1_000_500 };
  assertEquals((await call(procedure, {}, { clock, databases: 2 })).output, [
    "absent=null",
    "added=true",
    "again=false",
    "count=5",
    "databases=2",
    "dates=1002000null",
    "gone=true",
    "not=false",
    "now=1000500",
    "text=1",
    "xt=2000 1002 1099511627775 1099511627775 1010",
  ]);
});

test("increment keeps an 8-byte big-endian integer, which wraps", async () => {
  const { output } = await call((_, { databases: [db] }) => {
    db.set("text", "abc");
    return {
      one: db.increment("n"),
      ten: db.increment("n", 9),
      minus: db.increment("n", -11n),
      stored: db.get("n")!.value,
      bad: String(db.increment("text")),
      max: db.increment("max", 2n ** 63n - 1n),
      failure: String(db.increment("max")),
    };
  });
  assertEquals(output, [
    "bad=null",
    "failure=null",
    "max=9223372036854775807",
    "minus=-1",
    "one=1",
    `stored=${new TextDecoder().decode(new Uint8Array(8).fill(0xff))}`,
    "ten=10",
  ]);
});

test("a transaction is done as a whole, or undone by false or an exception", async () => {
  const { output } = await call((_, { databases: [db] }) => {
    const one = db.transaction(() => void db.set("k", "1"));
    const two = db.transaction(() => db.set("k", "2") && false);
    assertThrows(
      () =>
        db.transaction(() => {
          db.clear();
          throw new Error("inside");
        }),
      Error,
      "inside",
    );
    const asynchronous = (async () => {}) as unknown as () => void;
    assertThrows(() => db.transaction(asynchronous), TypeError, "asynchronous");
    return { one, two, k: db.get("k")?.text };
  });
  assertEquals(output, ["k=1", "one=true", "two=false"]);
});

test("on a read-only server a procedure modifies nothing", async () => {
  const { output } = await call(
    (_, { databases: [db] }) => ({
      set: db.set("k", "v"),
      add: db.add("k", "v"),
      remove: db.remove("k"),
      clear: db.clear(),
      increment: String(db.increment("n")),
      transaction: db.transaction(() => {}),
    }),
    {},
    { readOnly: true },
  );
  assertEquals(output, [
    "add=false",
    "clear=false",
    "increment=null",
    "remove=false",
    "set=false",
    "transaction=false",
  ]);
});

test("a waiting procedure holds back its own connection, in order, and no other", async () => {
  const gates = new Map<string, () => void>();
  const wait: Procedure = async (input) => {
    const name = input.text("name")!;
    await new Promise<void>((resolve) => gates.set(name, resolve));
    return { name };
  };
  await using server = await startMockServer({ procedures: { wait, echo: (input) => input } });
  await using first = inMemory(server);
  await using second = inMemory(server);
  await first.send(
    scriptRequest("echo"),
    scriptRequest("wait", { name: "a" }),
    scriptRequest("wait", { name: "b" }),
    scriptRequest("echo"),
  );
  const empty = "b400000000", named = (name: string) => `b40000000100000004000000016e616d65${name}`;
  assertEquals(await first.reply(empty), empty);
  await second.send(scriptRequest("echo"));
  assertEquals(await second.reply(empty), empty);
  assertEquals([...gates.keys()], ["a"]);
  gates.get("a")!();
  assertEquals(await first.reply(named("61")), named("61"));
  gates.get("b")!();
  const rest = named("62") + empty;
  assertEquals(await first.reply(rest), rest);
});

test("an exception of a procedure is reported, and the client gets an error", async () => {
  const errors: unknown[] = [];
  const mistake = new Error("a mistake");
  await using server = await startMockServer({
    procedures: { broken: () => Promise.reject(mistake) },
    onError: (error) => errors.push(error),
  });
  await using kt = (await connect(server.url)).withCodec(text);
  await assertRejects(() => kt.playScript("broken"), ServerError);
  assertEquals(errors, [mistake]);
});
