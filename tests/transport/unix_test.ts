import { assert, assertEquals, assertRejects } from "@std/assert";
import { equals } from "@std/bytes";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Transport } from "../../src/transport/transport.ts";
import { test } from "../_harness.ts";
import { adapters, connectTo, End, pattern } from "./_sockets.ts";

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "kt-"));
  try {
    await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

for (const adapter of adapters) {
  const { name } = adapter;

  test(`${name}: a Unix socket carries bytes both ways`, async () => {
    await withFolder(async (folder) => {
      const path = join(folder, "kt.sock");
      const accepted = Promise.withResolvers<Transport>();
      const listener = await adapter.listen({ path }, accepted.resolve);
      const client = new End(await connectTo(adapter, { path }));
      const server = new End(await accepted.promise);
      const bytes = pattern(4 * 2 ** 20);
      await client.channel.write(bytes);
      await server.until(() => server.size === bytes.length);
      assert(equals(server.bytes, bytes));
      await server.write("thanks");
      await server.channel.closeWrite();
      await client.over();
      assertEquals([client.text, client.events], ["thanks", ["end"]]);
      client.channel.close();
      await server.over();
      server.channel.close();
      listener.close();
      // The file goes with the listener.
      while (existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 1));
    });
  });

  test(`${name}: a Unix socket that is not there is an error, and so is one that is none`, async () => {
    await withFolder(async (folder) => {
      await assertRejects(() => connectTo(adapter, { path: join(folder, "none.sock") }), Error);
      const path = join(folder, "file");
      await writeFile(path, "");
      await assertRejects(() => connectTo(adapter, { path }), Error);
    });
  });
}
