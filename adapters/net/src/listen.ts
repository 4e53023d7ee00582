/**
 * A listener: HTTP/1.1 and HTTP/2 on one port, with or without TLS. The first bytes of a connection decide: those of the HTTP/2 preface
 * (RFC 9113 §3.4) no HTTP/1.1 request can begin with.
 *
 * Invariants
 * L1 every connection is in `#connections` from accept to close, so that closing leaves none behind
 * L2 after `drain` begins no new call is taken: no connection is accepted, HTTP/2 peers get GOAWAY, HTTP/1.1 answers close
 */
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import { type IncomingHttpHeaders, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Server as TlsServer, TLSSocket } from "node:tls";
import { type Clock, explain, Fault, type Log } from "@mecha/kit";
import { type CallRouter, type HttpHandler, isGrpcContentType } from "@mecha/wire";
import { Http2Exchange, NodeHttp1Exchange, serveHttp } from "./http-exchange.ts";
import { Http1Connection, type Http1Host } from "./http1/connection.ts";
import { listenDefaults, type ListenLimits } from "./limits.ts";
import { createServer as createHttpServer } from "./node-http.ts";
import { acceptCall, type ServerContext } from "./server-call.ts";
import { namesOf, renewTls, type ServerTls, tlsServer } from "./tls.ts";

export interface ListenOptions {
  /** Address to bind. Give a loopback address unless the caller asked for more (DESIGN D9). */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Absent: no TLS. */
  readonly tls?: ServerTls;
  /** Where the defaults do not fit. */
  readonly limits?: Partial<ListenLimits>;
  /**
   * Who speaks HTTP/1.1: `own` (default; about half the CPU, see http1/connection.ts) or `node`, which is node:http. Both keep the same promises,
   * with one difference: `own` answers pipelined requests one after the other.
   */
  readonly http1?: "own" | "node";
}

/** gRPC calls go to `grpc`, everything else to `http`. */
export interface ListenHandlers {
  readonly grpc: CallRouter;
  readonly http: HttpHandler;
}

/** An open port. Disposing closes it at once, with all connections. */
export interface Listener extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Calls and requests that are not answered yet. */
  readonly openCalls: number;
  /**
   * Takes no more calls, lets open ones finish, cuts off those still open after `graceMs`. Connections are closed when it resolves.
   * @returns Calls cut off; 0 is a clean drain. @throws Fault("invalid") when `graceMs` is negative.
   */
  drain(graceMs: number): Promise<number>;
  /**
   * Connections made from now on get these certificates; those there are stay as they are.
   * @throws Fault("invalid") when they cannot be used, or the listener has no TLS. Nothing is changed then.
   */
  renewTls(tls: ServerTls): void;
}

/** @throws Fault("alreadyExists") when the port is taken, Fault("denied") when it may not be bound, Fault("invalid") for a host that is none of ours. */
export async function listen(options: ListenOptions, handlers: ListenHandlers): Promise<Listener> {
  const listener = new NetListener(options, handlers);
  await listener.open(options.host, options.port);
  return listener;
}

/** What every HTTP/2 connection begins with. */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
/** The largest stream id: a GOAWAY with it announces the end without refusing calls that are on their way (RFC 9113 §6.8). */
const anyStreamId = 2 ** 31 - 1;
/** RST_STREAM frames a peer may send at once and per second. node's 1,000 and 33 would end a connection whose 9,000 calls are cancelled. */
const resetsPerSecond = 10_000;

interface Connection {
  readonly socket: Socket;
  readonly peer: string;
  /** See ServerCall.isNamed. */
  readonly isNamed: ((name: string) => boolean) | undefined;
  session: ServerHttp2Session | undefined;
  http1: Http1Connection | undefined;
  calls: number;
  /** Monotonic ms of the last moment with a call open. */
  lastUsedMs: number;
}

class NetListener implements Listener {
  host = "";
  port = 0;
  openCalls = 0;
  readonly #limits: ListenLimits;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #handlers: ListenHandlers;
  readonly #context: ServerContext;
  readonly #server: Server;
  /** What connections are made with; `undefined`: no TLS. */
  #tls: { readonly server: TlsServer; readonly with: ServerTls } | undefined;
  /** The same server, when node:http speaks HTTP/1.1. */
  readonly #httpServer: HttpServer | undefined;
  readonly #http1: Http1Host;
  readonly #connections = new Map<Duplex, Connection>();
  /** Connections that have not shown who they are yet (L1). */
  readonly #handshakes = new Set<Socket>();
  #draining = false;
  #onIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #serverClosed: Promise<void> | undefined;
  #cancelSweep: (() => void) | undefined;

  constructor(options: ListenOptions, handlers: ListenHandlers) {
    this.#limits = { ...listenDefaults, ...options.limits };
    this.#clock = options.clock;
    this.#log = options.log;
    this.#handlers = handlers;
    const { messageMaxBytes, headersMaxBytes, headersTimeoutMs, requestTimeoutMs, idleMs } = this.#limits;
    this.#context = { clock: options.clock, log: options.log, router: handlers.grpc, messageMaxBytes };
    this.#http1 = {
      clock: options.clock,
      log: options.log,
      handler: handlers.http,
      headersMaxBytes,
      headersTimeoutMs,
      requestTimeoutMs,
      idleMs,
      isDraining: () => this.#draining,
    };
    const { tls } = options;
    this.#httpServer = options.http1 === "node" ? this.#nodeServer() : undefined;
    this.#tls = tls && { server: tlsServer(tls, headersTimeoutMs), with: tls };
    this.#server = this.#tls?.server ?? this.#httpServer ?? createServer({ allowHalfOpen: true, noDelay: true });
    this.#server.maxConnections = this.#limits.connectionsMax;
    this.#sniffConnections(tls !== undefined);
  }

  renewTls(tls: ServerTls): void {
    if (this.#tls === undefined) throw new Fault("invalid", "the listener has no TLS");
    renewTls(this.#tls.server, this.#tls.with, tls);
    this.#tls = { ...this.#tls, with: tls };
  }

  #nodeServer(): HttpServer {
    const { headersMaxBytes, headersTimeoutMs, requestTimeoutMs, idleMs } = this.#limits;
    return createHttpServer(
      {
        maxHeaderSize: headersMaxBytes,
        headersTimeout: headersTimeoutMs,
        requestTimeout: requestTimeoutMs,
        keepAliveTimeout: idleMs,
        connectionsCheckingInterval: Math.max(100, Math.min(5_000, headersTimeoutMs / 2)),
        noDelay: true,
      },
      (request, response) => this.#serveNodeHttp1(request, response),
    );
  }

  async open(host: string, port: number): Promise<void> {
    const server = this.#server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause: NodeJS.ErrnoException) =>
        reject(new Fault(listenFaults[cause.code ?? ""] ?? "unavailable", `listen on ${host}:${port}`, { cause })),
      );
      server.listen({ host, port }, resolve);
    });
    server.on("error", (error) => this.#log.error("listener failed", { host, port: this.port, error: explain(error) }));
    const address = server.address() as AddressInfo;
    this.host = address.address;
    this.port = address.port;
    this.#sweepLater();
  }

  /** Looks at the first bytes of each connection. */
  #sniffConnections(tls: boolean): void {
    const server = this.#server;
    // In front of node's own handling of HTTP/1.1 connections, if it is there.
    const [serveNodeHttp1] = (this.#httpServer?.listeners("connection") ?? []) as ((socket: Socket) => void)[];
    this.#httpServer?.removeAllListeners("connection");
    if (tls) this.#watchHandshakes();
    server.on(tls ? "secureConnection" : "connection", (socket: Socket) => {
      const connection = this.#track(socket, socket instanceof TLSSocket ? namesOf(socket) : undefined);
      const cancel = this.#clock.after(this.#limits.headersTimeoutMs, () => socket.destroy());
      sniff(socket, (isHttp2) => {
        cancel();
        if (isHttp2) this.#serveHttp2(connection);
        else if (serveNodeHttp1) serveNodeHttp1.call(this.#httpServer, socket);
        else this.#serveHttp1(connection);
      });
      socket.once("close", cancel);
    });
    server.on("drop", () => this.#log.warn("connection refused: too many", { connectionsMax: this.#limits.connectionsMax }));
    this.#httpServer?.on("clientError", (error, socket) => {
      const busy = (this.#connections.get(socket)?.calls ?? 0) > 0;
      answerClientError(error, socket, busy);
    });
  }

  #watchHandshakes(): void {
    const server = this.#server;
    server.on("connection", (socket: Socket) => {
      this.#handshakes.add(socket);
      socket.once("close", () => this.#handshakes.delete(socket));
    });
    server.on("tlsClientError", (error: Error, { remoteAddress = "somebody who is gone" }: TLSSocket) =>
      this.#log.info("a connection was refused: TLS", { peer: remoteAddress, error: explain(error) }),
    );
  }

  #track(socket: Socket, isNamed: Connection["isNamed"]): Connection {
    const peer =
      socket.remoteFamily === "IPv6" ? `[${socket.remoteAddress}]:${socket.remotePort}` : `${socket.remoteAddress}:${socket.remotePort}`;
    const lastUsedMs = this.#clock.monotonic();
    const connection: Connection = { socket, peer, isNamed, session: undefined, http1: undefined, calls: 0, lastUsedMs };
    this.#connections.set(socket, connection);
    socket.on("error", ignored);
    socket.once("close", () => {
      this.#connections.delete(socket);
      this.#checkIdle();
    });
    return connection;
  }

  #serveHttp1(connection: Connection): void {
    connection.http1 = new Http1Connection(connection.socket, connection.peer, this.#http1, {
      opened: () => this.#callOpened(connection),
      closed: () => this.#callClosed(connection),
    });
  }

  #serveNodeHttp1(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined) return;
    this.#callOpened(connection);
    response.once("close", () => this.#callClosed(connection));
    serveHttp(this.#handlers.http, new NodeHttp1Exchange(request, response, connection.peer, () => this.#draining), this.#log);
  }

  #serveHttp2(connection: Connection): void {
    const limits = this.#limits;
    const session = performServerHandshake(connection.socket, {
      maxSessionMemory: limits.sessionMemoryMaxMb,
      streamResetBurst: resetsPerSecond,
      streamResetRate: resetsPerSecond,
      settings: {
        maxConcurrentStreams: limits.callsPerConnectionMax,
        initialWindowSize: limits.streamWindowBytes,
        maxHeaderListSize: limits.headersMaxBytes,
      },
    });
    connection.session = session;
    closeWhenPeerEnds(connection.socket);
    session.on("error", ignored);
    session.on("stream", (stream, headers, _flags, raw) => this.#serveStream(connection, stream, headers, raw));
    session.setLocalWindowSize(limits.connectionWindowBytes);
    if (this.#draining) session.close();
  }

  #serveStream(connection: Connection, stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[]): void {
    if (stream.destroyed || stream.closed) {
      // Taken back in the packet it came in. What is left of it must be read for it to go away.
      stream.on("error", ignored);
      stream.resume();
      return;
    }
    this.#callOpened(connection);
    stream.once("close", () => this.#callClosed(connection));
    if (listBytes(raw) > this.#limits.headersMaxBytes) refuseHeaders(stream);
    else if (isGrpcContentType(headers["content-type"])) acceptCall(this.#context, stream, headers, raw, connection);
    else serveHttp(this.#handlers.http, new Http2Exchange(stream, headers, connection.peer), this.#log);
  }

  #callOpened(connection: Connection): void {
    connection.calls++;
    this.openCalls++;
  }

  #callClosed(connection: Connection): void {
    connection.calls--;
    this.openCalls--;
    connection.lastUsedMs = this.#clock.monotonic();
    if (!this.#draining) return;
    if (connection.calls === 0) connection.session?.close();
    this.#checkIdle();
  }

  /** Ends connections that nobody uses for `idleMs`, and HTTP/1.1 requests that take too long to arrive. node:http does so by itself. */
  #sweepLater(): void {
    const { idleMs, headersTimeoutMs } = this.#limits;
    this.#cancelSweep = this.#clock.after(Math.max(100, Math.min(5_000, headersTimeoutMs / 2, idleMs / 4)), () => {
      const nowMs = this.#clock.monotonic();
      for (const { session, http1, calls, lastUsedMs } of this.#connections.values()) {
        if (calls === 0 && lastUsedMs <= nowMs - idleMs) session?.close();
        http1?.check(nowMs);
      }
      this.#sweepLater();
    });
  }

  async drain(graceMs: number): Promise<number> {
    if (!(graceMs >= 0)) throw new Fault("invalid", `drain: graceMs must be 0 or more, got ${graceMs}`);
    if (!this.#draining) this.#announceEnd();
    const cutOff = await this.#idleWithin(graceMs);
    await this[Symbol.asyncDispose]();
    return cutOff;
  }

  /** keeps L2 */
  #announceEnd(): void {
    this.#draining = true;
    void this.#stopAccepting();
    this.#httpServer?.closeIdleConnections();
    for (const connection of this.#connections.values()) {
      connection.http1?.closeIfIdle();
      announceGoaway(connection);
    }
  }

  /** Resolves when the last connection is gone. */
  #stopAccepting(): Promise<void> {
    this.#serverClosed ??= new Promise((resolve) => this.#server.close(() => resolve()));
    return this.#serverClosed;
  }

  /** Resolves with 0 as soon as no call is open, or with the number still open after `graceMs`. */
  #idleWithin(graceMs: number): Promise<number> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(graceMs, () => {
        this.#onIdle = undefined;
        resolve(this.openCalls);
      });
      this.#onIdle = () => {
        cancel();
        resolve(0);
      };
      this.#checkIdle();
    });
  }

  #checkIdle(): void {
    if (this.openCalls > 0 || !this.#onIdle) return;
    const onIdle = this.#onIdle;
    // Calls announced before GOAWAY may still be on their way: idle is when HTTP/2 peers have hung up too.
    for (const { session } of this.#connections.values()) if (session && !session.closed && !session.destroyed) return;
    this.#onIdle = undefined;
    onIdle();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#draining = true;
    this.#cancelSweep?.();
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const closed = this.#stopAccepting();
    for (const { session, socket } of this.#connections.values()) {
      session?.destroy();
      socket.destroy();
    }
    for (const socket of this.#handshakes) socket.destroy();
    await closed;
  }
}

/**
 * Tells an HTTP/2 peer to open calls elsewhere. With calls open in two steps, so that none on its way is refused: the answer to a ping
 * proves that the peer has read the announcement, and what it opened before is here by then. Without any, nghttp2 stops reading after the
 * first GOAWAY (nghttp2_session_want_read), so it is the last; a call that crosses it is told that it was not reached.
 */
function announceGoaway({ session, calls }: Connection): void {
  if (session === undefined || session.destroyed || session.closed) return;
  if (calls === 0) {
    session.close();
    return;
  }
  session.goaway(0, anyStreamId);
  if (!session.ping(() => session.close())) session.close();
}

const listenFaults: Record<string, "alreadyExists" | "denied" | "invalid"> = {
  EADDRINUSE: "alreadyExists",
  EACCES: "denied",
  EADDRNOTAVAIL: "invalid",
  ENOTFOUND: "invalid",
};

/** Reads until the protocol is certain, puts the bytes back, and says which it is. */
function sniff(socket: Socket, decide: (isHttp2: boolean) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const look = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const compared = Math.min(seen.length, preface.length);
    const same = seen.compare(preface, 0, compared, 0, compared) === 0;
    if (same && compared < preface.length) return;
    socket.off("readable", look);
    socket.off("end", gone);
    socket.unshift(seen);
    decide(same);
  };
  const gone = (): void => void socket.destroy();
  socket.on("readable", look);
  socket.on("end", gone);
}

/**
 * An HTTP/2 peer that hangs up is gone; node:http leaves its connections half open. The end is only seen by a socket that flows, which it
 * may not before the session has taken (on the next tick) the bytes that were put back.
 */
function closeWhenPeerEnds(socket: Socket): void {
  socket.allowHalfOpen = false;
  setImmediate(() => socket.resume());
}

/** Size of a header list (RFC 9113 §6.5.2). node announces MAX_HEADER_LIST_SIZE, but takes whatever nghttp2 does, which is 64 KiB. */
function listBytes(raw: readonly string[]): number {
  let bytes = raw.length * 16;
  for (const text of raw) bytes += text.length;
  return bytes;
}

function refuseHeaders(stream: ServerHttp2Stream): void {
  stream.on("error", ignored);
  stream.respond({ ":status": 431 }, { endStream: true });
  stream.resume();
  if (!stream.readableEnded) setImmediate(() => stream.close());
}

/** HTTP/1.1 that is none: 431 for headers too large, 408 for too slow, else 400. */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex, busy: boolean): void {
  if (!socket.writable || busy) {
    socket.destroy();
    return;
  }
  const status = clientErrors[error.code ?? ""] ?? "400 Bad Request";
  socket.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
}

const clientErrors: Record<string, string> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

function ignored(): void {
  // `close` follows each error of a socket or session, and each call on it hears of its end.
}
