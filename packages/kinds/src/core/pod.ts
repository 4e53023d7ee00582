/** Pod: containers that run together on one node. */
import { listAt, mapAt, numberAt, objectAt, objectsAt, sameJson, textAt } from "../access.ts";
import { definer } from "../define.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { forbiddenValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { validatePodOnly, validatePodSpec, withoutChangeable } from "../rules/pod-spec.ts";
import { validatePodAnnotations } from "../rules/pod-template.ts";
import { podStatusWarnings } from "../warnings/cluster.ts";
import { hostNameWarnings } from "../warnings/labels.ts";
import { podWarnings } from "../warnings/pod.ts";
import { podColumns } from "./pod-columns.ts";

const define = definer("", "v1");

function validatePod(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const spec = objectAt(object, "spec");
  const problems = [
    ...validatePodAnnotations(mapAt(object, "metadata.annotations"), spec, "metadata.annotations"),
    ...validatePodSpec(spec, "spec"),
    ...validatePodOnly(spec, old, "spec"),
  ];
  if (!old) return problems;
  const before = objectAt(old, "spec");
  if (objectsAt(spec, "containers").length !== objectsAt(before, "containers").length)
    return [...problems, forbiddenValue("spec.containers", "pod updates may not add or remove containers")];
  const changed = !sameJson(withoutChangeable(spec), withoutChangeable(before));
  return changed ? [...problems, forbiddenValue("spec", changeableFields)] : problems;
}

const changeableFields =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/** How a pod fares when memory runs out: by what its containers asked for and are limited to. */
export function qualityOfService(spec: JsonObject): "BestEffort" | "Burstable" | "Guaranteed" {
  // What the pod says as a whole counts alone.
  const whole = ["limits", "requests"].some((kind) => Object.keys(mapAt(spec, `resources.${kind}`)).length > 0);
  const containers = whole ? [spec] : [...objectsAt(spec, "containers"), ...objectsAt(spec, "initContainers")];
  const said = (container: JsonObject, kind: string, name: string): string => mapAt(container, `resources.${kind}`)[name] ?? "";
  const names = ["cpu", "memory"];
  const some = containers.some((container) => names.some((name) => said(container, "requests", name) || said(container, "limits", name)));
  if (!some) return "BestEffort";
  const full = containers.every((container) =>
    names.every((name) => said(container, "limits", name) !== "" && said(container, "limits", name) === said(container, "requests", name)),
  );
  return full ? "Guaranteed" : "Burstable";
}

/** A pod behind gates says from the start that it is not scheduled. */
function gated(spec: JsonObject, nowMs: number): JsonObject {
  if (listAt(spec, "schedulingGates").length === 0) return {};
  const condition = {
    type: "PodScheduled",
    status: "False",
    lastProbeTime: null,
    lastTransitionTime: `${new Date(nowMs).toISOString().slice(0, 19)}Z`,
    reason: "SchedulingGated",
    message: "Scheduling is blocked due to non-empty scheduling gates",
  };
  return { conditions: [condition] };
}

/** A status without the class of the Pod's quality leaves it as it was. */
function keepQuality(object: KubeObject, old: KubeObject): void {
  const qosClass = textAt(old, "status.qosClass");
  if (qosClass !== "" && textAt(object, "status.qosClass") === "") object["status"] = { ...objectAt(object, "status"), qosClass };
}

/** Its node ends it; one that no node has, or that has ended by itself, is waited for by nobody. */
function graceOf(object: KubeObject): number {
  const ended = ["Succeeded", "Failed"].includes(textAt(object, "status.phase"));
  if (ended || textAt(object, "spec.nodeName") === "") return 0;
  const { terminationGracePeriodSeconds } = objectAt(object, "spec");
  return typeof terminationGracePeriodSeconds === "number" ? terminationGracePeriodSeconds : 30;
}

const field = (path: string): readonly [string, (object: KubeObject) => string] => [path, (object) => textAt(object, path)];

export const pod = define({
  kind: "Pod",
  plural: "pods",
  statusKeeps: ["metadata.ownerReferences", "metadata.deletionTimestamp"],
  shortNames: ["po"],
  categories: ["all"],
  streams: ["attach", "ephemeralcontainers", "exec", "log", "portforward", "proxy"],
  status: true,
  generation: true,
  gracePeriodSeconds: graceOf,
  creates: [{ name: "eviction", group: "policy", version: "v1", kind: "Eviction" }],
  columns: podColumns,
  selectableFields: new Map([
    ...["spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase", "status.podIP"].map(field),
    field("status.nominatedNodeName"),
    // Known, and never anything: the server takes it and looks nothing up.
    ["status.podIPs", () => ""] as const,
    ["spec.hostNetwork", (object: KubeObject) => String(objectAt(object, "spec")["hostNetwork"] === true)] as const,
  ]),
  validate: validatePod,
  warnings(object, { old, subresource }) {
    if (subresource === "status") return podStatusWarnings(object);
    // Pods are changed by programs: nobody would read it.
    return old ? [] : [...hostNameWarnings(object, "the Pod's hostname"), ...podWarnings(object, "")];
  },
  prepare(object, old, { nowMs }) {
    if (old) return keepQuality(object, old);
    const spec = objectAt(object, "spec");
    if (numberAt(spec, "terminationGracePeriodSeconds") < 0) spec["terminationGracePeriodSeconds"] = 1;
    object["status"] = { phase: "Pending", ...gated(spec, nowMs), qosClass: qualityOfService(spec) };
  },
});
