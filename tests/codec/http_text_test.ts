import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import {
  commonText,
  formatDecimal,
  fromByteText,
  isByteText,
  parseDecimal,
  parseInteger,
  toByteText,
} from "../../src/codec/byte_text.ts";
import {
  type ColumnEncoding,
  decodeColumn,
  encodeColumn,
  encodedSize,
  urlDecode,
} from "../../src/codec/column.ts";
import { formatHttpDate, parseTime } from "../../src/codec/http_date.ts";
import { test } from "../_harness.ts";
import { bytes } from "./_arbitraries.ts";
import { latin1 } from "./_http.ts";

const ENCODINGS: readonly ColumnEncoding[] = ["", "U", "Q", "B"];

function decoded(text: string, encoding: ColumnEncoding): string {
  const encoded = latin1(text);
  const plain = decodeColumn(encoded, 0, encoded.length, encoding);
  return String.fromCharCode(...plain);
}

test("bytes survive being text of one character each", () => {
  fc.assert(fc.property(bytes, (b) => {
    assertEquals(fromByteText(toByteText(b, 0, b.length)), b);
  }));
  assertStrictEquals(toByteText(latin1("abcdef"), 1, 4), "bcd");
  assertStrictEquals(toByteText(new Uint8Array(20_000), 0, 20_000).length, 20_000);
});

test("a text that is looked up is the one that is made", () => {
  const few = fc.uint8Array({ maxLength: 70, min: 0x61, max: 0x63 });
  fc.assert(fc.property(fc.array(fc.oneof(few, bytes), { maxLength: 50 }), (parts) => {
    for (const b of parts) {
      const text = toByteText(b, 0, b.length);
      assertStrictEquals(commonText(b, 0, b.length), text);
      assertStrictEquals(commonText(latin1(`<${text}>`), 1, b.length + 1), text);
      assert(isByteText(text, b, 0, b.length));
      assertStrictEquals(isByteText(`${text}x`, b, 0, b.length), false);
    }
  }));
});

test("every encoding carries any bytes, in as many as announced", () => {
  fc.assert(fc.property(bytes, fc.constantFrom(...ENCODINGS), (b, encoding) => {
    const encoded = encodeColumn(b, encoding);
    assertStrictEquals(encoded.length, encodedSize(b, encoding));
    assertEquals(decodeColumn(encoded, 0, encoded.length, encoding), b);
  }));
});

test("the encodings write what ktserver writes", () => {
  const text = (b: string, encoding: ColumnEncoding) =>
    String.fromCharCode(...encodeColumn(latin1(b), encoding));
  assertStrictEquals(text("a b\x00\xff-_.~!*'()", "U"), "a%20b%00%ff-_.~%21%2a%27%28%29");
  assertStrictEquals(text("a b\x00\xff=~", "Q"), "a b=00=FF=3D~");
  assertStrictEquals(text("\xff\xfe", "B"), "//4=");
  assertStrictEquals(text("a", "B"), "YQ==");
  assertStrictEquals(text("", "B"), "");
});

test("an encoded column decodes into memory of its own", () => {
  const encoded = latin1("xxYWJjxx");
  for (const encoding of ENCODINGS) {
    const plain = decodeColumn(encoded, 2, 6, encoding);
    assertStrictEquals(plain.byteLength, plain.buffer.byteLength);
    assertStrictEquals(plain.buffer === encoded.buffer, false);
  }
});

test("URL decoding drops raw bytes up to 0x20 and from 0x7f on", () => {
  const every = Array.from({ length: 256 }, (_, c) => String.fromCharCode(c)).join("");
  const plain = every.slice(0x21, 0x7f).replace("%", "").replace("+", " ");
  assertStrictEquals(decoded(every.replace("%", ""), "U"), plain);
});

test("URL decoding makes something of bad escapes", () => {
  assertStrictEquals(decoded("%zz", "U"), "\0");
  assertStrictEquals(decoded("%z4", "U"), "\x04");
  assertStrictEquals(decoded("%4z", "U"), "\x04");
  assertStrictEquals(decoded("a%4", "U"), "a");
  assertStrictEquals(decoded("100%", "U"), "100");
  assertStrictEquals(decoded("%C3%a9", "U"), "\xc3\xa9");
  assertEquals(urlDecode(latin1("a%41"), 1, 4), latin1("A"));
});

test("quoted-printable decoding knows soft line breaks and drops raw bytes", () => {
  assertStrictEquals(decoded("a=20b c=3D=zz", "Q"), "a b c=\0");
  assertStrictEquals(decoded("ab=\r\ncd=\nef\x01\x7f\xe9", "Q"), "abcdef");
  assertStrictEquals(decoded("a=4", "Q"), "a");
  assertStrictEquals(decoded("a=", "Q"), "a");
});

test("Base64 decoding is as lenient as ktserver's", () => {
  assertStrictEquals(decoded("key", "B"), "\x02\x47\xb2");
  assertStrictEquals(decoded("Y\nW J-j", "B"), "abc");
  assertStrictEquals(decoded("YQ==YQ==", "B"), "a");
  assertStrictEquals(decoded("====", "B"), "");
  assertStrictEquals(decoded("YWJj-!", "B"), "abc");
});

test("whole numbers are read up to the first character that does not fit", () => {
  const cases: [string, bigint][] = [
    ["", 0n],
    ["abc", 0n],
    ["12x", 12n],
    [" \t+600s", 600n],
    ["-8", -8n],
    ["- 8", 0n],
    ["1e3", 1n],
    ["03", 3n],
    ["9223372036854775807", 2n ** 63n - 1n],
    ["-9223372036854775808", -(2n ** 63n)],
    ["9223372036854775808", -(2n ** 63n)],
    [`1${"0".repeat(100)}`, 0n],
  ];
  for (const [text, value] of cases) assertStrictEquals(parseInteger(text), value, text);
});

test("numbers with a fraction are read up to the first character that does not fit", () => {
  const cases: [string, number][] = [
    ["", 0],
    ["abc", 0],
    ["1.5", 1.5],
    [" -0.25x", -0.25],
    ["+.5", 0.5],
    ["1e3", 1000],
    ["1.e-2", 0.01],
    ["2e", 2],
    ["inf", Infinity],
    ["-INFinity", -Infinity],
    ["nan", NaN],
  ];
  for (const [text, value] of cases) assertStrictEquals(parseDecimal(text), value, text);
});

test("numbers with a fraction are written with six decimals", () => {
  const cases: [number, string][] = [
    [1.5, "1.500000"],
    [-2.5, "-2.500000"],
    [0.3, "0.300000"],
    [1002, "1002.000000"],
    [0.0078125, "0.007812"],
    [0.0234375, "0.023438"],
    [-0.0078125, "-0.007812"],
    [1e22, "10000000000000000000000.000000"],
    [Infinity, "inf"],
    [-Infinity, "-inf"],
    [NaN, "nan"],
  ];
  for (const [value, text] of cases) assertStrictEquals(formatDecimal(value), text);
});

test("times are written and read as RFC 1123 has them", () => {
  assertStrictEquals(formatHttpDate(4102444800), "Fri, 01 Jan 2100 00:00:00 GMT");
  assertStrictEquals(formatHttpDate(1099511627774), "Mon, 20 Feb 36812 00:36:14 GMT");
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 40 - 2 }), (seconds) => {
    assertStrictEquals(parseTime(formatHttpDate(seconds)), seconds);
  }));
});

test("times are read in every notation", () => {
  const newYear = 4102444800;
  const cases: [string, number | null][] = [
    ["4102444800", newYear],
    ["  4102444800  ", newYear],
    ["4102444800s", newYear],
    ["47482D", newYear],
    ["1139568h", newYear],
    ["68374080m", newYear],
    ["0xF4865700", newYear],
    ["2100-01-01T00:00:00Z", newYear],
    ["2100-01-01T09:00:00+09:00", newYear],
    ["2099-12-31T23:00:00.250-01:00", newYear],
    ["2100-01-01T00:00", newYear],
    ["2100/01/01 00:00:00", newYear],
    ["2100-01-01", newYear],
    ["2100-01", newYear],
    ["Fri, 1 Jan 2100 00:00:00 +0900", newYear - 9 * 3600],
    ["01 jan 2100", newYear],
    ["Sun, 06 Nov 94 08:49:37 GMT", 784111777],
    ["600", 600],
    ["0", 0],
    ["", null],
    ["-5", null],
    ["garbage", null],
    ["12 Foo 2100", null],
  ];
  for (const [text, seconds] of cases) assertStrictEquals(parseTime(text), seconds, text);
});
