/**
 * What becomes of one StatefulService or StatefulStore of the API beside a running project, and what its status says. Pure; publish.ts does it.
 *
 * P1 an object the project file asks for is as the file says it, also after somebody changed or deleted it
 * P2 what came from the project file and is in it no longer goes; what anybody else made stays
 * P3 no object is ignored in silence: one that cannot be run says why, and what to do, in its condition
 */
import { type KubeObject, numberAt, objectAt, objectsAt, projectLabel, sameJson, valueAt } from "@mecha/kinds";
import type { FleetStatus } from "../fleet.ts";

/** Field manager of all that is written here. */
export const fieldManager = "mecha-up";

/** `end`: nothing is to run under the name; `run`: what somebody else made. */
export type Step = "apply" | "delete" | "end" | "run";

/** Decides about the object itself. @param wanted What the project file asks for under this name. */
export function stepFor(wanted: KubeObject | undefined, have: KubeObject | undefined): Step {
  if (have?.metadata.deletionTimestamp !== undefined) return "end"; // what is wanted comes back after it
  if (wanted) return "apply"; // keeps P1
  if (!have) return "end";
  return isOfProject(have) ? "delete" : "run"; // keeps P2
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

const plain = {
  starting: "its process runs and has not said yet what it serves",
  waiting: "its process ended",
  refused: "it cannot be served",
  stopped: "it was ended",
} as const;

/** What is true of a function that runs, or is to. */
export function functionFinding(fn: FleetStatus): Finding {
  const services = fn.services.map(({ name }) => name).join(", ");
  const message = fn.problem ?? (fn.state === "ready" ? `serves ${services}` : plain[fn.state]);
  const meanwhile = fn.replacing ? "; the version before serves meanwhile" : "";
  return { ready: fn.state === "ready", reason: reasons[fn.state], message: message + meanwhile, replicas: fn.pid === undefined ? 0 : 1 };
}

/** Holds an object until its function has ended. */
export const finalizer = "mecha.dev/function";

export function finalizersFor({ metadata: { finalizers = [] } }: KubeObject, held: boolean): readonly string[] {
  const others = finalizers.filter((one) => one !== finalizer);
  return held ? [...others, finalizer] : others;
}

/** What people who describe the object are told; `undefined`: they were told that before. */
export function newsOf(have: KubeObject, finding: Finding): News | undefined {
  const old = objectsAt(have, "status.conditions").find((one) => one["type"] === "Ready");
  if (!isNews(old, finding)) return undefined;
  const message = finding.message.replace(/; starts again after [^;]*/u, ""); // so that the same news is counted, not repeated
  return { type: finding.ready || calm.has(finding.reason) ? "Normal" : "Warning", message };
}

/** As an Event says it. */
export interface News {
  readonly type: "Normal" | "Warning";
  readonly message: string;
}

export function isNews(old: { readonly reason?: unknown; readonly message?: unknown } | undefined, { reason, message }: Finding): boolean {
  return old?.reason !== reason || (old.message !== message && !passing.has(reason));
}

/** Nothing is to be waited for: it is ready, or will not be before somebody changes something. */
export function isSettled({ ready, reason }: Finding): boolean {
  return ready || !passing.has(reason);
}

/** Reasons whose messages change while they last. */
const passing = new Set(["Starting", "Restarting"]);
/** Reasons that are no trouble though the object is not ready. */
const calm = new Set(["Starting", "Stopped", "ScaledToZero"]);

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
