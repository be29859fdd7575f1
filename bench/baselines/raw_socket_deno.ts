import type { Address } from "../servers.ts";
import { BUFFER_SIZE, type RawSocket } from "./raw_socket.ts";

/** `conn.write` and `conn.read`, which are the fastest that Deno has. */
export async function connectRawDeno({ hostname, port }: Address): Promise<RawSocket> {
  const conn = await Deno.connect({ hostname, port });
  conn.setNoDelay(true);
  const buffer = new Uint8Array(BUFFER_SIZE);
  const send = async (request: Uint8Array) => {
    let sent = await conn.write(request);
    while (sent < request.length) sent += await conn.write(request.subarray(sent));
  };
  return {
    async exchange(request, replySize) {
      await send(request);
      for (let filled = 0; filled < replySize;) {
        const start = filled < BUFFER_SIZE ? filled : 0;
        const size = await conn.read(start === 0 ? buffer : buffer.subarray(start));
        if (size === null) throw new Error("Cannot read a reply: the server closed");
        filled += size;
      }
      return buffer;
    },
    async copy(request, replySize) {
      await send(request);
      const reply = new Uint8Array(replySize);
      for (let filled = 0; filled < replySize;) {
        const size = await conn.read(reply.subarray(filled));
        if (size === null) throw new Error("Cannot read a reply: the server closed");
        filled += size;
      }
      return reply;
    },
    [Symbol.dispose]: () => conn.close(),
  };
}
