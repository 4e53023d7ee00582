/**
 * What becomes of one StatefulService or StatefulStore of the API beside a running project, and what its status says. Pure; publish.ts does it.
 *
 * P1 an object the project file asks for is as the file says it, also after somebody changed or deleted it
 * P2 what came from the project file and is in it no longer goes; what anybody else made stays
 * P3 no object is ignored in silence: one that is not of the file says so, and what to do, in its condition
 */
import { type KubeObject, numberAt, objectAt, objectsAt, projectLabel, sameJson, valueAt } from "@mecha/kinds";
import type { FunctionJson } from "../../admin/model.ts";

/** Field manager of all that is written here. */
export const fieldManager = "mecha-up";

export type Step = "apply" | "delete" | "leave";

/** Decides about the object itself. @param wanted What the project file asks for under this name. */
export function stepFor(wanted: KubeObject | undefined, have: KubeObject | undefined): Step {
  if (have?.metadata.deletionTimestamp !== undefined) return "leave"; // somebody's finalizer is at work; what is wanted comes back after it
  if (wanted) return "apply"; // keeps P1
  return have && isOfProject(have) ? "delete" : "leave"; // keeps P2
}

/** The label alone may have been copied with the rest of an object; that we applied it is noted by the server. */
function isOfProject({ metadata }: KubeObject): boolean {
  const applied = (metadata.managedFields ?? []).some(
    ({ manager, operation, subresource }) => manager === fieldManager && operation === "Apply" && subresource === undefined,
  );
  return applied && metadata.labels?.[projectLabel] !== undefined;
}

/** How an object is. */
export interface Finding {
  readonly ready: boolean;
  /** One CamelCase word for programs; also the column Status of `kubectl get`. */
  readonly reason: string;
  /** For people. */
  readonly message: string;
  /** Processes that run; for services only. */
  readonly replicas?: number;
}

const reasons = { ready: "Ready", starting: "Starting", waiting: "Restarting", refused: "Refused", stopped: "Stopped" } as const;

/** What is true of a function of the project file. */
export function functionFinding(fn: FunctionJson): Finding {
  const services = fn.services.map(({ name }) => name).join(", ");
  const message = fn.problem ?? (fn.state === "ready" ? `serves ${services}` : `the function is ${fn.state}`);
  return { ready: fn.state === "ready", reason: reasons[fn.state], message, replicas: fn.pid === undefined ? 0 : 1 };
}

/** The store of the project is open as long as anybody can ask. */
export const storeFinding: Finding = { ready: true, reason: "Ready", message: "mecha up keeps the state of its functions here" };

/** keeps P3 */
export const foreignServiceFinding: Finding = {
  ready: false,
  reason: "NotSupportedYet",
  message: "mecha up runs the functions of mecha.yaml only: put this one into its spec.functions and start mecha up again",
  replicas: 0,
};

/** keeps P3 */
export const foreignStoreFinding: Finding = {
  ready: false,
  reason: "NotSupportedYet",
  message: "mecha up has one store, that of mecha.yaml: say in its spec.store where state is kept and start mecha up again",
};

/** The status to write, or `undefined` when `have` says it already. */
export function statusFor(have: KubeObject, finding: Finding, nowMs: number): Record<string, unknown> | undefined {
  const { ready, reason, message, replicas } = finding;
  const status = ready ? "True" : "False";
  const observedGeneration = numberAt(have, "metadata.generation");
  const old = objectsAt(have, "status.conditions").find((one) => one["type"] === "Ready");
  const now = new Date(nowMs).toISOString().replace(/\.\d{3}Z$/u, "Z");
  const lastTransitionTime = old?.["status"] === status ? old["lastTransitionTime"] : now;
  const condition = { type: "Ready", status, reason, message, observedGeneration, lastTransitionTime };
  const rest = { summary: reason, observedGeneration, ...(replicas !== undefined && { replicas }) };
  const written = objectAt(have, "status");
  const same = sameJson(old, condition) && Object.entries(rest).every(([name, value]) => valueAt(written, name) === value);
  return same ? undefined : { ...rest, conditions: [condition] };
}
