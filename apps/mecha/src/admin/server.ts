/** The admin listener's handler: the page for anybody on this machine, the JSON API for whoever has the token. It changes nothing but timers, the outbox, backups and what an import brings. */
import { readFileSync } from "node:fs";
import { type Clock, explain, Fault, type FaultCode, faultCodes, type Log, type Secret } from "@mecha/kit";
import type { HttpExchange, HttpHandler } from "@mecha/wire";
import type { Backups } from "./backups.ts";
import {
  type EventingSource,
  listParked,
  listSubscriptions,
  listTopics,
  publishTo,
  retryParked,
  skipParked,
  topicPath,
} from "./eventing.ts";
import { type EntitySource, entityDetail, entityHistory, listEntities, pageMax } from "./entities.ts";
import { checkOrigin, checkToken } from "./guard.ts";
import type { ExportQuery } from "../transfer/export.ts";
import type { LiveFeed } from "./live.ts";
import type { ErrorJson, StatusJson } from "./model.ts";
import { entityPast } from "./past.ts";
import { discardMessage, listMessages, retryMessage } from "./outbox.ts";
import { cancelTimer, listTimers } from "./timers.ts";
import { exportPath, importPath, serveExport, serveImport } from "./transfer.ts";

/** What the API shows. */
export interface AdminView extends EntitySource, EventingSource {
  readonly status: () => StatusJson;
  readonly live: LiveFeed;
  /** Absent: the store is in memory. */
  readonly backups?: Backups | undefined;
}

export interface AdminConfig {
  readonly token: Secret;
  /** The listener's own port; known once it listens. */
  readonly port: () => number;
  readonly log: Log;
  readonly clock: Clock;
}

/** Sent with every answer. The page loads nothing from elsewhere and cannot be framed. */
const commonHeaders = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

const pageFiles: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/page.js": ["page.js", "text/javascript; charset=utf-8"],
  "/events.js": ["events.js", "text/javascript; charset=utf-8"],
  "/outbox.js": ["outbox.js", "text/javascript; charset=utf-8"],
  "/json.js": ["json.js", "text/javascript; charset=utf-8"],
  "/page.css": ["page.css", "text/css; charset=utf-8"],
  "/icon.svg": ["icon.svg", "image/svg+xml"],
};

/** Events and entities in a page when the request does not say. */
const pageDefault = 50;

type Route = (view: AdminView, match: readonly string[], query: URLSearchParams, clock: Clock) => unknown;

/** First match wins. Parameters are the pattern's groups, decoded. */
const routes: readonly (readonly [RegExp, Route])[] = [
  [/^\/v1\/status$/u, (view) => view.status()],
  [/^\/v1\/backups\/([^/]+)$/u, (view, [id = ""]) => backupsOf(view).get(id)],
  [/^\/v1\/functions$/u, (view) => ({ functions: view.status().functions })],
  [/^\/v1\/entities$/u, (view, _match, query) => listEntities(view, entitiesQuery(query))],
  [/^\/v1\/outbox$/u, (view, _match, query) => listMessages(view, messagesQuery(query))],
  [/^\/v1\/subscriptions$/u, (view) => listSubscriptions(view)],
  [/^\/v1\/parked$/u, (view, _match, query) => listParked(view, parkedQuery(query))],
  [/^\/v1\/topics$/u, (view) => listTopics(view)],
  [/^\/v1\/timers$/u, (view, _match, query) => listTimers(view, timersQuery(query))],
  [/^\/v1\/entities\/([^/]+)\/([^/]+)$/u, (view, [service = "", id = ""]) => entityDetail(view, service, id)],
  [
    /^\/v1\/entities\/([^/]+)\/([^/]+)\/events$/u,
    (view, [service = "", id = ""], query) => entityHistory(view, { service, id, ...historyQuery(query) }),
  ],
  [
    /^\/v1\/entities\/([^/]+)\/([^/]+)\/at\/([^/]+)$/u,
    (view, [service = "", id = "", sequence = ""], query, clock) =>
      entityPast({ ...view, clock }, { service, id, ...pastQuery(sequence, query) }),
  ],
];

type Streamed = (view: AdminView, exchange: HttpExchange, config: AdminConfig) => void | Promise<void>;

/** GET paths whose answer has no length beforehand. */
const streamed: Readonly<Record<string, Streamed>> = {
  "/v1/events": (view, exchange) => {
    view.live.subscribe(exchange, commonHeaders);
  },
  [exportPath]: (view, exchange, { clock }) =>
    serveExport(view, exchange, exportQuery(new URLSearchParams(exchange.query)), {
      project: view.status().project,
      clock,
      headers: commonHeaders,
    }),
};

/** POST paths with a body. */
const taken: Readonly<Record<string, Streamed>> = {
  [importPath]: async (view, exchange, { clock }) => {
    const firstLine = wholeNumber(new URLSearchParams(exchange.query), "line", 1, Number.MAX_SAFE_INTEGER) ?? 1;
    json(exchange, 200, await serveImport(view, exchange, firstLine, clock));
  },
};

/** Takes the body of a POST, if there is one to take at that path. */
function takerOf(path: string): Streamed | undefined {
  if (Object.hasOwn(taken, path)) return taken[path];
  if (!topicPath.test(path)) return undefined;
  return async (view, exchange) => {
    json(exchange, 200, await publishTo(view, exchange));
  };
}

/** What other methods reach. */
const changes: Readonly<Record<string, typeof routes>> = {
  POST: [
    [/^\/v1\/backups$/u, (view) => backupsOf(view).begin()],
    [/^\/v1\/outbox\/(\d{1,16})\/retry$/u, (view, [id]) => retryMessage(view, Number(id))],
    [/^\/v1\/parked\/([^/]+)\/retry$/u, (view, [id = ""]) => retryParked(view, id)],
  ],
  DELETE: [
    [/^\/v1\/outbox\/(\d{1,16})$/u, (view, [id]) => discardMessage(view, Number(id))],
    [/^\/v1\/parked\/([^/]+)$/u, (view, [id = ""]) => skipParked(view, id)],
    [/^\/v1\/timers\/([^/]+)\/([^/]+)\/([^/]+)$/u, (view, [service = "", id = "", name = ""]) => cancelTimer(view, service, id, name)],
  ],
};

/** Makes the handler of the admin listener. */
export function adminHandler(view: AdminView, config: AdminConfig): HttpHandler {
  return async (exchange) => {
    try {
      checkOrigin(exchange.headers, config.port());
      const { method, path } = exchange;
      const known = method === "GET" || method === "HEAD" ? routes : changes[method];
      const isTaken = method === "POST" && takerOf(path) !== undefined;
      if (known === undefined || (known !== routes && !isTaken && !known.some(([pattern]) => pattern.test(path))))
        refuse(
          exchange,
          405,
          "unimplemented",
          `${method} ${path}: the admin API takes GET, POST /v1/backups, POST /v1/import, POST /v1/topics/…, POST of retry below /v1/outbox and /v1/parked, DELETE of timers, of messages and of parked events`,
        );
      else if (path.startsWith("/v1/")) await answerApi(view, config, exchange, known);
      else answerPage(exchange);
    } catch (error) {
      answerFault(exchange, error, config.log);
    }
  };
}

async function answerApi(view: AdminView, config: AdminConfig, exchange: HttpExchange, known: typeof routes): Promise<void> {
  checkToken(exchange.headers, config.token);
  const streams = known === routes ? streamed[exchange.path] : known === changes["POST"] ? takerOf(exchange.path) : undefined;
  if (streams) {
    await streams(view, exchange, config);
    return;
  }
  for (const [pattern, route] of known) {
    const match = pattern.exec(exchange.path);
    if (!match) continue;
    const answer = await route(view, match.slice(1).map(decoded), new URLSearchParams(exchange.query), config.clock);
    json(exchange, 200, answer);
    return;
  }
  throw new Fault("notFound", `no such path: ${exchange.path}; docs/reference/admin-api.md lists them`);
}

function backupsOf(view: AdminView): Backups {
  if (view.backups) return view.backups;
  throw new Fault("precondition", "the state is in memory (spec.store.kind: memory); there is nothing to back up");
}

function answerPage(exchange: HttpExchange): void {
  const [file, type] = pageFiles[exchange.path] ?? [];
  if (file === undefined || type === undefined) throw new Fault("notFound", `no such path: ${exchange.path}; the page is at /`);
  exchange.respond(200, { ...commonHeaders, "content-type": type }, readFileSync(new URL(`../page/${file}`, import.meta.url)));
}

function parkedQuery(query: URLSearchParams): Parameters<typeof listParked>[1] {
  const after = query.get("after") || undefined;
  return { limit: wholeNumber(query, "limit", 1, pageMax) ?? pageDefault, ...(after !== undefined && { after }) };
}

function entitiesQuery(query: URLSearchParams): Parameters<typeof listEntities>[1] {
  const service = query.get("service") || undefined;
  const search = query.get("search") || undefined;
  const after = query.get("after") || undefined;
  return {
    limit: wholeNumber(query, "limit", 1, pageMax) ?? pageDefault,
    ...(service !== undefined && { service }),
    ...(search !== undefined && { search }),
    ...(after !== undefined && { after }),
  };
}

function exportQuery(query: URLSearchParams): ExportQuery {
  const service = query.get("service") || undefined;
  return { base64: query.get("base64") === "true", ...(service !== undefined && { service }) };
}

function messagesQuery(query: URLSearchParams): Parameters<typeof listMessages>[1] {
  const state = query.get("state") || "dead";
  if (state !== "dead" && state !== "waiting")
    throw new Fault("invalid", `\`state\`: expected dead or waiting, got ${JSON.stringify(state.slice(0, 40))}`);
  const after = wholeNumber(query, "after", 1, Number.MAX_SAFE_INTEGER);
  return { state, limit: wholeNumber(query, "limit", 1, pageMax) ?? pageDefault, ...(after !== undefined && { after }) };
}

function timersQuery(query: URLSearchParams): Parameters<typeof listTimers>[1] {
  const service = query.get("service") || undefined;
  const id = query.get("id") || undefined;
  const after = wholeNumber(query, "after", 1, Number.MAX_SAFE_INTEGER);
  return {
    limit: wholeNumber(query, "limit", 1, pageMax) ?? pageDefault,
    ...(service !== undefined && { service }),
    ...(id !== undefined && { id }),
    ...(after !== undefined && { after }),
  };
}

function historyQuery(query: URLSearchParams): { readonly limit: number; readonly after?: number; readonly before?: number } {
  const after = wholeNumber(query, "after", 0, Number.MAX_SAFE_INTEGER);
  const before = wholeNumber(query, "before", 1, Number.MAX_SAFE_INTEGER);
  return {
    limit: wholeNumber(query, "limit", 1, pageMax) ?? pageDefault,
    ...(after !== undefined && { after }),
    ...(before !== undefined && { before }),
  };
}

function pastQuery(
  sequence: string,
  query: URLSearchParams,
): { readonly sequence: number; readonly command?: string; readonly input?: string } {
  const command = query.get("command") || undefined;
  const input = query.get("input") || undefined;
  const at = new URLSearchParams({ sequence });
  return {
    sequence: wholeNumber(at, "sequence", 0, Number.MAX_SAFE_INTEGER) ?? 0,
    ...(command !== undefined && { command }),
    ...(input !== undefined && { input }),
  };
}

/** @throws Fault("invalid") naming the parameter and its range. */
function wholeNumber(query: URLSearchParams, name: string, min: number, max: number): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  const value = Number(text);
  if (/^\d{1,16}$/u.test(text) && value >= min && value <= max) return value;
  throw new Fault("invalid", `\`${name}\`: expected a whole number from ${min} to ${max}, got ${JSON.stringify(text.slice(0, 40))}`);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Fault("invalid", `the path holds ${JSON.stringify(part.slice(0, 40))}, which is not percent-encoded UTF-8`);
  }
}

function answerFault(exchange: HttpExchange, error: unknown, log: Log): void {
  if (!(error instanceof Fault)) {
    log.error("admin request failed", { path: exchange.path, error });
    refuse(exchange, 500, "internal", "an error in Mecha itself; its log says more");
    return;
  }
  refuse(exchange, faultCodes[error.code].http, error.code, explain(error));
}

function refuse(exchange: HttpExchange, status: number, code: FaultCode, message: string): void {
  const extra: Record<string, string> = status === 401 ? { "www-authenticate": "Bearer" } : status === 405 ? { allow: "GET, HEAD" } : {};
  json(exchange, status, { code, message } satisfies ErrorJson, extra);
}

function json(exchange: HttpExchange, status: number, body: unknown, extra: Readonly<Record<string, string>> = {}): void {
  exchange.respond(status, { ...commonHeaders, ...extra, "content-type": "application/json" }, JSON.stringify(body));
}
