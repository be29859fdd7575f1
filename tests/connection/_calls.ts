/** Calls as the client makes them, and what they came to. */

import fc from "fast-check";
import { removeBulkCall, scriptCall } from "../../src/operations/calls.ts";
import { XT_NEVER } from "../../src/codec/constants.ts";
import { type Call, type ExchangeCall, GetCall, SetCall } from "../../src/connection/call.ts";
import type { Key, Value } from "../../src/types.ts";

/** A `get` whose value comes as text. */
export function get(key: Key, database = 0): GetCall<string> {
  return new GetCall(
    "get",
    database,
    key,
    (bytes, start, end) => new TextDecoder().decode(bytes.subarray(start, end)),
  );
}

export function set(key: Key, value: Value = "", database = 0, noReply = false): SetCall {
  return new SetCall(database, key, value, XT_NEVER, noReply);
}

export function remove(key: Key, noReply = false): ExchangeCall<number> {
  return removeBulkCall("remove", [{ database: 0, key }], noReply);
}

export function script(name: string): ExchangeCall<[Uint8Array, Uint8Array][]> {
  return scriptCall(name, [], false, 2 ** 29);
}

/** Short text of any characters, halves of surrogate pairs among them. */
export const shortText: fc.Arbitrary<string> = fc.string({
  unit: fc.oneof(fc.constantFrom(0x61, 0x62), fc.nat(0x7f), fc.nat(0xffff))
    .map((code) => String.fromCharCode(code)),
  maxLength: 3,
});

/** What a call came to: `"waits"`, its result, or its error. */
export class Outcome {
  settled = false;
  value: unknown = "waits";
  error: Error | undefined;

  constructor(promise: Promise<unknown>) {
    promise.then((value) => {
      this.value = value;
      this.settled = true;
    }, (error) => {
      this.value = this.error = error;
      this.settled = true;
    });
  }
}

/** What calls come to, from now on. */
export function outcomes(...calls: (Call | Promise<unknown>)[]): Outcome[] {
  return calls.map((call) => new Outcome(call instanceof Promise ? call : call.promise));
}

/** Results as they are, errors as their messages. */
export function values(list: readonly Outcome[]): unknown[] {
  return list.map(({ value, error }) => error === undefined ? value : error.message);
}
