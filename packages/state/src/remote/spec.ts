/**
 * What a user function says it serves, checked: the dialect's reading of its answer in, services out. Pure; discovery.ts makes the call.
 *
 * Invariants
 * V1 the bytes are not trusted: the outcome is a Spec or one Fault("precondition") that lists everything wrong with it, for the developer of
 *    the function to read
 * V2 an accepted spec can run: every service is known to the descriptors, every entity method has an entity key and one request and reply
 */
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { explain, Fault } from "@mecha/kit";
import { compileEntityKey, type DescriptorSet, type EntityKey, loadDescriptors, messageTypeUrl } from "@mecha/wire";
import type { Component, ComponentKind, ComponentMethod } from "../model.ts";
import { eventingOf } from "./eventing.ts";

/** Which protocol versions of a function are taken: `strict` only those the dialect was made for; `any` whatever it says. */
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

/** What the protocols' ServiceInfo messages have in common. */
export interface ServiceInfoFields {
  readonly serviceName: string;
  readonly serviceVersion: string;
  readonly serviceRuntime: string;
  readonly supportLibraryName: string;
  readonly supportLibraryVersion: string;
  readonly protocolMajorVersion: number;
  readonly protocolMinorVersion: number;
}

/** A ServiceInfo, or its absence, in our words. */
export function functionInfo(info: ServiceInfoFields | undefined): FunctionInfo {
  return {
    serviceName: info?.serviceName ?? "",
    serviceVersion: info?.serviceVersion ?? "",
    runtime: info?.serviceRuntime ?? "",
    library: info?.supportLibraryName ?? "",
    libraryVersion: info?.supportLibraryVersion ?? "",
    protocol: `${info?.protocolMajorVersion ?? 0}.${info?.protocolMinorVersion ?? 0}`,
  };
}

/** An answer to discovery, in words every protocol of the family has. */
export interface Declared {
  /** A serialized FileDescriptorSet. */
  readonly proto: Uint8Array;
  readonly services: readonly DeclaredService[];
  readonly info: FunctionInfo;
}

export interface DeclaredService {
  readonly service: string;
  /** The protocol's word for its kind. */
  readonly type: string;
  readonly persistenceId: string;
  /** Idle time, ms; 0 = the engine's default. */
  readonly passivationMs: bigint;
}

/** What a dialect asks of an answer. */
export interface SpecRules {
  /** Kinds by the protocol's word. */
  readonly kinds: Readonly<Record<string, ComponentKind>>;
  /** Whether a CRDT's method may answer with a stream. */
  readonly crdtsStream: boolean;
  /** How a field becomes an entity key: `(cloudstate.entity_key) = true`. */
  readonly entityKeyOption: string;
  /** What is wrong with the protocol version; `undefined` = nothing. Whole sentences. */
  readonly versionProblem: (info: FunctionInfo) => string | undefined;
  /** What is wrong with a service of a type that has a kind, beyond what is checked anyway. */
  readonly serviceProblem?: (service: DeclaredService, info: FunctionInfo) => string | undefined;
}

export interface Spec {
  readonly services: readonly { readonly type: string; readonly service: ServiceSpec }[];
  readonly descriptors: DescriptorSet;
}

/** Problems listed in one Fault; more than these help nobody. */
const problemsMax = 20;

/**
 * Checks what a function declared.
 * @throws Fault("precondition") listing what is wrong and how to mend it (V1).
 */
export function checkSpec(declared: Declared, rules: SpecRules): Spec {
  const problems: string[] = [];
  const note = (problem: string | undefined): void => {
    if (problem !== undefined) problems.push(problem);
  };
  note(rules.versionProblem(declared.info));
  if (declared.services.length === 0) note("It lists no entities: register at least one entity or action with the support library.");
  const descriptors = attempt(() => loadDescriptors(declared.proto), problems);
  const services = [];
  for (const one of descriptors === undefined ? [] : declared.services) {
    note(rules.serviceProblem?.(one, declared.info));
    const service = readService(one, descriptors as DescriptorSet, rules, problems);
    if (service !== undefined) services.push({ type: one.type, service });
  }
  checkDuplicates(declared.services, problems);
  if (problems.length > 0 || descriptors === undefined) throw rejection(problems);
  return { services, descriptors };
}

function rejection(problems: readonly string[]): Fault {
  const shown = problems.slice(0, problemsMax);
  if (problems.length > shown.length) shown.push(`and ${problems.length - shown.length} more.`);
  return new Fault("precondition", `The user function cannot be run. ${shown.join(" ")}`, { facts: { problems: problems.length } });
}

/**
 * Reads an answer to discovery with `read`.
 * @throws Fault("precondition") saying that it is no `typeName` (V1).
 */
export function parseAnswer<T>(typeName: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw rejection([`Its answer to discovery is not a ${typeName}: ${explain(cause)}.`]);
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

function checkDuplicates(services: readonly DeclaredService[], problems: string[]): void {
  const seen = new Set<string>();
  for (const { service } of services) {
    if (seen.has(service)) problems.push(`Service ${service} is listed more than once: register it once.`);
    seen.add(service);
  }
}

/** One service; `undefined` when something was wrong with it, which is then in `problems`. */
function readService(declared: DeclaredService, descriptors: DescriptorSet, rules: SpecRules, problems: string[]): ServiceSpec | undefined {
  const before = problems.length;
  const kind = kindOf(declared, rules, problems);
  const service = descriptors.service(declared.service);
  if (service === undefined) {
    problems.push(`Service ${declared.service || "(no name)"} is not in the descriptors it sent: add its .proto file to them.`);
  }
  const passivationMs = passivationOf(declared, problems);
  if (kind === undefined || service === undefined) return undefined;
  const methods = new Map(service.methods.map((method) => [method.name, readMethod(kind, service, method, rules, problems)]));
  if (problems.length > before) return undefined;
  // Some libraries leave the persistence id to the proxy; the service's own name is the one choice that cannot collide.
  const persistenceId = kind === "action" ? "" : declared.persistenceId || declared.service;
  return { kind, service: declared.service, persistenceId, methods, passivationMs };
}

function kindOf({ service, type }: DeclaredService, { kinds }: SpecRules, problems: string[]): ComponentKind | undefined {
  const kind = Object.hasOwn(kinds, type) ? kinds[type] : undefined;
  if (kind === undefined) {
    problems.push(`Service ${service} has the unsupported entity type "${type}"; supported are ${Object.keys(kinds).join(", ")}.`);
  }
  return kind;
}

function passivationOf({ service, passivationMs }: DeclaredService, problems: string[]): number | undefined {
  if (passivationMs < 0n || passivationMs > passivationMaxMs) {
    problems.push(`Service ${service} has a passivation timeout of ${passivationMs} ms; 1 to ${passivationMaxMs} are possible.`);
  }
  return passivationMs === 0n ? undefined : Number(passivationMs);
}

/** Longest a timer can wait, 2^31 - 1 ms, about 24 days. */
const passivationMaxMs = 2_147_483_647n;

function readMethod(kind: ComponentKind, service: DescService, method: DescMethod, rules: SpecRules, problems: string[]): ComponentMethod {
  const read: ComponentMethod = {
    name: method.name,
    streamedIn: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    streamedOut: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    inputTypeUrl: messageTypeUrl(method.input.typeName),
    outputTypeUrl: messageTypeUrl(method.output.typeName),
  };
  const events = eventingOf(kind, method, `${service.typeName}.${method.name}`, problems);
  return kind === "action" ? { ...read, ...events } : { ...readEntityMethod(kind, service, method, read, rules, problems), ...events };
}

function readEntityMethod(
  kind: ComponentKind,
  service: DescService,
  method: DescMethod,
  read: ComponentMethod,
  rules: SpecRules,
  problems: string[],
): ComponentMethod {
  const where = `${service.typeName}.${method.name}`;
  const mayStream = kind === "crdt" && rules.crdtsStream;
  if (mayStream && read.streamedIn) {
    problems.push(`Method ${where} takes a stream, which CRDTs cannot serve: they take one message; the answer may be a stream.`);
  } else if (!mayStream && (read.streamedIn || read.streamedOut)) {
    problems.push(`Method ${where} is streamed, which entities cannot serve: make it unary, or its service an action.`);
  }
  const entityId = readEntityKey(method, where, rules, problems);
  return entityId === undefined ? read : { ...read, entityId };
}

function readEntityKey(method: DescMethod, where: string, rules: SpecRules, problems: string[]): EntityKey | undefined {
  const before = problems.length;
  const entityKey = attempt(() => compileEntityKey(method.input), problems);
  if (entityKey === undefined && problems.length === before) {
    problems.push(`Method ${where} takes ${method.input.typeName}, which has no entity key: mark a field with ${rules.entityKeyOption}.`);
  }
  return entityKey;
}
