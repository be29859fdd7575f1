/**
 * The seam to the runtime: a {@linkcode Transport} is a pair of Web Streams, so any runtime can be
 * plugged in; a {@linkcode Connector} makes one.
 */

/** A connected pair of byte streams, such as a socket. `{ readable, writable }` suffices. */
export interface Transport {
  /** What the peer sends; ends when the peer is done. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What the peer gets; closing it tells the peer that nothing more will come. */
  readonly writable: WritableStream<Uint8Array>;
  /** Gives up both directions at once. Default: cancels and aborts the streams. */
  close?(): void;
  /** Lets the transport keep the process alive (the default), or not. */
  ref?(): void;
  /** The opposite of `ref`. */
  unref?(): void;
}

/**
 * Makes a connected transport, again for each reconnection. When `signal` is aborted it gives up and
 * leaves nothing open.
 */
export type Connector = (signal: AbortSignal) => Promise<Transport> | Transport;

/** Where a runtime's adapter connects to. */
export type Address =
  | { readonly hostname: string; readonly port: number; readonly tls?: TlsOptions }
  | { readonly path: string };

/** How TLS is spoken, where it is. */
export interface TlsOptions {
  /** Certificates to trust beside the runtime's own, in PEM. */
  caCerts?: string[];
  /** The name expected in the server's certificate. Default: the host name. */
  serverName?: string;
}
