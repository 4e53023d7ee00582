/** The command line's side of the admin API. */
import { Fault, type FaultCode, faultCodes } from "@mecha/kit";
import { readAdminAddress, readAdminToken } from "./files.ts";
import type {
  BackupJson,
  EntityDetailJson,
  EntityPageJson,
  ErrorJson,
  FunctionJson,
  HistoryJson,
  ImportJson,
  MessagePageJson,
  ParkedPageJson,
  PastJson,
  PublishedJson,
  StatusJson,
  SubscriptionJson,
  TimerPageJson,
  TopicJson,
} from "./model.ts";

/** How long one answer may take, ms; a search through a large store takes well under a second. */
const answerTimeoutMs = 30_000;

/** How long a piece of an import may take, ms: up to 64 MiB that have to be on disk. */
const importTimeoutMs = 120_000;

/** Sends a request. No time is set for an export: it takes as long as its reader. */
type Send = (
  method: "GET" | "POST" | "DELETE",
  path: string,
  more?: { readonly body?: string; readonly type?: string; readonly timeoutMs?: number },
) => Promise<Response>;

export class AdminClient {
  readonly url: string;
  readonly #send: Send;

  private constructor(url: string, send: Send) {
    this.url = url;
    this.#send = send;
  }

  async #ask<T>(method: "GET" | "POST" | "DELETE", path: string): Promise<T> {
    return answerOf(await this.#send(method, path, { timeoutMs: answerTimeoutMs }));
  }

  #get<T>(path: string): Promise<T> {
    return this.#ask("GET", path);
  }

  /** @throws Fault("unavailable") saying how to start Mecha when none runs for that state folder. */
  static async open(stateFolder: string): Promise<AdminClient> {
    const address = await readAdminAddress(stateFolder);
    if (!address)
      throw new Fault(
        "unavailable",
        `no Mecha runs with the state folder ${stateFolder}; start it with \`mecha up\`, or name its project with -C`,
      );
    const token = await readAdminToken(stateFolder);
    return new AdminClient(address.url, (method, path, more) =>
      request(method, new URL(path, address.url), token.reveal(), address.pid, more),
    );
  }

  status(): Promise<StatusJson> {
    return this.#get("/v1/status");
  }

  async functions(): Promise<readonly FunctionJson[]> {
    return (await this.#get<{ readonly functions: readonly FunctionJson[] }>("/v1/functions")).functions;
  }

  entities(query: Readonly<Record<string, string | undefined>>): Promise<EntityPageJson> {
    return this.#get(`/v1/entities${queryText(query)}`);
  }

  entity(service: string, id: string): Promise<EntityDetailJson> {
    return this.#get(`/v1/entities/${encodeURIComponent(service)}/${encodeURIComponent(id)}`);
  }

  beginBackup(): Promise<BackupJson> {
    return this.#ask("POST", "/v1/backups");
  }

  backup(id: string): Promise<BackupJson> {
    return this.#get(`/v1/backups/${encodeURIComponent(id)}`);
  }

  history(service: string, id: string, query: Readonly<Record<string, string | undefined>>): Promise<HistoryJson> {
    return this.#get(`/v1/entities/${encodeURIComponent(service)}/${encodeURIComponent(id)}/events${queryText(query)}`);
  }

  past(service: string, id: string, sequence: number, query: Readonly<Record<string, string | undefined>>): Promise<PastJson> {
    return this.#get(`/v1/entities/${encodeURIComponent(service)}/${encodeURIComponent(id)}/at/${sequence}${queryText(query)}`);
  }

  messages(query: Readonly<Record<string, string | undefined>>): Promise<MessagePageJson> {
    return this.#get(`/v1/outbox${queryText(query)}`);
  }

  retryMessage(id: number): Promise<{ readonly retried: true }> {
    return this.#ask("POST", `/v1/outbox/${id}/retry`);
  }

  discardMessage(id: number): Promise<{ readonly discarded: true }> {
    return this.#ask("DELETE", `/v1/outbox/${id}`);
  }

  async subscriptions(): Promise<readonly SubscriptionJson[]> {
    return (await this.#get<{ readonly subscriptions: readonly SubscriptionJson[] }>("/v1/subscriptions")).subscriptions;
  }

  async topics(): Promise<readonly TopicJson[]> {
    return (await this.#get<{ readonly topics: readonly TopicJson[] }>("/v1/topics")).topics;
  }

  /** One event as JSON (structured mode). */
  async publish(topic: string, event: string): Promise<PublishedJson> {
    const more = { body: event, type: "application/cloudevents+json", timeoutMs: answerTimeoutMs };
    return answerOf(await this.#send("POST", `/v1/topics/${encodeURIComponent(topic)}`, more));
  }

  parked(query: Readonly<Record<string, string | undefined>>): Promise<ParkedPageJson> {
    return this.#get(`/v1/parked${queryText(query)}`);
  }

  retryParked(id: string): Promise<{ readonly delivered: true }> {
    return this.#ask("POST", `/v1/parked/${encodeURIComponent(id)}/retry`);
  }

  skipParked(id: string): Promise<{ readonly skipped: true }> {
    return this.#ask("DELETE", `/v1/parked/${encodeURIComponent(id)}`);
  }

  timers(query: Readonly<Record<string, string | undefined>>): Promise<TimerPageJson> {
    return this.#get(`/v1/timers${queryText(query)}`);
  }

  cancelTimer(service: string, id: string, name: string): Promise<{ readonly cancelled: true }> {
    return this.#ask("DELETE", `/v1/timers/${[service, id, name].map(encodeURIComponent).join("/")}`);
  }

  /** Text of JSON lines, in pieces as they come. */
  async export(query: Readonly<Record<string, string | undefined>>): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#send("GET", `/v1/export${queryText(query)}`);
    return response.ok && response.body ? response.body : answerOf(response);
  }

  /** Some JSON lines, the first of which has that number. */
  async import(lines: string, firstLine: number): Promise<ImportJson> {
    return answerOf(await this.#send("POST", `/v1/import?line=${firstLine}`, { body: lines, timeoutMs: importTimeoutMs }));
  }
}

async function request(
  method: string,
  url: URL,
  token: string,
  pid: number,
  { body, type, timeoutMs }: NonNullable<Parameters<Send>[2]> = {},
): Promise<Response> {
  try {
    return await fetch(url, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(type !== undefined && { "content-type": type }) },
      ...(body !== undefined && { body }),
      ...(timeoutMs !== undefined && { signal: AbortSignal.timeout(timeoutMs) }),
    });
  } catch (cause) {
    throw new Fault(
      "unavailable",
      `Mecha (process ${pid}) does not answer at ${url.origin}; it may have ended: start it with \`mecha up\``,
      { cause },
    );
  }
}

async function answerOf<T>(response: Response): Promise<T> {
  const body = (await response.json()) as T | ErrorJson;
  if (response.ok) return body as T;
  const { code, message } = body as ErrorJson;
  throw new Fault(code in faultCodes ? (code as FaultCode) : "unknown", message);
}

function queryText(query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? "" : `?${new URLSearchParams(given).toString()}`;
}
