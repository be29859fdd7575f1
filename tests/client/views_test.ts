import { assert, assertEquals } from "@std/assert";
import { startMockServer } from "../../mock_server/mod.ts";
import { connect, json, text } from "../../mod.ts";
import { brief } from "../connection/_fake_socket.ts";
import { test } from "../_harness.ts";
import { connected } from "./_client.ts";

test("database() gives a view with another default on the same connections", async () => {
  await using server = await startMockServer({ databases: 3 });
  await using kt = await connect({ port: server.port, database: 1, codec: text });
  const two = kt.database(2);
  await kt.set("k", "one");
  await two.set("k", "two");
  assertEquals(
    await Promise.all([
      kt.get("k"),
      two.get("k"),
      kt.database(0).get("k"),
      two.database(1).get("k"),
    ]),
    ["one", "two", null, "one"],
  );
  assertEquals(await two.get("k", { database: 1 }), "one");
  assertEquals((await two.getEntry("k"))?.database, 2);
  assertEquals([kt.stats.connections, two.stats.calls], [1, kt.stats.calls]);
});

test("ordered() gives a view whose calls take one connection, whatever they are", async () => {
  await using server = await startMockServer({ databases: ["%"] });
  await using kt = await connect(server.url, { connections: 4, codec: text });
  const ordered = kt.ordered();
  // Every connection is open and has something to do.
  const others = Array.from({ length: 200 }, (_, i) => kt.remove(`other ${i}`));
  for (let i = 0; i < 50; i++) {
    const key = `k${i}`;
    others.push(kt.remove("other"), kt.remove("other"));
    ordered.set(key, "1");
    ordered.append(key, "2");
    const first = ordered.get(key);
    ordered.setBulk([[key, "3"]]);
    const second = ordered.database(0).getBulk([key]);
    const removed = ordered.remove(key);
    assertEquals(await ordered.getEntry(key), null);
    assertEquals([await first, (await second)[0].value, await removed], ["12", "3", true]);
  }
  await Promise.all(others);
  assert(kt.stats.connections > 1);
});

test("the default database is used by every method that has one", async () => {
  await using setting = await connected({ database: 3 });
  const { kt, requests } = setting;
  await kt.get("a");
  await kt.getEntry("a");
  await kt.set("a", "v");
  await kt.remove("a");
  await kt.getBulk(["a", { key: "b", database: 0 }, { key: "c" }]);
  await kt.setBulk([["a", "v"], { key: "b", value: "v", database: 0 }, { key: "c", value: "v" }]);
  await kt.removeBulk(["a", { key: "b", database: 0 }, { key: "c" }]);
  assertEquals(requests.map(brief), [
    "get 3:a",
    "get 3:a",
    "set 3:a=v",
    "remove 3:a",
    "get 3:a 0:b 3:c",
    "set 3:a=v 0:b=v 3:c=v",
    "remove 3:a 0:b 3:c",
  ]);
  requests.length = 0;
  await kt.getBulk(["a", { key: "b", database: 0 }], { database: 5 });
  assertEquals(requests.map(brief), ["get 5:a 0:b"]);
});

test("withCodec() gives a view with another codec on the same connections", async () => {
  await using server = await startMockServer();
  await using kt = await connect({ port: server.port });
  const users = kt.withCodec(json<{ name: string }>());
  await users.set("1", { name: "Ada" });
  assertEquals(await kt.withCodec(text).get("1"), '{"name":"Ada"}');
  assertEquals((await users.getBulk(["1"]))[0].value.name, "Ada");
  assertEquals(kt.stats.connections, 1);
});

test("views of views keep what they do not change", async () => {
  await using setting = await connected();
  const { kt, requests } = setting;
  const view = kt.database(4).withCodec(text).database(5).withCodec(json());
  await view.set("k", [1]);
  assertEquals(requests.map(brief), ["set 5:k=[1]"]);
  await kt.database(4).withCodec(text).get("k");
  assertEquals(brief(requests[1]), "get 4:k");
});

test("calls of different views in one tick travel together", async () => {
  await using setting = await connected();
  const { kt, requests } = setting;
  const results = await Promise.all([
    kt.withCodec(text).get("a"),
    kt.database(1).get("b"),
    kt.withCodec(text).getEntry("c"),
  ]);
  assertEquals(requests.map(brief), ["get 0:a 1:b 0:c"]);
  assertEquals(results[0], "value of a");
});

test("closing a view closes the client", async () => {
  await using setting = await connected();
  const view = setting.kt.database(1);
  await view.close();
  await setting.kt.closed;
  await view.closed;
});
