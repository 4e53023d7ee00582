/** The server's record of who set which field, by the types of the kinds it serves. */
import {
  groupVersionOf,
  decodeByType,
  type JsonObject,
  type ManagedFieldsEntry,
  numberAt,
  objectAt,
  type ResourceDefinition,
  apiVersionOf,
  type KubeObject,
} from "@mecha/kinds";
import { copy } from "../json.ts";
import type { Registry } from "../registry/registry.ts";
import type { FieldTracker } from "../server/context.ts";
import { applyPatch, type FieldContext, resetFields, trackUpdate } from "./apply.ts";
import { isOfType, mayLackKeys } from "./check.ts";
import type { Schema } from "./shape.ts";

/** A request that applies or changes an object. */
export interface FieldRequest {
  readonly definition: ResourceDefinition;
  readonly manager: string;
  readonly subresource: string | undefined;
  readonly nowMs: number;
}

/** Keeps managedFields for every kind in the registry. */
export function fieldTracker(registry: Registry): FieldTracker {
  return {
    track: ({ old, next, ...request }): readonly ManagedFieldsEntry[] | undefined => {
      if (old && !isReadByAll(registry, request.definition, old, next)) return undefined;
      const [before, after] = request.subresource === "scale" ? [old && asScaled(old, request), asScaled(next, request)] : [old, next];
      return trackUpdate(before, after, contextOf(registry, request)).metadata.managedFields;
    },
    fits: (definition, object) => (definition.strategicPatch && !isLoose(definition)) || isOfType(schemaOf(definition), object),
  };
}

/**
 * Can the types of a CRD's version, and of those versions its managers used, read the object as it was and as it is? If not, the server no longer knows who
 * set what: without a webhook, a field that only one version has is a mistake in the other.
 */
function isReadByAll(registry: Registry, definition: ResourceDefinition, old: KubeObject, next: KubeObject): boolean {
  if (definition.strategicPatch) return true;
  const versions = new Set([...(old.metadata.managedFields ?? [])].map(({ apiVersion }) => apiVersion));
  const others = [...versions].map((apiVersion) => registry.find(groupVersionOf(apiVersion), definition.plural));
  return [...new Set([definition, ...others])].every((one) => !one || [old, next].every((object) => isOfType(schemaOf(one), object)));
}

/** A Scale of no replicas says nothing of them, so that nobody has set them. */
function asScaled(object: KubeObject, { definition: { scale } }: FieldRequest): KubeObject {
  const path = scale?.specReplicasPath.slice(1) ?? "";
  if (numberAt(object, path) !== 0) return object;
  const shown = copy(object);
  const field = path.slice(path.lastIndexOf(".") + 1);
  delete objectAt(shown, path.slice(0, -field.length - 1))[field];
  return shown;
}

const emptyObjects = new WeakMap<ResourceDefinition, JsonObject>();

/** What there is before a built-in kind's object is created: its Go struct writes some fields also when they are empty, so nobody adds those. */
function emptyOf(definition: ResourceDefinition): JsonObject {
  const known = emptyObjects.get(definition);
  if (known) return known;
  const empty = definition.strategicPatch ? decodeByType(definition.types, definition.type, {}).object : {};
  emptyObjects.set(definition, empty);
  return empty;
}

/** `live` after a configuration was applied to it; see applyPatch. */
export function applied(
  registry: Registry,
  live: KubeObject | undefined,
  configuration: JsonObject,
  request: FieldRequest & { readonly force: boolean },
): KubeObject {
  const { definition, force } = request;
  return applyPatch(live, configuration, { ...contextOf(registry, request), kind: definition.kind, force });
}

function contextOf(registry: Registry, { definition, manager, subresource, nowMs }: FieldRequest): FieldContext {
  return {
    schema: schemaOf(definition),
    apiVersion: apiVersionOf(definition),
    manager,
    ...(subresource !== undefined && { subresource }),
    reset: resetFields(subresource, definition),
    nowMs,
    empty: emptyOf(definition),
    schemaOf: (apiVersion) => {
      const other = registry.find(groupVersionOf(apiVersion), definition.plural);
      return other && schemaOf(other);
    },
  };
}

const loose = new WeakMap<ResourceDefinition, boolean>();

/** Built-in kinds have been read by their types, so that few need another look. */
function isLoose(definition: ResourceDefinition): boolean {
  const known = loose.get(definition) ?? mayLackKeys(schemaOf(definition));
  loose.set(definition, known);
  return known;
}

const schemas = new WeakMap<ResourceDefinition, Schema>();

/** One Schema for each definition: comparing two objects is done once for all managers of the same. */
function schemaOf(definition: ResourceDefinition): Schema {
  const known = schemas.get(definition);
  if (known) return known;
  const schema: Schema = { types: definition.types, type: definition.type };
  schemas.set(definition, schema);
  return schema;
}
