import { assertEquals } from "@std/assert";
import { test } from "../_harness.ts";
import { listen } from "../../mock_server/listen.ts";
import { channelOf } from "../../src/transport/channel.ts";
import { runtimeConnector } from "../../src/transport/detect.ts";

/** Of attempts that are given up while this process is busy, some have just succeeded. */
const ATTEMPTS = 150;

/** Keeps the process busy for some milliseconds. */
function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

test("a connection that is made as its attempt is given up is closed", async () => {
  let accepted = 0, ended = 0, wake = () => {};
  const listener = await listen({ hostname: "127.0.0.1", port: 0 }, (transport) => {
    accepted++;
    const channel = channelOf(transport);
    const end = () => {
      channel.close();
      ended++;
      wake();
    };
    channel.start({ data: () => {}, end, error: end });
  });
  const connector = await runtimeConnector({ hostname: "127.0.0.1", port: listener.port });
  for (let i = 0; i < ATTEMPTS; i++) {
    const controller = new AbortController();
    const attempt = Promise.resolve(connector(controller.signal))
      .then((transport) => transport.close?.(), () => {});
    setTimeout(() => controller.abort(), 1);
    block(2);
    await attempt;
  }
  // Deno's resource sanitizer fails this test as well when one is left.
  while (ended < accepted) await new Promise<void>((resolve) => wake = resolve);
  await listener.close();
  assertEquals(ended, accepted);
});
