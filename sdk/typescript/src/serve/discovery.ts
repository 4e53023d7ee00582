/** cloudstate.EntityDiscovery: says what this process hosts, and prints what the proxy thinks of it. */
import { create, type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema, type FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { compileEntityKey } from "@mecha/wire";
import { EntitySchema, type EntitySpec, EntitySpecSchema } from "@mecha/wire/gen/cloudstate/entity";
import { EntitySpecExtensionSchema } from "@mecha/wire/gen/mecha/extensions/v1/extensions";
import type { Component } from "../component.ts";
import { expect, Mistake } from "../mistake.ts";
import { eventSourcedType } from "../protocol/event-sourced.ts";
import { actionService } from "../protocol/action.ts";
import { crdtType } from "../protocol/crdt.ts";
import { valueEntityType } from "../protocol/value-entity.ts";
import { buildFiles } from "../schema/descriptors.ts";

/** The protocol's version, which proxies compare exactly. */
export const protocolVersion = { major: 0, minor: 2 };

const entityTypes = { eventSourced: eventSourcedType, value: valueEntityType, crdt: crdtType, action: actionService } as const;

/** What a proxy that may send several commands of an entity at once says in ProxyInfoExtension. */
const windowExtension = "window";
/** What one says that can put the streams of entities on one. */
const carrierExtension = "carrier";

/** Commands of one entity this function takes before it has answered the first: they wait here, in memory, and their answers share a write. */
export const window = 32;

/** The answer to `discover` for a proxy that understands `extensions`; both messages are read from the same bytes. */
export function discoveryAnswer(spec: Uint8Array, extensions: readonly string[]): Uint8Array {
  const known = {
    ...(extensions.includes(windowExtension) && { window }),
    ...(extensions.includes(carrierExtension) && { carrier: true }),
  };
  if (Object.keys(known).length === 0) return spec;
  const extension = create(EntitySpecExtensionSchema, known);
  return Buffer.concat([spec, toBinary(EntitySpecExtensionSchema, extension)]);
}

/** What the function says about itself beside its components. */
export interface ServiceIdentity {
  readonly name: string;
  readonly version: string;
}

/** The answer to `discover`. @throws Mistake when the components do not go together. */
export function entitySpec(components: readonly Component[], identity: ServiceIdentity, runtime: string): EntitySpec {
  checkComponents(components);
  return create(EntitySpecSchema, {
    proto: toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: filesOf(components) })),
    entities: components.map((component) =>
      create(EntitySchema, {
        entityType: entityTypes[component.kind],
        serviceName: component.service,
        ...(component.kind === "action"
          ? {}
          : { persistenceId: component.definition.persistenceId, ...passivation(component.definition.passivationMs) }),
      }),
    ),
    serviceInfo: {
      serviceName: identity.name,
      serviceVersion: identity.version,
      serviceRuntime: runtime,
      supportLibraryName: "mecha-sdk",
      supportLibraryVersion: "0.1.0",
      protocolMajorVersion: protocolVersion.major,
      protocolMinorVersion: protocolVersion.minor,
    },
  });
}

function passivation(timeoutMs: number | undefined): object {
  return timeoutMs === undefined ? {} : { passivationStrategy: { strategy: { case: "timeout", value: { timeout: BigInt(timeoutMs) } } } };
}

function checkComponents(components: readonly Component[]): void {
  expect(components.length > 0, () => "serve([…]): give at least one component: serve([Cart])");
  const services = new Set<string>();
  const stores = new Map<string, string>();
  for (const component of components) {
    expect(
      typeof component === "object" && component !== null && component.kind in entityTypes,
      () => "serve([…]): one of the components is none; make them with eventSourced, valueEntity, crdt or action",
    );
    expect(!services.has(component.service), () => `two components have the service name ${component.service}; each needs its own`);
    services.add(component.service);
    if (component.kind === "action") continue;
    const { persistenceId } = component.definition;
    const other = stores.get(persistenceId);
    expect(
      other === undefined,
      () =>
        `${other} and ${component.service} have the same persistenceId ${JSON.stringify(persistenceId)}: they would share records; give each its own`,
    );
    stores.set(persistenceId, component.service);
    if (component.definition.origin.from === "proto") checkProtoKeys(component);
  }
}

/** In a .proto the key is an option that is easily forgotten. */
function checkProtoKeys({ service, definition: { methods } }: Component): void {
  for (const { name, input } of methods.values()) {
    const desc = input.codec.desc;
    if (compileEntityKey(desc) !== undefined) continue;
    const field = desc.fields[0]?.name ?? "id";
    throw new Mistake(
      `${service}.${name}: no field of ${desc.typeName} is marked as the entity's key; import "cloudstate/entity_key.proto" and write: string ${field} = 1 [(cloudstate.entity_key) = true];`,
    );
  }
}

/** All descriptor files, imports first. TypeScript packages are built together, so that components may share messages. */
function filesOf(components: readonly Component[]): FileDescriptorProto[] {
  const sources = components.flatMap(({ definition: { origin } }) => (origin.from === "typescript" ? [origin.source] : []));
  const declared = components.flatMap(({ definition: { origin } }) =>
    origin.from === "proto" ? [origin.service.file, ...origin.messages.map(({ file }) => file)] : [],
  );
  const files = new Map<string, FileDescriptorProto>();
  const add = (file: DescFile): void => {
    if (files.has(file.proto.name)) return;
    for (const dependency of file.dependencies) add(dependency);
    files.set(file.proto.name, file.proto);
  };
  for (const file of buildFiles(sources).files) add(file);
  for (const file of declared) add(file);
  return [...files.values()];
}
