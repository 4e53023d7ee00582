/**
 * Makes protobuf descriptors of what was declared in TypeScript, so that gRPC clients, reflection and HTTP/JSON see an ordinary service.
 *
 * Layout: one file for each package, `mecha/<package>.proto`. A service `shop.Cart` with command `addItem` and event `itemAdded` gives
 * rpc `shop.Cart.AddItem`, messages `shop.CartAddItemRequest`, `shop.CartAddItemReply`, `shop.CartItemAdded`. A message with a name of
 * its own keeps it. Names are stored with events: renaming an event or its message makes old events unreadable.
 */
import {
  create,
  createFileRegistry,
  createRegistry,
  type DescFile,
  type DescMessage,
  type DescService,
  type FileRegistry,
  ScalarType,
  setExtension,
} from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  EnumDescriptorProtoSchema,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  type FieldDescriptorProto,
  FieldDescriptorProtoSchema,
  FieldOptions_JSType,
  FieldOptionsSchema,
  file_google_protobuf_any,
  file_google_protobuf_empty,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  MessageOptionsSchema,
  MethodDescriptorProtoSchema,
  type MethodOptions,
  MethodOptionsSchema,
  ServiceDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { entity_key, file_cloudstate_entity_key } from "@mecha/wire/gen/cloudstate/entity_key";
import {
  eventing,
  EventDestinationSchema,
  type EventSource,
  EventSourceSchema,
  EventingSchema,
  file_cloudstate_eventing,
} from "@mecha/wire/gen/cloudstate/eventing";
import { file_google_api_annotations, http } from "@mecha/wire/gen/google/api/annotations";
import { type HttpRule, HttpRuleSchema } from "@mecha/wire/gen/google/api/http";
import { expect, listed, nearest } from "../mistake.ts";
import type { AnyCommand, Commands, HttpRoute } from "./command.ts";
import { anyEvent, type EventLog, type Topic } from "./eventing.ts";
import { type EnumSchema, Field, type FieldLike, type Fields, type FieldType, type MessageLike, MessageSchema } from "./fields.ts";
import { checkFieldName, checkMemberName, checkServiceName, constant, joinName, pascal, snake, splitName } from "./names.ts";

/** A service as declared. */
export interface ServiceSource {
  readonly service: string;
  readonly commands: Commands;
  /** Messages beside the commands: events, state. By the name they get when they have none. */
  readonly messages: ReadonlyMap<string, MessageLike>;
  /** Fields that hold the entity id; none for actions. */
  readonly keys: readonly string[];
}

/** What was built: files sorted so that imports come first, imports of the library included. */
export interface BuiltFiles {
  readonly files: readonly DescFile[];
  message(fullName: string): DescMessage;
  service(fullName: string): DescService;
  /** Full name a message got. */
  nameOf(message: MessageLike): string;
}

const fieldNumberMax = 536_870_911;
const emptyType = ".google.protobuf.Empty";
const anyType = ".google.protobuf.Any";
const libraryFiles = [
  file_google_protobuf_any,
  file_google_protobuf_empty,
  file_google_api_annotations,
  file_cloudstate_entity_key,
  file_cloudstate_eventing,
];

/** Builds the files of several services together; a message used by more than one is declared once. */
export function buildFiles(sources: readonly ServiceSource[]): BuiltFiles {
  const builder = new Builder();
  for (const source of sources) builder.service(source);
  return builder.build();
}

/** A package's file on its way. */
interface OpenFile {
  readonly proto: FileDescriptorProto;
  readonly imports: Set<string>;
}

class Builder {
  readonly #files = new Map<string, OpenFile>();
  readonly #names = new Map<MessageLike, string>();
  /** Who took a full name: a message, an enum or a service. */
  readonly #taken = new Map<string, object>();

  service({ service, commands, messages, keys }: ServiceSource): void {
    checkServiceName(service);
    const [pkg, base] = splitName(service);
    const file = this.#file(pkg);
    const proto = create(ServiceDescriptorProtoSchema, { name: base });
    this.#take(service, proto);
    const methodNames = new Set<string>();
    for (const [name, command] of Object.entries(commands)) {
      checkMemberName(name, "command", service);
      const method = pascal(name);
      expect(!methodNames.has(method), () => `${service}: two commands become the method ${method}; rename ${name}`);
      methodNames.add(method);
      const where = `${service}.${name}`;
      const input = this.#message(command.input, { pkg, anonymous: `${base}${method}Request`, keys, where });
      const output =
        command.reply === undefined
          ? emptyType
          : this.#message(command.reply, { pkg, anonymous: `${base}${method}Reply`, keys: [], where: `${where} reply` });
      proto.method.push(
        create(MethodDescriptorProtoSchema, {
          name: method,
          inputType: this.#use(file, input),
          outputType: this.#use(file, output),
          clientStreaming: command.isStreamedIn,
          serverStreaming: command.isStreamedOut,
          ...this.#options(file, command, where),
        }),
      );
    }
    file.proto.service.push(proto);
    for (const [name, schema] of messages) this.#message(schema, { pkg, anonymous: base + name, keys: [], where: `${service} ${name}` });
  }

  build(): BuiltFiles {
    const built = new Map<string, DescFile>(libraryFiles.flatMap(withImports).map((file) => [`${file.name}.proto`, file]));
    const files = new Set<DescFile>();
    const own = new Map([...this.#files.values()].map((file) => [file.proto.name, file]));
    const visit = (name: string, path: readonly string[]): void => {
      const file = own.get(name);
      if (file === undefined || built.has(name)) return;
      expect(
        !path.includes(name),
        () =>
          `packages import each other in a circle: ${[...path, name].map(packageOfFile).join(" → ")}; move the shared messages to a package of their own`,
      );
      for (const dependency of file.imports) visit(dependency, [...path, name]);
      file.proto.dependency = [...file.imports];
      const registry: FileRegistry = createFileRegistry(file.proto, (dependency) => built.get(dependency));
      const desc = registry.getFile(name) as DescFile;
      built.set(name, desc);
    };
    for (const name of own.keys()) visit(name, []);
    for (const file of own.keys()) for (const needed of withImports(built.get(file) as DescFile)) files.add(needed);
    const all = createRegistry(...files);
    return {
      files: [...files],
      message: (fullName) => all.getMessage(fullName) as DescMessage,
      service: (fullName) => all.getService(fullName) as DescService,
      nameOf: (message) => this.#names.get(message) as string,
    };
  }

  #file(pkg: string): OpenFile {
    let file = this.#files.get(pkg);
    if (file === undefined) {
      file = { proto: create(FileDescriptorProtoSchema, { name: fileOfPackage(pkg), package: pkg, syntax: "proto3" }), imports: new Set() };
      this.#files.set(pkg, file);
    }
    return file;
  }

  /** Imports what `type` (with its leading dot) is declared in. */
  #use(file: OpenFile, type: string): string {
    if (type === emptyType) file.imports.add("google/protobuf/empty.proto");
    else if (type === anyType) file.imports.add("google/protobuf/any.proto");
    else {
      const from = fileOfPackage(splitName(type.slice(1))[0]);
      if (from !== file.proto.name) file.imports.add(from);
    }
    return type;
  }

  #take(fullName: string, owner: object): void {
    const before = this.#taken.get(fullName);
    expect(before === undefined || before === owner, () => `two different things are named ${fullName}; give one of them another name`);
    this.#taken.set(fullName, owner);
  }

  /** Declares a message once, fields without a name once for each place; gives its full name with a leading dot. */
  #message(schema: MessageLike, place: Place): string {
    if (schema === anyEvent) {
      this.#names.set(schema, anyType.slice(1));
      return anyType;
    }
    const { pkg, base } = nameIn(schema, place);
    const fullName = joinName(pkg, base);
    const isNew = !this.#taken.has(fullName);
    this.#take(fullName, schema);
    if (isNew) {
      if (!this.#names.has(schema)) this.#names.set(schema, fullName);
      const file = this.#file(pkg);
      const proto = create(DescriptorProtoSchema, { name: base });
      file.proto.messageType.push(proto);
      this.#fields(file, proto, schema instanceof MessageSchema ? schema.fields : schema, {
        ...place,
        pkg,
        anonymous: base,
        where: fullName,
      });
    }
    this.#markKeys(fullName, place);
    return `.${fullName}`;
  }

  /** Marks the key fields of an input message, also when the message was declared before for something else. */
  #markKeys(fullName: string, { keys, where }: Place): void {
    if (keys.length === 0) return;
    const [pkg, base] = splitName(fullName);
    const file = this.#file(pkg);
    const proto = file.proto.messageType.find((one) => one.name === base) as DescriptorProto;
    for (const key of keys) {
      const field = proto.field.find((one) => one.jsonName === key);
      expect(
        field !== undefined,
        () => `${where}: its input has no field ${key}, which is the key of the entity; add ${key}: t.string to the command, or change key`,
      );
      expect(
        field.label !== FieldDescriptorProto_Label.REPEATED && field.type !== FieldDescriptorProto_Type.MESSAGE,
        () => `${where}: the key ${key} is a list or a message; a key is a single value such as t.string`,
      );
      field.options ??= create(FieldOptionsSchema);
      setExtension(field.options, entity_key, true);
      file.imports.add("cloudstate/entity_key.proto");
    }
  }

  #fields(file: OpenFile, proto: DescriptorProto, fields: Fields, place: Place): void {
    let next = 1;
    const optionals: FieldDescriptorProto[] = [];
    const add = (name: string, field: FieldLike, oneofIndex?: number): void => {
      const made = this.#field(file, proto, name, field, place);
      made.number = field instanceof Field && field.number !== undefined ? field.number : next;
      checkNumber(proto, made, place.where);
      next = made.number + 1;
      if (oneofIndex !== undefined) made.oneofIndex = oneofIndex;
      if (made.proto3Optional) optionals.push(made);
      proto.field.push(made);
    };
    for (const [name, field] of Object.entries(fields)) {
      checkFieldName(name, place.where);
      if (field instanceof Field && field.type.is === "oneof") {
        proto.oneofDecl.push({ $typeName: "google.protobuf.OneofDescriptorProto", name: snake(name) });
        const index = proto.oneofDecl.length - 1;
        for (const [caseName, caseField] of Object.entries(field.type.fields)) {
          checkFieldName(caseName, `${place.where}.${name}`);
          add(caseName, caseField, index);
        }
      } else add(name, field);
    }
    // synthetic oneofs stand behind the real ones (protobuf, "Field presence")
    for (const field of optionals) {
      proto.oneofDecl.push({ $typeName: "google.protobuf.OneofDescriptorProto", name: `_${field.name}` });
      field.oneofIndex = proto.oneofDecl.length - 1;
    }
  }

  #field(file: OpenFile, parent: DescriptorProto, name: string, field: FieldLike, place: Place): FieldDescriptorProto {
    const where = `${place.where}.${name}`;
    expect(
      field instanceof Field || field instanceof MessageSchema,
      () => `${where}: expected a field such as t.string or a message, got ${typeof field}; is it t.string, without quotes and brackets?`,
    );
    const type: FieldType = field instanceof MessageSchema ? { is: "message", message: field as MessageSchema<unknown> } : field.type;
    const label = field instanceof MessageSchema ? "single" : field.label;
    const proto = create(FieldDescriptorProtoSchema, {
      name: snake(name),
      jsonName: name,
      label: label === "repeated" ? FieldDescriptorProto_Label.REPEATED : FieldDescriptorProto_Label.OPTIONAL,
      ...(label === "optional" ? { proto3Optional: true } : {}),
    });
    if (type.is === "map") this.#mapEntry(file, parent, proto, type.value, { ...place, anonymous: place.anonymous + pascal(name), where });
    else this.#fieldType(file, proto, type, { ...place, anonymous: place.anonymous + pascal(name), where });
    return proto;
  }

  #fieldType(file: OpenFile, proto: FieldDescriptorProto, type: FieldType, place: Place): void {
    switch (type.is) {
      case "scalar":
        proto.type = fieldTypeOf(type.scalar);
        if (type.asNumber) proto.options = create(FieldOptionsSchema, { jstype: FieldOptions_JSType.JS_NUMBER });
        return;
      case "enum":
        proto.type = FieldDescriptorProto_Type.ENUM;
        proto.typeName = this.#use(file, this.#enum(type.enum, place));
        return;
      case "message":
        proto.type = FieldDescriptorProto_Type.MESSAGE;
        proto.typeName = this.#use(file, this.#message(type.message, { ...place, keys: [] }));
        return;
      case "map":
      case "oneof":
        expect(false, () => `${place.where}: a ${type.is} cannot stand here; wrap it in a message`);
    }
  }

  /** protobuf writes a map as a repeated nested message `…Entry { key = 1; value = 2 }`. */
  #mapEntry(file: OpenFile, parent: DescriptorProto, proto: FieldDescriptorProto, value: FieldType, place: Place): void {
    const entryName = `${pascal(proto.jsonName)}Entry`;
    const key = create(FieldDescriptorProtoSchema, {
      name: "key",
      jsonName: "key",
      number: 1,
      label: FieldDescriptorProto_Label.OPTIONAL,
      type: FieldDescriptorProto_Type.STRING,
    });
    const item = create(FieldDescriptorProtoSchema, {
      name: "value",
      jsonName: "value",
      number: 2,
      label: FieldDescriptorProto_Label.OPTIONAL,
    });
    this.#fieldType(file, item, value, place);
    parent.nestedType.push(
      create(DescriptorProtoSchema, { name: entryName, field: [key, item], options: create(MessageOptionsSchema, { mapEntry: true }) }),
    );
    proto.type = FieldDescriptorProto_Type.MESSAGE;
    proto.label = FieldDescriptorProto_Label.REPEATED;
    proto.typeName = `.${joinName(place.pkg, parent.name)}.${entryName}`;
  }

  #enum(schema: EnumSchema, { pkg: inPackage, where }: Place): string {
    const [named, base] = splitName(schema.name);
    const pkg = named === "" ? inPackage : named;
    const fullName = joinName(pkg, base);
    expect(
      new Set(schema.values).size === schema.values.length && schema.values.every((value) => /^[A-Z][A-Z0-9_]*$/.test(value)),
      () => `${where}: the values of enum ${schema.name} are different names in capitals, such as "SMALL"; got ${listed(schema.values)}`,
    );
    if (!this.#taken.has(fullName)) {
      const prefix = constant(base);
      this.#file(pkg).proto.enumType.push(
        create(EnumDescriptorProtoSchema, {
          name: base,
          value: schema.values.map((value, number) => ({ name: `${prefix}_${value}`, number })),
        }),
      );
    }
    this.#take(fullName, schema);
    return `.${fullName}`;
  }

  #options(file: OpenFile, command: AnyCommand, where: string): { options?: MethodOptions } {
    const { routes, eventing: events } = command;
    if (routes.length === 0 && events.in === undefined && events.out === undefined) return {};
    const options = create(MethodOptionsSchema);
    if (routes.length > 0) this.#routes(file, command, where, options);
    if (events.in !== undefined || events.out !== undefined) this.#eventing(file, command, where, options);
    return { options };
  }

  #eventing(file: OpenFile, command: AnyCommand, where: string, options: MethodOptions): void {
    const { in: source, out } = command.eventing;
    expect(
      source === undefined || !command.isStreamedIn,
      () => `${where}: it consumes events and is streamedIn(); a command gets one event at a time`,
    );
    file.imports.add("cloudstate/eventing.proto");
    const value = create(EventingSchema, {
      ...(source && { in: eventSource(source) }),
      ...(out && { out: create(EventDestinationSchema, { destination: { case: "topic", value: out.name } }) }),
    });
    setExtension(options, eventing, value);
  }

  #routes(file: OpenFile, command: AnyCommand, where: string, options: MethodOptions): void {
    file.imports.add("google/api/annotations.proto");
    const fields = command.input instanceof MessageSchema ? command.input.fields : command.input;
    const [main, ...more] = command.routes.map((route) => httpRule(route, fields, where));
    setExtension(options, http, { ...(main as HttpRule), additionalBindings: more });
  }
}

function eventSource(source: EventLog | Topic): EventSource {
  const { consumerGroup } = source;
  return create(EventSourceSchema, {
    consumerGroup,
    source: source.is === "topic" ? { case: "topic", value: source.name } : { case: "eventLog", value: source.persistenceId },
  });
}

/** The two enums have the same numbers (protobuf-es, ScalarType). */
function fieldTypeOf(scalar: ScalarType): FieldDescriptorProto_Type {
  const name = ScalarType[scalar] as keyof typeof FieldDescriptorProto_Type;
  return FieldDescriptorProto_Type[name];
}

/** Where a message is declared, for its name and for error texts. */
interface Place {
  readonly pkg: string;
  /** Its name when it has none. */
  readonly anonymous: string;
  readonly keys: readonly string[];
  readonly where: string;
}

function nameIn(schema: MessageLike, place: Place): { pkg: string; base: string } {
  const name = schema instanceof MessageSchema ? schema.name : undefined;
  if (name === undefined) return { pkg: place.pkg, base: place.anonymous };
  const [pkg, base] = splitName(name);
  return { pkg: pkg === "" ? place.pkg : pkg, base };
}

const fileOfPackage = (pkg: string): string => `mecha/${pkg === "" ? "_" : pkg}.proto`;
const packageOfFile = (name: string): string => name.slice("mecha/".length, -".proto".length);

/** The file after everything it imports. */
function withImports(file: DescFile): DescFile[] {
  return [...new Set([...file.dependencies.flatMap(withImports), file])];
}

function checkNumber(message: DescriptorProto, field: FieldDescriptorProto, where: string): void {
  const { number, jsonName } = field;
  expect(
    Number.isInteger(number) && number >= 1 && number <= fieldNumberMax && (number < 19_000 || number > 19_999),
    () => `${where}.${jsonName}: field number ${number} is not allowed; use 1 to ${fieldNumberMax}, except 19000 to 19999`,
  );
  const other = message.field.find((one) => one.number === number);
  expect(
    other === undefined,
    () => `${where}: fields ${other?.jsonName} and ${jsonName} both have number ${number}; give one another .at(n)`,
  );
}

/** Field names of the route in protobuf's spelling, each checked to exist. */
function httpRule({ method, path, body, responseBody }: HttpRoute, fields: Fields, where: string): HttpRule {
  const protoName = (name: string): string => {
    const found = Object.keys(fields).find((field) => field === name || snake(field) === name);
    expect(
      found !== undefined,
      () =>
        `${where}: the route ${method.toUpperCase()} ${path} names ${name}, which is no field of the input${nearest(name, Object.keys(fields))}`,
    );
    return snake(found);
  };
  return create(HttpRuleSchema, {
    pattern: { case: method, value: path.replace(/\{([^}=]+)/g, (_, name: string) => `{${protoName(name.trim())}`) },
    body: body === "*" || body === "" ? body : protoName(body),
    responseBody: responseBody === "" ? "" : snake(responseBody),
  });
}
