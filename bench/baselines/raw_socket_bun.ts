import type { Address } from "../servers.ts";
import { BUFFER_SIZE, type RawSocket } from "./raw_socket.ts";

interface Socket {
  write(chunk: Uint8Array): number;
  setNoDelay(on: boolean): void;
  end(): void;
}

interface Bun {
  connect(options: Record<string, unknown>): Promise<Socket>;
}

const NOTHING = new Uint8Array(0);

/** `Bun.connect` with handlers. */
export async function connectRawBun({ hostname, port }: Address): Promise<RawSocket> {
  const { connect } = (globalThis as unknown as { Bun: Bun }).Bun;
  const buffer = new Uint8Array(BUFFER_SIZE);
  let rest: Uint8Array = NOTHING, target: Uint8Array = buffer, wanted = 0, filled = 0;
  let resolve: (reply: Uint8Array) => void, reject: (reason: Error) => void;
  const start = (res: typeof resolve, rej: typeof reject) => {
    resolve = res;
    reject = rej;
  };
  const send = (socket: Socket) => {
    const sent = socket.write(rest);
    if (sent < 0) reject(new Error("Cannot write: the socket is closed"));
    else rest = sent < rest.length ? rest.subarray(sent) : NOTHING;
  };
  const socket = await connect({
    hostname,
    port,
    socket: {
      binaryType: "uint8array",
      data(_socket: Socket, chunk: Uint8Array) {
        if (chunk.length === wanted) return resolve(chunk);
        if (filled + chunk.length <= target.length) target.set(chunk, filled);
        filled += chunk.length;
        if (filled >= wanted) resolve(target);
      },
      drain(socket: Socket) {
        if (rest.length > 0) send(socket);
      },
      close: () => reject?.(new Error("Cannot read a reply: the server closed")),
    },
  });
  socket.setNoDelay(true);
  const exchange = (request: Uint8Array, replySize: number, into: Uint8Array = buffer) => {
    rest = request;
    target = into;
    wanted = replySize;
    filled = 0;
    const reply = new Promise<Uint8Array>(start);
    send(socket);
    return reply;
  };
  return {
    exchange,
    copy: (request, replySize) => exchange(request, replySize, new Uint8Array(replySize)),
    [Symbol.dispose]: () => socket.end(),
  };
}
