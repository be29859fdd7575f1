/** Connections that come and go by the thousands leave nothing behind. */

import { assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { readdir } from "node:fs/promises";
import { startMockServer } from "../../mock_server/mod.ts";
import { test } from "../_harness.ts";
import { heldMemory, mebibytes } from "../memory.ts";
import { bySocket, getRequest, NOT_FOUND, type RawClient, until } from "./_client.ts";

const CONNECTIONS = 10_000, WARM_UP = 2_000, TOGETHER = 100;
/** By how much memory may grow all the same, in bytes: less than 1 KiB for a connection. */
const GROWTH = 8 * 2 ** 20;

/** How many descriptors this process holds, where the system tells. */
async function descriptors(): Promise<number> {
  return (await readdir("/proc/self/fd").catch(() => [])).length;
}

/** The ways in which a connection is used and left: as it should be, in the middle, and at once. */
const uses: ((client: RawClient) => Promise<void>)[] = [
  async (client) => {
    await client.send(getRequest("k"));
    assertEquals(await client.reply(NOT_FOUND), NOT_FOUND);
  },
  async (client) => {
    await client.send(getRequest("k").subarray(0, 12));
  },
  async () => {},
];

test(`${CONNECTIONS} connections leave no descriptor and no memory behind`, {
  timeout: 120_000,
}, async () => {
  await using server = await startMockServer();
  const comeAndGo = async (connections: number) => {
    for (let made = 0; made < connections; made += TOGETHER) {
      await Promise.all(Array.from({ length: TOGETHER }, async (_, i) => {
        const client = await bySocket(server);
        await uses[i % uses.length](client);
        client.peer.close();
      }));
      await until(() => server.connections === 0);
    }
  };
  await comeAndGo(WARM_UP);
  const before = { descriptors: await descriptors(), memory: await heldMemory() };
  const start = performance.now();
  await comeAndGo(CONNECTIONS);
  const seconds = (performance.now() - start) / 1000;
  const after = { descriptors: await descriptors(), memory: await heldMemory() };
  console.log(
    `${CONNECTIONS} connections in ${seconds.toFixed(1)} s; descriptors ` +
      `${before.descriptors} before, ${after.descriptors} after; ` +
      `memory ${mebibytes(before.memory)} before, ${mebibytes(after.memory)} after`,
  );
  assertLessOrEqual(after.descriptors, before.descriptors);
  assertLess(after.memory - before.memory, GROWTH);
});
