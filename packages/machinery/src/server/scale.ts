/** The scale subresource (autoscaling/v1 Scale): one small object that stands for the replicas of any kind. Pure. */
import type { JsonObject, KubeObject, ResourceDefinition } from "@mecha/kinds";
import { copy, isObject } from "../json.ts";
import { labelSelectorOf, labelSelectorText } from "../selector/labels.ts";
import { invalid } from "../status.ts";
import { badRequest } from "./options.ts";

/** The Scale of an object. */
export function readScale(object: KubeObject, definition: ResourceDefinition): KubeObject {
  const paths = definition.scale;
  if (!paths) throw badRequest(`${definition.kind} has no scale`);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = paths.labelSelectorPath === undefined ? undefined : valueAt(object, paths.labelSelectorPath);
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(creationTimestamp !== undefined && { creationTimestamp }),
    },
    spec: whole(valueAt(object, paths.specReplicasPath), "replicas"),
    status: {
      replicas: numberOr0(valueAt(object, paths.statusReplicasPath)),
      ...(selector !== undefined && { selector: selectorText(selector) }),
    },
  };
}

/** The object with the replicas its new Scale says. @throws StatusError */
export function scaleChange(object: KubeObject, scale: JsonObject, definition: ResourceDefinition): KubeObject {
  const spec = isObject(scale.spec) ? scale.spec : {};
  const replicas = spec.replicas ?? 0;
  const { name } = object.metadata;
  if (typeof replicas !== "number" || !Number.isInteger(replicas))
    throw badRequest("json: cannot unmarshal into Go struct field ScaleSpec.spec.replicas of type int32");
  if (replicas < 0)
    throw invalid("Scale", "autoscaling", name, [
      { type: "FieldValueInvalid", field: "spec.replicas", message: `Invalid value: ${replicas}: must be greater than or equal to 0` },
    ]);
  const next = copy(object);
  setAt(next, definition.scale?.specReplicasPath ?? "", replicas);
  const { resourceVersion } = isObject(scale.metadata) ? scale.metadata : {};
  if (typeof resourceVersion === "string" && resourceVersion !== "") next.metadata.resourceVersion = resourceVersion;
  return next;
}

function whole(value: unknown, field: string): JsonObject {
  return typeof value === "number" && value !== 0 ? { [field]: value } : {};
}

function numberOr0(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function selectorText(selector: unknown): string {
  return typeof selector === "string" ? selector : labelSelectorText(labelSelectorOf(isObject(selector) ? selector : {}));
}

/** `.spec.replicas` of the object. */
function valueAt(object: JsonObject, path: string): unknown {
  return steps(path).reduce<unknown>((at, step) => (isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined), object);
}

function setAt(object: JsonObject, path: string, value: unknown): void {
  const parts = steps(path);
  const last = parts.pop();
  if (last === undefined) return;
  let at = object;
  for (const step of parts) {
    if (!isObject(at[step])) at[step] = {};
    at = at[step] as JsonObject;
  }
  at[last] = value;
}

function steps(path: string): string[] {
  return path.split(".").filter((step) => step !== "");
}
