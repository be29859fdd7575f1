/** A client that sends garbage gets what it deserves, and the mock server stays well. */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { startMockServer } from "../../mock_server/mod.ts";
import { test } from "../_harness.ts";
import { cut, cuts } from "../codec/_arbitraries.ts";
import { deadlineIn, Peer } from "../peer.ts";

const KEY = [0, 0, 0, 0, 0, 1, 0x6b];
const RECORD = [0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0x6b, 0x76];

/** Parts of requests, so that garbage gets far. */
const part = fc.oneof(
  fc.constantFrom(
    [0xb8, 0, 0, 0, 0, 0, 0, 0, 1],
    [0xb9, 0, 0, 0, 1, 0, 0, 0, 2],
    [0xba, 0, 0, 0, 0, 0, 0, 0, 1],
    [0xb4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x6b],
    [0xff, 0xff, 0xff, 0xff],
    [0x10, 0, 0, 1],
    KEY,
    RECORD,
    [...new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")],
    [0x0a],
  ),
  fc.array(fc.nat(255), { maxLength: 20 }),
);

const garbage = fc.array(part, { maxLength: 12 }).map((parts) => new Uint8Array(parts.flat()));

test("whatever a client sends, the server has closed once the client is done", async () => {
  const errors: unknown[] = [];
  await using server = await startMockServer({
    databases: 2,
    procedures: { k: (input) => input },
    onError: (error) => errors.push(error),
  });
  await fc.assert(
    fc.asyncProperty(garbage, cuts, async (stream, sizes) => {
      const peer = new Peer(server.connectInMemory());
      try {
        for (const piece of cut(stream, sizes)) await peer.send(piece);
        await peer.closeWrite();
      } catch {
        // The server has hung up already, as it may.
      }
      let came;
      while ((came = await peer.more(deadlineIn(3000))) === "bytes");
      assertEquals(came, "over");
      peer.close();
    }),
    { numRuns: 300 },
  );
  assertEquals(errors, []);
  assertEquals(server.connections, 0);

  const peer = new Peer(server.connectInMemory());
  await peer.send(new Uint8Array([0xba, 0, 0, 0, 0, 0, 0, 0, 0]));
  assertEquals(await peer.take(5, deadlineIn(3000)), new Uint8Array([0xba, 0, 0, 0, 0]));
  peer.close();
});
