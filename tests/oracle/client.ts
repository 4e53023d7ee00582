/** HTTPS to an API server, the same for both: one request, one answer; a watch, its events. Who calls is a client certificate or a token. */
import { Agent, request as httpsRequest } from "node:https";
import type { IncomingMessage } from "node:http";
import { parse as parseYaml } from "yaml";

/** A server under test. */
export interface Served {
  /** `https://127.0.0.1:6443` */
  readonly url: string;
  /** PEM of what signed its certificate. */
  readonly authority: string;
}

/** Who calls. `undefined` everywhere: nobody in particular. */
export interface Identity {
  readonly certificate?: string;
  readonly key?: string;
  readonly token?: string;
}

export interface Call {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** A value is sent as JSON, a text as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  /** The body as a value, when it is JSON or YAML: what it says is compared, not how it is quoted. */
  readonly body: any;
}

/** An answer comes within this time or never, ms. */
const answerMaxMs = 60_000;

export class Client implements Disposable {
  readonly #served: Served;
  readonly #identity: Identity;
  readonly #agent: Agent;

  /** @param sockets Connections at once. */
  constructor(served: Served, identity: Identity, sockets = 8) {
    this.#served = served;
    this.#identity = identity;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: sockets,
      ca: served.authority,
      servername: "localhost",
      ...(identity.certificate !== undefined && { cert: identity.certificate }),
      ...(identity.key !== undefined && { key: identity.key }),
    });
  }

  async ask(call: Call): Promise<Answer> {
    const response = await this.#send(call, answerMaxMs);
    let text = "";
    for await (const chunk of response.setEncoding("utf8") as AsyncIterable<string>) text += chunk;
    const { statusCode: status = 0, headers } = response;
    return { status, headers, text, body: headers["content-type"] === "application/yaml" ? parseYaml(text) : parsed(text) };
  }

  /** Events until the server ends the watch or `enough` says so; an answer that is no watch is one event of type "" with the Status. */
  async watch(call: Omit<Call, "method">, enough: (events: readonly WatchEvent[]) => boolean, onOpen?: () => void): Promise<WatchEvent[]> {
    const response = await this.#send({ method: "GET", ...call }, answerMaxMs);
    onOpen?.();
    const events: WatchEvent[] = [];
    let rest = "";
    for await (const chunk of response.setEncoding("utf8") as AsyncIterable<string>) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines.filter((each) => each !== ""))
        events.push(response.statusCode === 200 ? (JSON.parse(line) as WatchEvent) : { type: "", object: parsed(line) });
      if (enough(events)) break; // ends the response, and with it the connection
    }
    return events;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #send({ method, path, body, headers = {} }: Call, timeoutMs: number): Promise<IncomingMessage> {
    const payload = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
    const { token } = this.#identity;
    return new Promise((resolve, reject) => {
      const request = httpsRequest(
        `${this.#served.url}${path}`,
        {
          method,
          agent: this.#agent,
          timeout: timeoutMs,
          headers: {
            "user-agent": "oracle/1",
            accept: "application/json",
            ...(payload !== undefined && { "content-type": "application/json", "content-length": String(Buffer.byteLength(payload)) }),
            ...(token !== undefined && { authorization: `Bearer ${token}` }),
            ...headers,
          },
        },
        resolve,
      );
      request.once("timeout", () => request.destroy(new Error(`${method} ${path}: no answer within ${timeoutMs} ms`)));
      request.once("error", reject);
      request.end(payload);
    });
  }
}

export interface WatchEvent {
  readonly type: string;
  readonly object: any;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // plain text
  }
}
