/** OpenAPI documents of what a registry serves: one of version 3 for each group and version, one of version 2 for all. */
import { apiVersionOf, type JsonObject, kubernetesTypes, kubernetesVersion, type ResourceDefinition } from "@mecha/kinds";
import { crdSchema } from "./crd-schema.ts";
import { pathsOf } from "./paths.ts";
import { type OpenApiVersion, SchemaSet } from "./schema.ts";

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1.";
const scaleType = "io.k8s.api.autoscaling.v1.Scale";
const title = "Kubernetes";

/** Document of one group and version. `definitions` are all of it. */
export function openApiV3(definitions: readonly ResourceDefinition[]): JsonObject {
  const { paths, schemas } = contents(definitions, 3);
  return { openapi: "3.0.0", info: { title, version: kubernetesVersion }, paths, components: { schemas } };
}

/** Document of everything. */
export function openApiV2(definitions: readonly ResourceDefinition[]): JsonObject {
  const { paths, schemas } = contents(definitions, 2);
  return { swagger: "2.0", info: { title, version: kubernetesVersion }, paths, definitions: schemas };
}

function contents(
  definitions: readonly ResourceDefinition[],
  version: OpenApiVersion,
): { readonly paths: JsonObject; readonly schemas: JsonObject } {
  const set = new SchemaSet(version);
  const paths: JsonObject = {};
  for (const definition of definitions) Object.assign(paths, addResource(definition, set, version));
  for (const options of ["DeleteOptions", "Status"]) {
    set.add(kubernetesTypes(), meta + options);
    const groups = options === "Status" ? [{ group: "", version: "v1" }] : definitions;
    for (const { group, version: of } of groups) set.mark(meta + options, { group, version: of, kind: options });
  }
  return { paths, schemas: set.schemas() };
}

function addResource(definition: ResourceDefinition, set: SchemaSet, version: OpenApiVersion): JsonObject {
  const { types, type, kind, listKind, group } = definition;
  const gvk = { group, version: definition.version };
  if (definition.openAPISchema) {
    set.add(kubernetesTypes(), `${meta}ObjectMeta`);
    set.put(
      type,
      crdSchema(definition.openAPISchema, version, (name) => set.reference(name)),
    );
  } else set.add(types, type);
  set.mark(type, { ...gvk, kind });
  const list = `${type}List`;
  if (!definition.verbs || definition.verbs.includes("list")) {
    if (types.has(list)) set.add(types, list);
    else set.put(list, listSchema(definition, set));
    set.mark(list, { ...gvk, kind: listKind });
  }
  if (definition.scale) {
    set.add(kubernetesTypes(), scaleType);
    set.mark(scaleType, { group: "autoscaling", version: "v1", kind: "Scale" });
  }
  const names = { object: set.reference(type), list: set.reference(list), ...(definition.scale && { scale: set.reference(scaleType) }) };
  return pathsOf(definition, names, version);
}

/** Kinds that are not Kubernetes' have no list type in their tables. */
function listSchema(definition: ResourceDefinition, set: SchemaSet): JsonObject {
  set.add(kubernetesTypes(), `${meta}ListMeta`);
  return {
    type: "object",
    description: `A list of objects of kind ${definition.kind}.`,
    required: ["items"],
    properties: {
      apiVersion: { type: "string", description: `Always ${apiVersionOf(definition)}.` },
      kind: { type: "string", description: `Always ${definition.listKind}.` },
      metadata: set.reference(`${meta}ListMeta`),
      items: { type: "array", items: set.reference(definition.type) },
    },
  };
}
