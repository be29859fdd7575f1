/** The URL of a server. */

import type { TlsOptions } from "../transport/transport.ts";
import type { ConnectOptions, NumericOption } from "./options.ts";

/** Kyoto Tycoon's. */
export const DEFAULT_PORT = 1978;

/** Options that a URL may set. */
const URL_OPTIONS = [
  "database",
  "connections",
  "minConnections",
  "idleTimeout",
  "pingInterval",
  "connectTimeout",
  "replyTimeout",
  "queueTimeout",
  "maxReplyBytes",
  "maxQueue",
  "maxQueueBytes",
] as const satisfies readonly NumericOption[];

/** `kt://host:port`, `kts://host:port`, `kt+unix:///path`, each with numeric options behind `?`. */
export function parseUrl<V, In>(
  url: string | URL,
  tls: boolean | TlsOptions | undefined,
): ConnectOptions<V, In> {
  const text = String(url);
  if (!URL.canParse(text)) throw new TypeError(`Cannot connect: "${text}" is not a URL`);
  const { protocol, hostname, port, pathname, searchParams, username, password, hash } = new URL(
    text,
  );
  const options: ConnectOptions<V, In> = {};
  if (username !== "" || password !== "" || hash !== "") {
    throw new TypeError("Cannot connect: the URL has a user, password or fragment");
  }
  if (protocol === "kt+unix:") {
    if (hostname !== "" || pathname === "" || pathname === "/") {
      throw new TypeError(
        `Cannot connect: "${text}" does not name a path, as kt+unix:///path does`,
      );
    }
    try {
      options.path = decodeURIComponent(pathname);
    } catch (cause) {
      throw new TypeError(`Cannot connect: "${text}" is not a URL`, { cause });
    }
  } else if (protocol === "kt:" || protocol === "kts:") {
    if (hostname === "") throw new TypeError(`Cannot connect: "${text}" does not name a host`);
    if (pathname !== "" && pathname !== "/") {
      throw new TypeError(
        `Cannot connect: "${text}" has a path; a database is given as "?database=1"`,
      );
    }
    options.hostname = hostname.replace(/^\[(.*)\]$/, "$1");
    options.port = port === "" ? DEFAULT_PORT : Number(port);
    if (protocol === "kts:") options.tls = typeof tls === "object" ? tls : true;
  } else {
    throw new TypeError(
      `Cannot connect: the URL begins with "${protocol}", not "kt:", "kts:" or "kt+unix:"`,
    );
  }
  for (const [name, value] of searchParams) {
    const option = URL_OPTIONS.find((known) => known === name);
    if (option === undefined) {
      throw new TypeError(`Cannot connect: unknown option "${name}" in the URL`);
    }
    if (value.trim() === "" || Number.isNaN(Number(value))) {
      throw new RangeError(`Cannot connect: "${name}" is "${value}" in the URL, not a number`);
    }
    options[option] = Number(value);
  }
  return options;
}
