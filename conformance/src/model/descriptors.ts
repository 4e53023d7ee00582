/** What the model serves, as it says at discovery. */
import { create, type DescFile, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { type EntitySpec, EntitySpecSchema } from "@mecha/wire/gen/cloudstate/entity";
import { file_cloudstate_tck_model_action } from "../gen/cloudstate/tck/model/action_pb.ts";
import { file_cloudstate_tck_model_crdt } from "../gen/cloudstate/tck/model/crdt_pb.ts";
import { file_cloudstate_tck_model_eventlogeventing } from "../gen/cloudstate/tck/model/eventlogeventing_pb.ts";
import { file_cloudstate_tck_model_eventsourced } from "../gen/cloudstate/tck/model/eventsourced_pb.ts";
import { file_cloudstate_tck_model_valueentity } from "../gen/cloudstate/tck/model/valueentity_pb.ts";

const eventSourced = "cloudstate.eventsourced.EventSourced";
const value = "cloudstate.valueentity.ValueEntity";
const crdt = "cloudstate.crdt.Crdt";
const action = "cloudstate.action.ActionProtocol";
const eventLogs = "cloudstate.tck.model.eventlogeventing";
/** Of the services called Configured, as the TCK asks. */
const configuredPassivationMs = 100n;

/** The model's answer to discovery. Importers come before their imports on purpose: functions in Go send them like that. */
export function modelSpec(): EntitySpec {
  const configured = { strategy: { case: "timeout" as const, value: { timeout: configuredPassivationMs } } };
  const file = [
    file_cloudstate_tck_model_eventsourced,
    file_cloudstate_tck_model_valueentity,
    file_cloudstate_tck_model_crdt,
    file_cloudstate_tck_model_action,
    file_cloudstate_tck_model_eventlogeventing,
  ];
  return create(EntitySpecSchema, {
    proto: toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: withImports(file) })),
    entities: [
      { entityType: eventSourced, serviceName: "cloudstate.tck.model.EventSourcedTckModel", persistenceId: "event-sourced-tck-model" },
      { entityType: eventSourced, serviceName: "cloudstate.tck.model.EventSourcedTwo", persistenceId: "event-sourced-tck-model-two" },
      {
        entityType: eventSourced,
        serviceName: "cloudstate.tck.model.EventSourcedConfigured",
        persistenceId: "event-sourced-configured",
        passivationStrategy: configured,
      },
      { entityType: value, serviceName: "cloudstate.tck.model.valueentity.ValueEntityTckModel", persistenceId: "value-entity-tck-model" },
      { entityType: value, serviceName: "cloudstate.tck.model.valueentity.ValueEntityTwo", persistenceId: "value-entity-tck-model-two" },
      {
        entityType: value,
        serviceName: "cloudstate.tck.model.valueentity.ValueEntityConfigured",
        persistenceId: "value-entity-configured",
        passivationStrategy: configured,
      },
      { entityType: crdt, serviceName: "cloudstate.tck.model.crdt.CrdtTckModel", persistenceId: "crdt-tck-model" },
      { entityType: crdt, serviceName: "cloudstate.tck.model.crdt.CrdtTwo", persistenceId: "crdt-tck-model-two" },
      {
        entityType: crdt,
        serviceName: "cloudstate.tck.model.crdt.CrdtConfigured",
        persistenceId: "crdt-configured",
        passivationStrategy: configured,
      },
      { entityType: action, serviceName: "cloudstate.tck.model.action.ActionTckModel" },
      { entityType: action, serviceName: "cloudstate.tck.model.action.ActionTwo" },
      { entityType: action, serviceName: `${eventLogs}.EventLogSubscriberModel` },
      { entityType: eventSourced, serviceName: `${eventLogs}.EventSourcedEntityOne`, persistenceId: "eventlogeventing-one" },
      { entityType: eventSourced, serviceName: `${eventLogs}.EventSourcedEntityTwo`, persistenceId: "eventlogeventing-two" },
    ],
    serviceInfo: {
      serviceName: "cloudstate-tck-model",
      serviceVersion: "1",
      serviceRuntime: "node",
      supportLibraryName: "@grpc/grpc-js by hand",
      supportLibraryVersion: "1",
      protocolMajorVersion: 0,
      protocolMinorVersion: 2,
    },
  });
}

function withImports(roots: readonly DescFile[]): FileDescriptorProto[] {
  const seen = new Set<DescFile>();
  const files: FileDescriptorProto[] = [];
  const visit = (file: DescFile): void => {
    if (seen.has(file)) return;
    seen.add(file);
    files.push(file.proto);
    for (const imported of file.dependencies) visit(imported);
  };
  for (const root of roots) visit(root);
  return files;
}
