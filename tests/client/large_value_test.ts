import { assert, assertEquals, assertRejects } from "@std/assert";
import { equals } from "@std/bytes";
import { startMockServer } from "../../mock_server/mod.ts";
import { connect, ProtocolError } from "../../mod.ts";
import { test } from "../_harness.ts";
import { pattern } from "../transport/_sockets.ts";

const MIB = 2 ** 20;

test("64 MiB go out and come back as they were", async () => {
  await using server = await startMockServer({ requestLogSize: 0 });
  await using kt = await connect({ port: server.port });
  for (const size of [16 * MIB, 64 * MIB]) {
    const value = pattern(size);
    const start = performance.now();
    await kt.set("large", value);
    const stored = performance.now();
    const back = await kt.get("large");
    const done = performance.now();
    assert(equals(back!, value));
    assertEquals([back!.length, back!.buffer.byteLength], [size, size]);
    console.log(
      `${size / MIB} MiB: ${(stored - start).toFixed()} ms there, ${
        (done - stored).toFixed()
      } ms back`,
    );
  }
});

test("large keys, records and procedures come back as they were", async () => {
  await using server = await startMockServer({
    requestLogSize: 0,
    procedures: { echo: (input) => input },
  });
  await using kt = await connect({ port: server.port });
  const key = pattern(2 * MIB), value = pattern(8 * MIB);
  await kt.set(key, "found");
  assertEquals(new TextDecoder().decode((await kt.get(key))!), "found");
  assertEquals(await kt.setBulk([[key, value], ["small", "x"], ["other", value]]), 3);
  const entries = await kt.getBulk(["small", key, "missing", "other"]);
  assertEquals(entries.map(({ value }) => value.length), [1, value.length, value.length]);
  assert(equals(entries[1].value, value) && equals(entries[2].value, value));
  const output = await kt.playScript("echo", [[key, value]], { keys: "bytes" });
  const [[outputKey, outputValue]] = output;
  assert(equals(outputKey, key) && equals(outputValue, value));
  assertEquals(await kt.remove(key), true);
});

test("small calls made beside a large one are answered in order", async () => {
  await using server = await startMockServer({ requestLogSize: 0 });
  await using kt = await connect({ port: server.port });
  const value = pattern(16 * MIB);
  const results = await Promise.all([
    kt.set("a", "1"),
    kt.set("large", value),
    kt.get("a"),
    kt.get("large"),
    kt.get("a"),
    kt.remove("a"),
  ]);
  assertEquals(results.map((result) => result instanceof Uint8Array ? result.length : result), [
    ...[undefined, undefined, 1, value.length, 1, true],
  ]);
});

test("a reply over the client's limit costs the connection, not the client", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ port: server.port, maxReplyBytes: 1_000_000 });
  await kt.set("large", new Uint8Array(1_000_001));
  await kt.set("fits", new Uint8Array(1_000_000 - 4));
  const error = await assertRejects(() => kt.get("large"), ProtocolError);
  assertEquals(
    error.message,
    'Cannot read a reply: it announces more than "maxReplyBytes", 1000000 bytes',
  );
  assertEquals((await kt.get("fits"))?.length, 1_000_000 - 4);
  await assertRejects(() => kt.getBulk(["fits", "fits"]), ProtocolError);
});
