/** The Redis clients that users of each runtime would pick, with auto-pipelining. */

import { runtime } from "../runtime.ts";
import type { Address } from "../servers.ts";

/** What the bench uses of either; values are text. */
export interface RedisClient extends Disposable {
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<unknown>;
  mget(keys: string[]): Promise<(string | null)[]>;
  mset(flat: string[]): Promise<unknown>;
}

export const redisClientName = runtime === "deno" ? "ioredis" : "Bun.RedisClient";

export function connectRedis(address: Address): Promise<RedisClient> {
  return runtime === "deno" ? connectIoredis(address) : connectBunRedis(address);
}

async function connectIoredis({ hostname, port }: Address): Promise<RedisClient> {
  // Not before it is needed: one of its classes extends String, which makes V8 slower with every other
  // string of the process (see src/codec/char_code.ts).
  const { Redis } = await import("ioredis");
  const redis = new Redis({ host: hostname, port, enableAutoPipelining: true, lazyConnect: true });
  await redis.connect();
  return {
    get: (key) => redis.get(key),
    set: (key, value) => redis.set(key, value),
    mget: (keys) => redis.mget(keys),
    mset: (flat) => redis.mset(flat),
    [Symbol.dispose]: () => redis.disconnect(),
  };
}

interface BunRedis {
  connect(): Promise<void>;
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<unknown>;
  send(command: string, args: string[]): Promise<unknown>;
  close(): void;
}

async function connectBunRedis({ hostname, port }: Address): Promise<RedisClient> {
  const { RedisClient } =
    (globalThis as unknown as { Bun: { RedisClient: new (url: string) => BunRedis } }).Bun;
  // Auto-pipelining is on by default.
  const redis = new RedisClient(`redis://${hostname}:${port}`);
  await redis.connect();
  return {
    get: (key) => redis.get(key),
    set: (key, value) => redis.set(key, value),
    mget: (keys) => redis.send("MGET", keys) as Promise<(string | null)[]>,
    mset: (flat) => redis.send("MSET", flat),
    [Symbol.dispose]: () => redis.close(),
  };
}
