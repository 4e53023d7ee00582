/** What a Cloudstate function says it serves: EntitySpec bytes in, checked services out. Pure; discovery.ts makes the call. */
import { fromBinary } from "@bufbuild/protobuf";
import type { ComponentKind } from "@mecha/state";
import {
  checkSpec,
  type Declared,
  type DeclaredService,
  type FunctionInfo,
  functionInfo,
  parseAnswer,
  type ProtocolCompatibility,
  type Spec,
  type SpecRules,
} from "@mecha/state/remote";
import { type Entity, type EntitySpec, EntitySpecSchema } from "@mecha/wire/gen/cloudstate/entity";
import { actionType, statelessType } from "./protocol.ts";

/** The protocol we speak. */
export const protocolVersion = { major: 0, minor: 2 } as const;

/** What a function that reports no version speaks: npm `cloudstate` 0.0. */
export const oldProtocol = "0.0";

export const crdtType = "cloudstate.crdt.Crdt";

/** `entity_type` of each kind: the full name of the protocol service that runs it. */
export const entityTypes = {
  "cloudstate.eventsourced.EventSourced": "eventSourced",
  "cloudstate.valueentity.ValueEntity": "value",
  [crdtType]: "crdt",
  [actionType]: "action",
} as const satisfies Record<string, ComponentKind>;

/** Those of 0.0. */
const oldEntityTypes = {
  "cloudstate.eventsourced.EventSourced": "eventSourced",
  [statelessType]: "action",
} as const satisfies Record<string, ComponentKind>;

/**
 * Reads and checks a serialized EntitySpec.
 * @throws Fault("precondition") listing what is wrong and how to mend it.
 */
export function readSpec(bytes: Uint8Array, compatibility: ProtocolCompatibility): { readonly spec: Spec; readonly info: FunctionInfo } {
  const declared = declaredIn(parseAnswer("cloudstate.EntitySpec", () => fromBinary(EntitySpecSchema, bytes)));
  return { spec: checkSpec(declared, rulesFor(declared.info, compatibility)), info: declared.info };
}

function declaredIn({ proto, entities, serviceInfo }: EntitySpec): Declared {
  return { proto, services: entities.map(declaredService), info: functionInfo(serviceInfo) };
}

function declaredService({ serviceName, entityType, persistenceId, passivationStrategy }: Entity): DeclaredService {
  const strategy = passivationStrategy?.strategy;
  return {
    service: serviceName,
    type: entityType,
    persistenceId,
    passivationMs: strategy?.case === "timeout" ? strategy.value.timeout : 0n,
  };
}

function rulesFor(info: FunctionInfo, compatibility: ProtocolCompatibility): SpecRules {
  const old = compatibility === "any" && info.protocol === oldProtocol;
  return {
    // A library that speaks 0.2 and only forgot to say so has 0.2's types.
    kinds: old ? { ...entityTypes, ...oldEntityTypes } : entityTypes,
    crdtsStream: true,
    entityKeyOption: "(cloudstate.entity_key) = true",
    versionProblem: ({ protocol }) => (compatibility === "any" ? undefined : versionProblem(protocol)),
  };
}

function versionProblem(theirs: string): string | undefined {
  const ours = `${protocolVersion.major}.${protocolVersion.minor}`;
  if (theirs === ours) return undefined;
  const said = theirs === oldProtocol ? "reports no protocol version" : `speaks protocol ${theirs}`;
  return `It ${said}, and ${ours} is needed: use a support library for ${ours}, or set the function's protocol to "any".`;
}
