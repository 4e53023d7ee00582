/**
 * Paths of a resource with their operations. kubectl looks for the parameters of PATCH and for the kind behind a path; generators of clients make a
 * function of each operation, named by its id.
 */
import type { GroupVersion, JsonObject, ResourceDefinition } from "@mecha/kinds";
import { allVerbs, subresourcesOf } from "../discovery/discovery.ts";
import { returnsDeleted } from "../server/verbs.ts";
import { parametersOf, parametersOfCrd, pathParameter, queryParameter } from "./parameters.ts";
import type { GroupVersionKind, OpenApiVersion } from "./schema.ts";

/** HTTP methods by verb of the API, and what the operation is called. */
const verbs = {
  list: { method: "get", action: "list", called: "list" },
  create: { method: "post", action: "post", called: "create" },
  deletecollection: { method: "delete", action: "deletecollection", called: "delete" },
  get: { method: "get", action: "get", called: "read" },
  update: { method: "put", action: "put", called: "replace" },
  delete: { method: "delete", action: "delete", called: "delete" },
  patch: { method: "patch", action: "patch", called: "patch" },
  watch: { method: "get", action: "watch", called: "watch" },
  watchlist: { method: "get", action: "watchlist", called: "watch" },
} as const;

type Verb = keyof typeof verbs;

const collectionVerbs = ["list", "create", "deletecollection"] as const;
const objectVerbs = ["get", "update", "delete", "patch"] as const;

const json = ["application/json", "application/yaml"];
/** A list may be watched. */
const listed = ["application/json", "application/json;stream=watch", "application/yaml"];
const strategic = "application/strategic-merge-patch+json";
const patchTypes = ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json", strategic];

const statuses: Readonly<Record<string, string>> = { 200: "OK", 201: "Created", 202: "Accepted", 401: "Unauthorized" };

/** What operations of a resource refer to. */
export interface OperationTypes {
  readonly object: JsonObject;
  readonly list: JsonObject;
  /** Of what a subresource takes and answers. */
  readonly subresource: (of: GroupVersionKind) => JsonObject;
  readonly status: JsonObject;
  readonly deleteOptions: JsonObject;
  readonly patch: JsonObject;
  readonly watchEvent: JsonObject;
}

/** Every path of a resource, with its operations. */
export function pathsOf(definition: ResourceDefinition, types: OperationTypes, version: OpenApiVersion): JsonObject {
  const { group, plural, namespaced, kind } = definition;
  const root = group === "" ? `/api/${definition.version}` : `/apis/${group}/${definition.version}`;
  const collection = namespaced ? `${root}/namespaces/{namespace}/${plural}` : `${root}/${plural}`;
  const item = `${collection}/{name}`;
  const operations = new Operations(definition, types, version);
  const served = (verb: string): boolean => (definition.verbs ?? allVerbs).includes(verb);
  const paths: Record<string, JsonObject> = {};
  const add = (path: string, made: Readonly<Record<string, JsonObject>>): void => {
    if (Object.keys(made).length > 0) paths[path] = withShared(made);
  };
  const pick = (path: string, from: readonly Verb[]): Record<string, JsonObject> =>
    Object.fromEntries(from.filter(served).map((verb) => [verbs[verb].method, operations.of(verb, path)]));
  if (namespaced && served("list")) add(`${root}/${plural}`, { get: operations.of("list", `${root}/${plural}`) });
  add(collection, pick(collection, collectionVerbs));
  add(item, pick(item, objectVerbs));
  // By the old paths; those of CRDs are served, and not told of.
  if (served("watch") && !definition.openAPISchema) {
    const below = (path: string): string => path.replace(root, `${root}/watch`);
    if (namespaced) add(below(`${root}/${plural}`), { get: operations.of("watchlist", below(`${root}/${plural}`)) });
    add(below(collection), { get: operations.of("watchlist", below(collection)) });
    add(below(item), { get: operations.of("watch", below(item)) });
  }
  for (const sub of subresourcesOf(definition)) {
    const path = `${item}/${sub.name}`;
    // Custom resources have their own kind there, whatever is sent.
    const gvk = definition.openAPISchema ? { group, version: definition.version, kind } : sub;
    add(
      path,
      Object.fromEntries(
        sub.verbs.map((verb) => [verbs[verb as Verb].method, operations.below(verb as Verb, path, sub.name, types.subresource(sub), gvk)]),
      ),
    );
  }
  return paths;
}

/** Parameters every operation of a path has are the path's. */
function withShared(operations: Readonly<Record<string, JsonObject>>): JsonObject {
  const lists = Object.values(operations).map(({ parameters }) => (parameters ?? []) as readonly JsonObject[]);
  const shared = (lists[0] ?? []).filter(
    (one) => one["in"] !== "body" && lists.every((list) => list.some(({ name, in: where }) => name === one["name"] && where === one["in"])),
  );
  const own = Object.entries(operations).map(([method, { parameters, ...operation }]): readonly [string, JsonObject] => {
    const left = ((parameters ?? []) as readonly JsonObject[]).filter((one) => !shared.some(({ name }) => name === one["name"]));
    return [method, { ...operation, ...(left.length > 0 && { parameters: left }) }];
  });
  return { ...Object.fromEntries(own), ...(shared.length > 0 && { parameters: shared }) };
}

class Operations {
  readonly #definition: ResourceDefinition;
  readonly #types: OperationTypes;
  readonly #version: OpenApiVersion;

  constructor(definition: ResourceDefinition, types: OperationTypes, version: OpenApiVersion) {
    this.#definition = definition;
    this.#types = types;
    this.#version = version;
  }

  /** Of the resource itself. */
  of(verb: Verb, path: string): JsonObject {
    const { group, version, kind, namespaced } = this.#definition;
    const everywhere = namespaced && !path.includes("{namespace}");
    const place = everywhere || !namespaced ? "" : "Namespaced";
    const [before, after] = [verb === "deletecollection" ? "Collection" : "", verb === "watchlist" ? "List" : ""];
    return this.#operation(verb, path, {
      id: `${before}${place}${kind}${after}${everywhere ? "ForAllNamespaces" : ""}`,
      description: this.#sentence(verb, ""),
      gvk: { group, version, kind },
      body: this.#types.object,
      answer: this.#answer(verb),
    });
  }

  /** Of a subresource. */
  below(verb: Verb, path: string, name: string, schema: JsonObject, gvk: GroupVersionKind): JsonObject {
    const { kind, namespaced } = this.#definition;
    return this.#operation(verb, path, {
      id: `${namespaced ? "Namespaced" : ""}${kind}${capital(name)}`,
      description: this.#sentence(verb, ` ${name} of`),
      gvk: { group: gvk.group, version: gvk.version, kind: gvk.kind },
      body: schema,
      answer: schema,
    });
  }

  #operation(
    verb: Verb,
    path: string,
    about: {
      readonly id: string;
      readonly description: string;
      readonly gvk: GroupVersionKind;
      readonly body: JsonObject;
      readonly answer: JsonObject;
    },
  ): JsonObject {
    const custom = this.#definition.openAPISchema !== undefined;
    const { action, called } = verbs[verb];
    const query = ((custom ? parametersOfCrd : parametersOf)[verb] ?? []).map((name) => queryParameter(name, this.#version));
    const inPath = [...path.matchAll(/\{(\w+)\}/gu)].map(([, name = ""]) => pathParameter(name, this.#definition.kind, this.#version));
    const parameters = [...query, ...inPath, queryParameter("pretty", this.#version)];
    const produces = (verb === "list" || verb.startsWith("watch")) && !custom ? listed : json;
    const codes = answersOf(verb, custom);
    return {
      tags: [tagOf(this.#definition)],
      description: about.description,
      operationId: `${called}${operationGroup(this.#definition)}${about.id}`,
      ...this.#request(verb, about.body, parameters),
      ...(this.#version === 2 && { produces, schemes: ["https"] }),
      responses: Object.fromEntries(codes.map((code) => [code, this.#response(code, about.answer, produces)])),
      "x-kubernetes-action": action,
      "x-kubernetes-group-version-kind": about.gvk,
    };
  }

  #answer(verb: Verb): JsonObject {
    if (verb === "list") return this.#types.list;
    if (verb.startsWith("watch")) return this.#types.watchEvent;
    if (!verb.startsWith("delete")) return this.#types.object;
    // Namespaces are answered whole as well, because they are never gone at once; their document does not say so.
    const whole = verb === "delete" && returnsDeleted(this.#definition) && this.#definition.plural !== "namespaces";
    return whole ? this.#types.object : this.#types.status;
  }

  #response(code: string, schema: JsonObject, types: readonly string[]): JsonObject {
    const description = statuses[code];
    if (code === "401") return { description };
    if (this.#version === 2) return { description, schema };
    return { description, content: Object.fromEntries(types.map((type) => [type, { schema }])) };
  }

  #request(verb: Verb, object: JsonObject, parameters: readonly JsonObject[]): JsonObject {
    const custom = this.#definition.openAPISchema !== undefined;
    const any = custom ? json : ["*/*"];
    const media = verb === "patch" ? patchTypes.filter((type) => this.#definition.strategicPatch || type !== strategic) : any;
    const body = this.#body(verb, object);
    const sorted = (list: readonly JsonObject[]): JsonObject[] => list.toSorted((a, b) => (String(a["name"]) < String(b["name"]) ? -1 : 1));
    if (this.#version === 2)
      return { consumes: media, parameters: sorted(body ? [{ name: "body", in: "body", ...body }, ...parameters] : parameters) };
    const content = body && Object.fromEntries(media.map((type) => [type, { schema: body.schema }]));
    return { parameters: sorted(parameters), ...(body && { requestBody: { content, ...(body.required && { required: true }) } }) };
  }

  #body(verb: Verb, object: JsonObject): { readonly schema: JsonObject; readonly required?: true } | undefined {
    if (verb === "create" || verb === "update") return { required: true, schema: object };
    if (verb === "patch") return { required: true, schema: this.#types.patch };
    const takesOptions = verb === "delete" || (verb === "deletecollection" && !this.#definition.openAPISchema);
    return takesOptions ? { schema: this.#types.deleteOptions } : undefined;
  }

  #sentence(verb: Verb, below: string): string {
    const { kind, openAPISchema } = this.#definition;
    const one = `${/^[AEIOU]/u.test(kind) ? "an" : "a"} ${kind}`;
    switch (verb) {
      case "list":
        return `list ${openAPISchema ? "" : "or watch "}objects of kind ${kind}`;
      case "deletecollection":
        return `delete collection of ${kind}`;
      case "watchlist":
        return `watch changes to objects of kind ${kind}. deprecated: list with the parameter watch`;
      case "watch":
        return `watch changes to one object of kind ${kind}. deprecated: list with the parameters watch and fieldSelector`;
      case "create":
      case "delete":
        return `${verb}${below} ${one}`;
      case "get":
      case "update":
      case "patch":
        return `${verb === "patch" ? "partially update" : verbs[verb].called}${below} the specified ${kind}`;
    }
  }
}

/** HTTP statuses an operation's success may have, and the one who is not known gets. */
function answersOf(verb: Verb, custom: boolean): readonly string[] {
  if (verb === "create") return ["200", "201", "202", "401"];
  if (verb === "update" || (verb === "patch" && !custom)) return ["200", "201", "401"];
  return verb === "delete" ? ["200", "202", "401"] : ["200", "401"];
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** `rbac.authorization.k8s.io` is rbacAuthorization, the core group core. */
export function groupName(group: string): string {
  const words = (group === "" ? "core" : group.replace(/\.k8s\.io$/u, "")).split(/[.-]/u);
  return words.map((word, i) => (i === 0 ? word : capital(word))).join("");
}

/** `apps_v1` */
export const tagOf = ({ group, version }: GroupVersion): string => `${groupName(group)}_${version}`;

/** `AppsV1` */
export const operationGroup = ({ group, version }: GroupVersion): string => `${capital(groupName(group))}${capital(version)}`;
