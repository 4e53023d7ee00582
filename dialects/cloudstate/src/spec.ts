/**
 * What a user function says it serves, checked: EntitySpec bytes in, services out. Pure; discovery.ts makes the call.
 *
 * Invariants
 * V1 the bytes are not trusted: the outcome is a Spec or one Fault("precondition") that lists everything wrong with it, for the developer of
 *    the function to read
 * V2 an accepted spec can run: every service is known to the descriptors, every entity method has an entity key and one request and reply
 */
import { type DescMethod, type DescService, fromBinary } from "@bufbuild/protobuf";
import { explain, Fault } from "@mecha/kit";
import type { Component, ComponentKind, ComponentMethod } from "@mecha/state";
import { compileEntityKey, type DescriptorSet, type EntityKey, loadDescriptors, messageTypeUrl } from "@mecha/wire";
import { type Entity, type EntitySpec, EntitySpecSchema, type ServiceInfo } from "@mecha/wire/gen/cloudstate/entity";

/** The protocol we speak. */
export const protocolVersion = { major: 0, minor: 2 } as const;

/** `entity_type` of each kind: the full name of the protocol service that runs it. */
export const entityTypes = {
  "cloudstate.eventsourced.EventSourced": "eventSourced",
  "cloudstate.valueentity.ValueEntity": "value",
  "cloudstate.action.ActionProtocol": "action",
} as const satisfies Record<string, ComponentKind>;

/** Which protocol versions of a function are taken: `strict` exactly ours, as the reference does; `any` whatever it says. */
export type ProtocolCompatibility = "strict" | "any";

/** A service, ready to be given a function port. */
export type ServiceSpec = Omit<Component, "function">;

/** What the function says about itself. For people. */
export interface FunctionInfo {
  readonly serviceName: string;
  readonly serviceVersion: string;
  readonly runtime: string;
  readonly library: string;
  readonly libraryVersion: string;
  /** `0.2`; `0.0` when it said nothing. */
  readonly protocol: string;
}

export interface Spec {
  readonly services: readonly ServiceSpec[];
  readonly descriptors: DescriptorSet;
  readonly info: FunctionInfo;
}

/** Problems listed in one Fault; more than these help nobody. */
const problemsMax = 20;

/**
 * Reads and checks a serialized EntitySpec.
 * @throws Fault("precondition") listing what is wrong and how to mend it (V1).
 */
export function readSpec(bytes: Uint8Array, compatibility: ProtocolCompatibility): Spec {
  const spec = parse(bytes);
  const problems: string[] = [];
  const info = infoOf(spec.serviceInfo);
  checkVersion(spec.serviceInfo, compatibility, problems);
  if (spec.entities.length === 0) problems.push("It lists no entities: register at least one entity or action with the support library.");
  const descriptors = attempt(() => loadDescriptors(spec.proto), problems);
  const services = descriptors === undefined ? [] : spec.entities.map((entity) => readEntity(entity, descriptors, problems));
  checkDuplicates(spec.entities, problems);
  if (problems.length > 0 || descriptors === undefined) throw rejection(problems);
  return { services: services.filter((service) => service !== undefined), descriptors, info };
}

function rejection(problems: readonly string[]): Fault {
  const shown = problems.slice(0, problemsMax);
  if (problems.length > shown.length) shown.push(`and ${problems.length - shown.length} more.`);
  return new Fault("precondition", `The user function cannot be run. ${shown.join(" ")}`, { facts: { problems: problems.length } });
}

function parse(bytes: Uint8Array): EntitySpec {
  try {
    return fromBinary(EntitySpecSchema, bytes);
  } catch (cause) {
    throw rejection([`Its answer to discovery is not a cloudstate.EntitySpec: ${explain(cause)}.`]);
  }
}

/** Runs `load`; a Fault becomes a problem. Other errors are mistakes of ours. */
function attempt<T>(load: () => T, problems: string[]): T | undefined {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    problems.push(`${sentence(error.message)}.`);
    return undefined;
  }
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function infoOf(info: ServiceInfo | undefined): FunctionInfo {
  return {
    serviceName: info?.serviceName ?? "",
    serviceVersion: info?.serviceVersion ?? "",
    runtime: info?.serviceRuntime ?? "",
    library: info?.supportLibraryName ?? "",
    libraryVersion: info?.supportLibraryVersion ?? "",
    protocol: versionOf(info),
  };
}

function versionOf(info: ServiceInfo | undefined): string {
  return `${info?.protocolMajorVersion ?? 0}.${info?.protocolMinorVersion ?? 0}`;
}

function checkVersion(info: ServiceInfo | undefined, compatibility: ProtocolCompatibility, problems: string[]): void {
  const ours = `${protocolVersion.major}.${protocolVersion.minor}`;
  const theirs = versionOf(info);
  if (compatibility === "any" || theirs === ours) return;
  const said = theirs === "0.0" ? "reports no protocol version" : `speaks protocol ${theirs}`;
  problems.push(`It ${said}, and ${ours} is needed: use a support library for ${ours}, or set protocolCompatibility to "any".`);
}

function checkDuplicates(entities: readonly Entity[], problems: string[]): void {
  const seen = new Set<string>();
  for (const { serviceName } of entities) {
    if (seen.has(serviceName)) problems.push(`Service ${serviceName} is listed more than once: register it once.`);
    seen.add(serviceName);
  }
}

/** One entity of the spec; `undefined` when something was wrong with it, which is then in `problems`. */
function readEntity(entity: Entity, descriptors: DescriptorSet, problems: string[]): ServiceSpec | undefined {
  const before = problems.length;
  const kind = kindOf(entity, problems);
  const service = descriptors.service(entity.serviceName);
  if (service === undefined) {
    problems.push(`Service ${entity.serviceName || "(no name)"} is not in the descriptors it sent: add its .proto file to them.`);
  }
  const passivationMs = passivationOf(entity, problems);
  if (kind === undefined || service === undefined) return undefined;
  const methods = new Map(service.methods.map((method) => [method.name, readMethod(kind, service, method, problems)]));
  if (problems.length > before) return undefined;
  // Some libraries leave the persistence id to the proxy; the service's own name is the one choice that cannot collide.
  const persistenceId = kind === "action" ? "" : entity.persistenceId || entity.serviceName;
  return { kind, service: entity.serviceName, persistenceId, methods, passivationMs };
}

function kindOf(entity: Entity, problems: string[]): ComponentKind | undefined {
  const kind = Object.hasOwn(entityTypes, entity.entityType) ? entityTypes[entity.entityType as keyof typeof entityTypes] : undefined;
  if (kind === undefined) {
    const supported = Object.keys(entityTypes).join(", ");
    problems.push(`Service ${entity.serviceName} has the unsupported entity type "${entity.entityType}"; supported are ${supported}.`);
  }
  return kind;
}

function passivationOf(entity: Entity, problems: string[]): number | undefined {
  const timeoutMs = entity.passivationStrategy?.strategy.case === "timeout" ? entity.passivationStrategy.strategy.value.timeout : 0n;
  if (timeoutMs < 0n || timeoutMs > passivationMaxMs) {
    problems.push(`Service ${entity.serviceName} has a passivation timeout of ${timeoutMs} ms; 1 to ${passivationMaxMs} are possible.`);
  }
  return timeoutMs === 0n ? undefined : Number(timeoutMs);
}

/** Longest a timer can wait, 2^31 - 1 ms, about 24 days. */
const passivationMaxMs = 2_147_483_647n;

function readMethod(kind: ComponentKind, service: DescService, method: DescMethod, problems: string[]): ComponentMethod {
  const read: ComponentMethod = {
    name: method.name,
    streamedIn: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    streamedOut: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    inputTypeUrl: messageTypeUrl(method.input.typeName),
    outputTypeUrl: messageTypeUrl(method.output.typeName),
  };
  if (kind === "action") return read;
  const where = `${service.typeName}.${method.name}`;
  if (read.streamedIn || read.streamedOut) {
    problems.push(`Method ${where} is streamed, which entities cannot serve: make it unary, or its service an action.`);
  }
  const entityId = readEntityKey(method, where, problems);
  return entityId === undefined ? read : { ...read, entityId };
}

function readEntityKey(method: DescMethod, where: string, problems: string[]): EntityKey | undefined {
  const before = problems.length;
  const entityKey = attempt(() => compileEntityKey(method.input), problems);
  if (entityKey === undefined && problems.length === before) {
    problems.push(
      `Method ${where} takes ${method.input.typeName}, which has no entity key: mark a field with (cloudstate.entity_key) = true.`,
    );
  }
  return entityKey;
}
