/**
 * One case on one server: what it asks is recorded, with everything that differs by nature (ids, times, revisions, random names) replaced, so that two
 * servers' records can be compared as values.
 *
 * N1 the same text is always replaced by the same mark; what was not there is never marked
 */
import type { Answer, Call, Client, WatchEvent } from "./client.ts";

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
  readonly #masks = new Map<string, string>();

  constructor(clients: Readonly<Record<Who, Client>>, namespace: string) {
    this.#clients = clients;
    this.namespace = namespace;
  }

  async ask(method: string, path: string, body?: unknown, options: AskOptions = {}): Promise<Answer> {
    const call: Call = { method, path, ...(body !== undefined && { body }), ...(options.headers && { headers: options.headers }) };
    const answer = await this.#clients[options.as ?? "admin"].ask(call);
    this.#learn(answer.body);
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
    const events = await this.#clients[options.as ?? "admin"].watch(
      { path, ...(options.headers && { headers: options.headers }) },
      (all) => all.length >= count,
      () => {
        during = options.during?.();
      },
    );
    await during;
    for (const { object } of events) this.#learn(object);
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

  masked(value: unknown): unknown {
    return mask(value, (text) => this.#text(text));
  }

  #record(what: string, { status, headers, text, body }: Answer): void {
    const kept = Object.fromEntries(recordedHeaders.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
    this.entries.push({ what, seen: { status, headers: this.masked(kept), body: this.masked(body === undefined ? text : body) } });
  }

  /** Names a server made up. */
  #learn(value: unknown): void {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) {
      for (const each of value) this.#learn(each);
      return;
    }
    const { metadata, items, object } = value as {
      metadata?: { name?: unknown; generateName?: unknown };
      items?: unknown;
      object?: unknown;
    };
    this.#learn(items);
    this.#learn(object);
    const { name, generateName } = metadata ?? {};
    if (
      typeof name === "string" &&
      typeof generateName === "string" &&
      name.startsWith(generateName) &&
      name.length === generateName.length + 5
    )
      this.#masks.set(name, `${generateName}<5>`);
  }

  #text(text: string): string {
    let result = text;
    for (const [from, to] of this.#masks) result = result.replaceAll(from, to);
    return result
      .replaceAll(uuid, "<uid>")
      .replaceAll(microTime, "<microtime>")
      .replaceAll(time, "<time>")
      .replaceAll(revisionInText, "$1<rv>")
      .replaceAll(serverAddress, "127.0.0.1:<port>")
      .replaceAll(clusterAddress, "<cluster address>");
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

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/gu;
const microTime = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/gu;
const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/gu;
const revisionInText =
  /(resource ?version: |current: |ResourceVersion in (?:the )?(?:precondition|record) \(|ResourceVersion in (?:precondition|object meta): |resource version: \d+ \()\d+/giu;
const serverAddress = /127\.0\.0\.1:\d{4,5}/gu;
/** Of the range services get theirs from, 10.96.0.0/12; those of 10.96.0.0/16 may be somebody's wish. */
const clusterAddress = /\b10\.(?:9[7-9]|10\d|11[01])\.\d{1,3}\.\d{1,3}\b/gu;
const nodePortsFrom = 30_000;
const revision = /^[1-9]\d*$/u;

function sorted(list: readonly unknown[]): unknown[] {
  const text = (item: unknown): string => {
    const { operation = "", manager = "", subresource = "", field = "", message = "" } = item as Record<string, string>;
    return [operation, manager, subresource, field, message].join(" ");
  };
  return [...list].sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

/** keeps N1 */
function mask(value: unknown, text: (text: string) => string): unknown {
  if (typeof value === "string") return text(value);
  if (Array.isArray(value)) return value.map((each) => mask(each, text));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => {
      if (key === "resourceVersion" && typeof each === "string" && revision.test(each)) return [key, "<rv>"];
      if ((key === "nodePort" || key === "healthCheckNodePort") && typeof each === "number" && each >= nodePortsFrom)
        return [key, "<node port>"];
      // Ages: both servers took as long as they took.
      if (key === "cells" && Array.isArray(each))
        return [key, each.map((cell) => (/^\d+s$/u.test(String(cell)) ? "<age>" : mask(cell, text)))];
      // Both servers order entries by their time in whole seconds, then by name; conflicts as their maps have them.
      if (key === "managedFields" && Array.isArray(each)) return [key, sorted(mask(each, text) as unknown[])];
      if (key === "causes" && JSON.stringify(each).includes("FieldManagerConflict")) return [key, sorted(mask(each, text) as unknown[])];
      if (key === "continue" && typeof each === "string" && each !== "") return [key, "<continue>"];
      return [text(key), mask(each, text)];
    }),
  );
}
