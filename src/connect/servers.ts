/** Where the servers are: the options of `connect` that say so, and how they are reached. */

import { describe } from "../arguments.ts";
import type { Server } from "../connection/dialer.ts";
import { runtimeConnector } from "../transport/detect.ts";
import type { Address, TlsOptions } from "../transport/transport.ts";
import { nested } from "./checks.ts";
import type { AnyOptions, ServerOptions } from "./options.ts";
import { DEFAULT_PORT, parseUrl } from "./url.ts";

const SERVER_NAMES: ReadonlySet<string> = new Set(
  ["hostname", "port", "path", "tls", "connector"] satisfies (keyof ServerOptions)[],
);

/** The servers, in the order in which they are preferred. */
export async function serversOf(options: AnyOptions): Promise<Server[]> {
  const { servers } = options;
  if (servers === undefined) return [await serverOf(options)];
  if (!Array.isArray(servers) || servers.length === 0) {
    throw new TypeError('Cannot connect: "servers" is not an array of at least one server');
  }
  const other = [...SERVER_NAMES, "transport"].find((name) => name in options);
  if (other !== undefined) {
    throw new TypeError(`Cannot connect: "${other}" is of one server, and "servers" are given`);
  }
  return await Promise.all(servers.map((server: unknown) => {
    const one = typeof server === "string" || server instanceof URL
      ? parseUrl(server, undefined)
      : server;
    if (typeof one !== "object" || one === null) {
      throw new TypeError(`Cannot connect: a server is ${describe(one)}, not an object or URL`);
    }
    for (const name of Object.keys(one)) {
      if (SERVER_NAMES.has(name)) continue;
      throw new TypeError(`Cannot connect: "${name}" cannot be set for one of several servers`);
    }
    return serverOf(one);
  }));
}

async function serverOf(options: AnyOptions): Promise<Server> {
  const { connector, transport, path, hostname = "127.0.0.1", port = DEFAULT_PORT } = options;
  const ways = [connector, transport, path, options.hostname ?? options.port]
    .filter((way) => way !== undefined);
  if (ways.length > 1) {
    throw new TypeError(
      'Cannot connect: give only one of "connector", "transport", "path", and "hostname" with "port"',
    );
  }
  const tls = tlsOptions(options.tls ?? false);
  if (tls !== undefined && (connector ?? transport ?? path) !== undefined) {
    // Ignored, it would leave somebody unprotected who believes to be.
    throw new TypeError('Cannot connect: "tls" is only for "hostname" and "port"');
  }
  if (connector !== undefined) {
    if (typeof connector !== "function") {
      throw new TypeError(`Cannot connect: "connector" is ${describe(connector)}, not a function`);
    }
    return { connector, address: "the connector's server" };
  }
  if (transport !== undefined) {
    return { connector: () => transport, address: "the transport's server" };
  }
  if (path !== undefined) {
    return { connector: await runtimeConnector({ path: name("path", path) }), address: path };
  }
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new RangeError(
      `Cannot connect: "port" is ${describe(port)}, not a whole number from 1 to 65535`,
    );
  }
  const address: Address = { hostname: name("hostname", hostname), port, tls };
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return { connector: await runtimeConnector(address), address: `${host}:${port}` };
}

function name(option: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new TypeError(`Cannot connect: "${option}" is ${describe(value)}, not a name`);
}

function tlsOptions(tls: boolean | TlsOptions): TlsOptions | undefined {
  const given = nested("tls", tls, ["caCerts", "serverName"]);
  if (typeof given === "boolean") return given ? {} : undefined;
  const { caCerts, serverName } = given;
  if (caCerts !== undefined && !Array.isArray(caCerts)) {
    throw new TypeError(
      `Cannot connect: "tls.caCerts" is ${describe(caCerts)}, not an array of texts in PEM`,
    );
  }
  if (serverName !== undefined) name("tls.serverName", serverName);
  return given;
}
