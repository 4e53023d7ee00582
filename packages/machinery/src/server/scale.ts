/** The scale subresource (autoscaling/v1 Scale): one small object that stands for the replicas of any kind. Pure. */
import {
  ageOf,
  apiVersionOf,
  groupVersionOf,
  type JsonObject,
  type KubeObject,
  kubernetesTypes,
  numberAt,
  type ResourceDefinition,
} from "@mecha/kinds";
import { checkApplied } from "../apply/apply.ts";
import { copy, isObject } from "../json.ts";
import { labelSelectorOf, labelSelectorText } from "../selector/labels.ts";
import { invalid } from "../status.ts";
import { badRequest } from "./options.ts";

const scaleApiVersion = "autoscaling/v1";
const scaleType = "io.k8s.api.autoscaling.v1.Scale";

/** How `kubectl get --subresource=scale` shows one. */
export const scaleDefinition: Pick<ResourceDefinition, "kind" | "columns"> = {
  kind: "Scale",
  columns: [
    {
      name: "Name",
      type: "string",
      format: "name",
      description: "Name of the object behind it.",
      priority: 0,
      cell: ({ metadata }) => metadata.name,
    },
    { name: "Desired", type: "integer", description: "Pods wanted.", priority: 0, cell: (scale) => numberAt(scale, "spec.replicas") },
    {
      name: "Available",
      type: "integer",
      description: "Pods there are.",
      priority: 0,
      cell: (scale) => numberAt(scale, "status.replicas"),
    },
    {
      name: "Age",
      type: "string",
      description: "How long ago the object was created.",
      priority: 0,
      cell: ({ metadata }, nowMs) => ageOf(metadata.creationTimestamp, nowMs),
    },
  ],
};

/** The Scale of an object. */
export function readScale(object: KubeObject, definition: ResourceDefinition): KubeObject {
  const paths = definition.scale;
  if (!paths) throw badRequest(`${definition.kind} has no scale`);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = paths.labelSelectorPath === undefined ? undefined : valueAt(object, paths.labelSelectorPath);
  return {
    kind: "Scale",
    apiVersion: scaleApiVersion,
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
  checkScale(scale, object.metadata.name);
  checkReplicas(replicas, object.metadata.name, definition);
  const next = copy(object);
  setAt(next, definition.scale?.specReplicasPath ?? "", replicas);
  const { resourceVersion } = isObject(scale.metadata) ? scale.metadata : {};
  if (typeof resourceVersion === "string" && resourceVersion !== "") next.metadata.resourceVersion = resourceVersion;
  return next;
}

/** What applying a Scale says of the object behind it. @throws StatusError as apply refuses any configuration */
export function scaleConfiguration(
  scale: JsonObject,
  { name, namespace }: { readonly name: string; readonly namespace: string },
  definition: ResourceDefinition,
): JsonObject {
  const schema = { types: kubernetesTypes(), type: scaleType };
  checkApplied(scale, { apiVersion: scaleApiVersion, kind: "Scale", schema });
  const replicas = isObject(scale.spec) ? scale.spec.replicas : undefined;
  checkReplicas(replicas ?? 0, name, definition);
  const { resourceVersion } = isObject(scale.metadata) ? scale.metadata : {};
  const metadata = { name, ...(namespace !== "" && { namespace }), ...(resourceVersion !== undefined && { resourceVersion }) };
  const configuration = { apiVersion: apiVersionOf(definition), kind: definition.kind, metadata };
  if (replicas !== undefined) setAt(configuration, definition.scale?.specReplicasPath ?? "", replicas);
  return configuration;
}

/** A body that says what it is must be a Scale of this object. @throws StatusError BadRequest */
function checkScale({ kind = "Scale", apiVersion, metadata }: JsonObject, name: string): void {
  if (kind !== "Scale") {
    const { version } = groupVersionOf(typeof apiVersion === "string" ? apiVersion : "");
    const what = `${String(kind)} in version ${JSON.stringify(version)} cannot be handled as a Scale`;
    throw badRequest(`${what}: converting (${version}.${String(kind)}) to (autoscaling.Scale): unknown conversion`);
  }
  const said = isObject(metadata) ? metadata.name : undefined;
  if (typeof said === "string" && said !== "" && said !== name)
    throw badRequest(`the name of the object (${said}) does not match the name on the URL (${name})`);
}

/** Of a CRD's kind the object itself is checked. @throws StatusError */
function checkReplicas(
  replicas: unknown,
  name: string,
  { openAPISchema }: Pick<ResourceDefinition, "openAPISchema">,
): asserts replicas is number {
  if (typeof replicas !== "number" || !Number.isInteger(replicas))
    throw badRequest("json: cannot unmarshal into Go struct field ScaleSpec.spec.replicas of type int32");
  if (replicas < 0 && openAPISchema === undefined)
    throw invalid("Scale", "autoscaling", name, [
      { type: "FieldValueInvalid", field: "spec.replicas", message: `Invalid value: ${replicas}: must be greater than or equal to 0` },
    ]);
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
