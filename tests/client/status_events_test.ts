import { assertEquals } from "@std/assert";
import { startMockServer } from "../../mock_server/mod.ts";
import { connect } from "../../mod.ts";
import { test } from "../_harness.ts";

test("what onStatus throws is printed and changes nothing", async () => {
  const { error } = console;
  const printed: unknown[][] = [];
  console.error = (...args) => printed.push(args);
  try {
    await using server = await startMockServer();
    for (const isAsync of [false, true]) {
      const kt = await connect(server.url, {
        onStatus: ({ status }) => {
          if (isAsync) return Promise.reject(status) as never;
          throw status;
        },
      });
      await kt.set("k", "v");
      server.dropConnections();
      await kt.get("k");
      await kt.close();
    }
  } finally {
    console.error = error;
  }
  const told = ["connected", "disconnected", "reconnecting", "connected", "closed"];
  assertEquals(printed, [...told, ...told].map((status) => ['Failure in "onStatus":', status]));
});
