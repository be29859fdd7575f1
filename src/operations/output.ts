/** What a procedure returns over HTTP: rows of a name and a value, both any bytes. */

import { commonText, fromByteText } from "../codec/byte_text.ts";
import { type Column, columnBytes, type ReceivedRow } from "../codec/tsv.ts";
import { toBytes } from "../codec/writer.ts";
import type { Key } from "../types.ts";
import { text } from "../value_codec.ts";

/** Up to this many rows are quicker looked through than put into a map. */
const FEW = 8;

/** The value of a row as it came; for what need not be bytes. */
export let columnOf: (output: ProcedureOutput, name: string) => Column | undefined;

/**
 * The output of a procedure: rows of a name and a value, both any bytes. `rpc` returns it.
 *
 * @example
 * ```ts
 * import { connect } from "@kyoto/tycoon";
 * import { startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await startMockServer();
 * await using kt = await connect(server.url);
 * const output = await kt.rpc("echo", { greeting: "hello", raw: Uint8Array.of(0, 255) });
 * assertEquals(output.text("greeting"), "hello");
 * assertEquals(output.get("raw"), Uint8Array.of(0, 255));
 * assertEquals(output.text("missing"), undefined);
 * ```
 */
export class ProcedureOutput implements Iterable<[name: Uint8Array, value: Uint8Array]> {
  readonly #rows: readonly ReceivedRow[];
  /** Where the rows stand, by their names; made when first asked for, where there are many. */
  #places: Map<string, number> | null = null;

  /** Wraps rows that came, whose names differ. */
  constructor(rows: readonly ReceivedRow[]) {
    this.#rows = rows;
  }

  static {
    columnOf = (output, name) => output.#row(name)?.[1];
  }

  /** How many rows there are. */
  get size(): number {
    return this.#rows.length;
  }

  /** The value of a row; `undefined` when there is no such row. */
  get(name: Key): Uint8Array | undefined {
    const bytes = toBytes(name);
    const row = this.#row(commonText(bytes, 0, bytes.length));
    return row && valueOf(row);
  }

  /**
   * The value of a row as text.
   *
   * @throws {TypeError} It is not UTF-8.
   */
  text(name: Key): string | undefined {
    const value = this.get(name);
    return value === undefined ? undefined : text.decode(value);
  }

  /** All rows, in the server's order: by the bytes of their names, in the encoding that was sent. */
  *[Symbol.iterator](): IterableIterator<[name: Uint8Array, value: Uint8Array]> {
    for (const row of this.#rows) yield [fromByteText(row[0]), valueOf(row)];
  }

  /** The row with this name, a text of one character per byte. */
  #row(name: string): ReceivedRow | undefined {
    const rows = this.#rows;
    if (rows.length <= FEW) return rows.findLast((row) => row[0] === name);
    this.#places ??= new Map(rows.map((row, i) => [row[0], i]));
    return rows[this.#places.get(name) ?? -1];
  }
}

/** The value of a row as bytes; the same ones whenever it is asked for. */
function valueOf(row: ReceivedRow): Uint8Array {
  const bytes = columnBytes(row[1]);
  row[1] = bytes;
  return bytes;
}
