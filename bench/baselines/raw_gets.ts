/** The loop that one would write by hand for single gets: text goes in, text comes out. */

import type { Work } from "../bench.ts";
import { check } from "../client.ts";
import {
  getReplySize,
  getRequest,
  KEY_COUNT,
  KEY_SIZE,
  keys,
  VALUE_SIZE,
  VALUE_START,
  valueOf,
} from "../records.ts";
import type { RawSocket } from "./raw_socket.ts";

export function rawGets(raw: RawSocket): Work {
  const request = getRequest(keys.slice(0, 1));
  const keyStart = request.length - KEY_SIZE, replySize = getReplySize(1);
  const decoder = new TextDecoder();
  return async (calls) => {
    let key = "", value = "";
    for (let i = 0; i < calls; i++) {
      key = keys[i % KEY_COUNT];
      for (let j = 0; j < KEY_SIZE; j++) request[keyStart + j] = key.charCodeAt(j);
      const reply = await raw.exchange(request, replySize);
      value = decoder.decode(reply.subarray(VALUE_START, VALUE_START + VALUE_SIZE));
    }
    check("the raw socket loop", value, valueOf(key));
  };
}
