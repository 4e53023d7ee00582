/** One case on one server: what it asks is recorded, with what differs by nature replaced (masks.ts), so that two servers' records can be compared as values. */
import type { Answer, Call, Client, WatchEvent } from "./client.ts";
import { eventually } from "../support/program.ts";
import { Masks } from "./masks.ts";

/** One thing a case saw. */
export interface Entry {
  /** `POST /api/v1/…`, or the name of a note. */
  readonly what: string;
  readonly seen: unknown;
}

export interface Case {
  /** `crud/configmaps`: group and what it is about. */
  readonly name: string;
  readonly run: (session: Session) => Promise<void>;
}

/** Who a case may call as beside the administrator. */
export type Who = "admin" | "alice" | "nobody";

export interface AskOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly as?: Who;
  /** Do not record it: part of the stage, not of the play. */
  readonly quiet?: boolean;
  /** Names the entry when the path would not. */
  readonly label?: string;
}

export class Session {
  readonly entries: Entry[] = [];
  /** A namespace of this case's own; the same on both servers. */
  readonly namespace: string;
  readonly #clients: Readonly<Record<Who, Client>>;
  readonly #masks = new Masks();

  constructor(clients: Readonly<Record<Who, Client>>, namespace: string) {
    this.#clients = clients;
    this.namespace = namespace;
  }

  async ask(method: string, path: string, body?: unknown, options: AskOptions = {}): Promise<Answer> {
    const call: Call = { method, path, ...(body !== undefined && { body }), ...(options.headers && { headers: options.headers }) };
    this.#masks.asked(path, body);
    const answer = await this.#clients[options.as ?? "admin"].ask(call);
    this.#masks.learn(answer.body, path.includes("dryRun=All"));
    if (!options.quiet) this.#record(options.label ?? `${method} ${path}`, answer);
    return answer;
  }

  get(path: string, options?: AskOptions): Promise<Answer> {
    return this.ask("GET", path, undefined, options);
  }

  post(path: string, body: unknown, options?: AskOptions): Promise<Answer> {
    return this.ask("POST", path, body, options);
  }

  put(path: string, body: unknown, options?: AskOptions): Promise<Answer> {
    return this.ask("PUT", path, body, options);
  }

  delete(path: string, body?: unknown, options?: AskOptions): Promise<Answer> {
    return this.ask("DELETE", path, body, options);
  }

  /** @param type `json`, `merge`, `strategic` or `apply`. */
  patch(type: keyof typeof patchTypes, path: string, body: unknown, options: AskOptions = {}): Promise<Answer> {
    const headers = { "content-type": patchTypes[type], ...options.headers };
    return this.ask("PATCH", path, body, { ...options, headers });
  }

  /** Records the events until `count` have come or the server ends the watch; give every watch `timeoutSeconds`. */
  async watch(path: string, count: number, options: AskOptions & { readonly during?: () => Promise<void> } = {}): Promise<WatchEvent[]> {
    let during: Promise<void> | undefined;
    this.#masks.asked(path, undefined);
    const events = await this.#clients[options.as ?? "admin"].watch(
      { path, ...(options.headers && { headers: options.headers }) },
      (all) => all.length >= count,
      () => {
        during = options.during?.();
      },
    );
    await during;
    for (const { object } of events) this.#masks.learn(object);
    this.entries.push({ what: options.label ?? `WATCH ${path}`, seen: this.masked(events.slice(0, count)) });
    return events;
  }

  /** Something the case found out by itself. */
  note(what: string, value: unknown): void {
    this.entries.push({ what, seen: this.masked(value) });
  }

  /** Makes the case's namespace, and in it the service account pods run as. */
  async stage(): Promise<string> {
    const metadata = { name: this.namespace };
    await this.ask("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata }, { quiet: true });
    const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } };
    await this.ask("POST", `/api/v1/namespaces/${this.namespace}/serviceaccounts`, account, { quiet: true });
    return this.namespace;
  }

  /** Waits for a state the real server comes to a little later. */
  until(what: string, probe: () => Promise<boolean>): Promise<boolean> {
    return eventually(what, probe);
  }

  masked(value: unknown): unknown {
    return this.#masks.masked(value);
  }

  #record(what: string, { status, headers, text, body }: Answer): void {
    const kept = Object.fromEntries(recordedHeaders.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
    this.entries.push({ what, seen: { status, headers: this.masked(kept), body: this.masked(body === undefined ? text : body) } });
  }
}

const patchTypes = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
} as const;

/** Headers that are part of what clients are promised. */
const recordedHeaders = ["content-type", "cache-control", "warning", "retry-after", "vary", "allow", "www-authenticate"];
