/** An address of the loopback where connecting takes for ever. */

import { connect, type Socket } from "node:net";
import { type Script, startScript } from "../_harness.ts";

export class BlackHole implements AsyncDisposable {
  readonly port: number;
  readonly #script: Script;
  readonly #sockets: Socket[] = [];

  private constructor(script: Script, port: number) {
    this.#script = script;
    this.port = port;
  }

  static async open(): Promise<BlackHole> {
    const script = await startScript("tests/client/_full_backlog.ts", [], {
      permissions: ["--allow-net=127.0.0.1"],
    });
    const hole = new BlackHole(script, Number(await script.nextLine()));
    // The system takes connections for the server until its queue is full.
    while (await hole.#connect());
    return hole;
  }

  /** Whether the system has taken one more. */
  async #connect(): Promise<boolean> {
    if (this.#sockets.length > 2_000) throw new Error("Cannot fill the queue: it is too long");
    const socket = connect(this.port, "127.0.0.1").on("error", () => {});
    this.#sockets.push(socket);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), 300);
    socket.once("connect", () => resolve(true));
    const taken = await promise;
    clearTimeout(timer);
    return taken;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await this.#script[Symbol.asyncDispose]();
  }
}
