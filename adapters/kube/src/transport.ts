/** ApiTransport over HTTPS (HTTP/1.1, connections kept). A watch has a connection of its own. */
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest, type RequestOptions } from "node:http";
import { Agent, type AgentOptions, request as httpsRequest } from "node:https";
import { Fault } from "@mecha/kit";
import { type ApiAnswer, type ApiRequest, type ApiTransport, statusErrorOf, type WatchEvent } from "@mecha/machinery";
import type { ClusterAccess, Credentials } from "./access.ts";

export interface HttpsTransportOptions {
  readonly access: ClusterAccess;
  /** `User-Agent`; its first part is who the server notes as field manager where a request names none. */
  readonly userAgent: string;
  /** How long an answer may take, ms. Default 60 s: above the server's own 34 s for most requests. Watches have no such end. */
  readonly timeoutMs?: number;
}

/** Connections kept for requests; watches have their own. */
const socketsMax = 16;
/** The largest answer: etcd's largest object times a page of 500 would be more, real lists are not. */
const answerMaxBytes = 256 * 1024 * 1024;
/** The largest line of a watch: one object (1.5 MiB at most in etcd), with room. */
const lineMaxBytes = 16 * 1024 * 1024;

/** Opens nothing yet: connections come with requests. Disposing ends them. */
export function openHttpsTransport(options: HttpsTransportOptions): ApiTransport & Disposable {
  return new HttpsTransport(options);
}

interface Connection {
  readonly agent: Agent | HttpAgent;
  readonly authorization: string | undefined;
}

class HttpsTransport implements ApiTransport, Disposable {
  readonly #options: HttpsTransportOptions;
  readonly #server: URL;
  #connection: Promise<Connection> | undefined;
  /** Whose certificate the agent carries; another one needs another agent. */
  #carried = "";
  #agent: Agent | HttpAgent | undefined;

  constructor(options: HttpsTransportOptions) {
    this.#options = options;
    this.#server = new URL(options.access.server);
  }

  async send(request: ApiRequest, signal?: AbortSignal): Promise<ApiAnswer> {
    const answer = await this.#sendOnce(request, signal, false);
    // A token that expired between two looks, or a rotated certificate.
    return answer.status === 401 ? await this.#sendOnce(request, signal, true) : answer;
  }

  async watch(request: ApiRequest, signal: AbortSignal): Promise<AsyncIterable<WatchEvent>> {
    let message = await this.#open(request, signal, false, undefined);
    if (message.statusCode === 401) {
      message.destroy();
      message = await this.#open(request, signal, true, undefined);
    }
    if (message.statusCode !== 200) throw statusErrorOf(await wholeAnswer(message));
    return watchEvents(message, signal);
  }

  [Symbol.dispose](): void {
    this.#agent?.destroy();
  }

  async #sendOnce(request: ApiRequest, signal: AbortSignal | undefined, fresh: boolean): Promise<ApiAnswer> {
    const message = await this.#open(request, signal, fresh, this.#options.timeoutMs ?? 60_000);
    return await wholeAnswer(message);
  }

  async #open(
    request: ApiRequest,
    signal: AbortSignal | undefined,
    fresh: boolean,
    timeoutMs: number | undefined,
  ): Promise<IncomingMessage> {
    const { agent, authorization } = await this.#connect(fresh);
    const options: RequestOptions = {
      agent,
      method: request.method,
      host: this.#server.hostname.replace(/^\[|\]$/g, ""),
      port: this.#server.port === "" ? (this.#server.protocol === "http:" ? 80 : 443) : this.#server.port,
      path: this.#server.pathname.replace(/\/$/, "") + request.path + (request.query === "" ? "" : `?${request.query}`),
      headers: {
        ...request.headers,
        "user-agent": this.#options.userAgent,
        ...(authorization !== undefined && { authorization }),
        ...(request.body && { "content-length": String(request.body.byteLength) }),
      },
      ...(signal && { signal }),
      ...(timeoutMs !== undefined && { timeout: timeoutMs }),
    };
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = this.#server.protocol === "http:" ? httpRequest(options, resolve) : httpsRequest(options, resolve);
      sent.on("timeout", () => sent.destroy(new Fault("deadline", `${this.#what(request)}: no answer within ${String(timeoutMs)} ms`)));
      sent.on("error", (cause) => reject(this.#fault(request, cause, signal)));
      sent.end(request.body);
    });
  }

  #fault(request: ApiRequest, cause: Error, signal: AbortSignal | undefined): Error {
    if (signal?.aborted) return Fault.from(signal.reason, this.#what(request), "cancelled");
    return Fault.from(cause, this.#what(request), "unavailable");
  }

  #what({ method, path }: ApiRequest): string {
    return `${method} ${this.#options.access.server}${path}`;
  }

  /** One look-up of credentials at a time; the agent is made anew when the certificate changed. */
  #connect(fresh: boolean): Promise<Connection> {
    this.#connection ??= this.#options.access
      .credentials(fresh)
      .then((credentials) => ({ agent: this.#agentFor(credentials), authorization: credentials.authorization }))
      .finally(() => (this.#connection = undefined));
    return this.#connection;
  }

  #agentFor({ certificate, key }: Credentials): Agent | HttpAgent {
    const carried = `${certificate ?? ""}${key ?? ""}`;
    if (this.#agent && carried === this.#carried) return this.#agent;
    this.#agent?.destroy();
    this.#carried = carried;
    const { authority, insecure, serverName } = this.#options.access;
    const common: AgentOptions = { keepAlive: true, maxFreeSockets: socketsMax };
    this.#agent =
      this.#server.protocol === "http:"
        ? new HttpAgent(common)
        : new Agent({
            ...common,
            rejectUnauthorized: !insecure,
            ...(authority !== undefined && { ca: authority }),
            ...(certificate !== undefined && { cert: certificate }),
            ...(key !== undefined && { key }),
            ...(serverName !== undefined && { servername: serverName }),
          });
    return this.#agent;
  }
}

async function wholeAnswer(message: IncomingMessage): Promise<ApiAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of message) {
      bytes += (chunk as Buffer).byteLength;
      if (bytes > answerMaxBytes) throw new Fault("outOfRange", `the answer is larger than ${String(answerMaxBytes)} bytes: ask for pages`);
      chunks.push(chunk as Buffer);
    }
  } catch (cause) {
    message.destroy();
    throw Fault.from(cause, "read the API server's answer", "unavailable");
  }
  const headers = Object.fromEntries(
    Object.entries(message.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : (value ?? "")]),
  );
  return { status: message.statusCode ?? 0, headers, body: Buffer.concat(chunks) };
}

/** Lines of a watch, until the server or `signal` ends it. @throws Fault("unavailable") when the connection breaks or a line is no event. */
async function* watchEvents(message: IncomingMessage, signal: AbortSignal): AsyncGenerator<WatchEvent> {
  let rest = "";
  message.setEncoding("utf8");
  try {
    for await (const chunk of message) {
      const lines = (rest + (chunk as string)).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > lineMaxBytes) throw new Fault("outOfRange", `a line of the watch is longer than ${String(lineMaxBytes)} bytes`);
      for (const line of lines) if (line !== "") yield parseEvent(line);
    }
  } catch (cause) {
    if (signal.aborted) return;
    throw Fault.from(cause, "watch", "unavailable");
  } finally {
    message.destroy();
  }
}

function parseEvent(line: string): WatchEvent {
  try {
    return JSON.parse(line) as WatchEvent;
  } catch (cause) {
    throw new Fault("unavailable", `a line of the watch is no JSON: ${line.slice(0, 200)}`, { cause });
  }
}
