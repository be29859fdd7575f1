/** The servers of the bench, each in a process of its own, on a free port of the loopback. */

import { once } from "node:events";
import { createServer } from "node:net";
import { NotAvailable } from "./bench.ts";
import { Process, startScript } from "./runtime.ts";

export interface Address {
  hostname: string;
  port: number;
}

export interface Server extends Address {
  pid: number;
  stop(): Promise<void>;
}

const LOOPBACK = "127.0.0.1";

/** The mock server, as its command starts it. */
export function startMock(): Promise<Server> {
  return listening(startScript("mock_server/cli.ts", ["--port", "0"]), /^kt:\/\/.*:(\d+)$/);
}

/** A mock server with an update log, for replication. */
export function startMaster(): Promise<Server> {
  const log = ["--sid", "1", "--ulog", "--ulim", "256m"];
  return listening(startScript("mock_server/cli.ts", ["--port", "0", ...log]), /^kt:\/\/.*:(\d+)$/);
}

/** The server that counts bytes and answers with bytes; see its file. */
export function startCannedServer(): Promise<Server> {
  return listening(startScript("bench/programs/canned_server.ts"), /^listening on (\d+)$/);
}

async function listening(server: Process, pattern: RegExp): Promise<Server> {
  const [, port] = pattern.exec(await server.line(pattern))!;
  return serverOf(server, Number(port));
}

function serverOf(process: Process, port: number): Server {
  return { hostname: LOOPBACK, port, pid: process.pid, stop: () => process.stop() };
}

/** `redis-server`, which keeps nothing. */
export async function startRedis(): Promise<Server> {
  const port = await freePort();
  const options = { port: `${port}`, bind: LOOPBACK, save: "", appendonly: "no", daemonize: "no" };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const server = new Process("redis-server", args);
  try {
    await server.line(/Ready to accept connections/);
  } catch {
    throw new NotAvailable("redis-server is not installed, or does not start");
  }
  return serverOf(server, port);
}

/** A port that is free now: redis-server cannot be asked to pick one. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, LOOPBACK);
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
