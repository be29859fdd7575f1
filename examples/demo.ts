/**
 * The main road, end to end: a mock server in this process, a client, and everything the classic
 * driver's example does.
 *
 *     deno task demo
 */

import { connect, text } from "@kyoto/tycoon";
import { startMockServer } from "@kyoto/tycoon/mock-server";

await using server = await startMockServer({
  procedures: {
    // A procedure on the server: the record that the input names.
    get(input, { databases }) {
      const key = input.text("key") ?? "";
      const record = databases[0].get(key);
      return record === null ? {} : { [key]: record.value };
    },
  },
});
console.log(`mock server   ${server.url}`);

await using kt = await connect({ port: server.port, connectTimeout: 1000, codec: text });

const stored = await kt.setBulk([{ key: "aaa", value: "AAA", expireIn: 600_000 }], { database: 0 });
console.log(`set           ${stored} record stored`);

const entry = await kt.getEntry("aaa");
if (entry === null) throw new Error('"aaa" is missing');
console.log(
  `get           database ${entry.database}, expires ${entry.expiresAt?.toISOString()}, ` +
    `${entry.key} = ${entry.value}`,
);

for (const [key, value] of await kt.playScript("get", { key: "aaa" })) {
  console.log(`play_script   ${key} = ${value}`);
}

const records = { bbb: "BBB", ccc: "CCC", ddd: "DDD" };
console.log(`set_bulk      ${await kt.setBulk(records)} records stored`);

for (const { key, value } of await kt.getBulk(["bbb", "ccc", "missing", "ddd"])) {
  console.log(`get_bulk      ${key} = ${value}`);
}

console.log(`remove_bulk   ${await kt.removeBulk(Object.keys(records))} records removed`);
console.log(`remove        ${await kt.remove("aaa") ? "1 record" : "nothing"} removed`);

await kt.close();
console.log("closed");
