/** What `kubectl get pods` shows: one word that says how a pod is, made of its phase, its conditions and its containers' states. */
import { isObject, numberAt, objectAt, objectsAt, textAt, valueAt } from "../access.ts";
import { ageColumn, nameColumn, none, textColumn } from "../columns.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { ageOf } from "../values/duration.ts";

/** What the columns say of a pod. */
export interface PodSummary {
  readonly ready: number;
  readonly containers: number;
  /** `Running`, `CrashLoopBackOff`, `Init:1/2`, `Terminating`. */
  readonly reason: string;
  readonly restarts: number;
  /** RFC 3339 time of the last restart. */
  readonly lastRestart: string | undefined;
}

const terminalPhases = ["Succeeded", "Failed"];
const isSidecar = (container: JsonObject | undefined): boolean => textAt(container, "restartPolicy") === "Always";
const later = (a: string | undefined, b: string): string | undefined => (b !== "" && (a === undefined || a < b) ? b : a);
const condition = (pod: KubeObject, type: string): JsonObject | undefined =>
  objectsAt(pod, "status.conditions").find((value) => textAt(value, "type") === type);

/** Sums a pod up. */
export function summarizePod(pod: KubeObject): PodSummary {
  const phase = textAt(pod, "status.phase");
  let reason = textAt(pod, "status.reason") || phase;
  if (textAt(condition(pod, "PodScheduled"), "reason") === "SchedulingGated") reason = "SchedulingGated";
  const initial = summarizeInit(pod);
  const initialized = textAt(condition(pod, "Initialized"), "status") === "True";
  const all = initial.reason === undefined || initialized;
  const main = all ? summarizeMain(pod, reason, initial) : { ...initial, reason: initial.reason };
  const deleted = pod.metadata.deletionTimestamp !== undefined;
  if (deleted && textAt(pod, "status.reason") === "NodeLost") reason = "Unknown";
  else if (deleted && !terminalPhases.includes(phase)) reason = "Terminating";
  else reason = main.reason ?? reason;
  const sidecars = objectsAt(pod, "spec.initContainers").filter(isSidecar).length;
  return {
    ready: main.ready,
    containers: objectsAt(pod, "spec.containers").length + sidecars,
    reason,
    restarts: main.restarts,
    lastRestart: main.lastRestart,
  };
}

interface Init {
  readonly ready: number;
  readonly restarts: number;
  readonly lastRestart: string | undefined;
  /** Why the pod is still initializing. */
  readonly reason: string | undefined;
  readonly sidecarRestarts: number;
  readonly sidecarLastRestart: string | undefined;
}

function summarizeInit(pod: KubeObject): Init {
  const specs = objectsAt(pod, "spec.initContainers");
  const found = {
    ready: 0,
    restarts: 0,
    lastRestart: undefined as string | undefined,
    sidecarRestarts: 0,
    sidecarLastRestart: undefined as string | undefined,
  };
  for (const [i, status] of objectsAt(pod, "status.initContainerStatuses").entries()) {
    const sidecar = isSidecar(specs.find((spec) => spec["name"] === status["name"]));
    const ended = textAt(status, "lastState.terminated.finishedAt");
    found.restarts += numberAt(status, "restartCount");
    found.lastRestart = later(found.lastRestart, ended);
    if (sidecar) {
      found.sidecarRestarts += numberAt(status, "restartCount");
      found.sidecarLastRestart = later(found.sidecarLastRestart, ended);
    }
    const terminated = valueAt(status, "state.terminated");
    if (isObject(terminated) && numberAt(terminated, "exitCode") === 0) continue;
    if (sidecar && status["started"] === true) {
      if (status["ready"] === true) found.ready++;
      continue;
    }
    return { ...found, reason: initReason(status, i, specs.length) };
  }
  return { ...found, reason: undefined };
}

function initReason(status: JsonObject, i: number, count: number): string {
  const terminated = valueAt(status, "state.terminated");
  if (isObject(terminated)) return `Init:${endReason(terminated)}`;
  const waiting = textAt(status, "state.waiting.reason");
  return waiting !== "" && waiting !== "PodInitializing" ? `Init:${waiting}` : `Init:${i}/${count}`;
}

function endReason(terminated: JsonObject): string {
  const signal = numberAt(terminated, "signal");
  return textAt(terminated, "reason") || (signal !== 0 ? `Signal:${signal}` : `ExitCode:${numberAt(terminated, "exitCode")}`);
}

interface Main {
  readonly ready: number;
  readonly restarts: number;
  readonly lastRestart: string | undefined;
  readonly reason: string | undefined;
}

function summarizeMain(pod: KubeObject, before: string, init: Init): Main {
  let { ready, sidecarRestarts: restarts, sidecarLastRestart: lastRestart } = init;
  let reason = init.reason ?? before;
  let running = false;
  let failure = "";
  for (const status of objectsAt(pod, "status.containerStatuses").toReversed()) {
    restarts += numberAt(status, "restartCount");
    lastRestart = later(lastRestart, textAt(status, "lastState.terminated.finishedAt"));
    const waiting = textAt(status, "state.waiting.reason");
    const terminated = valueAt(status, "state.terminated");
    if (waiting !== "") reason = waiting;
    else if (isObject(terminated)) {
      reason = endReason(terminated);
      if (numberAt(terminated, "exitCode") !== 0) failure = reason;
    } else if (status["ready"] === true && isObject(objectAt(status, "state")["running"])) {
      running = true;
      ready++;
    }
  }
  if (reason === "Completed") {
    const isReady = textAt(condition(pod, "Ready"), "status") === "True";
    if (running && isReady) reason = "Running";
    else if (failure !== "") reason = failure;
    else if (running) reason = "NotReady";
  }
  return { ready, restarts, lastRestart, reason };
}

function readinessGates(pod: KubeObject): string {
  const gates = objectsAt(pod, "spec.readinessGates");
  const open = gates.filter((gate) => textAt(condition(pod, textAt(gate, "conditionType")), "status") === "True");
  return gates.length === 0 ? none : `${open.length}/${gates.length}`;
}

/** Columns of pods. */
export const podColumns = [
  nameColumn,
  textColumn("Ready", "Containers that take work, of all.", (pod) => {
    const { ready, containers } = summarizePod(pod);
    return `${ready}/${containers}`;
  }),
  textColumn("Status", "How the pod is, in one word.", (pod) => summarizePod(pod).reason),
  textColumn("Restarts", "How often containers were started again, and when last.", (pod, nowMs) => {
    const { restarts, lastRestart } = summarizePod(pod);
    return restarts === 0 || lastRestart === undefined ? `${restarts}` : `${restarts} (${ageOf(lastRestart, nowMs)} ago)`;
  }),
  ageColumn,
  textColumn("IP", "Address of the pod.", (pod) => textAt(objectsAt(pod, "status.podIPs")[0], "ip") || none, 1),
  textColumn("Node", "Node the pod runs on.", (pod) => textAt(pod, "spec.nodeName") || none, 1),
  textColumn(
    "Nominated Node",
    "Node the pod will get when others have left it.",
    (pod) => textAt(pod, "status.nominatedNodeName") || none,
    1,
  ),
  textColumn("Readiness Gates", "Conditions from outside that are met, of those the pod waits for.", readinessGates, 1),
];
