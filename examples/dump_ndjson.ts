/**
 * Prints every update of a server as a line of JSON, from the beginning of its update log or from a
 * moment on, until it is interrupted.
 *
 *     deno run -A examples/dump_ndjson.ts kt://127.0.0.1:1978 2026-11-23T08:00:00Z
 *     bun examples/dump_ndjson.ts kt://127.0.0.1:1978
 *
 * A key that is not text is an object, `{"base64":"/wA="}`; values are base64.
 */

import { connect, type Update } from "@kyoto/tycoon";
import { Buffer, isUtf8 } from "node:buffer";
import process from "node:process";

/** The line of an update. */
export function lineOf(update: Update): string {
  const { key, value, timestamp } = update;
  const fields = {
    ...update,
    // JSON's numbers would not hold it.
    timestamp: timestamp.toString(),
    key: key === null ? null : isUtf8(key) ? Buffer.from(key).toString() : { base64: base64(key) },
    value: value === null ? null : base64(value),
  };
  return `${JSON.stringify(fields)}\n`;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

/** Updates in, lines out. */
export function toLines(): TransformStream<Update, string> {
  return new TransformStream({
    transform: (update, controller) => controller.enqueue(lineOf(update)),
  });
}

if (import.meta.main) {
  const [url = "kt://127.0.0.1:1978", since] = process.argv.slice(2);
  await using kt = await connect(url);
  const stream = kt.replicate({ since: since === undefined ? "beginning" : new Date(since) });
  await stream.readable.pipeThrough(toLines()).pipeTo(
    new WritableStream({
      // The next one is not read before this one has left.
      write: (line) => new Promise((resolve) => process.stdout.write(line, () => resolve())),
    }),
  );
}
