/**
 * The TLS listener: HTTP/1.1 and HTTP/2 on one port, requests to the KubeServer and answers back. Not the hot path of Mecha, so it stands on Node's
 * own HTTP/2.
 *
 * T1 nobody without a certificate of our authority reaches a resource; health can be asked by anyone
 * T2 bodies, headers, connections and streams are bounded before they are read
 * T3 a watch's head goes out at once, each event as soon as it is there; while the client does not read, events wait in the watch's own bounded backlog
 */
import { createSecureServer, type Http2SecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Clock, explain, Fault, type Log, type Random, uuid } from "@mecha/kit";
import { type ApiAnswer, type ApiRequest, bodyMaxBytes, type Caller, type KubeServer, StatusError, type Served } from "@mecha/machinery";
import type { Audit } from "./security/audit.ts";
import type { ServerMetrics } from "./metrics.ts";
import type { Security } from "./security/index.ts";

export interface ListenerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** PEM. */
  readonly authority: string;
  readonly pair: { readonly key: string; readonly certificate: string };
  /** Names the Host header may have, without port; `any` beyond loopback. */
  readonly hosts: readonly string[] | "any";
  readonly log: Log;
  readonly random: Random;
  readonly clock: Clock;
  readonly security: Pick<Security, "identify">;
  readonly metrics: Pick<ServerMetrics, "answered">;
  readonly audit?: Audit;
}

export interface Listener extends AsyncDisposable {
  readonly port: number;
  /** Takes no new request; resolves when those under way are done, or after `graceMs`. Watches end at once. */
  drain(graceMs: number): Promise<void>;
}

/** Open connections. kubectl has one, each controller program one or two. */
const connectionsMax = 1_000;
/** HTTP/2 streams of one connection: Go's client opens as many as it is told. */
const streamsMax = 250;
/** From the first byte to the end of the head; from there to the end of the body, ms. */
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 60_000;
/** HTTP/1.1 connections without a request, ms. */
const keepAliveMs = 120_000;

type Request = Http2ServerRequest;
type Response = Http2ServerResponse;

/** @throws Fault("alreadyExists") when the port is taken. */
export async function listenTls(server: KubeServer, options: ListenerOptions): Promise<Listener> {
  const http = createSecureServer({
    key: options.pair.key,
    cert: options.pair.certificate,
    ca: options.authority,
    requestCert: true,
    rejectUnauthorized: false, // keeps T1: who has no certificate gets 401 instead of a broken connection
    allowHTTP1: true,
    minVersion: "TLSv1.2",
    maxSessionMemory: 64,
    settings: { maxConcurrentStreams: streamsMax },
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveMs,
  } as Parameters<typeof createSecureServer>[0]);
  http.maxConnections = connectionsMax;
  const handler = new Handler(server, options);
  http.on("request", (request, response) => void handler.handle(request, response));
  // A client that hangs up or speaks plain HTTP is its own problem.
  http.on("tlsClientError", (error) => options.log.debug("TLS handshake failed", { error }));
  http.on("sessionError", (error) => options.log.debug("HTTP/2 session failed", { error }));
  const connections = trackConnections(http);
  await listening(http, options);
  const { port } = http.address() as AddressInfo;
  const closed = new Promise<void>((resolve) => http.once("close", () => resolve()));
  return {
    port,
    async drain(graceMs) {
      http.close();
      handler.endWatches();
      for (const session of connections.sessions) session.close();
      await Promise.race([handler.idle(), new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref())]);
    },
    async [Symbol.asyncDispose]() {
      http.close();
      handler.endWatches();
      for (const session of connections.sessions) session.destroy();
      for (const socket of connections.sockets) socket.destroy();
      await closed;
    },
  };
}

async function listening(http: Http2SecureServer, { host, port }: ListenerOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    http.once("error", (cause: NodeJS.ErrnoException) => {
      const code = cause.code === "EADDRINUSE" ? "alreadyExists" : "unavailable";
      reject(new Fault(code, `listen on ${host}:${port}`, { cause }));
    });
    http.listen(port, host, resolve);
  });
}

interface Connections {
  readonly sockets: Set<TLSSocket>;
  readonly sessions: Set<{ close(): void; destroy(): void }>;
}

function trackConnections(http: Http2SecureServer): Connections {
  const connections: Connections = { sockets: new Set(), sessions: new Set() };
  http.on("secureConnection", (socket: TLSSocket) => {
    connections.sockets.add(socket);
    socket.on("error", () => socket.destroy()); // a reset is the client's way to go
    socket.once("close", () => connections.sockets.delete(socket));
  });
  http.on("session", (session) => {
    connections.sessions.add(session);
    session.on("error", () => session.destroy());
    session.once("close", () => connections.sessions.delete(session));
  });
  return connections;
}

class Handler {
  readonly #server: KubeServer;
  readonly #options: ListenerOptions;
  readonly #watches = new Set<Disposable>();
  #open = 0;
  #idle: (() => void) | undefined;

  constructor(server: KubeServer, options: ListenerOptions) {
    this.#server = server;
    this.#options = options;
  }

  endWatches(): void {
    for (const watching of this.#watches) watching[Symbol.dispose]();
  }

  async idle(): Promise<void> {
    if (this.#open > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  async handle(request: Request, response: Response): Promise<void> {
    this.#open++;
    const { metrics, clock } = this.#options;
    const beganMs = clock.monotonic();
    response.once("close", () =>
      metrics.answered(isMethod(request.method) ? request.method : "other", response.statusCode, (clock.monotonic() - beganMs) / 1_000),
    );
    response.on("error", () => undefined); // the client went away: nobody is left to answer
    request.on("error", () => undefined);
    try {
      await this.#answer(request, response);
    } catch (error) {
      this.#options.log.error("request failed", { method: request.method, path: request.url, error: explain(error) });
      sendStatus(response, new StatusError("InternalError", "an error on the server has prevented the request from succeeding"));
    } finally {
      if (--this.#open === 0) this.#idle?.();
    }
  }

  async #answer(request: Request, response: Response): Promise<void> {
    const id = request.headers["audit-id"]?.toString() ?? uuid(this.#options.random);
    response.setHeader("audit-id", id);
    const noted: Noted = { caller: undefined, as: undefined };
    this.#audit(id, request, response, noted);
    try {
      const refused = this.#refusal(request);
      if (refused) throw refused;
      const { caller, as } = await this.#options.security.identify(request);
      Object.assign(noted, { caller, as });
      const body = await readBody(request);
      if (!body) throw new StatusError("RequestEntityTooLarge", `Request entity too large: limit is ${bodyMaxBytes}`);
      const served = await this.#server.serve(apiRequest(request, body), as);
      if (served.is === "answer") send(response, served.answer);
      else await this.#watch(request, response, served);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      sendStatus(response, error);
    }
  }

  /** Notes the request when its answer has gone out, however it ended. */
  #audit(id: string, request: Request, response: Response, noted: Noted): void {
    const { audit, clock } = this.#options;
    if (!audit) return;
    const receivedMs = clock.wall();
    const sourceIp = request.socket.remoteAddress ?? "";
    response.once("close", () => {
      const { caller, as } = noted;
      audit.note({
        id,
        method: request.method,
        uri: request.url,
        caller,
        impersonated: as === caller ? undefined : as,
        sourceIp,
        userAgent: request.headers["user-agent"] ?? "",
        status: response.statusCode,
        receivedMs,
        answeredMs: clock.wall(),
      });
    });
  }

  #refusal(request: Request): StatusError | undefined {
    const { hosts } = this.#options;
    const host = (request.headers[":authority"] ?? request.headers.host ?? "").toLowerCase();
    if (hosts !== "any" && !hosts.includes(host.replace(/:\d+$/u, "")))
      return new StatusError("Forbidden", `Host ${JSON.stringify(host)} is not a name of this server; use one of ${hosts.join(", ")}`);
    if (!isMethod(request.method))
      return new StatusError("MethodNotAllowed", "the server does not allow this method on the requested resource", {});
    return undefined;
  }

  /** keeps T3 */
  async #watch(request: Request, response: Response, { watching, form }: Extract<Served, { is: "watch" }>): Promise<void> {
    this.#watches.add(watching);
    const close = (): void => watching[Symbol.dispose]();
    response.once("close", close);
    try {
      response.writeHead(200, { "content-type": form.contentType, "cache-control": "no-cache, private" });
      flushHead(request, response);
      for (let events = await watching.read(); events; events = await watching.read()) {
        const lines = events.map((event) => `${JSON.stringify({ type: event.type, object: form.encode(event) })}\n`).join("");
        if (!response.write(lines)) await drained(response);
      }
      if (watching.slow) this.#options.log.warn("a watcher that does not read was closed", { path: request.url });
      response.end();
    } finally {
      this.#watches.delete(watching);
      close();
    }
  }
}

/** Who the request turned out to be from. */
interface Noted {
  caller: Caller | undefined;
  as: Caller | undefined;
}

const methods = new Set(["GET", "POST", "PUT", "PATCH", "DELETE"]);

function isMethod(method: string): method is ApiRequest["method"] {
  return methods.has(method);
}

function apiRequest(request: Request, body: Uint8Array): ApiRequest {
  const { url } = request;
  const mark = url.indexOf("?");
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers))
    if (!name.startsWith(":") && value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  headers.host ??= request.headers[":authority"] ?? "";
  return {
    method: request.method as ApiRequest["method"],
    path: mark < 0 ? url : url.slice(0, mark),
    query: mark < 0 ? "" : url.slice(mark + 1),
    headers,
    ...(body.length > 0 && { body }),
  };
}

/** keeps T2. @returns `undefined` when it is too large. */
async function readBody(request: Request): Promise<Uint8Array | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > bodyMaxBytes) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bodyMaxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(response: Response, { status, headers, body }: ApiAnswer): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, status === 304 ? headers : { ...headers, "content-length": String(body.length) });
  response.end(body);
}

function sendStatus(response: Response, error: StatusError): void {
  const body = Buffer.from(`${JSON.stringify(error.status())}\n`);
  send(response, { status: error.code, headers: { "content-type": "application/json", "cache-control": "no-cache, private" }, body });
}

/** HTTP/1.1 holds the head back until the first byte of the body; HTTP/2 sends it by itself. */
function flushHead(request: Request, response: Response): void {
  if (request.httpVersionMajor === 1) (response as unknown as { flushHeaders(): void }).flushHeaders();
}

function drained(response: Response): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.once("drain", done);
    response.once("close", done);
  });
}
