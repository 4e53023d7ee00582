/**
 * Requests in the words of the API instead of paths and bytes: what controllers, the CLI and the node use. Works against any server an ApiTransport reaches.
 * Failures are StatusErrors as the server said them; a server that cannot be reached is Fault("unavailable") from the transport.
 */
import { Fault } from "@mecha/kit";
import { apiVersionOf, groupVersionOf, type JsonObject, type KubeObject } from "@mecha/kinds";
import type { ApiAnswer, ApiRequest, ApiTransport, WatchEvent } from "./client.ts";
import { type StatusCause, StatusError, type StatusReason, statusReasons } from "./status.ts";

/** A kind as requests name it. */
export interface ResourceRef {
  /** `v1`, `apps/v1`. */
  readonly apiVersion: string;
  readonly kind: string;
  /** Path segment, `deployments`. */
  readonly plural: string;
  readonly namespaced: boolean;
}

/** A resource as discovery tells it. */
export interface ServedResource extends ResourceRef {
  readonly verbs: readonly string[];
  readonly singular: string;
  readonly shortNames: readonly string[];
}

/** meta/v1 Table. */
export interface ObjectTable {
  readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[];
  readonly rows: readonly { readonly cells: readonly unknown[]; readonly object?: { readonly metadata?: KubeObject["metadata"] } }[];
}

/** One object of a resource. */
export interface ObjectId {
  /** Left out for cluster-scoped kinds. */
  readonly namespace?: string;
  readonly name: string;
}

/** Which objects of a resource. */
export interface Selection {
  /** Left out: all namespaces. */
  readonly namespace?: string;
  /** `app=cart,tier!=db`. */
  readonly labelSelector?: string;
  /** `metadata.name=x`. */
  readonly fieldSelector?: string;
  /** Answers hold metadata only, whatever the kind: for caches of everything. */
  readonly metadataOnly?: boolean;
}

/** One page of a list. */
export interface ObjectList<T extends KubeObject = KubeObject> {
  readonly items: readonly T[];
  /** What a watch goes on from. */
  readonly resourceVersion: string;
  /** More pages follow with it. */
  readonly continue?: string;
}

export interface DeleteOptions {
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  /** The delete is refused (409) when they do not fit the object. */
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly gracePeriodSeconds?: number;
}

/** Who writes, and into what part. */
export interface WriteOptions {
  readonly subresource?: "status" | "scale" | "finalize" | "token" | "eviction";
  /** Who is noted in managedFields; default: the client's. */
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

export interface ApplyOptions extends WriteOptions {
  /** Takes fields over from other managers; default true, as a controller must (it owns what it sets). */
  readonly force?: boolean;
}

export interface ApiClientOptions {
  /** Noted in managedFields for what this client writes. */
  readonly fieldManager: string;
}

/** Objects of one page. The API server's own default for kubectl. */
const pageSize = 500;

const contentTypes = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
} as const;

export class ApiClient {
  readonly #transport: ApiTransport;
  readonly #fieldManager: string;

  constructor(transport: ApiTransport, options: ApiClientOptions) {
    this.#transport = transport;
    this.#fieldManager = options.fieldManager;
  }

  /** @throws StatusError NotFound. */
  async get<T extends KubeObject>(resource: ResourceRef, id: ObjectId, signal?: AbortSignal): Promise<T> {
    return (await this.#json("GET", objectPath(resource, id), {}, signal)) as T;
  }

  /** `undefined` when there is none. */
  async find<T extends KubeObject>(resource: ResourceRef, id: ObjectId, signal?: AbortSignal): Promise<T | undefined> {
    return await this.get<T>(resource, id, signal).catch((error: unknown) => {
      if (isReason(error, "NotFound")) return undefined;
      throw error;
    });
  }

  /** One page; `continue` of the answer asks for the next. */
  async list<T extends KubeObject>(
    resource: ResourceRef,
    selection: Selection & { readonly limit?: number; readonly continue?: string; readonly resourceVersion?: string } = {},
    signal?: AbortSignal,
  ): Promise<ObjectList<T>> {
    const { namespace, limit = pageSize, metadataOnly = false, ...rest } = selection;
    const query = { ...rest, limit: String(limit) };
    const body = await this.#json("GET", collectionPath(resource, namespace), { query, accept: acceptOf(metadataOnly, "List") }, signal);
    const metadata = body["metadata"] as { readonly resourceVersion?: string; readonly continue?: string } | undefined;
    const items = (body["items"] ?? []) as T[];
    // Items of a list leave out what the list says already.
    for (const item of items) {
      item.apiVersion ??= resource.apiVersion;
      item.kind ??= resource.kind;
    }
    return {
      items,
      resourceVersion: metadata?.resourceVersion ?? "",
      ...(metadata?.continue !== undefined && metadata.continue !== "" && { continue: metadata.continue }),
    };
  }

  /** All pages. The resource version is the first page's: all pages are of that moment. */
  async listAll<T extends KubeObject>(resource: ResourceRef, selection: Selection = {}, signal?: AbortSignal): Promise<ObjectList<T>> {
    const items: T[] = [];
    let page = await this.list<T>(resource, selection, signal);
    const { resourceVersion } = page;
    for (;;) {
      items.push(...page.items);
      if (page.continue === undefined) return { items, resourceVersion };
      page = await this.list<T>(resource, { ...selection, continue: page.continue }, signal);
    }
  }

  /** @throws StatusError AlreadyExists, Invalid. */
  async create<T extends KubeObject>(resource: ResourceRef, object: T, options: WriteOptions = {}): Promise<T> {
    const path =
      options.subresource === undefined
        ? collectionPath(resource, object.metadata.namespace)
        : objectPath(resource, idOf(object), options.subresource);
    return (await this.#write("POST", path, object, "application/json", options)) as T;
  }

  /** Replaces the object. @throws StatusError Conflict when `metadata.resourceVersion` is not the stored one. */
  async update<T extends KubeObject>(resource: ResourceRef, object: T, options: WriteOptions = {}): Promise<T> {
    return (await this.#write("PUT", objectPath(resource, idOf(object), options.subresource), object, "application/json", options)) as T;
  }

  /** `json`: RFC 6902, a list of operations; `merge`: RFC 7386; `strategic`: by merge keys, for built-in kinds. */
  async patch<T extends KubeObject>(
    resource: ResourceRef,
    id: ObjectId,
    type: "json" | "merge" | "strategic",
    patch: unknown,
    options: WriteOptions = {},
  ): Promise<T> {
    return (await this.#write("PATCH", objectPath(resource, id, options.subresource), patch, contentTypes[type], options)) as T;
  }

  /** Server-side apply: `object` holds exactly what this manager wants to own. Creates it where it is missing. */
  async apply<T extends KubeObject>(resource: ResourceRef, object: T, options: ApplyOptions = {}): Promise<T> {
    const path = objectPath(resource, idOf(object), options.subresource);
    return (await this.#write("PATCH", path, object, contentTypes.apply, options, { force: String(options.force ?? true) })) as T;
  }

  /** Resolves when the delete is accepted: with finalizers or a grace period the object is still there, with a deletionTimestamp. */
  async delete(resource: ResourceRef, id: ObjectId, options: DeleteOptions = {}, signal?: AbortSignal): Promise<void> {
    await this.#json("DELETE", objectPath(resource, id), { body: { kind: "DeleteOptions", apiVersion: "v1", ...options } }, signal);
  }

  /** Deletes what is selected. Without a namespace: everything of the resource. */
  async deleteCollection(resource: ResourceRef, selection: Selection, options: DeleteOptions = {}, signal?: AbortSignal): Promise<void> {
    const { namespace, labelSelector, fieldSelector } = selection;
    const rest = { labelSelector, fieldSelector };
    const body = { kind: "DeleteOptions", apiVersion: "v1", ...options };
    await this.#json("DELETE", collectionPath(resource, namespace), { query: rest, body }, signal);
  }

  /** Changes after `resourceVersion`, with bookmarks, until the server ends it (after `timeoutSeconds`) or `signal` does. */
  watch(
    resource: ResourceRef,
    selection: Selection & { readonly resourceVersion: string; readonly timeoutSeconds?: number },
    signal: AbortSignal,
  ): Promise<AsyncIterable<WatchEvent>> {
    const { namespace, timeoutSeconds, metadataOnly = false, ...rest } = selection;
    const query = {
      ...rest,
      watch: "true",
      allowWatchBookmarks: "true",
      ...(timeoutSeconds !== undefined && { timeoutSeconds: String(timeoutSeconds) }),
    };
    const parts = { query, accept: acceptOf(metadataOnly, "") };
    return this.#transport.watch(request("GET", collectionPath(resource, namespace), parts), signal);
  }

  /** A collection, or one object of it, as the table the server makes for people. */
  async table(
    resource: ResourceRef,
    { name, ...selection }: Selection & { readonly name?: string },
    signal?: AbortSignal,
  ): Promise<ObjectTable> {
    const { namespace, labelSelector, fieldSelector } = selection;
    const path =
      name === undefined
        ? collectionPath(resource, namespace)
        : objectPath(resource, { ...(namespace !== undefined && { namespace }), name });
    const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    return (await this.#json("GET", path, { query: { labelSelector, fieldSelector }, accept }, signal)) as unknown as ObjectTable;
  }

  /** Every resource the server has, each in its preferred version, with the verbs it takes. Subresources are left out. */
  async resources(signal?: AbortSignal): Promise<readonly ServedResource[]> {
    const groups = (await this.#json("GET", "/apis", {}, signal))["groups"] as
      readonly { readonly preferredVersion: { readonly groupVersion: string } }[] | undefined;
    const versions = ["v1", ...(groups ?? []).map((group) => group.preferredVersion.groupVersion)];
    const lists = await Promise.all(versions.map((version) => this.#resourcesOf(version, signal)));
    return lists.flat();
  }

  async #resourcesOf(apiVersion: string, signal: AbortSignal | undefined): Promise<ServedResource[]> {
    const body = await this.#json("GET", versionPath(apiVersion), {}, signal);
    const rows = (body["resources"] ?? []) as readonly {
      readonly name: string;
      readonly kind: string;
      readonly namespaced: boolean;
      readonly verbs: readonly string[];
      readonly singularName?: string;
      readonly shortNames?: readonly string[];
    }[];
    return rows
      .filter(({ name }) => !name.includes("/"))
      .map(({ name, kind, namespaced, verbs, singularName = "", shortNames = [] }) => ({
        apiVersion,
        kind,
        plural: name,
        namespaced,
        verbs,
        singular: singularName || kind.toLowerCase(),
        shortNames,
      }));
  }

  async #write(
    method: "POST" | "PUT" | "PATCH",
    path: string,
    body: unknown,
    contentType: string,
    { fieldManager = this.#fieldManager, dryRun, signal }: WriteOptions,
    more: Readonly<Record<string, string>> = {},
  ): Promise<JsonObject> {
    const query = { fieldManager, ...(dryRun && { dryRun: "All" }), ...more };
    return await this.#json(method, path, { query, body, contentType }, signal);
  }

  async #json(method: ApiRequest["method"], path: string, parts: RequestParts, signal: AbortSignal | undefined): Promise<JsonObject> {
    const answer = await this.#transport.send(request(method, path, parts), signal);
    if (answer.status >= 300) throw statusErrorOf(answer);
    return readJson(answer);
  }
}

interface RequestParts {
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
}

/** Objects, or of each its metadata only (a PartialObjectMetadata). */
function acceptOf(metadataOnly: boolean, list: "" | "List"): string {
  return metadataOnly ? `application/json;as=PartialObjectMetadata${list};g=meta.k8s.io;v=v1` : "application/json";
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function request(method: ApiRequest["method"], path: string, parts: RequestParts): ApiRequest {
  const { query = {}, body, contentType = "application/json", accept = "application/json" } = parts;
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return {
    method,
    path,
    query: given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&"),
    headers: { accept, ...(body !== undefined && { "content-type": contentType }) },
    ...(body !== undefined && { body: encoder.encode(JSON.stringify(body)) }),
  };
}

/** `/api/v1` or `/apis/apps/v1`. */
function versionPath(apiVersion: string): string {
  return apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

/** Where the objects of a resource are. */
export function collectionPath({ apiVersion, plural, namespaced }: ResourceRef, namespace?: string): string {
  const scope = namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${versionPath(apiVersion)}${scope}/${plural}`;
}

/** Where one object is, or a subresource of it. @throws Fault("invalid") when a namespaced kind is asked for without a namespace. */
export function objectPath(resource: ResourceRef, { namespace, name }: ObjectId, subresource?: string): string {
  if (resource.namespaced && namespace === undefined)
    throw new Fault("invalid", `${resource.kind} ${name}: a ${resource.kind} lives in a namespace; name it`);
  const path = `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** Namespace and name of an object. */
export function idOf({ metadata }: KubeObject): ObjectId {
  return metadata.namespace === undefined ? { name: metadata.name } : { namespace: metadata.namespace, name: metadata.name };
}

/** `error` is a failure with this reason. */
export function isReason(error: unknown, reason: StatusReason): boolean {
  return error instanceof StatusError && error.reason === reason;
}

function readJson(answer: ApiAnswer): JsonObject {
  const text = decoder.decode(answer.body);
  try {
    return JSON.parse(text) as JsonObject;
  } catch (cause) {
    throw new Fault("unavailable", `the API server answered ${String(answer.status)} with no JSON: ${text.slice(0, 200)}`, { cause });
  }
}

interface StatusBody {
  readonly kind?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly StatusCause[] };
}

/** The failure an answer tells: a Status if its body is one, else what the HTTP status says. */
export function statusErrorOf(answer: ApiAnswer): StatusError {
  const text = decoder.decode(answer.body);
  const body = tryJson(text);
  if (body?.kind === "Status") return statusErrorOfBody(body, answer.status);
  return new StatusError(reasonOfCode(answer.status), text.trim().slice(0, 1_000) || `HTTP ${String(answer.status)}`);
}

/** The failure a Status object tells. @param code HTTP status, for reasons we do not know. */
export function statusErrorOfBody(body: StatusBody, code = 500): StatusError {
  const reason = body.reason !== undefined && body.reason in statusReasons ? (body.reason as StatusReason) : reasonOfCode(code);
  return new StatusError(reason, body.message ?? reason, body.details);
}

function tryJson(text: string): StatusBody | undefined {
  try {
    return JSON.parse(text) as StatusBody;
  } catch {
    return undefined; // plain text, as for unknown paths
  }
}

function reasonOfCode(code: number): StatusReason {
  // Of reasons that share a code the first listed is the plain one: 409 AlreadyExists is told apart by its body only.
  if (code === 409) return "Conflict";
  const found = Object.entries(statusReasons).find(([, known]) => known === code);
  return (found?.[0] as StatusReason | undefined) ?? (code >= 500 ? "InternalError" : "BadRequest");
}

/** The resource of a kind that follows the usual naming: lower case, plural with `s`. For kinds that do not, write the ref out. */
export function resourceRef(
  apiVersion: string,
  kind: string,
  more: { readonly plural?: string; readonly namespaced?: boolean } = {},
): ResourceRef {
  const { plural = `${kind.toLowerCase()}s`, namespaced = true } = more;
  return { apiVersion: apiVersionOf(groupVersionOf(apiVersion)), kind, plural, namespaced };
}
