/**
 * Turns each call of a client into an OpenTelemetry span, below the one that is active where the call
 * is made. Register an SDK of your choice first, as for any other instrumentation.
 *
 *     deno run --allow-net=127.0.0.1 examples/opentelemetry.ts
 *     bun examples/opentelemetry.ts
 */

import { type CallMessage, connect, text } from "@kyoto/tycoon";
import { startMockServer } from "@kyoto/tycoon/mock-server";
import { type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { subscribe, unsubscribe } from "node:diagnostics_channel";

/** Makes spans of calls from now on; returns how to stop. */
export function traceCalls(): () => void {
  const tracer = trace.getTracer("kyoto-tycoon");
  const spans = new WeakMap<CallMessage, Span>();

  const start = (message: unknown) => {
    const call = message as CallMessage;
    const span = tracer.startSpan(`kyoto-tycoon ${call.operation}`, {
      kind: SpanKind.CLIENT,
      startTime: call.startTime,
      attributes: {
        "db.system.name": "kyoto_tycoon",
        "db.operation.name": call.operation,
        "kyoto_tycoon.bytes": call.bytes,
        ...(call.database === null ? {} : { "db.namespace": String(call.database) }),
      },
    });
    spans.set(call, span);
  };

  const end = (message: unknown) => {
    const call = message as CallMessage;
    const span = spans.get(call);
    if (span === undefined) return;
    if (call.server !== null) span.setAttribute("server.address", call.server);
    if (call.failure !== null) {
      const { error } = call.failure;
      span.recordException(error instanceof Error ? error : String(error));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end(call.startTime + call.duration!);
  };

  subscribe("kyoto-tycoon:call:start", start);
  subscribe("kyoto-tycoon:call:end", end);
  return () => {
    unsubscribe("kyoto-tycoon:call:start", start);
    unsubscribe("kyoto-tycoon:call:end", end);
  };
}

if (import.meta.main) {
  const stop = traceCalls();
  await using server = await startMockServer();
  await using kt = await connect(server.url, { codec: text, diagnostics: true });
  await kt.set("japan", "tokyo");
  console.log(await kt.get("japan"));
  stop();
}
