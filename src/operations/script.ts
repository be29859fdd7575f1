/** Calling procedures of the server by the binary protocol: what is given, and what comes back. */

import { checkData, describe } from "../arguments.ts";
import type { Key, Value } from "../types.ts";
import { type Codec, text } from "../value_codec.ts";
import { scriptCall } from "./calls.ts";
import type { ClientCore } from "./core.ts";
import type { ScriptOptions } from "./options.ts";
import { recordsOf, type ScriptInput } from "./records.ts";

/** Calls a procedure; resolves to its output, or to nothing where no reply was asked for. */
export async function playScript<V, In>(
  core: ClientCore,
  name: string,
  input: ScriptInput<In>,
  options: ScriptOptions | undefined,
  codec: Codec<V, In>,
): Promise<Map<string, V> | Map<Uint8Array, V> | void> {
  if (typeof name !== "string") {
    throw new TypeError(`Cannot playScript: the name is ${describe(name)}, not a string`);
  }
  const { keys = "text", noReply = false } = options ?? {};
  if (keys !== "text" && keys !== "bytes") {
    throw new TypeError(`Cannot playScript: "keys" is ${describe(keys)}, not "text" or "bytes"`);
  }
  const call = scriptCall(name, inputRecords(input, codec), noReply, core.maxReplyBytes);
  const output = await core.pool.submit(call, options, core.lane);
  if (noReply) return;
  const decoded = output.map(([key, value]) => [key, codec.decode(value)] as const);
  return keys === "bytes"
    ? new Map(decoded)
    : new Map(decoded.map(([key, value]) => [textKey(name, key), value]));
}

function inputRecords<In>(input: ScriptInput<In>, codec: Codec<unknown, In>): [Key, Value][] {
  const records: [Key, Value][] = [];
  for (const record of recordsOf("playScript", input) as Iterable<[Key, In]>) {
    if (typeof record !== "object" || record === null || !(Symbol.iterator in record)) {
      throw new TypeError(`Cannot playScript: a record is ${describe(record)}, not a pair`);
    }
    const [key, value] = record;
    records.push([
      checkData("playScript", "key", key),
      checkData("playScript", "value", codec.encode(value)),
    ]);
  }
  return records;
}

function textKey(name: string, key: Uint8Array): string {
  try {
    return text.decode(key);
  } catch (cause) {
    throw new TypeError(
      `Cannot playScript "${name}": a key of the output is not UTF-8; ask for keys as "bytes"`,
      { cause },
    );
  }
}
