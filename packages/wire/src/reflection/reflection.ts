/**
 * gRPC server reflection, v1 and v1alpha, over files discovered at run time. The two versions have the same messages under different
 * names, so one codec serves both (grpc/reflection/v1/reflection.proto says so).
 */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { faultCodes } from "@mecha/kit";
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../gen/grpc/reflection/v1/reflection_pb.ts";
import type { CallHandler } from "../rpc.ts";
import { SymbolIndex } from "./symbols.ts";

/** What can be asked about. Give the same object while nothing has changed: what is derived from it is kept with it. */
export interface ReflectionSource {
  readonly files: Iterable<FileDescriptorProto>;
  /** Full names of the services offered, without reflection itself. */
  readonly services: readonly string[];
}

export interface ReflectionOptions {
  /** What is said of a symbol or file nobody knows: NOT_FOUND (default), or, as the Cloudstate proxy does, an empty list of files. */
  readonly unknownSymbol?: "notFound" | "empty";
}

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

const versions = ["grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection"] as const;

/** Handlers by path. `get` is asked for each request, so the source may change at any time. */
export function reflectionHandler(get: () => ReflectionSource, options: ReflectionOptions = {}): ReadonlyMap<string, CallHandler> {
  return new Map(versions.map((service) => [`/${service}/ServerReflectionInfo`, handlerOf(service, get, options)]));
}

function handlerOf(service: string, get: () => ReflectionSource, options: ReflectionOptions): CallHandler {
  return (call) => ({
    message(bytes) {
      let request: ServerReflectionRequest;
      try {
        request = fromBinary(ServerReflectionRequestSchema, bytes);
      } catch {
        call.end({ code: faultCodes.invalid.grpc, message: "the message is no ServerReflectionRequest" });
        return;
      }
      const response = create(ServerReflectionResponseSchema, {
        validHost: request.host,
        originalRequest: request,
        messageResponse: answer(service, get(), request.messageRequest, options),
      });
      // Answers wait for a slow client, so further questions wait too.
      if (!call.send(toBinary(ServerReflectionResponseSchema, response))) call.pause();
    },
    drain: () => call.resume(),
    halfClose: () => call.end(),
  });
}

function answer(
  service: string,
  source: ReflectionSource,
  ask: ServerReflectionRequest["messageRequest"],
  options: ReflectionOptions,
): Answer {
  const files = (what: string, name: string | undefined): Answer => {
    const found = name === undefined ? undefined : indexOf(source).fileWithImports(name);
    if (found === undefined && options.unknownSymbol !== "empty") return failure("notFound", `not found: ${what}`);
    return { case: "fileDescriptorResponse", value: { fileDescriptorProto: found ?? [] } };
  };
  switch (ask.case) {
    case "listServices": {
      const names = new Set([service, ...[...source.services].sort()]);
      return { case: "listServicesResponse", value: { service: [...names].map((name) => ({ name })) } };
    }
    case "fileByFilename":
      return files(`file ${ask.value}`, ask.value);
    case "fileContainingSymbol":
      return files(`symbol ${ask.value}`, indexOf(source).fileOfSymbol(ask.value.replace(/^\./, "")));
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = ask.value;
      const name = indexOf(source).fileOfExtension(containingType.replace(/^\./, ""), extensionNumber);
      return files(`extension ${extensionNumber} of ${containingType}`, name);
    }
    case "allExtensionNumbersOfType": {
      const extensionNumber = indexOf(source).extensionNumbers(ask.value.replace(/^\./, ""));
      if (extensionNumber === undefined) return failure("notFound", `not found: message ${ask.value}`);
      return { case: "allExtensionNumbersResponse", value: { baseTypeName: ask.value, extensionNumber } };
    }
    case undefined:
      return failure("invalid", "the request asks for nothing this server knows");
  }
}

function failure(code: "notFound" | "invalid", errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode: faultCodes[code].grpc, errorMessage } };
}

const indexes = new WeakMap<ReflectionSource, SymbolIndex>();

function indexOf(source: ReflectionSource): SymbolIndex {
  let index = indexes.get(source);
  if (index === undefined) indexes.set(source, (index = new SymbolIndex(source.files)));
  return index;
}
