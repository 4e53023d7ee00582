/**
 * OpenAPI documents of what a registry serves: of version 3 one for each group and version, for each group, and for what is no resource; one of version 2
 * for all.
 */
import {
  apiVersionOf,
  type GroupVersion,
  type JsonObject,
  kubernetesTypes,
  kubernetesVersion,
  type ResourceDefinition,
} from "@mecha/kinds";
import { crdSchema } from "./crd-schema.ts";
import {
  corePath,
  groupPath,
  groupsPath,
  indexOperation,
  type IndexPath,
  resourcesPath,
  versionPath,
  versionSchema,
  versionType,
} from "./index-paths.ts";
import { pathsOf } from "./operations.ts";
import { type GroupVersionKind, type OpenApiVersion, SchemaSet, typeOfKind } from "./schema.ts";

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1.";
const security = { BearerToken: { type: "apiKey", description: "Bearer Token authentication", name: "authorization", in: "header" } };
const info = { title: "Kubernetes", version: /\d+\.\d+/u.exec(kubernetesVersion)?.[0] ?? kubernetesVersion };
/** How documents of CRDs call themselves; they say nothing of who may ask. */
const customInfo = { title: "Kubernetes CRD Swagger", version: "v0.1.0" };

/** Document of one group and version. `definitions` are all of it. */
export function openApiV3(definitions: readonly ResourceDefinition[]): JsonObject {
  const build = new DocumentBuilder(3);
  build.addResources(definitions);
  return definitions.every(isCustom) ? build.v3(customInfo) : build.v3(info, { securitySchemes: security });
}

/** Document of paths that are no resource. */
function indexV3(path: IndexPath): JsonObject {
  const build = new DocumentBuilder(3);
  build.addIndex(path);
  return build.v3(info, { securitySchemes: security });
}

/** By path, what makes the documents of paths that are no resource. Groups of CRDs have none. */
export function indexDocuments(definitions: readonly ResourceDefinition[]): ReadonlyMap<string, () => JsonObject> {
  const groups = builtInGroups(definitions).map((group) => [`apis/${group}`, () => indexV3(groupPath(group))] as const);
  return new Map([
    ["api", () => indexV3(corePath)],
    ["apis", () => indexV3(groupsPath)],
    ...groups,
    ["version", () => indexV3(versionPath)],
  ]);
}

/** Document of everything. */
export function openApiV2(definitions: readonly ResourceDefinition[]): JsonObject {
  const build = new DocumentBuilder(2);
  for (const path of [corePath, groupsPath, ...builtInGroups(definitions).map(groupPath), versionPath]) build.addIndex(path);
  for (const version of Map.groupBy(definitions, apiVersionOf).values()) build.addResources(version);
  return build.v2();
}

const isCustom = ({ openAPISchema }: ResourceDefinition): boolean => openAPISchema !== undefined;

const builtInGroups = (definitions: readonly ResourceDefinition[]): string[] => [
  ...new Set(definitions.filter((each) => each.group !== "" && !isCustom(each)).map(({ group }) => group)),
];

class DocumentBuilder {
  readonly #version: OpenApiVersion;
  readonly #set: SchemaSet;
  readonly #paths: Record<string, JsonObject> = {};

  constructor(version: OpenApiVersion) {
    this.#version = version;
    this.#set = new SchemaSet(version);
  }

  /** Of one group and version. */
  addResources(definitions: readonly ResourceDefinition[]): void {
    const [first] = definitions;
    if (!first) return;
    if (!definitions.every(isCustom)) this.addIndex(resourcesPath(first));
    for (const definition of definitions) this.#addResource(definition);
    for (const each of [{ group: "", version: "v1" }, first])
      for (const kind of ["DeleteOptions", "WatchEvent"]) this.#set.mark(meta + kind, kindOf(each, kind));
  }

  addIndex(path: IndexPath): void {
    if (path.type === versionType) this.#set.put(versionType, versionSchema(this.#version));
    this.#paths[path.path] = indexOperation(path, this.#type(path.type), this.#version);
  }

  v3(about: JsonObject, components: JsonObject = {}): JsonObject {
    return { openapi: "3.0.0", info: about, paths: sorted(this.#paths), components: { schemas: this.#set.schemas(), ...components } };
  }

  v2(): JsonObject {
    return {
      swagger: "2.0",
      info,
      paths: sorted(this.#paths),
      definitions: this.#set.schemas(),
      securityDefinitions: security,
      security: [{ BearerToken: [] }],
    };
  }

  #type(type: string): JsonObject {
    if (kubernetesTypes().has(type)) this.#set.add(kubernetesTypes(), type);
    return this.#set.reference(type);
  }

  #addResource(definition: ResourceDefinition): void {
    const { types, type, kind } = definition;
    const [set, list] = [this.#set, `${type}List`];
    if (definition.openAPISchema) this.#addCustom(definition, definition.openAPISchema);
    else {
      set.add(types, type);
      if (types.has(list)) set.add(types, list);
    }
    const below = (of: GroupVersionKind): JsonObject => {
      const other = of.kind === kind ? undefined : typeOfKind(of);
      return other === undefined ? set.reference(type) : this.#type(other);
    };
    const patch = `${meta}Patch`;
    const own = pathsOf(
      definition,
      {
        object: set.reference(type),
        list: set.reference(list),
        subresource: below,
        status: set.reference(`${meta}Status`),
        deleteOptions: set.reference(`${meta}DeleteOptions`),
        patch: set.reference(patch),
        watchEvent: set.reference(`${meta}WatchEvent`),
      },
      this.#version,
    );
    Object.assign(this.#paths, own);
    if (definition.verbs && !definition.verbs.includes("delete")) return;
    for (const shared of ["DeleteOptions", "Status", ...(isCustom(definition) ? [] : ["WatchEvent"])]) this.#type(meta + shared);
    set.put(patch, { type: "object", description: "A patch, in the form its media type says." });
  }

  #addCustom(definition: ResourceDefinition, schema: JsonObject): void {
    const { type, kind, listKind, selectableFields } = definition;
    const list = `${type}List`;
    const selectable = [...(selectableFields?.keys() ?? [])].map((fieldPath) => ({ fieldPath }));
    const more = selectable.length > 0 && { "x-kubernetes-selectable-fields": selectable };
    this.#type(`${meta}ObjectMeta`);
    const shown = crdSchema(schema, this.#version, (name) => this.#set.reference(name));
    this.#set.put(type, { ...shown, ...more });
    this.#set.put(list, { ...this.#listSchema(definition), ...more });
    this.#set.mark(type, kindOf(definition, kind));
    this.#set.mark(list, kindOf(definition, listKind));
  }

  /** Kinds that are not Kubernetes' have no list type in their tables. */
  #listSchema(definition: ResourceDefinition): JsonObject {
    const [metadata, description] = [this.#type(`${meta}ListMeta`), "The version the list is of, and where to go on."];
    return {
      type: "object",
      description: `A list of objects of kind ${definition.kind}.`,
      required: ["items"],
      properties: {
        apiVersion: { type: "string", description: `Always ${apiVersionOf(definition)}.` },
        kind: { type: "string", description: `Always ${definition.listKind}.` },
        metadata: this.#version === 3 ? { allOf: [metadata], description } : { ...metadata, description },
        items: { type: "array", description: "The objects.", items: this.#set.reference(definition.type) },
      },
    };
  }
}

const kindOf = ({ group, version }: GroupVersion, kind: string): GroupVersionKind => ({ group, version, kind });

const sorted = (paths: Readonly<Record<string, JsonObject>>): JsonObject =>
  Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1)));
