/** What is told of the containers of a pod: environment and ports said twice, sizes with parts of a byte. */
import { isObject, mapAt, numberAt, objectAt, objectsAt, textAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { fractionWarnings } from "./sizes.ts";

export interface Placed {
  readonly container: JsonObject;
  readonly field: string;
}

/** All containers of a pod's spec at `field`, in the order they are told of. */
export const containersOf = (spec: JsonObject, field: string): Placed[] =>
  ["initContainers", "containers", "ephemeralContainers"].flatMap((list) =>
    objectsAt(spec, list).map((container, i) => ({ container, field: `${field}.${list}[${i}]` })),
  );

export function resourceWarnings({ container, field }: Placed): string[] {
  const warnings = (kind: string, name: string): string[] =>
    fractionWarnings(mapAt(objectAt(container, "resources"), kind), [name], `${field}.resources.${kind}`);
  return ["memory", "ephemeral-storage"].flatMap((name) => ["limits", "requests"].flatMap((kind) => warnings(kind, name)));
}

/** A variable that is said again, but for one that goes on from the earlier one: `PATH=$(PATH):/x`. */
export function environmentWarnings({ container, field }: Placed): string[] {
  const seen = new Set<string>();
  return objectsAt(container, "env").flatMap((variable, i) => {
    const [name, value] = [textAt(variable, "name"), textAt(variable, "value")];
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    const earlier = `$(${name})`;
    const goesOn = !isObject(variable["valueFrom"]) && value !== earlier && value.includes(earlier);
    return goesOn
      ? []
      : [`${field}.env[${i}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`];
  });
}

interface Port {
  readonly field: string;
  readonly number: number;
  readonly protocol: string;
  readonly hostIp: string;
  readonly hostPort: number;
  readonly name: string;
}

function portsOf({ container, field }: Placed): Port[] {
  return objectsAt(container, "ports").map((port, i) => ({
    field: `${field}.ports[${i}]`,
    number: numberAt(port, "containerPort"),
    protocol: textAt(port, "protocol"),
    hostIp: textAt(port, "hostIP"),
    hostPort: numberAt(port, "hostPort"),
    name: textAt(port, "name"),
  }));
}

/** Warnings of one sort, and ports of one number held against another: more than an answer's headers take, so that a pod of many ports costs no square of them. */
const toldMax = 100;

/** Ports of all containers of a pod: they share one network. */
export function portWarnings(containers: readonly Placed[]): string[] {
  const ports = containers.flatMap(portsOf);
  const told: string[] = [];
  const byNumber = new Map<string, Port[]>();
  for (const port of ports) {
    if (told.length >= toldMax) break;
    const key = `${port.number}/${port.protocol}`;
    const before = byNumber.get(key) ?? [];
    told.push(...hostWarnings(port), ...clashes(port, before));
    if (before.length === 0) byNumber.set(key, before);
    if (before.length < toldMax) before.push(port);
  }
  return [...told, ...nameWarnings(ports)];
}

/** The port is shown as the server has it in its own form. */
function hostWarnings({ field, name, number, protocol, hostIp, hostPort }: Port): string[] {
  if (hostIp === "" || hostPort !== 0) return [];
  const shown = `{Name:${name} HostPort:0 ContainerPort:${number} Protocol:${protocol} HostIP:${hostIp}}`;
  return [`${field}: hostIP set without hostPort: ${shown}`];
}

/** @param before Of the same number and protocol. */
function clashes(port: Port, before: readonly Port[]): string[] {
  return before.flatMap((other) => {
    const how = clash(port, other);
    return how === undefined ? [] : [`${port.field}: ${how} port definition with ${other.field}`];
  });
}

function clash(one: Port, other: Port): string | undefined {
  if (one.hostIp === other.hostIp && one.hostPort === other.hostPort) return "duplicate";
  if (one.hostPort === 0 || other.hostPort === 0) return "overlapping";
  return one.hostPort === other.hostPort && (one.hostIp === "") !== (other.hostIp === "") ? "dangerously ambiguous" : undefined;
}

function nameWarnings(ports: readonly Port[]): string[] {
  const first = new Map<string, string>();
  return ports.flatMap(({ field, name }) => {
    const other = first.get(name);
    if (name !== "" && other === undefined) first.set(name, field);
    if (other === undefined) return [];
    return [
      `${field}: duplicate port name ${JSON.stringify(name)} with ${other}, services and probes that select ports by name will use ${other}`,
    ];
  });
}
