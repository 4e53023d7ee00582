/** Which file defines what, in a set of files: the questions server reflection answers. */
import { type DescFile, toBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  file_google_protobuf_any,
  file_google_protobuf_api,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_source_context,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_type,
  file_google_protobuf_wrappers,
  type FieldDescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { file_google_api_annotations } from "../gen/google/api/annotations_pb.ts";
import { file_google_api_http } from "../gen/google/api/http_pb.ts";
import { file_grpc_health_v1_health } from "../gen/grpc/health/v1/health_pb.ts";
import { file_grpc_reflection_v1_reflection } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { file_grpc_reflection_v1alpha_reflection } from "../gen/grpc/reflection/v1alpha/reflection_pb.ts";

/** Files every answer may need: what we serve ourselves, and well-known imports a descriptor set often leaves out. A file of the same name in the set wins. */
const ownFiles: readonly DescFile[] = [
  file_grpc_reflection_v1_reflection,
  file_grpc_reflection_v1alpha_reflection,
  file_grpc_health_v1_health,
  file_google_api_annotations,
  file_google_api_http,
  file_google_protobuf_any,
  file_google_protobuf_api,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_source_context,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_type,
  file_google_protobuf_wrappers,
];

/** Answers from one set of files. Built once for a set; answers are kept. */
export class SymbolIndex {
  readonly #files = new Map<string, FileDescriptorProto>();
  /** Full name → file. */
  readonly #symbols = new Map<string, string>();
  /** Extended message → field number → file. */
  readonly #extensions = new Map<string, Map<number, string>>();
  readonly #bytes = new Map<string, Uint8Array>();

  constructor(files: Iterable<FileDescriptorProto>) {
    for (const file of files) this.#addFile(file);
    for (const { proto } of ownFiles) if (!this.#files.has(proto.name)) this.#addFile(proto);
  }

  /** The file and all it imports, itself first, serialized. Imports nobody has are left out. */
  fileWithImports(name: string): Uint8Array[] | undefined {
    if (!this.#files.has(name)) return undefined;
    const found: Uint8Array[] = [];
    const seen = new Set([name]);
    // A set grows while it is walked: this is the queue of a breadth-first search.
    for (const next of seen) {
      const file = this.#files.get(next);
      if (file === undefined) continue;
      found.push(this.#serialized(file));
      for (const dependency of file.dependency) seen.add(dependency);
    }
    return found;
  }

  fileOfSymbol(fullName: string): string | undefined {
    return this.#symbols.get(fullName);
  }

  fileOfExtension(message: string, number: number): string | undefined {
    return this.#extensions.get(message)?.get(number);
  }

  /** Undefined when `message` is not known; ascending. */
  extensionNumbers(message: string): number[] | undefined {
    const numbers = this.#extensions.get(message);
    if (numbers === undefined) return this.#symbols.has(message) ? [] : undefined;
    return [...numbers.keys()].sort((a, b) => a - b);
  }

  #serialized(file: FileDescriptorProto): Uint8Array {
    let bytes = this.#bytes.get(file.name);
    if (bytes === undefined) this.#bytes.set(file.name, (bytes = toBinary(FileDescriptorProtoSchema, file)));
    return bytes;
  }

  #addFile(file: FileDescriptorProto): void {
    this.#files.set(file.name, file);
    const scope = file.package === "" ? "" : `${file.package}.`;
    for (const message of file.messageType) this.#addMessage(file.name, scope, message);
    for (const enumType of file.enumType) this.#addEnum(file.name, scope, enumType);
    for (const extension of file.extension) this.#addExtension(file.name, scope, extension);
    for (const service of file.service) {
      this.#symbols.set(scope + service.name, file.name);
      for (const method of service.method) this.#symbols.set(`${scope}${service.name}.${method.name}`, file.name);
    }
  }

  #addMessage(file: string, scope: string, message: DescriptorProto): void {
    const name = scope + message.name;
    const inner = `${name}.`;
    this.#symbols.set(name, file);
    for (const field of message.field) this.#symbols.set(inner + field.name, file);
    for (const oneof of message.oneofDecl) this.#symbols.set(inner + oneof.name, file);
    for (const nested of message.nestedType) this.#addMessage(file, inner, nested);
    for (const enumType of message.enumType) this.#addEnum(file, inner, enumType);
    for (const extension of message.extension) this.#addExtension(file, inner, extension);
  }

  /** Values of an enum belong to the scope around it, as in C++ (descriptor.proto). */
  #addEnum(file: string, scope: string, enumType: EnumDescriptorProto): void {
    this.#symbols.set(scope + enumType.name, file);
    for (const value of enumType.value) this.#symbols.set(scope + value.name, file);
  }

  #addExtension(file: string, scope: string, extension: FieldDescriptorProto): void {
    this.#symbols.set(scope + extension.name, file);
    const message = extension.extendee.replace(/^\./, "");
    let numbers = this.#extensions.get(message);
    if (numbers === undefined) this.#extensions.set(message, (numbers = new Map<number, string>()));
    numbers.set(extension.number, file);
  }
}
