/** What a Kalix function says it serves: Spec bytes in, checked services out. Pure; discovery.ts makes the call. */
import { fromBinary } from "@bufbuild/protobuf";
import {
  checkSpec,
  type Declared,
  type DeclaredService,
  type FunctionInfo,
  functionInfo,
  parseAnswer,
  consistencies,
  type ProtocolCompatibility,
  type Spec,
} from "@mecha/state/remote";
import type { WriteConsistency } from "@mecha/state";
import { type Component, type Spec as SpecMessage, SpecSchema } from "@mecha/wire/gen/kalix/protocol/discovery";
import { componentTypes, protocolVersion } from "./protocol.ts";

export interface KalixSpec {
  readonly spec: Spec;
  readonly info: FunctionInfo;
  /** How many replicas must have a change, by service; absent: one. */
  readonly consistency: ReadonlyMap<string, WriteConsistency>;
}

/**
 * Reads and checks a serialized kalix.protocol.Spec.
 * @throws Fault("precondition") listing what is wrong and how to mend it.
 */
export function readSpec(bytes: Uint8Array, compatibility: ProtocolCompatibility): KalixSpec {
  const answer = parseAnswer("kalix.protocol.Spec", () => fromBinary(SpecSchema, bytes));
  const declared = declaredIn(answer);
  const numbers = new Map(answer.components.map((component) => [component.serviceName, consistencyNumber(component)]));
  const spec = checkSpec(declared, {
    kinds: componentTypes,
    crdtsStream: false,
    entityKeyOption: "(kalix.field).entity_key = true",
    versionProblem: ({ protocol }) => (compatibility === "any" ? undefined : versionProblem(protocol)),
    serviceProblem: ({ service }) => consistencyProblem(service, numbers.get(service) ?? 0),
  });
  const consistency = new Map([...numbers].map(([service, number]) => [service, consistencies[number] ?? "local"]));
  return { spec, info: declared.info, consistency };
}

function consistencyNumber({ componentSettings }: Component): number {
  const settings = componentSettings.case === "entity" ? componentSettings.value.specificSettings : undefined;
  return settings?.case === "replicatedEntity" ? settings.value.writeConsistency : 0;
}

function consistencyProblem(service: string, number: number): string | undefined {
  if (number in consistencies) return undefined;
  return `Service ${service} wants the write consistency ${number}; there are ${Object.keys(consistencies).join(", ")}.`;
}

function declaredIn({ proto, components, serviceInfo }: SpecMessage): Declared {
  return { proto, services: components.map(declaredService), info: functionInfo(serviceInfo) };
}

function declaredService({ serviceName, componentType, componentSettings }: Component): DeclaredService {
  const settings = componentSettings.case === "entity" ? componentSettings.value : undefined;
  const strategy = settings?.passivationStrategy?.strategy;
  return {
    service: serviceName,
    type: componentType,
    persistenceId: settings?.entityType ?? "",
    passivationMs: strategy?.case === "timeout" ? strategy.value.timeout : 0n,
  };
}

function versionProblem(theirs: string): string | undefined {
  if (theirs.startsWith(`${protocolVersion.major}.`)) return undefined;
  return `It speaks Kalix protocol ${theirs}, and ${protocolVersion.major}.x is needed: use a Kalix SDK 1.x, or set the function's protocol to "any".`;
}
