/**
 * Copies a server's live data into another one: everything that its update log holds, and then every
 * update as it is made. For moving to another machine without a pause.
 *
 *     deno run -A examples/copy_server.ts kt://old:1978 kt://new:1978 copy.rts
 *     bun examples/copy_server.ts kt://old:1978 kt://new:1978 copy.rts
 *
 * The file, which may be left out, keeps how far it has come, for the next time.
 */

import { connect, type KyotoTycoon, type ReplicationStream, type Update } from "@kyoto/tycoon";
import { readFile, writeFile } from "node:fs/promises";
import process from "node:process";

const BATCH_SIZE = 1000;
/** Milliseconds that an update may wait for others to be written with. */
const BATCH_TIME = 10;

/** Writes each update to `to`; `written` is told the stamp of the last one after each batch. */
export async function copyServer(
  updates: ReplicationStream,
  to: KyotoTycoon,
  written: (timestamp: bigint) => Promise<unknown> | void = () => {},
): Promise<void> {
  for await (const batch of batchesOf(updates)) {
    let latest = new Map<string, Update>();
    for (const update of batch) {
      if (update.op !== "clear") {
        latest.set(`${update.database} ${nameOf(update.key)}`, update);
        continue;
      }
      await write(latest.values(), to);
      await to.clear({ database: update.database });
      latest = new Map();
    }
    await write(latest.values(), to);
    await written(batch[batch.length - 1].timestamp);
  }
}

/** Only the last update of each key counts, so sets and removals may travel side by side. */
async function write(updates: Iterable<Update>, to: KyotoTycoon): Promise<void> {
  const sets = [], removals = [];
  for (const { op, database, key, value, expiresAt } of updates) {
    if (op === "set") sets.push({ database, key, value, expireAt: expiresAt ?? undefined });
    else if (op === "remove") removals.push({ database, key });
  }
  await Promise.all([
    sets.length > 0 && to.setBulk(sets),
    removals.length > 0 && to.removeBulk(removals),
  ]);
}

/** What comes within a moment, together. */
async function* batchesOf(updates: ReplicationStream): AsyncGenerator<Update[]> {
  await using stream = updates;
  let next = stream.next();
  for (;;) {
    const first = await next;
    if (first.done) return;
    const batch = [first.value];
    const late = new Promise<null>((resolve) => setTimeout(resolve, BATCH_TIME, null));
    next = stream.next();
    // Whoever awaits it next is told of a failure.
    next.catch(() => {});
    while (batch.length < BATCH_SIZE) {
      const result = await Promise.race([next, late]);
      if (result === null || result.done) break;
      batch.push(result.value);
      next = stream.next();
      next.catch(() => {});
    }
    yield batch;
  }
}

const latin1 = new TextDecoder("latin1");

/** A text for each key that is that of no other. */
function nameOf(key: Uint8Array): string {
  return latin1.decode(key);
}

if (import.meta.main) {
  const [source, target, file] = process.argv.slice(2);
  if (target === undefined) throw new Error("usage: copy_server.ts FROM TO [FILE]");
  const kept = file === undefined ? "0" : await readFile(file, "utf8").catch(() => "0");
  await using from = await connect(source);
  await using to = await connect(target);
  await copyServer(
    from.replicate({ since: BigInt(kept) }),
    to,
    async (timestamp) => {
      if (file !== undefined) await writeFile(file, `${timestamp.toString().padStart(20, "0")}\n`);
    },
  );
}
