/**
 * The procedures of the transcripts, as README.md specifies them; procedures.lua holds the originals.
 * The mock server takes this file as `--scr` too.
 */

import type { Procedure, ProcedureContext, ProcedureInput } from "../../mock_server/mod.ts";

const INVALID = 2, LOGICAL = 3, INTERNAL = 5;

/** The number that a text spells, decimal or hexadecimal, blanks around it allowed. */
function numberOf(text: string | undefined): number | undefined {
  const number = /^\s*([+-]?)(0x[\da-f]+|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*$/i;
  const [, sign, digits] = number.exec(text ?? "") ?? [];
  if (digits === undefined) return undefined;
  return sign === "-" ? -Number(digits) : Number(digits);
}

function databaseOf(input: ProcedureInput, { databases, fail }: ProcedureContext) {
  return databases[numberOf(input.text("db") ?? "0") ?? -1] ?? fail(INVALID);
}

/** A key as text, whatever its bytes, one character for each. */
function nameOf(key: Uint8Array): string {
  return new TextDecoder("latin1").decode(key);
}

/** Output that is delivered only with the code 0. */
function outcome(code: number, note: string, { fail }: ProcedureContext) {
  return Math.trunc(code) === 0 ? { note } : fail(Math.trunc(code));
}

export const echo: Procedure = (input) => input;

export const nothing: Procedure = () => {};

export const upper: Procedure = (input) => {
  const [a, z] = [0x61, 0x7a];
  const toUpper = (byte: number) => byte >= a && byte <= z ? byte - 32 : byte;
  return [...input].map(([key, value]) => [key, value.map(toUpper)] as const);
};

export const concat: Procedure = (input) => {
  const parts = [...input].filter(([key]) => nameOf(key) !== "sep").map(([, value]) => value);
  const separator = input.get("sep") ?? new Uint8Array(0);
  const result = parts.flatMap((part, i) => i === 0 ? [...part] : [...separator, ...part]);
  return { result: new Uint8Array(result), count: parts.length };
};

export const sizes: Procedure = (input) =>
  [...input].map(([key, value]) => [key, value.length] as const);

export const store: Procedure = (input, context) => {
  const { fail } = context;
  const key = input.get("key") ?? fail(INVALID), value = input.get("value") ?? fail(INVALID);
  const xt = numberOf(input.text("xt"));
  if (!databaseOf(input, context).set(key, value, { xt })) fail(INTERNAL);
};

export const fetch: Procedure = (input, context) => {
  const { fail } = context;
  const key = input.get("key") ?? fail(INVALID);
  const record = databaseOf(input, context).get(key) ?? fail(LOGICAL);
  return { value: record.value, xt: record.expires };
};

export const drop: Procedure = (input, context) => {
  const { fail } = context;
  const key = input.get("key") ?? fail(INVALID);
  if (!databaseOf(input, context).remove(key)) fail(LOGICAL);
};

export const counter: Procedure = (input, context) => {
  const { fail } = context;
  const key = input.get("key") ?? fail(INVALID);
  const by = numberOf(input.text("num")) ?? 1;
  return { num: databaseOf(input, context).increment(key, by) ?? fail(LOGICAL) };
};

export const tran: Procedure = (input, context) => {
  const database = databaseOf(input, context);
  database.transaction(() => {
    for (const [key, value] of input) {
      if (!["db", "commit"].includes(nameOf(key))) database.set(key, value);
    }
    return input.text("commit") !== "0";
  });
};

export const answer: Procedure = (input, context) =>
  outcome(numberOf(input.text("rv")) ?? 0, "discarded unless the code is zero", context);

export const answerstring: Procedure = (input, context) =>
  outcome(numberOf(input.text("rv")) ?? 0, "string result", context);

export const constant: Procedure = (input, context) => {
  const codes = new Map([
    ["RVSUCCESS", 0],
    ["RVENOIMPL", 1],
    ["RVEINVALID", 2],
    ["RVELOGIC", 3],
    ["RVEINTERNAL", 5],
  ]);
  return outcome(codes.get(input.text("name") ?? "") ?? 0, "by name", context);
};

export const silent: Procedure = () => ({ note: "no return value" });

export const truth: Procedure = () => ({ note: "boolean result" });

export const raise: Procedure = () => {
  throw new Error("raised on purpose");
};

export const types: Procedure = () =>
  new Map<unknown, unknown>([
    ["int", 42],
    ["neg", -7],
    ["half", 1.5],
    ["big", 1099511627775],
    ["yes", true],
    ["no", false],
    ["empty", ""],
    ["table", {}],
    ["func", () => {}],
    [5, "numeric key"],
    [2.5, "fractional key"],
    [true, "boolean key"],
  ]);

export const many: Procedure = (input) =>
  Array.from(
    { length: numberOf(input.text("n")) ?? 0 },
    (_, i) => [`k${String(i).padStart(6, "0")}`, i * i] as const,
  );

export const binary: Procedure = () => [
  [new Uint8Array([0]), "nul"],
  [new Uint8Array([0, 0]), ""],
  ["", "empty key"],
  [new Uint8Array([0x7f]), "del"],
  [new Uint8Array([0x80]), "high"],
  [new Uint8Array([0xff, 0xfe]), new Uint8Array(256).map((_, i) => i)],
  ["a", new Uint8Array([0, 1, 2])],
  ["B", "upper sorts before lower"],
];

export const big: Procedure = (input) => {
  const pattern = input.get("byte") ?? new Uint8Array([0x78]);
  const times = Math.max(0, numberOf(input.text("n")) ?? 0);
  const data = new Uint8Array(pattern.length * times);
  return { data: data.map((_, i) => pattern[i % pattern.length]) };
};

export const nap: Procedure = async (input) => {
  const milliseconds = (numberOf(input.text("seconds")) ?? 0) * 1000;
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return { slept: input.get("seconds") };
};

export const with_underscore: Procedure = () => ({ name: "with_underscore" });

/** Procedures whose names are no identifiers. */
const others: Record<string, Procedure> = {
  "odd name!": () => ({ name: "odd name!" }),
  "été": () => ({ name: "utf-8" }),
};

export default others;
