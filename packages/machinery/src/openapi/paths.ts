/** Operations of a resource, as far as clients ask for them: kubectl looks for the parameters of PATCH and for the kind behind a path. */
import type { JsonObject, ResourceDefinition } from "@mecha/kinds";
import type { OpenApiVersion } from "./schema.ts";

/** Verbs of the API by method; the collection's and the object's. */
const collectionMethods = { get: "list", post: "create", delete: "deletecollection" } as const;
const objectMethods = { get: "get", put: "update", patch: "patch", delete: "delete" } as const;

/** Query parameters by verb. kubectl validates on the server only where PATCH lists fieldValidation, and dry-runs only where it lists dryRun. */
const parametersOf: Readonly<Record<string, readonly (readonly [name: string, type: "string" | "integer" | "boolean"])[]>> = {
  list: [
    ["allowWatchBookmarks", "boolean"],
    ["continue", "string"],
    ["fieldSelector", "string"],
    ["labelSelector", "string"],
    ["limit", "integer"],
    ["resourceVersion", "string"],
    ["resourceVersionMatch", "string"],
    ["sendInitialEvents", "boolean"],
    ["timeoutSeconds", "integer"],
    ["watch", "boolean"],
  ],
  create: [
    ["dryRun", "string"],
    ["fieldManager", "string"],
    ["fieldValidation", "string"],
  ],
  update: [
    ["dryRun", "string"],
    ["fieldManager", "string"],
    ["fieldValidation", "string"],
  ],
  patch: [
    ["dryRun", "string"],
    ["fieldManager", "string"],
    ["fieldValidation", "string"],
    ["force", "boolean"],
  ],
  delete: [
    ["dryRun", "string"],
    ["gracePeriodSeconds", "integer"],
    ["orphanDependents", "boolean"],
    ["propagationPolicy", "string"],
  ],
  deletecollection: [
    ["continue", "string"],
    ["dryRun", "string"],
    ["fieldSelector", "string"],
    ["gracePeriodSeconds", "integer"],
    ["labelSelector", "string"],
    ["propagationPolicy", "string"],
  ],
};

const strategic = "application/strategic-merge-patch+json";
const patchTypes = ["application/json-patch+json", "application/merge-patch+json", strategic, "application/apply-patch+yaml"];

/** What operations of one resource refer to. */
export interface PathNames {
  /** Reference to the kind's schema. */
  readonly object: JsonObject;
  /** Reference to the list's schema. */
  readonly list: JsonObject;
  readonly scale?: JsonObject;
}

/** Every path of a resource, with its operations. */
export function pathsOf(definition: ResourceDefinition, names: PathNames, version: OpenApiVersion): JsonObject {
  const { group, plural, namespaced } = definition;
  const root = group === "" ? `/api/${definition.version}` : `/apis/${group}/${definition.version}`;
  const collection = namespaced ? `${root}/namespaces/{namespace}/${plural}` : `${root}/${plural}`;
  const item = `${collection}/{name}`;
  const served = (verb: string): boolean => !definition.verbs || definition.verbs.includes(verb);
  const build = new PathBuilder(definition, version);
  const paths: JsonObject = {};
  const add = (path: string, operations: JsonObject): void => {
    if (Object.keys(operations).length > 0) paths[path] = { ...operations, ...build.pathParameters(path) };
  };
  const pick = (methods: Readonly<Record<string, string>>, answer: (verb: string) => JsonObject): JsonObject =>
    Object.fromEntries(
      Object.entries(methods)
        .filter(([, verb]) => served(verb))
        .map(([method, verb]) => [method, build.operation(verb, answer(verb), definition.kind)]),
    );
  if (namespaced && served("list")) add(`${root}/${plural}`, { get: build.operation("list", names.list, definition.kind) });
  add(
    collection,
    pick(collectionMethods, (verb) => (verb === "list" ? names.list : names.object)),
  );
  add(
    item,
    pick(objectMethods, () => names.object),
  );
  const { delete: _delete, ...statusMethods } = objectMethods;
  if (definition.status && served("update"))
    add(
      `${item}/status`,
      pick(statusMethods, () => names.object),
    );
  if (definition.scale && names.scale) {
    const { scale } = names;
    const operations = Object.entries(statusMethods).map(([method, verb]) => [method, build.operation(verb, scale, "Scale")] as const);
    add(`${item}/scale`, Object.fromEntries(operations));
  }
  return paths;
}

class PathBuilder {
  readonly #definition: ResourceDefinition;
  readonly #version: OpenApiVersion;

  constructor(definition: ResourceDefinition, version: OpenApiVersion) {
    this.#definition = definition;
    this.#version = version;
  }

  operation(verb: string, schema: JsonObject, kind: string): JsonObject {
    const { group, version } = this.#definition;
    const gvk = kind === "Scale" ? { group: "autoscaling", version: "v1", kind } : { group, version, kind };
    const takesBody = verb === "create" || verb === "update" || verb === "patch";
    const parameters = (parametersOf[verb] ?? []).map(([name, type]) => this.#parameter(name, "query", type));
    return {
      "x-kubernetes-action": verb === "create" ? "post" : verb === "update" ? "put" : verb,
      "x-kubernetes-group-version-kind": gvk,
      ...this.#body(verb, schema, takesBody, parameters),
      responses: {
        "200": this.#version === 3 ? { description: "OK", content: { "application/json": { schema } } } : { description: "OK", schema },
      },
    };
  }

  pathParameters(path: string): JsonObject {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
    return names.length === 0 ? {} : { parameters: names.map((name) => this.#parameter(name, "path", "string")) };
  }

  #parameter(name: string, where: "query" | "path", type: string): JsonObject {
    const shared = { name, in: where, ...(where === "path" && { required: true }) };
    return this.#version === 3 ? { ...shared, schema: { type, uniqueItems: true } } : { ...shared, type, uniqueItems: true };
  }

  #body(verb: string, schema: JsonObject, takesBody: boolean, parameters: readonly JsonObject[]): JsonObject {
    const patch = verb === "patch";
    // kubectl apply sends a strategic merge patch to whoever lists it.
    const media = patch
      ? patchTypes.filter((type) => this.#definition.strategicPatch || type !== strategic)
      : ["application/json", "application/yaml"];
    const content = patch ? { type: "object" } : schema;
    if (this.#version === 3)
      return {
        ...(parameters.length > 0 && { parameters }),
        ...(takesBody && {
          requestBody: { required: true, content: Object.fromEntries(media.map((type) => [type, { schema: content }])) },
        }),
      };
    const body = { name: "body", in: "body", required: true, schema: content };
    return {
      consumes: takesBody ? media : ["*/*"],
      produces: ["application/json", "application/yaml"],
      parameters: takesBody ? [body, ...parameters] : parameters,
    };
  }
}
