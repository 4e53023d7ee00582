/** P27: server reflection of the proxy. */
import assert from "node:assert/strict";
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { ServerReflectionRequestSchema, ServerReflectionResponseSchema } from "@mecha/wire/gen/grpc/reflection/v1alpha/reflection";
import type { Case } from "../kit/context.ts";

const reflection = "grpc.reflection.v1alpha.ServerReflection";
const info = { path: `/${reflection}/ServerReflectionInfo`, input: ServerReflectionRequestSchema, output: ServerReflectionResponseSchema };
const host = "conformance";

type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;

export const reflectionCases: readonly Case[] = [
  {
    id: "P27",
    group: "reflection",
    name: "verify server reflection",
    async run(kit) {
      const client = kit.stream(info);
      const ask = (messageRequest: Question): { validHost: string; originalRequest: { host: string; messageRequest: Question } } => {
        const originalRequest = { host, messageRequest };
        client.send(originalRequest);
        return { validHost: host, originalRequest };
      };

      const listing = ask({ case: "listServices", value: "" });
      const service = [reflection, ...kit.options.services.toSorted()].map((name) => ({ name }));
      await client.expect({ ...listing, messageResponse: { case: "listServicesResponse", value: { service } } });

      ask({ case: "fileContainingSymbol", value: "cloudstate.tck.model.EventSourcedTckModel" });
      const { messageResponse } = await client.receive();
      assert.equal(messageResponse.case, "fileDescriptorResponse");
      const files = messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
      assert.ok(
        files.some((file) => file.package === "cloudstate.tck.model" && file.service.some(({ name }) => name === "EventSourcedTckModel")),
      );

      // The reference answers what it does not know with an empty list of files, not with an error.
      const unknown = ask({ case: "fileContainingSymbol", value: "no.such.Symbol" });
      await client.expect({ ...unknown, messageResponse: { case: "fileDescriptorResponse", value: { fileDescriptorProto: [] } } });

      client.complete();
      await client.expectComplete();
    },
  },
];
