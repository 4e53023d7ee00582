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
  MessagePageJson,
  PastJson,
  StatusJson,
  TimerPageJson,
} from "./model.ts";

/** How long one answer may take, ms; a search through a large store takes well under a second. */
const answerTimeoutMs = 30_000;

type Ask = <T>(method: "GET" | "POST" | "DELETE", path: string) => Promise<T>;

export class AdminClient {
  readonly url: string;
  readonly #ask: Ask;

  private constructor(url: string, ask: Ask) {
    this.url = url;
    this.#ask = ask;
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
    return new AdminClient(address.url, (method, path) => request(method, new URL(path, address.url), token.reveal(), address.pid));
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

  timers(query: Readonly<Record<string, string | undefined>>): Promise<TimerPageJson> {
    return this.#get(`/v1/timers${queryText(query)}`);
  }

  cancelTimer(service: string, id: string, name: string): Promise<{ readonly cancelled: true }> {
    return this.#ask("DELETE", `/v1/timers/${[service, id, name].map(encodeURIComponent).join("/")}`);
  }
}

async function request<T>(method: string, url: URL, token: string, pid: number): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, { method, headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(answerTimeoutMs) });
  } catch (cause) {
    throw new Fault(
      "unavailable",
      `Mecha (process ${pid}) does not answer at ${url.origin}; it may have ended: start it with \`mecha up\``,
      { cause },
    );
  }
  const body = (await response.json()) as T | ErrorJson;
  if (response.ok) return body as T;
  const { code, message } = body as ErrorJson;
  throw new Fault(code in faultCodes ? (code as FaultCode) : "unknown", message);
}

function queryText(query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? "" : `?${new URLSearchParams(given).toString()}`;
}
