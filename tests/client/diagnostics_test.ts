import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type Span, type SpanOptions, trace } from "@opentelemetry/api";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { traceCalls } from "../../examples/opentelemetry.ts";
import { startMockServer } from "../../mock_server/mod.ts";
import { type CallMessage, connect, ServerError } from "../../mod.ts";
import { runScript, test } from "../_harness.ts";

interface Listening extends Disposable {
  started: CallMessage[];
  ended: CallMessage[];
}

/** What is published from now on. */
function listen(): Listening {
  const started: CallMessage[] = [], ended: CallMessage[] = [];
  const start = (message: unknown) => {
    const call = message as CallMessage;
    assertEquals([call.duration, call.server, call.failure], [null, null, null]);
    started.push(call);
  };
  const end = (message: unknown) => {
    assert(started.includes(message as CallMessage), "it has begun");
    ended.push(message as CallMessage);
  };
  subscribe("kyoto-tycoon:call:start", start);
  subscribe("kyoto-tycoon:call:end", end);
  return {
    started,
    ended,
    [Symbol.dispose]() {
      unsubscribe("kyoto-tycoon:call:start", start);
      unsubscribe("kyoto-tycoon:call:end", end);
    },
  };
}

test("each call is published when it is made and when it has ended", async () => {
  await using server = await startMockServer({ databases: 2, procedures: { echo: () => ({}) } });
  await using kt = await connect(server.url, { diagnostics: true });
  using listening = listen();
  const before = Date.now();
  const all = Promise.all([
    kt.set("key", "value"),
    kt.get("key", { database: 1 }),
    kt.setBulk([["a", "1"], ["b", "2"]]),
    kt.getBulk(["a", { key: "b", database: 1 }]),
    kt.removeBulk(["a"]),
    kt.playScript("echo", { a: "b" }),
    kt.increment("n", 1),
    kt.ping(),
  ]);
  assertEquals(listening.ended.length, 0);
  await all;
  assertEquals(listening.ended.map(({ operation, database }) => [operation, database]), [
    ["set", 0],
    ["get", 1],
    ["setBulk", 0],
    ["getBulk", null],
    ["removeBulk", 0],
    ["playScript", null],
    ["increment", 0],
    ["ping", null],
  ]);
  assertEquals(listening.ended.slice(0, 3).map(({ bytes }) => bytes), [8, 3, 4]);
  const address = `${server.hostname}:${server.port}`;
  for (const { startTime, duration, server, failure } of listening.ended) {
    assert(startTime >= before - 100 && startTime <= Date.now() + 100, "a time of day");
    assert(duration !== null && duration >= 0 && duration < 60_000);
    assertEquals([server, failure], [address, null]);
  }
});

test("a call that fails, is given up or is refused is published with its error", async () => {
  await using server = await startMockServer();
  const kt = await connect(server.url, { diagnostics: true });
  using listening = listen();
  const error = await assertRejects(() => kt.set("k", "v", { database: 5 }), ServerError);
  const signal = AbortSignal.abort(undefined);
  await assertRejects(() => kt.get("k", { signal }));
  await kt.close();
  await assertRejects(() => kt.get("k"));
  assertEquals(listening.ended.length, 3);
  assertStrictEquals(listening.ended[0].failure?.error, error);
  assertStrictEquals(listening.ended[1].failure?.error, signal.reason);
  assertEquals(listening.ended[2].server, null);
});

test("without the option nothing is published", async () => {
  await using server = await startMockServer();
  await using kt = await connect(server.url);
  using listening = listen();
  await kt.get("k");
  assertEquals([listening.started, listening.ended], [[], []]);
});

test("while nobody listens a call is not watched, and one that was is ended all the same", async () => {
  await using server = await startMockServer();
  await using kt = await connect(server.url, { diagnostics: true });
  await kt.get("k");
  const listening = listen();
  const pending = kt.get("k");
  listening[Symbol.dispose]();
  await pending;
  assertEquals([listening.started.length, listening.ended.length], [1, 0]);
  assert(listening.started[0].duration !== null);
});

test("opentelemetry.ts makes a span of each call", async () => {
  const log: unknown[] = [];
  const startSpan = (name: string, { attributes }: SpanOptions) => {
    const set = (...entry: unknown[]) => void log.push([name, ...entry]);
    log.push([name, attributes]);
    return {
      setAttribute: (key: string) => set(key),
      setStatus: ({ code }: { code: number }) => set("status", code),
      recordException: (error: Error) => set(error.message),
      end: (time: number) => set("end", typeof time),
    } as unknown as Span;
  };
  const { getTracer } = trace;
  trace.getTracer = () => ({ startSpan, startActiveSpan: () => {} }) as never;
  const stop = traceCalls();
  trace.getTracer = getTracer;
  let message = "";
  try {
    await using server = await startMockServer();
    await using kt = await connect(server.url, { diagnostics: true });
    await kt.get("k");
    ({ message } = await assertRejects(() => kt.set("k", "v", { database: 5 }), ServerError));
  } finally {
    stop();
  }
  const attributes = (operation: string, bytes: number, database: string) => ({
    "db.system.name": "kyoto_tycoon",
    "db.operation.name": operation,
    "kyoto_tycoon.bytes": bytes,
    "db.namespace": database,
  });
  assertEquals(log, [
    ["kyoto-tycoon get", attributes("get", 1, "0")],
    ["kyoto-tycoon get", "server.address"],
    ["kyoto-tycoon get", "end", "number"],
    ["kyoto-tycoon set", attributes("set", 2, "5")],
    ["kyoto-tycoon set", "server.address"],
    ["kyoto-tycoon set", message],
    ["kyoto-tycoon set", "status", 2],
    ["kyoto-tycoon set", "end", "number"],
  ]);
});

test("opentelemetry.ts runs as it is", async () => {
  const { code, stdout } = await runScript("examples/opentelemetry.ts", [], {
    permissions: ["--allow-net=127.0.0.1"],
  });
  assertEquals([code, stdout], [0, "tokyo\n"]);
});
