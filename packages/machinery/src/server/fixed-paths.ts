/** Paths that are no resource: discovery, version, health, and what the app adds (OpenAPI, metrics). */
import { type JsonObject, kubernetesVersion } from "@mecha/kinds";
import type { ApiAnswer, ApiRequest } from "../client.ts";
import { aggregatedDiscovery, coreVersions, groupList, groupOf, resourceList } from "../discovery/discovery.ts";
import type { Registry } from "../registry/registry.ts";
import { methodNotAllowed } from "../status.ts";
import { answerOf, textAnswer } from "./answer.ts";
import { accepted, clauses, mustProduce, type Negotiated, negotiate } from "./negotiate.ts";

/** Answers a path, or passes with `undefined`. */
export type FixedPaths = (request: ApiRequest, registry: Registry) => ApiAnswer | undefined | Promise<ApiAnswer | undefined>;

export interface FixedPathParts {
  readonly registry: Registry;
  readonly more: FixedPaths | undefined;
}

/** @returns `undefined` when nothing is there. @throws StatusError */
export async function fixedPath(
  request: ApiRequest,
  query: URLSearchParams,
  pretty: boolean,
  parts: FixedPathParts,
): Promise<ApiAnswer | undefined> {
  const { method, path, headers } = request;
  const own = parts.more && (await parts.more(request, parts.registry));
  if (own) return own;
  const read = discovered(path, headers, parts, pretty) ?? health(path, query);
  if (read && method !== "GET") throw methodNotAllowed();
  return read;
}

function discovered(path: string, headers: ApiRequest["headers"], { registry }: FixedPathParts, pretty: boolean): ApiAnswer | undefined {
  const negotiated = (): Negotiated => negotiate(headers.accept, false, pretty);
  const plain = (body: JsonObject | undefined): ApiAnswer | undefined => body && answerOf(200, body, negotiated());
  const producing = (types: readonly string[], body: JsonObject | undefined): ApiAnswer | undefined => {
    if (body) mustProduce(headers.accept, types);
    return plain(body);
  };
  const [, root, group, version, ...more] = path.replace(/\/+$/u, "").split("/");
  if (more.length > 0) return undefined;
  if (root === "version" && group === undefined) {
    mustProduce(headers.accept, ["application/json"]);
    return answerOf(200, versionInfo(), { media: "json", shape: { as: "object" }, pretty: true });
  }
  if (root === "api" && version === undefined)
    return group === undefined
      ? (aggregated(headers, registry, true) ?? producing(accepted, coreVersions(registry, headers.host ?? "")))
      : producing(accepted, resourceList(registry, "", group));
  if (root !== "apis") return undefined;
  if (group === undefined) return aggregated(headers, registry, false) ?? plain(groupList(registry));
  if (version === undefined) return plain(groupOf(registry, group));
  const list = resourceList(registry, group, version);
  return isBuiltIn(registry, group) ? producing(accepted, list) : plain(list);
}

/** Groups of CRDs have paths that come and go; those of built-in kinds are there from the start. */
function isBuiltIn(registry: Registry, group: string): boolean {
  for (const definition of registry.definitions()) if (definition.group === group) return definition.strategicPatch;
  return false;
}

/** The aggregated form, when the client asks for it first. */
function aggregated(headers: ApiRequest["headers"], registry: Registry, core: boolean): ApiAnswer | undefined {
  for (const { type, parameters } of clauses(headers.accept ?? "")) {
    if (type !== "application/json" && type !== "*/*") continue;
    if (parameters.get("g") !== "apidiscovery.k8s.io" || parameters.get("as") !== "APIGroupDiscoveryList") return undefined;
    if (parameters.get("v") === "v2") return discoveryAnswer(headers, aggregatedDiscovery(registry, core));
  }
  return undefined;
}

function discoveryAnswer(headers: ApiRequest["headers"], body: JsonObject): ApiAnswer {
  const bytes = new TextEncoder().encode(`${JSON.stringify(body)}\n`);
  const etag = etagOf(bytes);
  const shared = { etag, vary: "Accept", "cache-control": "public" };
  if (headers["if-none-match"] === etag) return { status: 304, headers: shared, body: new Uint8Array() };
  // kubectl only takes the form whose parameters are repeated here.
  return {
    status: 200,
    headers: { ...shared, "content-type": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" },
    body: bytes,
  };
}

/** A validator for caches, not a signature: 2 × 32 bits of FNV-1a over the bytes, from both ends' seeds. */
export function etagOf(bytes: Uint8Array): string {
  let a = 0x811c9dc5;
  let b = 0x050c5d1f;
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x01000193) + 1;
  }
  const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
  return `"${hex(a)}${hex(b)}${bytes.length.toString(16).toUpperCase()}"`;
}

function versionInfo(): JsonObject {
  const [, major = "1", minor = "0"] = /^v(\d+)\.(\d+)/u.exec(kubernetesVersion) ?? [];
  return {
    major,
    minor,
    emulationMajor: major,
    emulationMinor: minor,
    minCompatibilityMajor: major,
    minCompatibilityMinor: String(Number(minor) - 1),
    gitVersion: kubernetesVersion,
    gitCommit: "",
    gitTreeState: "",
    buildDate: "",
    goVersion: "",
    compiler: "",
    platform: "",
  };
}

/** `/healthz`, `/livez`, `/readyz`: a server that can answer is well; its log is in memory and its disk failing ends the process. */
function health(path: string, query: URLSearchParams): ApiAnswer | undefined {
  const found = /^\/(healthz|livez|readyz)(?:\/([a-z-]+))?$/u.exec(path);
  if (!found) return undefined;
  const [, name = "", part] = found;
  if (part !== undefined) return part === "ping" || part === "log" ? textAnswer(200, "ok") : undefined;
  if (query.get("verbose") === null) return textAnswer(200, "ok");
  return textAnswer(200, `[+]ping ok\n[+]log ok\n${name} check passed\n`);
}
