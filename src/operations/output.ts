/** What a procedure returns over HTTP: rows of a name and a value, both any bytes. */

import { toByteText } from "../codec/byte_text.ts";
import type { Row } from "../codec/tsv.ts";
import { toBytes } from "../codec/writer.ts";
import type { Key } from "../types.ts";
import { text } from "../value_codec.ts";

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
  readonly #rows: readonly Row[];
  /** The values by their names, as texts of one character per byte; made when first asked for. */
  #values: Map<string, Uint8Array> | null = null;

  /** Wraps rows that came, whose names differ. */
  constructor(rows: readonly Row[]) {
    this.#rows = rows;
  }

  /** How many rows there are. */
  get size(): number {
    return this.#rows.length;
  }

  /** The value of a row; `undefined` when there is no such row. */
  get(name: Key): Uint8Array | undefined {
    if (this.#values === null) {
      this.#values = new Map();
      for (const [name, value] of this.#rows) {
        this.#values.set(toByteText(name, 0, name.length), value);
      }
    }
    const bytes = toBytes(name);
    return this.#values.get(toByteText(bytes, 0, bytes.length));
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
    for (const [name, value] of this.#rows) yield [name, value];
  }
}
