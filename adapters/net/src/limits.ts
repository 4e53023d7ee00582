/** Every bound of the network adapter, with its default and the reason for the number. */

/** Bounds of a listener. */
export interface ListenLimits {
  /** Open connections; further ones are closed at once. Default 10,000: at about 40 KB each, 400 MB. */
  readonly connectionsMax: number;
  /** Calls open at a time on one HTTP/2 connection (MAX_CONCURRENT_STREAMS). Default 50,000: one per active entity (ENGINE E8, E15). */
  readonly callsPerConnectionMax: number;
  /** One gRPC message from a caller. Default 4 MiB, what every gRPC implementation takes. */
  readonly messageMaxBytes: number;
  /** Request headers, names and values together. Default 16 KiB, as node:http. Past it: 431. */
  readonly headersMaxBytes: number;
  /** From the first byte of a connection or request to the end of its headers. Default 10 s. */
  readonly headersTimeoutMs: number;
  /** A whole HTTP/1.1 request, body included. Default 5 min. */
  readonly requestTimeoutMs: number;
  /** A connection on which nothing happens and no call is open is closed. Default 5 min. */
  readonly idleMs: number;
  /** Memory of one HTTP/2 connection. Default 1,024 MB: node's 10 MB fail near 9,000 streams (ENGINE E15). */
  readonly sessionMemoryMaxMb: number;
  /** What a caller may send on one call before we have read it. Default 256 KiB: the product of 10 Gbit/s and 0.2 ms. */
  readonly streamWindowBytes: number;
  /** The same for all calls of a connection together. Default 16 MiB. */
  readonly connectionWindowBytes: number;
}

export const listenDefaults: ListenLimits = {
  connectionsMax: 10_000,
  callsPerConnectionMax: 50_000,
  messageMaxBytes: 4 * 1024 * 1024,
  headersMaxBytes: 16 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 300_000,
  idleMs: 300_000,
  sessionMemoryMaxMb: 1024,
  streamWindowBytes: 256 * 1024,
  connectionWindowBytes: 16 * 1024 * 1024,
};

/** Bounds of a channel. */
export interface ConnectLimits {
  /** Connections to the one server. Default 512: at the common limit of 100 streams, 51,200 calls. */
  readonly connectionsMax: number;
  /** Calls open at a time on one connection, if the server allows as many. Default 50,000. */
  readonly callsPerConnectionMax: number;
  /** Calls that wait for a connection or a free stream. Past it: status 8. Default 50,000. */
  readonly waitingCallsMax: number;
  /** One gRPC message from the server. Default 12 MiB, as the Cloudstate proxy (facts/cloudstate.md §2). */
  readonly messageMaxBytes: number;
  /** Response headers or trailers. Default 64 KiB: status details travel in them. */
  readonly headersMaxBytes: number;
  /** TCP connect and the server's first SETTINGS. Default 10 s. */
  readonly connectTimeoutMs: number;
  /** A connection without calls is closed. Default 5 min. */
  readonly idleMs: number;
  readonly sessionMemoryMaxMb: number;
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
}

export const connectDefaults: ConnectLimits = {
  connectionsMax: 512,
  callsPerConnectionMax: 50_000,
  waitingCallsMax: 50_000,
  messageMaxBytes: 12 * 1024 * 1024,
  headersMaxBytes: 64 * 1024,
  connectTimeoutMs: 10_000,
  idleMs: 300_000,
  sessionMemoryMaxMb: 1024,
  streamWindowBytes: 256 * 1024,
  connectionWindowBytes: 16 * 1024 * 1024,
};

/** Bytes of unsent messages of one call above which `send` answers false. node's own mark for streams. */
export const sendBufferBytes = 64 * 1024;
