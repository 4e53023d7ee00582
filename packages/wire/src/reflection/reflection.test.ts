import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { FieldDescriptorProto_Type, type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import {
  type ServerReflectionResponse,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { RecordedCall } from "../grpc/testing.ts";
import type { CallHandler } from "../rpc.ts";
import { reflectionHandler, type ReflectionOptions } from "./reflection.ts";

const files: FileDescriptorProto[] = [
  create(FileDescriptorProtoSchema, {
    name: "shop/cart.proto",
    package: "shop",
    dependency: ["shop/item.proto", "google/protobuf/empty.proto", "nobody/has.proto"],
    messageType: [
      {
        name: "Cart",
        field: [{ name: "id", number: 1, type: FieldDescriptorProto_Type.STRING }],
        nestedType: [{ name: "Line" }],
        enumType: [{ name: "State", value: [{ name: "OPEN", number: 0 }] }],
      },
    ],
    service: [{ name: "Carts", method: [{ name: "Get", inputType: ".shop.Cart", outputType: ".shop.Cart" }] }],
  }),
  create(FileDescriptorProtoSchema, {
    name: "shop/item.proto",
    package: "shop",
    dependency: ["google/protobuf/descriptor.proto"],
    messageType: [{ name: "Item" }],
    extension: [
      { name: "shown", number: 50_100, extendee: ".google.protobuf.FieldOptions", type: FieldDescriptorProto_Type.BOOL },
      { name: "also", number: 50_001, extendee: ".google.protobuf.FieldOptions", type: FieldDescriptorProto_Type.BOOL },
    ],
  }),
];
const source = { files, services: ["shop.Carts", "a.First"] };

type Ask = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;

function open(version = "v1alpha", options: ReflectionOptions = {}): RecordedCall {
  const handler = reflectionHandler(() => source, options).get(`/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`);
  return new RecordedCall(handler as CallHandler);
}

function ask(question: Ask, version?: string, options?: ReflectionOptions): ServerReflectionResponse {
  const call = open(version, options);
  const request = create(ServerReflectionRequestSchema, { host: "here", messageRequest: question });
  call.events.message(toBinary(ServerReflectionRequestSchema, request));
  const response = fromBinary(ServerReflectionResponseSchema, call.sent[0] as Uint8Array);
  assert.equal(response.validHost, "here");
  assert.deepEqual(response.originalRequest, request);
  call.events.halfClose?.();
  assert.equal(call.status?.code, 0);
  return response;
}

const names = (response: ServerReflectionResponse): string[] => {
  assert.equal(response.messageResponse.case, "fileDescriptorResponse");
  return response.messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
};

test("list_services names reflection first, then the services in order", () => {
  for (const version of ["v1", "v1alpha"]) {
    const { messageResponse } = ask({ case: "listServices", value: "" }, version);
    assert.equal(messageResponse.case, "listServicesResponse");
    assert.deepEqual(
      messageResponse.value.service.map(({ name }) => name),
      [`grpc.reflection.${version}.ServerReflection`, "a.First", "shop.Carts"],
    );
  }
});

test("a file comes with everything it imports, itself first", () => {
  const all = ["shop/cart.proto", "shop/item.proto", "google/protobuf/empty.proto", "google/protobuf/descriptor.proto"];
  assert.deepEqual(names(ask({ case: "fileByFilename", value: "shop/cart.proto" })), all);
  for (const symbol of [
    "shop.Cart",
    "shop.Carts",
    "shop.Carts.Get",
    "shop.Cart.Line",
    "shop.Cart.State",
    "shop.Cart.OPEN",
    "shop.Cart.id",
    ".shop.Cart",
  ]) {
    assert.deepEqual(names(ask({ case: "fileContainingSymbol", value: symbol })), all, symbol);
  }
});

test("reflection, health and well-known files are always there", () => {
  for (const symbol of ["grpc.reflection.v1.ServerReflection", "grpc.health.v1.Health", "google.protobuf.Timestamp", "google.api.http"]) {
    assert.ok(names(ask({ case: "fileContainingSymbol", value: symbol })).length > 0, symbol);
  }
});

test("extensions are found by message and number", () => {
  const extension = { containingType: "google.protobuf.FieldOptions", extensionNumber: 50_100 };
  assert.equal(names(ask({ case: "fileContainingExtension", value: extension }))[0], "shop/item.proto");
  const { messageResponse } = ask({ case: "allExtensionNumbersOfType", value: "google.protobuf.FieldOptions" });
  assert.equal(messageResponse.case, "allExtensionNumbersResponse");
  assert.deepEqual(messageResponse.value.extensionNumber, [50_001, 50_100]);
  const none = ask({ case: "allExtensionNumbersOfType", value: "shop.Cart" }).messageResponse;
  assert.deepEqual(none.case === "allExtensionNumbersResponse" && none.value.extensionNumber, []);
});

test("what nobody knows is NOT_FOUND, or empty as the Cloudstate proxy has it", () => {
  const questions: Ask[] = [
    { case: "fileContainingSymbol", value: "no.Such" },
    { case: "fileByFilename", value: "no.proto" },
    { case: "fileContainingExtension", value: { containingType: "shop.Cart", extensionNumber: 1 } },
  ];
  for (const question of questions) {
    const { messageResponse } = ask(question);
    assert.equal(messageResponse.case === "errorResponse" && messageResponse.value.errorCode, 5);
    assert.deepEqual(names(ask(question, "v1alpha", { unknownSymbol: "empty" })), []);
  }
  const unknown = ask({ case: "allExtensionNumbersOfType", value: "no.Such" }).messageResponse;
  assert.equal(unknown.case === "errorResponse" && unknown.value.errorCode, 5);
});

test("bytes that are no request end the call, never throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
      const call = open();
      call.events.message(bytes);
      assert.ok(call.sent.length === 1 || call.status?.code === 3);
    }),
  );
});

test("questions wait while answers are not read", () => {
  const call = open();
  call.room = false;
  const question = create(ServerReflectionRequestSchema, { messageRequest: { case: "listServices", value: "" } });
  call.events.message(toBinary(ServerReflectionRequestSchema, question));
  assert.equal(call.paused, true);
  call.events.drain?.();
  assert.equal(call.paused, false);
});
