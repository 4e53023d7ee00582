/**
 * A channel: HTTP/2 connections to one server, with or without TLS, opened when calls need them.
 *
 * Invariants
 * C1 a call is in exactly one place: waiting here, or on a stream, or over
 * C2 calls wait only while a connection is being opened or all are full; each connection that becomes ready, and each stream that
 *    ends, takes from the front
 * C3 a connection that got GOAWAY takes no new call; those on it finish
 */
import { type ClientHttp2Session, connect as connectHttp2, type Settings } from "node:http2";
import { connect as connectTcp } from "node:net";
import { type CancelTimer, type Clock, explain } from "@mecha/kit";
import type { CallOptions, Channel, ClientCall, ClientCallEvents, RpcStatus } from "@mecha/wire";
import { type CallHost, type CallLink, Http2ClientCall } from "./client-call.ts";
import { connectDefaults, type ConnectLimits } from "./limits.ts";
import { type ClientTls, tlsSocket } from "./tls.ts";

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** Absent: no TLS. A function is asked for each connection, so that certificates can be renewed. */
  readonly tls?: ClientTls | (() => ClientTls);
  /** Where the defaults do not fit. */
  readonly limits?: Partial<ConnectLimits>;
  /** Called when the server ended a connection, or it broke: the server may have started anew. Not for connections this side closed. */
  readonly onLost?: () => void;
}

/**
 * A channel to `host:port`. Nothing is opened before the first call. When no connection can be made the calls waiting for it end
 * with status 14; the next call tries again (back-off is the caller's, who knows whether to wait). Disposing ends open calls with status 1.
 */
export function connect(options: ConnectOptions): Channel & { readonly openCalls: number; readonly connections: number } {
  return new NetChannel(options);
}

/** One HTTP/2 connection and what is known of it. */
class Connection implements CallLink {
  readonly session: ClientHttp2Session;
  calls = 0;
  ready = false;
  /** Takes no new call. */
  leaving = false;
  /** Closed by this side, because nobody used it. */
  unused = false;
  callsMax = 0;
  lastUsedMs: number;
  lastStreamId = Infinity;
  cancelTimer: CancelTimer | undefined;
  readonly #onStreamClosed: (connection: Connection) => void;

  constructor(session: ClientHttp2Session, nowMs: number, onStreamClosed: (connection: Connection) => void) {
    this.session = session;
    this.lastUsedMs = nowMs;
    this.#onStreamClosed = onStreamClosed;
  }

  streamClosed(): void {
    this.#onStreamClosed(this);
  }

  get hasRoom(): boolean {
    return this.ready && !this.leaving && this.calls < this.callsMax;
  }
}

class NetChannel implements Channel, CallHost {
  readonly target: string;
  readonly authority: string;
  readonly clock: Clock;
  readonly messageMaxBytes: number;
  openCalls = 0;
  readonly #host: string;
  readonly #port: number;
  readonly #tls: ConnectOptions["tls"];
  readonly #limits: ConnectLimits;
  readonly #onLost: (() => void) | undefined;
  readonly #connections = new Set<Connection>();
  readonly #waiting = new Set<Http2ClientCall>();
  /** The connection used last: the next call goes there while it has room. */
  #current: Connection | undefined;
  #opening: Connection | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: ConnectOptions) {
    this.#host = options.host;
    this.#port = options.port;
    this.#tls = options.tls;
    this.clock = options.clock;
    this.#limits = { ...connectDefaults, ...options.limits };
    this.#onLost = options.onLost;
    this.messageMaxBytes = this.#limits.messageMaxBytes;
    this.authority = `${options.host.includes(":") ? `[${options.host}]` : options.host}:${options.port}`;
    this.target = this.authority;
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  get connections(): number {
    return this.#connections.size;
  }

  open(path: string, options: CallOptions, events: ClientCallEvents): ClientCall {
    const call = new Http2ClientCall(this, path, options, events);
    if (this.#closed !== undefined) call.fail({ code: 14, message: `the channel to ${this.target} is closed`, unreached: true });
    else if (options.timeoutMs !== undefined && options.timeoutMs <= 0) call.fail({ code: 4, message: "the deadline had passed" });
    else this.#place(call);
    return call;
  }

  gaveUp(call: Http2ClientCall): void {
    this.#waiting.delete(call);
  }

  #place(call: Http2ClientCall): void {
    while (this.#waiting.size === 0) {
      const connection = this.#withRoom();
      if (connection === undefined) break;
      if (this.#start(call, connection)) return;
    }
    if (this.#waiting.size >= this.#limits.waitingCallsMax) {
      call.fail({ code: 8, message: `${this.#waiting.size} calls wait for ${this.target} already`, unreached: true });
      return;
    }
    this.#waiting.add(call);
    this.#openIfNeeded();
  }

  #withRoom(): Connection | undefined {
    if (this.#current?.hasRoom) return this.#current;
    for (const connection of this.#connections) if (connection.hasRoom) return (this.#current = connection);
    return undefined;
  }

  /** False when the connection takes no more calls after all. */
  #start(call: Http2ClientCall, connection: Connection): boolean {
    const { session } = connection;
    if (session.destroyed || session.closed) {
      this.#leave(connection);
      return false;
    }
    try {
      call.start(connection);
    } catch (error) {
      if (session.destroyed || session.closed || (error as NodeJS.ErrnoException).code === "ERR_HTTP2_OUT_OF_STREAMS") {
        this.#leave(connection);
        return false;
      }
      // The request itself cannot be sent: a header that is none.
      call.fail({ code: 13, message: explain(error) });
      return true;
    }
    connection.calls++;
    this.openCalls++;
    return true;
  }

  #callClosed(connection: Connection): void {
    connection.calls--;
    this.openCalls--;
    connection.lastUsedMs = this.clock.monotonic();
    if (connection.leaving && connection.calls === 0) connection.session.close();
    this.#serveWaiting();
  }

  /** keeps C2 */
  #serveWaiting(): void {
    for (const call of this.#waiting) {
      const connection = this.#withRoom();
      if (connection === undefined) break;
      this.#waiting.delete(call);
      if (!this.#start(call, connection)) this.#waiting.add(call);
    }
    this.#openIfNeeded();
  }

  #openIfNeeded(): void {
    if (this.#waiting.size === 0 || this.#opening !== undefined || this.#closed !== undefined) return;
    if (this.#connections.size < this.#limits.connectionsMax) this.#openConnection();
  }

  #openConnection(): void {
    const limits = this.#limits;
    const tcp = connectTcp({ host: this.#host, port: this.#port, noDelay: true });
    const socket = this.#tls === undefined ? tcp : tlsSocket(this.#host, tcp, typeof this.#tls === "function" ? this.#tls() : this.#tls);
    const session = connectHttp2(`${this.#tls === undefined ? "http" : "https"}://${this.authority}`, {
      createConnection: () => socket,
      maxSessionMemory: limits.sessionMemoryMaxMb,
      // Until the server says otherwise; we wait for what it says.
      peerMaxConcurrentStreams: limits.callsPerConnectionMax,
      settings: { enablePush: false, initialWindowSize: limits.streamWindowBytes, maxHeaderListSize: limits.headersMaxBytes },
    });
    const connection = new Connection(session, this.clock.monotonic(), (closed) => this.#callClosed(closed));
    let failure: unknown;
    this.#connections.add(connection);
    this.#opening = connection;
    connection.cancelTimer = this.clock.after(limits.connectTimeoutMs, () => {
      failure = `no answer within ${limits.connectTimeoutMs} ms`;
      session.destroy();
    });
    session.on("connect", () => {
      if (!session.destroyed) session.setLocalWindowSize(limits.connectionWindowBytes);
    });
    session.on("remoteSettings", ({ maxConcurrentStreams }: Settings) => {
      connection.callsMax = Math.min(maxConcurrentStreams ?? Infinity, limits.callsPerConnectionMax);
      this.#isReady(connection);
    });
    session.on("goaway", (_code: number, lastStreamId: number) => {
      connection.lastStreamId = lastStreamId;
      this.#leave(connection);
    });
    session.on("error", (error: unknown) => (failure ??= error));
    session.on("close", () => this.#connectionClosed(connection, failure));
    if (this.#tls === undefined) return;
    // node (26.10) destroys the session of a TLS socket that fails after its handshake, as when the server refuses our certificate, but its
    // `close` never comes, and the connection stays open.
    socket.once("error", (error) => {
      failure ??= error;
      tcp.destroy();
      setImmediate(() => this.#connectionClosed(connection, failure));
    });
  }

  #isReady(connection: Connection): void {
    if (!connection.ready) {
      connection.ready = true;
      connection.cancelTimer?.();
      this.#closeWhenIdle(connection, this.#limits.idleMs);
      this.#opening = undefined;
      this.#current = connection;
    }
    this.#serveWaiting();
  }

  #closeWhenIdle(connection: Connection, afterMs: number): void {
    connection.cancelTimer = this.clock.after(afterMs, () => {
      const idleMs = connection.calls > 0 ? 0 : this.clock.monotonic() - connection.lastUsedMs;
      if (idleMs < this.#limits.idleMs) this.#closeWhenIdle(connection, this.#limits.idleMs - idleMs);
      else {
        connection.unused = true;
        this.#leave(connection);
      }
    });
  }

  /** keeps C3 */
  #leave(connection: Connection): void {
    connection.leaving = true;
    if (this.#current === connection) this.#current = undefined;
    if (connection.calls === 0 && !connection.session.destroyed) connection.session.close();
  }

  #connectionClosed(connection: Connection, failure: unknown): void {
    if (!this.#connections.delete(connection)) return;
    connection.cancelTimer?.();
    connection.leaving = true;
    if (this.#current === connection) this.#current = undefined;
    if (this.#opening !== connection) {
      this.#openIfNeeded();
      if (!connection.unused && this.#closed === undefined) this.#onLost?.();
      return;
    }
    // Not tried again at once: the next call, or the next stream that ends, does.
    this.#opening = undefined;
    const reason = failure === undefined ? "closed by the server" : explain(failure);
    this.#failWaiting({ code: 14, message: `connect to ${this.target}: ${reason}`, unreached: true });
  }

  /** A connection could not be opened. Calls go on waiting when another connection is there that will have room. */
  #failWaiting(status: RpcStatus): void {
    for (const connection of this.#connections) if (connection.ready && !connection.leaving) return;
    for (const call of [...this.#waiting]) call.fail(status);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (const call of [...this.#waiting]) call.fail({ code: 1, message: "the channel was closed", unreached: true });
    await Promise.all(
      [...this.#connections].map(
        ({ session }) =>
          new Promise<void>((resolve) => {
            session.once("close", resolve);
            session.destroy();
          }),
      ),
    );
  }
}
