/** From a StatefulService to what the fleet runs, in two steps: what the object alone says, then with folder and environment of this machine. Pure. */
import { resolve } from "node:path";
import { type FunctionProgram, type KubeObject, numberAt, programOf, valueAt } from "@mecha/kinds";
import { type ConfigRef, environmentOf, expand } from "@mecha/lifecycle";
import type { ObjectId } from "@mecha/machinery";
import { type FunctionProtocol, functionProtocols } from "@mecha/sidecar";
import type { FleetFunction } from "../fleet.ts";
import type { Finding } from "./plan.ts";
import { projectNamespace } from "./wanted.ts";

/** Name in the fleet, and with it in messages, on the page and before its output. */
export function fleetName({ namespace = projectNamespace, name }: ObjectId): string {
  return namespace === projectNamespace ? name : `${namespace}/${name}`;
}

/** `stop`: what runs is ended; else it goes on until what is asked for can run. */
interface NoTemplate {
  readonly finding: Finding;
  readonly stop: boolean;
}

/** @returns What to run, equal as long as nothing that matters was changed; or why nothing is. */
export function templateOf(object: KubeObject): { readonly program: FunctionProgram } | NoTemplate {
  if (valueAt(object, "spec.replicas") === 0)
    return { stop: true, finding: { ready: false, reason: "ScaledToZero", message: "spec.replicas is 0: nothing runs", replicas: 0 } };
  const reading = programOf(object);
  if ("problem" in reading) return { stop: false, finding: { ready: false, replicas: 0, ...reading.problem } };
  const { protocol } = reading.program;
  if (isProtocol(protocol)) return reading;
  const message = `the annotation mecha.dev/protocol is ${JSON.stringify(protocol)}; it can be ${functionProtocols.join(", ")}`;
  return { stop: false, finding: { ready: false, reason: "UnknownProtocol", message, replicas: 0 } };
}

function isProtocol(name: string): name is FunctionProtocol {
  return (functionProtocols as readonly string[]).includes(name);
}

export interface MachineParts {
  /** What relative folders start from. */
  readonly folder: string;
  /** A ConfigMap or Secret of the object's namespace. */
  readonly config: (ref: ConfigRef) => KubeObject | undefined;
}

export function fleetFunction(
  { program }: { readonly program: FunctionProgram },
  object: KubeObject,
  { folder, config }: MachineParts,
): FleetFunction | { readonly finding: Finding } {
  const reading = environmentOf(program.container, { object, config });
  if ("problem" in reading)
    return { finding: { ready: false, reason: "EnvironmentIncomplete", message: `it cannot start: ${reading.problem}`, replicas: 0 } };
  const variables = new Map(Object.entries(reading.env));
  const { command, directory, protocol, port } = program;
  return {
    name: fleetName(object.metadata),
    // A shell fills in its own variables.
    command: typeof command === "string" ? command : command.map((word) => expand(word, variables)),
    directory: resolve(folder, directory),
    env: reading.env,
    protocol: protocol as FunctionProtocol,
    port,
    order: createdMs(object),
  };
}

/** The function that was there first keeps what it serves; those of mecha.yaml come before all. */
function createdMs({ metadata }: KubeObject): number {
  return Date.parse(metadata.creationTimestamp ?? "") || 1;
}

/** Instances asked for beyond the one there is. */
export function replicasNote(object: KubeObject): string {
  const replicas = numberAt(object, "spec.replicas");
  return replicas > 1 ? `; ${String(replicas)} replicas are asked for, and one process runs here` : "";
}
