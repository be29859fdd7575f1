import { assertEquals, assertStrictEquals } from "@std/assert";
import { startMockServer } from "../../mock_server/mod.ts";
import { keyOf } from "../../mock_server/storage/record.ts";
import { test } from "../_harness.ts";
import { latin1 } from "../codec/_http.ts";
import { HttpPeer } from "./_http_peer.ts";

function put(path: string, body: string, headers = ""): string {
  return `PUT ${path} HTTP/1.1\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}

test("any value can be put and got, and is told apart from none", async () => {
  await using server = await startMockServer();
  using peer = new HttpPeer(server);
  const every = Array.from({ length: 256 }, (_, c) => String.fromCharCode(c)).join("");
  assertStrictEquals((await peer.request(put("/%00%ff/x", every))).status, 400);
  assertStrictEquals((await peer.request(put("//%00%ff/x", every))).status, 201);
  const { status, body } = await peer.request("GET //%00%ff/x HTTP/1.1\r\n\r\n");
  assertStrictEquals(status, 200);
  assertEquals(body, latin1(every));
  const [record] = [...server.storage.databases[0].records()];
  assertEquals(keyOf(record), latin1("\0\xff/x"));
  const head = await peer.request("HEAD //%00%ff/x HTTP/1.1\r\n\r\n");
  assertStrictEquals(head.headers.get("content-length"), "256");
});

test("the location of a record names this host and the path as it was sent", async () => {
  await using server = await startMockServer();
  using peer = new HttpPeer(server);
  const location = async (path: string) =>
    (await peer.request(put(path, ""))).headers.get("location");
  const origin = `http://localhost:${server.port}`;
  assertStrictEquals(await location("/a%20b?c=d"), `${origin}/a%20b?c=d`);
  assertStrictEquals(await location("relative"), `${origin}relative`);
  assertStrictEquals(await location("/a\x01\x7fb\xe9"), `${origin}/a b\xe9`);
});

test("an expiration is an absolute time, and comes back as a date", async () => {
  const clock = { time: Date.UTC(2026, 10, 23), now: () => clock.time };
  await using server = await startMockServer({ clock });
  using peer = new HttpPeer(server);
  const until = "Mon, 23 Nov 2026 00:00:10 GMT";
  await peer.request(put("/k", "v", `X-Kt-Xt: ${until}\r\n`));
  const get = () => peer.request("GET /k HTTP/1.1\r\n\r\n");
  assertStrictEquals((await get()).headers.get("x-kt-xt"), until);
  assertStrictEquals((await get()).headers.get("date"), "Mon, 23 Nov 2026 00:00:00 GMT");
  clock.time += 11_000;
  const { status, headers } = await get();
  assertStrictEquals(status, 404);
  assertStrictEquals(headers.get("x-kt-error"), "DB: 7: no record: no record");
});

test("HTTP and the binary protocol share records and connections, and what is asked is recorded", async () => {
  await using server = await startMockServer();
  using peer = new HttpPeer(server);
  // A set without a reply of "k" = "v" in front of the request.
  const set = "\xb8\0\0\0\x01\0\0\0\x01\0\0\0\0\0\x01\0\0\0\x01\x7f\xff\xff\xff\xff\xff\xff\xffkv";
  peer.send(latin1(set));
  const { body } = await peer.request("GET /k?x HTTP/1.1\r\n\r\n");
  assertEquals(body, latin1("v"));
  assertEquals(server.requests.toArray().map(({ operation, name }) => [operation, name]), [
    ["set_bulk", undefined],
    ["http", "GET /k?x HTTP/1.1"],
  ]);
});

test("a reply that closes is the last one", async () => {
  await using server = await startMockServer();
  using peer = new HttpPeer(server);
  const last = peer.request("GET /k HTTP/1.0\r\n\r\n");
  const behind = peer.request("GET /k HTTP/1.1\r\n\r\n").catch((error) => error.message);
  assertStrictEquals((await last).keepAlive, false);
  assertStrictEquals(await behind, "the connection is closed");
});
