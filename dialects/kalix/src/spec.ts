/** What a Kalix function says it serves: Spec bytes in, checked services out. Pure; discovery.ts makes the call. */
import { fromBinary } from "@bufbuild/protobuf";
import {
  checkSpec,
  type Declared,
  type DeclaredService,
  type FunctionInfo,
  functionInfo,
  parseAnswer,
  type ProtocolCompatibility,
  type Spec,
} from "@mecha/state/remote";
import { type Component, type Spec as KalixSpec, SpecSchema } from "@mecha/wire/gen/kalix/protocol/discovery";
import { componentTypes, protocolVersion } from "./protocol.ts";

/**
 * Reads and checks a serialized kalix.protocol.Spec.
 * @throws Fault("precondition") listing what is wrong and how to mend it.
 */
export function readSpec(bytes: Uint8Array, compatibility: ProtocolCompatibility): { readonly spec: Spec; readonly info: FunctionInfo } {
  const declared = declaredIn(parseAnswer("kalix.protocol.Spec", () => fromBinary(SpecSchema, bytes)));
  const spec = checkSpec(declared, {
    kinds: componentTypes,
    entityKeyOption: "(kalix.field).entity_key = true",
    versionProblem: ({ protocol }) => (compatibility === "any" ? undefined : versionProblem(protocol)),
  });
  return { spec, info: declared.info };
}

function declaredIn({ proto, components, serviceInfo }: KalixSpec): Declared {
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
