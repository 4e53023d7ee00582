/**
 * Descriptors of a user function: what its .proto files said, from the bytes it sends at discovery.
 *
 * Invariants
 * D1 the bytes are not trusted: whatever they hold, the outcome is a DescriptorSet or a Fault("invalid")
 * D2 options that are extensions (google.api.http 72295728, entity_key 1080 and 50002) survive
 * D3 every type a field or method names is in the set
 */
import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { protoCamelCase } from "@bufbuild/protobuf/reflect";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { explain, Fault } from "@mecha/kit";
import { knownFile } from "./known.ts";
import { sortFiles } from "./sort.ts";

/** Largest set read. The reference takes 12 MiB from a function; a set of 1,000 files is about 5 MiB. */
export const descriptorsMaxBytes = 12 * 1024 * 1024;

/** Most files in a set; the largest public API collections hold a few thousand. */
export const descriptorFilesMax = 10_000;

/** A function's types and services, ready to use. Immutable. */
export interface DescriptorSet {
  /** Everything by full name. Give it to protobuf-es where it asks for a registry (Any, extensions). */
  readonly registry: FileRegistry;
  /** Imports before importers, well-known files included: as server reflection sends them. */
  readonly files: readonly FileDescriptorProto[];
  /** A service by full name, `shop.Cart`. Its `methods` are in declaration order. */
  service(name: string): DescService | undefined;
  /** A message by full name, `shop.AddItem`. */
  message(name: string): DescMessage | undefined;
}

/**
 * Reads a serialized google.protobuf.FileDescriptorSet. Files may come in any order; imports of well-known files may be missing.
 * @throws Fault("invalid") saying what is wrong: not a descriptor set, a cycle or gap of imports with its path, a type that does not
 *   exist, a name used twice.
 */
export function loadDescriptors(bytes: Uint8Array): DescriptorSet {
  if (bytes.length > descriptorsMaxBytes) {
    throw new Fault("invalid", `the descriptors are ${bytes.length} bytes, more than the ${descriptorsMaxBytes} allowed`);
  }
  const files = sortFiles({ files: filesByName(parse(bytes)), known: knownFile });
  checkTypes(files);
  const registry = build(files);
  return {
    registry,
    files,
    service: (name) => registry.getService(name),
    message: (name) => registry.getMessage(name),
  };
}

function parse(bytes: Uint8Array): FileDescriptorProto[] {
  try {
    return fromBinary(FileDescriptorSetSchema, bytes).file;
  } catch (cause) {
    throw new Fault("invalid", `the descriptors are not a serialized FileDescriptorSet: ${explain(cause)}`, { cause });
  }
}

function filesByName(files: readonly FileDescriptorProto[]): Map<string, FileDescriptorProto> {
  if (files.length > descriptorFilesMax) {
    throw new Fault("invalid", `the descriptors hold ${files.length} files, more than the ${descriptorFilesMax} allowed`);
  }
  const byName = new Map<string, FileDescriptorProto>();
  for (const file of files) {
    const other = byName.get(file.name);
    // The same file twice is harmless and happens when sets are joined; two different ones under one name are not.
    if (other && !sameFile(other, file)) throw new Fault("invalid", `the descriptors hold two different files named ${quoted(file.name)}`);
    byName.set(file.name, file);
  }
  return byName;
}

function sameFile(a: FileDescriptorProto, b: FileDescriptorProto): boolean {
  const left = toBinary(FileDescriptorProtoSchema, a);
  const right = toBinary(FileDescriptorProtoSchema, b);
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}

/** What the registry does not check: it takes a later type for an earlier one of its name, and trips over enums without a value. */
function checkTypes(files: readonly FileDescriptorProto[]): void {
  const fileOf = new Map<string, string>();
  for (const file of files) {
    for (const name of namesOf(file)) {
      const other = fileOf.get(name);
      if (other !== undefined) throw new Fault("invalid", `the descriptors define ${quoted(name)} twice, in ${other} and ${file.name}`);
      fileOf.set(name, file.name);
    }
  }
}

function* namesOf(file: FileDescriptorProto): Generator<string> {
  const scope = file.package === "" ? "" : `${file.package}.`;
  for (const service of file.service) yield scope + service.name;
  yield* namesOfTypes(scope, file.messageType, file.enumType);
}

function* namesOfTypes(scope: string, messages: readonly DescriptorProto[], enums: readonly EnumDescriptorProto[]): Generator<string> {
  for (const desc of enums) {
    if (desc.value.length === 0) throw new Fault("invalid", `the descriptors define the enum ${quoted(scope + desc.name)} without a value`);
    yield scope + desc.name;
  }
  for (const message of messages) {
    const name = scope + message.name;
    yield name;
    prepareFields(name, message);
    yield* namesOfTypes(`${name}.`, message.nestedType, message.enumType);
  }
}

/** Field numbers are legal and unique; JSON names that the set's maker left out are filled in, as protobuf derives them. */
function prepareFields(name: string, message: DescriptorProto): void {
  const numbers = new Map<number, string>();
  for (const field of message.field) {
    const other = numbers.get(field.number);
    if (other !== undefined || field.number < 1 || field.number > fieldNumberMax) {
      const reason = other === undefined ? "which is not a legal number" : `which ${quoted(other)} has too`;
      throw new Fault(
        "invalid",
        `the descriptors give field ${quoted(field.name)} of ${quoted(name)} the number ${field.number}, ${reason}`,
      );
    }
    numbers.set(field.number, field.name);
    if (field.jsonName === "") field.jsonName = protoCamelCase(field.name);
  }
}

/** Largest field number of protobuf, 2^29 − 1. */
const fieldNumberMax = 536_870_911;

function build(files: FileDescriptorProto[]): FileRegistry {
  try {
    return createFileRegistry(create(FileDescriptorSetSchema, { file: files }));
  } catch (cause) {
    throw new Fault("invalid", `the descriptors do not fit together: ${explain(cause)}`, { cause });
  }
}

/** Names from untrusted bytes, shortened and escaped for a message. */
function quoted(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name);
}
