/** The raw socket of the runtime, as one would use it by hand. */

import { runtime } from "../runtime.ts";
import type { Address } from "../servers.ts";
import { connectRawBun } from "./raw_socket_bun.ts";
import { connectRawDeno } from "./raw_socket_deno.ts";

/** Replies up to this size come back whole; larger ones are read and dropped. */
export const BUFFER_SIZE = 256 * 1024;

export interface RawSocket extends Disposable {
  /**
   * Writes a request and reads the reply, whose size is known. The result is valid until the next
   * exchange, and without meaning when the reply is larger than the buffer.
   */
  exchange(request: Uint8Array, replySize: number): Promise<Uint8Array>;
  /** The same, with the reply in memory of its own. */
  copy(request: Uint8Array, replySize: number): Promise<Uint8Array>;
}

export function connectRaw(address: Address): Promise<RawSocket> {
  return runtime === "deno" ? connectRawDeno(address) : connectRawBun(address);
}
