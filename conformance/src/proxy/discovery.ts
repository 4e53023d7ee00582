/** P1. */
import assert from "node:assert/strict";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { EntitySpecSchema, ProxyInfoSchema } from "@mecha/wire/gen/cloudstate/entity";
import type { Case } from "../kit/context.ts";

/** All the reference proxy supports. */
export const referenceEntityTypes = [
  "cloudstate.action.ActionProtocol",
  "cloudstate.crdt.Crdt",
  "cloudstate.eventsourced.EventSourced",
  "cloudstate.valueentity.ValueEntity",
] as const;

export const discoveryCases: readonly Case[] = [
  {
    id: "P1",
    group: "discovery",
    name: "verify proxy info and entity discovery",
    async run(kit) {
      const discovery = await kit.connection("/cloudstate.EntityDiscovery/discover");
      const info = await discovery.proxyMessage(ProxyInfoSchema);
      assert.deepEqual([info.protocolMajorVersion, info.protocolMinorVersion], [0, 2]);
      assert.deepEqual(info.supportedEntityTypes.toSorted(), kit.options.supportedEntityTypes.toSorted());
      const spec = await discovery.functionMessage(EntitySpecSchema);
      const { file } = fromBinary(FileDescriptorSetSchema, spec.proto);
      const services = new Set(file.flatMap((one) => one.service.map(({ name }) => `${one.package}.${name}`)));
      for (const { serviceName } of spec.entities) assert.ok(services.has(serviceName), `${serviceName} is in the descriptors`);
      await discovery.expectClosed();
    },
  },
];
