/**
 * The least that a server can do: it counts bytes and answers with as many others, on the raw socket
 * of the runtime. The first eight bytes of a connection say how long a request and a reply are.
 */

import { runtime } from "../runtime.ts";

const CONFIGURATION_SIZE = 8;
/** As many replies leave in one write. */
const MOST_REPLIES = 1024;

/** What one connection owes. */
class Canned {
  #requestSize = 0;
  #replySize = 0;
  #received = 0;
  #replies = new Uint8Array(0);

  /** Takes a chunk and returns what is to be written; nothing, an empty array. */
  answer(chunk: Uint8Array): Uint8Array {
    let size = chunk.length;
    if (this.#requestSize === 0) {
      const view = new DataView(chunk.buffer, chunk.byteOffset, CONFIGURATION_SIZE);
      this.#requestSize = view.getUint32(0);
      this.#replySize = view.getUint32(4);
      size -= CONFIGURATION_SIZE;
    }
    this.#received += size;
    const count = Math.min(MOST_REPLIES, Math.floor(this.#received / this.#requestSize));
    this.#received -= count * this.#requestSize;
    const replySize = count * this.#replySize;
    if (this.#replies.length < replySize) this.#replies = new Uint8Array(replySize);
    return this.#replies.subarray(0, replySize);
  }
}

if (runtime === "deno") {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  console.log(`listening on ${listener.addr.port}`);
  for await (const conn of listener) serve(conn);
} else {
  listenBun();
}

async function serve(conn: Deno.TcpConn): Promise<void> {
  conn.setNoDelay(true);
  const canned = new Canned(), buffer = new Uint8Array(256 * 1024);
  for (;;) {
    const size = await conn.read(buffer);
    if (size === null) return conn.close();
    const reply = canned.answer(buffer.subarray(0, size));
    for (let sent = 0; sent < reply.length;) sent += await conn.write(reply.subarray(sent));
  }
}

interface Socket {
  data: { canned: Canned; rest: Uint8Array };
  write(chunk: Uint8Array): number;
  setNoDelay(on: boolean): void;
}

function listenBun(): void {
  const { listen } = (globalThis as unknown as {
    Bun: { listen(options: Record<string, unknown>): { port: number } };
  }).Bun;
  const send = (socket: Socket, bytes: Uint8Array) => {
    socket.data.rest = bytes.subarray(Math.max(0, socket.write(bytes)));
  };
  const { port } = listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      binaryType: "uint8array",
      open(socket: Socket) {
        socket.setNoDelay(true);
        socket.data = { canned: new Canned(), rest: new Uint8Array(0) };
      },
      data(socket: Socket, chunk: Uint8Array) {
        const reply = socket.data.canned.answer(chunk);
        if (reply.length > 0) send(socket, reply);
      },
      drain(socket: Socket) {
        if (socket.data.rest.length > 0) send(socket, socket.data.rest);
      },
    },
  });
  console.log(`listening on ${port}`);
}
