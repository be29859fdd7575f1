/** The smallest exchange there is: a get_bulk of nothing. */

import { Magic } from "../codec/constants.ts";
import { decodeCount, REFUSED } from "../codec/reply.ts";
import { encodeGet } from "../codec/request.ts";
import { ProtocolError } from "../errors.ts";
import { ExchangeCall, Refused } from "./call.ts";
import { refusal } from "./frame.ts";

/** Asks whether the server answers. */
export function pingCall(): ExchangeCall<void> {
  return new ExchangeCall(
    "ping",
    { retryable: true, noReply: false, size: 0 },
    (w) => encodeGet(w, 0, []),
    function* (r) {
      const n = yield* decodeCount(r, Magic.GET_BULK);
      if (n === REFUSED) throw new Refused(refusal("ping"), true);
      if (n > 0) {
        throw new ProtocolError(
          `Cannot ping: the server found ${n} records where none was asked for`,
        );
      }
    },
  );
}
