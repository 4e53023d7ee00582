/**
 * The API server as a function of requests: discovery, health, resources, watches. It has no sockets: apps/apiserver puts TLS before it, and
 * controllers of this process call it directly (in-process.ts).
 *
 * A request goes: authorization, then the fixed paths (fixed-paths.ts), else route → verb → result (verbs.ts) → the form Accept asks for.
 */
import type { Clock, Random } from "@mecha/kit";
import { type JsonObject, type KubeObject, type ResourceDefinition } from "@mecha/kinds";
import type { ApiAnswer, ApiRequest } from "../client.ts";
import type { ObjectLog } from "../object-log.ts";
import { fieldTracker } from "../apply/tracker.ts";
import { crdGroup, withSchemas } from "../crd/crd-kind.ts";
import { CrdServing } from "../crd/serving.ts";
import { allVerbs } from "../discovery/discovery.ts";
import { Registry } from "../registry/registry.ts";
import { methodNotAllowed, noSuchResource, notFound, StatusError } from "../status.ts";
import { partialOf, type Shown, tableOf } from "../table/table.ts";
import { WatchCache } from "../watch/cache.ts";
import { type AccessRequest, type Authorizer, type Caller, mastersOnly } from "./access.ts";
import { defaultServiceRanges, ServiceAddresses, type ServiceRanges } from "./addresses.ts";
import { answerOf, pageNotFound, statusAnswer } from "./answer.ts";
import type { ProtobufDecoder } from "./body.ts";
import { type FieldTracker, type ServerParts, storedResource } from "./context.ts";
import { fixedPath, type FixedPaths } from "./fixed-paths.ts";
import { initialNamespaces } from "./namespaces.ts";
import { accepted, acceptedOfLists, mustProduce, type Negotiated, negotiate, negotiatedError, wantsPretty } from "./negotiate.ts";
import { type Admit, specialKey, type Specials } from "./specials.ts";
import { accessOf, accessRequestOf, forbiddenAccess } from "./access-request.ts";
import { badRequest, includeObjectOf, isWatch, watchOptions, writeOptions } from "./options.ts";
import type { Listing } from "./read.ts";
import { scaleDefinition } from "./scale.ts";
import { parseRoute, type ResourceRoute, watchByParameter } from "./route.ts";
import { type ResourceRequest, type Result, warned, withTold } from "./request.ts";
import { listObject, perform, performSpecial, type Verb } from "./verbs.ts";
import { Watching } from "./watch.ts";
import { create } from "./write.ts";

export interface KubeServerOptions {
  readonly log: ObjectLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly definitions: readonly ResourceDefinition[];
  /** Default: members of system:masters may do everything, others nothing. */
  readonly authorize?: Authorizer;
  /** Absent: Protobuf bodies are refused (415). */
  readonly protobuf?: ProtobufDecoder;
  /** Default: by the types of the kinds served. */
  readonly fields?: FieldTracker;
  /** Default: defaultServiceRanges. */
  readonly services?: ServiceRanges;
  /** Called when the log can no longer be written; the process has to end. */
  readonly fatal?: (error: unknown) => void;
  /** What is answered instead of stored. */
  readonly specials?: Specials;
  /** Asked about each change that is to be written, after its checks. */
  readonly admit?: Admit;
  /** What else is served at fixed paths: OpenAPI, metrics. */
  readonly paths?: FixedPaths;
}

/** What a request gives. */
export type Served =
  | { readonly is: "answer"; readonly answer: ApiAnswer }
  /** 200, then events until it ends. `encode` gives an event the form the client asked for. */
  | { readonly is: "watch"; readonly watching: Watching; readonly form: WatchForm };

export interface WatchForm {
  readonly contentType: string;
  readonly encode: (event: { readonly type: string; readonly object: JsonObject }) => JsonObject;
}

const verbsByMethod = {
  GET: { collection: "list", object: "get" },
  POST: { collection: "create", object: undefined },
  PUT: { collection: undefined, object: "update" },
  PATCH: { collection: undefined, object: "patch" },
  DELETE: { collection: "deletecollection", object: "delete" },
} as const satisfies Record<ApiRequest["method"], Record<"collection" | "object", Verb | undefined>>;

const ofObjects: ReadonlySet<string> = new Set(["get", "update", "patch", "delete"]);

export class KubeServer {
  /** Kinds can be added and taken away while it runs. */
  readonly registry: Registry;
  readonly #parts: ServerParts;
  readonly #options: KubeServerOptions;
  readonly #authorize: Authorizer;
  readonly #crds: CrdServing;

  private constructor(options: KubeServerOptions, cache: WatchCache) {
    this.#options = options;
    this.#authorize = options.authorize ?? mastersOnly;
    this.registry = new Registry(options.definitions.map(withSchemas));
    const { clock, random } = options;
    const fields = options.fields ?? fieldTracker(this.registry);
    const addresses = new ServiceAddresses(cache, random, options.services ?? defaultServiceRanges);
    this.#parts = { cache, registry: this.registry, clock, random, fields, addresses };
    this.#crds = new CrdServing(this.#parts);
  }

  /** Reads the log and makes the namespaces every cluster has. */
  static async open(options: KubeServerOptions): Promise<KubeServer> {
    const server = new KubeServer(options, await WatchCache.open(options.log, options.fatal));
    await server.#makeNamespaces();
    await server.#crds.settled();
    return server;
  }

  /** Of the Service of the API server itself: the first of the range. */
  get serviceAddress(): string {
    return this.#parts.addresses.firstAddress;
  }

  /** Of the last committed write. */
  get revision(): number {
    return this.#parts.cache.revision;
  }

  /** Objects stored, by `group/plural`. */
  *counts(): Iterable<readonly [resource: string, objects: number]> {
    for (const resource of this.#parts.cache.resources()) yield [resource, this.#parts.cache.shelf(resource).size];
  }

  /** One object as it is stored; never change it. @param resource `group/plural`. */
  object(resource: string, namespace: string, name: string): KubeObject | undefined {
    return this.#parts.cache.shelf(resource).get(namespace, name)?.object;
  }

  /** Objects of a resource, of one namespace when one is named; never change them. @param resource `group/plural`. */
  *objects(resource: string, namespace?: string): Iterable<KubeObject> {
    for (const { object } of this.#parts.cache.shelf(resource).list(namespace)) yield object;
  }

  /** Never rejects: failures are answers. */
  async serve(request: ApiRequest, caller: Caller): Promise<Served> {
    const query = new URLSearchParams(request.query);
    const pretty = wantsPretty(query, request.headers["user-agent"]);
    try {
      return await this.#serve(request, caller, query, pretty);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      return { is: "answer", answer: statusAnswer(error, negotiatedError(request.headers.accept, pretty)) };
    }
  }

  async #serve(request: ApiRequest, caller: Caller, query: URLSearchParams, pretty: boolean): Promise<Served> {
    const { method, path } = request;
    const route = parseRoute(path);
    // Asked first, so that nobody learns what there is from how they are refused.
    this.#mayAccess(caller, accessRequestOf(method, path, query, route));
    const definition = route && this.registry.find(route, route.plural);
    if (!route || !definition) {
      const fixed = fixedPath(request, query, pretty, {
        registry: this.registry,
        more: this.#options.paths,
      });
      const answer = await fixed;
      if (!answer && this.#knowsGroup(path)) throw noSuchResource();
      return { is: "answer", answer: answer ?? pageNotFound() };
    }
    if (!route.watch) return this.#resource(request, caller, { route, definition, query, pretty });
    if (route.subresource !== undefined) throw noSuchResource();
    if (method !== "GET") throw methodNotAllowed();
    return this.#resource(request, caller, { ...watchByParameter(route, query), definition, pretty });
  }

  /** Is the path below a group of built-in kinds? What is not there is told by a Status then; elsewhere by a plain page. */
  #knowsGroup(path: string): boolean {
    const [, root, group] = path.split("/");
    if (root === "api") return group !== undefined;
    return root === "apis" && this.#options.definitions.some((definition) => definition.group === group);
  }

  async #resource(request: ApiRequest, caller: Caller, found: Found): Promise<Served> {
    const { route, definition, query } = found;
    if (route.name !== undefined && definition.streams?.includes(route.subresource ?? "")) throw this.#notRun(found);
    const special = request.method === "POST" ? this.#options.specials?.get(specialKey(definition, route.subresource)) : undefined;
    if (!special && !reaches(route, definition)) {
      if (definition.strategicPatch) throw noSuchResource();
      return { is: "answer", answer: pageNotFound() };
    }
    const watch = isWatch(query) && request.method === "GET" && route.name === undefined;
    const verb = special ? "create" : verbOf(request.method, route, definition);
    const allowed = definition.verbs ?? allVerbs;
    // What is only answered has no objects, so no paths of them.
    if (route.name !== undefined && !special && !allowed.some((each) => ofObjects.has(each))) throw noSuchResource();
    if (
      !verb ||
      !allowed.includes(watch ? "watch" : verb) ||
      (!special && route.subresource !== undefined && verb !== "get" && verb !== "update" && verb !== "patch")
    )
      throw methodNotAllowed();
    if (definition.strategicPatch) mustProduce(request.headers.accept, verb === "list" ? acceptedOfLists : accepted);
    const negotiated = negotiate(
      request.headers.accept,
      verb === "get" || verb === "list" || route.subresource === undefined,
      found.pretty,
    );
    if (watch) return this.#watch(found, negotiated);
    const asked = this.#request(request, caller, found);
    const result = await warned(
      definition.deprecation === undefined ? [] : [definition.deprecation],
      withTold(asked, special ? performSpecial(special, asked) : perform(verb, asked)),
    );
    // Whoever made a CRD goes on with objects of its kind: answered when it is served.
    if (definition.group === crdGroup && verb !== "get" && verb !== "list") await this.#crds.settled();
    return { is: "answer", answer: this.#answer(result, negotiated, found) };
  }

  /** Why a stream to a Pod cannot be had. */
  #notRun({ route, definition }: Found): StatusError {
    const { name = "", subresource = "" } = route;
    if (!this.object(`${definition.group}/${definition.plural}`, route.namespace, name))
      return notFound(definition.plural, definition.group, name);
    const { singular, kind, plural } = definition;
    return badRequest(
      `${singular} ${name} does not have a host assigned: this server keeps ${kind}s and runs none (${plural}/${subresource})`,
    );
  }

  #request({ headers, body }: ApiRequest, caller: Caller, { route, definition, query }: Found): ResourceRequest {
    const { name, subresource, namespace } = route;
    const { protobuf, admit } = this.#options;
    const mayCreate = (): void => this.#mayAccess(caller, accessOf(route, "create"));
    return {
      parts: this.#parts,
      caller,
      definition,
      namespace,
      name,
      subresource,
      query,
      headers,
      body,
      protobuf,
      admit,
      mayCreate,
      told: [],
    };
  }

  #watch({ route, definition, query }: Found, { shape, media }: Negotiated): Served {
    if (media !== "json")
      throw new StatusError("NotAcceptable", "only the following media types are accepted: application/json;stream=watch");
    const options = watchOptions(query, definition);
    const watching = new Watching(this.#parts, { definition, namespace: route.namespace }, options);
    let first = true;
    if (shape.as === "PartialObjectMetadataList") throw noList(definition.kind, definition);
    const encode: WatchForm["encode"] = ({ type, object }) => {
      if (type === "ERROR" || shape.as === "object") return object;
      if (shape.as === "PartialObjectMetadata") return partialOf(object as KubeObject, shape.version, definition);
      const columns = first;
      first = false;
      const nowMs = this.#parts.clock.wall();
      const { includeObject } = options;
      const { resourceVersion } = object.metadata as { resourceVersion?: string };
      const metadata = { resourceVersion };
      return tableOf(definition, [object as KubeObject], metadata, { version: shape.version, includeObject, nowMs, columns });
    };
    return { is: "watch", watching, form: { contentType: "application/json", encode } };
  }

  #answer(result: Result, negotiated: Negotiated, { query, definition: asked }: Found): ApiAnswer {
    const deprecated = asked.deprecation === undefined ? [] : [asked.deprecation];
    if (result.is === "status") return answerOf(result.status ?? 200, result.object, negotiated, [...deprecated, ...result.warnings]);
    const { definition } = result;
    const warnings = [...deprecated, ...result.warnings];
    if (result.is === "list") return answerOf(200, this.#shapedList(result.listing, definition, negotiated, query), negotiated, warnings);
    return answerOf(result.status, this.#shaped(result.object, definition, negotiated, query), negotiated, warnings);
  }

  #shaped(object: KubeObject, definition: ResourceDefinition, { shape }: Negotiated, query: URLSearchParams): unknown {
    if (shape.as === "object" || (object.kind !== definition.kind && object.kind !== scaleDefinition.kind)) return object;
    const shown = object.kind === definition.kind ? definition : scaleDefinition;
    if (shape.as === "PartialObjectMetadata") return partialOf(object, shape.version, shown);
    if (shape.as === "PartialObjectMetadataList") throw noList(object.kind, definition);
    const { resourceVersion } = object.metadata;
    return this.#table([object], shown, { resourceVersion }, shape.version, query);
  }

  #shapedList(listing: Listing, definition: ResourceDefinition, { shape }: Negotiated, query: URLSearchParams): unknown {
    if (shape.as === "object") return listObject(listing, definition);
    if (shape.as === "Table") return this.#table(listing.objects, definition, listing.metadata, shape.version, query);
    if (shape.as === "PartialObjectMetadata") throw isList(definition);
    return {
      kind: "PartialObjectMetadataList",
      apiVersion: `meta.k8s.io/${shape.version}`,
      metadata: listing.metadata,
      items: listing.objects.length === 0 ? null : listing.objects.map((object) => partialOf(object, shape.version, definition)),
    };
  }

  #table(
    objects: readonly KubeObject[],
    definition: Shown,
    metadata: Listing["metadata"],
    version: "v1" | "v1beta1",
    query: URLSearchParams,
  ): JsonObject {
    return tableOf(definition, objects, metadata, { version, includeObject: includeObjectOf(query), nowMs: this.#parts.clock.wall() });
  }

  /** @throws StatusError Forbidden */
  #mayAccess(caller: Caller, access: AccessRequest): void {
    const decision = this.#authorize(caller, access);
    if (!decision.allowed) throw forbiddenAccess(caller, access, decision.reason);
  }

  async #makeNamespaces(): Promise<void> {
    const definition = this.registry.find({ group: "", version: "v1" }, "namespaces");
    if (!definition) return;
    const missing = initialNamespaces.filter((name) => !this.#parts.cache.shelf("/namespaces").get("", name));
    const options = writeOptions(new URLSearchParams(), "mecha");
    await Promise.all(
      missing.map((name) =>
        create(
          this.#parts,
          { definition, namespace: "" },
          { apiVersion: "v1", kind: "Namespace", metadata: { name, labels: { "kubernetes.io/metadata.name": name } } },
          options,
        ),
      ),
    );
  }
}

interface Found {
  readonly route: ResourceRoute;
  readonly definition: ResourceDefinition;
  readonly query: URLSearchParams;
  readonly pretty: boolean;
}

const noList = (kind: string, definition: ResourceDefinition): StatusError =>
  new StatusError(
    "NotAcceptable",
    `you requested PartialObjectMetadataList, but the requested object is not a list (${goType(kind, definition)})`,
  );

const isList = (definition: ResourceDefinition): StatusError =>
  new StatusError(
    "NotAcceptable",
    `you requested PartialObjectMetadata, but the requested object is a list (${goType(definition.listKind, definition)})`,
  );

/** What the real server, which says so, keeps it as. */
function goType(kind: string, definition: ResourceDefinition): string {
  if (!definition.strategicPatch) return kind === definition.listKind ? "*unstructured.UnstructuredList" : "*unstructured.Unstructured";
  const group = kind === scaleDefinition.kind ? "autoscaling" : storedResource(definition).group;
  return `*${group === "" ? "core" : group.split(".", 1)[0]}.${kind}`;
}

/** What the method does there; over all namespaces one can only look. */
function verbOf(method: ApiRequest["method"], { name, namespace }: ResourceRoute, { namespaced }: ResourceDefinition): Verb | undefined {
  const verb: Verb | undefined = verbsByMethod[method][name === undefined ? "collection" : "object"];
  return name === undefined && namespaced && namespace === "" && verb !== "list" ? undefined : verb;
}

/** Scope and subresource of the path fit the resource. */
function reaches({ namespace, name, subresource }: ResourceRoute, definition: ResourceDefinition): boolean {
  if (namespace !== "" && !definition.namespaced) return false;
  // Without a namespace only lists over all of them make sense.
  if (namespace === "" && definition.namespaced && name !== undefined) return false;
  switch (subresource) {
    case undefined:
      return true;
    case "status":
      return definition.status;
    case "scale":
      return definition.scale !== undefined;
    case "finalize":
      return definition.group === "" && definition.plural === "namespaces";
    default:
      return false;
  }
}
