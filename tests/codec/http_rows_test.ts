import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import {
  decodeForm,
  decodeInput,
  decodeRows,
  encodeColumns,
  encodeRows,
  parseContentType,
  replyEncoding,
  requestEncoding,
  type Row,
  rowsSize,
  tsvContentType,
} from "../../src/codec/tsv.ts";
import type { ColumnEncoding } from "../../src/codec/column.ts";
import { test } from "../_harness.ts";
import { bytes } from "./_arbitraries.ts";
import { asBytes, asTexts, latin1, written } from "./_http.ts";

const rows = fc.array(fc.tuple(bytes, bytes), { maxLength: 6 });
const ENCODINGS: readonly ColumnEncoding[] = ["U", "Q", "B"];
const NOTHING = new Uint8Array(0);

function row(name: string, value: string): Row {
  return [latin1(name), latin1(value)];
}

function body(given: readonly Row[], encoding: ColumnEncoding): Uint8Array {
  return written((w) => encodeRows(w, encodeColumns(given, encoding)));
}

function parse(text: string, encoding: ColumnEncoding = ""): [string, string][] {
  return asTexts(decodeRows(latin1(text), 0, text.length, encoding));
}

test("rows of any bytes come back as they were, in every encoding and the chosen ones", () => {
  fc.assert(fc.property(rows, (given) => {
    for (const encoding of [...ENCODINGS, requestEncoding(given)]) {
      const encoded = body(given, encoding);
      assertStrictEquals(encoded.length, rowsSize(given, encoding));
      assertEquals(asBytes(decodeRows(encoded, 0, encoded.length, encoding)), given);
    }
  }));
});

test("rows that ktserver would not encode come back as they were", () => {
  fc.assert(fc.property(rows, (given) => {
    const encoding = replyEncoding(given);
    const encoded = body(given, encoding);
    assertEquals(asBytes(decodeRows(encoded, 0, encoded.length, encoding)), given);
  }));
});

test("it makes no difference whether columns are bytes or texts", () => {
  fc.assert(fc.property(rows, (given) => {
    const texts = asTexts(given);
    assertStrictEquals(requestEncoding(texts), requestEncoding(given));
    assertStrictEquals(replyEncoding(texts), replyEncoding(given));
    for (const encoding of ["", ...ENCODINGS] as const) {
      assertStrictEquals(rowsSize(texts, encoding), rowsSize(given, encoding));
      assertEquals(body(texts, encoding), body(given, encoding));
    }
  }));
});

test("no encoding that carries the rows is shorter than the chosen one", () => {
  fc.assert(fc.property(rows, (given) => {
    const size = rowsSize(given, requestEncoding(given));
    for (const encoding of ENCODINGS) assert(size <= rowsSize(given, encoding));
  }));
});

test("a request's rows are only encoded if they must be", () => {
  const cases: [string, string, ColumnEncoding][] = [
    ["key", "value", ""],
    ["", "", ""],
    ["a\0\rb", "\0\r\t\xff", ""],
    ["with\ttab", "", "Q"],
    ["with\nLF", "", "Q"],
    ["key", "two\nlines", "Q"],
    ["key", "ends in CR\r", "Q"],
    ["key", "\n\0\xff\xfe\xfd\xfc", "B"],
  ];
  for (const [name, value, encoding] of cases) {
    assertStrictEquals(requestEncoding([row(name, value)]), encoding, `${name} ${value}`);
  }
});

test("a reply's rows are encoded as ktserver chooses", () => {
  const long = (size: number) => "x".repeat(size);
  const cases: [string, string, ColumnEncoding][] = [
    ["a b", "\xc3\xa9", ""],
    ["a", "tab\there", "U"],
    ["a", "\0\x01\x02\x03\x04\x05\x06\x07", "B"],
    ["k", "\x7f", "U"],
    ["k", long(255), ""],
    ["k", long(256), "U"],
    [long(256), "k", "U"],
    ["k", `${long(255)}\0`, "U"],
    ["k", "\xff\xfe\0", "U"],
    ["", "", ""],
  ];
  for (const [name, value, encoding] of cases) {
    assertStrictEquals(replyEncoding([row(name, value)]), encoding, `${name} ${value}`);
  }
});

test("lines without a tab are no rows, and later tabs belong to the value", () => {
  assertEquals(parse("a\t1\t2\r\nnocolumn\n\n\tempty\nb\t\n"), [
    ["a", "1\t2"],
    ["", "empty"],
    ["b", ""],
  ]);
});

test("one CR before the end of a line is dropped, and the last line needs no end", () => {
  assertEquals(parse("a\t1\r\r\n\r\nb\t\r\nc\t2\r"), [["a", "1\r"], ["b", ""], ["c", "2"]]);
  assertEquals(parse("a\t1\nb\t2"), [["a", "1"], ["b", "2"]]);
  assertEquals(parse(""), []);
});

test("only the body is looked at, not what stands around it", () => {
  const around = latin1("x\ty\na\t1\nb\t2\n");
  assertEquals(asTexts(decodeRows(around, 4, 7, "")), [["a", "1"]]);
  assertEquals(asTexts(decodeRows(around, 4, 6, "")), [["a", ""]]);
});

test("a body of many lines without tabs is read in one go", () => {
  const body = new Uint8Array(1_000_000).fill(0x0a);
  assertEquals(decodeRows(body, 0, body.length, ""), []);
});

test("forms are split at ampersands and semicolons", () => {
  assertEquals(asTexts(decodeForm(latin1("a=1&b=%41+%42;c=&d&=e&f=1=2&&; g=%3d"))), [
    ["a", "1"],
    ["b", "A B"],
    ["c", ""],
    ["d", ""],
    ["", "e"],
    ["f", "1=2"],
    ["g", "="],
  ]);
  assertEquals(decodeForm(NOTHING), []);
});

test("a content type tells how a body carries rows", () => {
  const cases: [string, ColumnEncoding | "form" | null][] = [
    ["text/tab-separated-values", ""],
    ['TEXT/Tab-Separated-Values; ColEnc="u"', "U"],
    ["text/tab-separated-values;colenc=q", "Q"],
    ["text/tab-separated-values; charset=utf-8;  colenc=B", "B"],
    ["text/tab-separated-values; colenc=x", ""],
    ["application/x-www-form-urlencoded; charset=utf-8", "form"],
    ["text/plain", null],
    ["", null],
  ];
  for (const [type, kind] of cases) assertStrictEquals(parseContentType(type), kind, type);
  for (const encoding of ["", ...ENCODINGS] as const) {
    assertStrictEquals(parseContentType(tsvContentType(encoding)), encoding);
  }
});

test("a procedure's input is that of the query, overruled by the body", () => {
  const input = (query: string, type: string | undefined, text: string) =>
    Object.fromEntries(
      [...decodeInput(latin1(query), type, latin1(text))]
        .map(([name, value]) => [name, String.fromCharCode(...value)]),
    );
  const tsv = "text/tab-separated-values";
  assertEquals(input("a=1&b=2", tsv, "a\tbody\nx\ty\n"), { a: "body", b: "2", x: "y" });
  assertEquals(input("a=1", undefined, "a\t2\n"), { a: "1" });
  assertEquals(input("a=1", "text/plain", "a\t2\n"), { a: "1" });
  assertEquals(input("a=1", "application/x-www-form-urlencoded", "a=2"), { a: "2" });
  assertEquals(input("a=%2541", `${tsv}; colenc=U`, "b\t%42\n"), { a: "A", b: "B" });
  assertEquals(input("key=QQ==", `${tsv}; colenc=B`, ""), { "\x02\x47\xb2": "A" });
  assertEquals(input("", `${tsv}; colenc=U`, "a\t1\n%61\t2\n"), { a: "1" });
});
