/** Using a connector, which may or may not look at its signal. */

import type { Connector, Transport } from "./transport.ts";

/** Connects, or fails as soon as `signal` is aborted; what comes too late is closed. */
export function connectOrAbort(connector: Connector, signal: AbortSignal): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) return abort();
    new Promise<Transport>((made) => made(connector(signal))).then((transport) => {
      signal.removeEventListener("abort", abort);
      if (signal.aborted) closeTransport(transport);
      else resolve(transport);
    }, (error) => {
      signal.removeEventListener("abort", abort);
      reject(error);
    });
  });
}

/** Closes a transport, be it a mere pair of streams. */
export function closeTransport(transport: Transport): void {
  if (transport.close !== undefined) return transport.close();
  transport.readable.cancel().catch(() => {});
  transport.writable.abort().catch(() => {});
}
