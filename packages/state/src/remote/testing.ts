/** Test doubles of this package: a channel driven by hand, and descriptors made without a compiler. */
import { create, setExtension, toBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldOptionsSchema,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { type CallOptions, type Channel, type ClientCall, type ClientCallEvents, Metadata, type RpcStatus, statusOk } from "@mecha/wire";
import { entity_key } from "@mecha/wire/gen/cloudstate/entity_key";

/** One call somebody opened on a `FakeChannel`; the test plays the server. */
export class FakeCall implements ClientCall {
  readonly path: string;
  readonly options: CallOptions;
  readonly events: ClientCallEvents;
  readonly sent: Uint8Array[] = [];
  halfClosed = false;
  cancelled = false;
  paused = false;
  /** What `send` answers. */
  room = true;

  constructor(path: string, options: CallOptions, events: ClientCallEvents) {
    this.path = path;
    this.options = options;
    this.events = events;
  }
  send(message: Uint8Array): boolean {
    this.sent.push(message);
    return this.room;
  }
  halfClose(): void {
    this.halfClosed = true;
  }
  cancel(): void {
    this.cancelled = true;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  /** Delivers a message of the server's. */
  deliver(message: Uint8Array): void {
    this.events.message(message);
  }
  /** Ends the call as the server. */
  end(status: RpcStatus = statusOk): void {
    this.events.end(status, Metadata.empty);
  }
}

/** Keeps every call; `answer` may reply to those that half-close, on a later turn. */
export class FakeChannel implements Channel {
  readonly target = "test:0";
  readonly calls: FakeCall[] = [];
  readonly #answer: (call: FakeCall) => void;

  constructor(answer: (call: FakeCall) => void = () => undefined) {
    this.#answer = answer;
  }
  open(path: string, options: CallOptions, events: ClientCallEvents): FakeCall {
    const call = new FakeCall(path, options, events);
    this.calls.push(call);
    queueMicrotask(() => this.#answer(call));
    return call;
  }
  /** The calls of that path, oldest first. */
  to(path: string): FakeCall[] {
    return this.calls.filter((call) => call.path === path);
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** A message type: field names in order, all strings; those ending in `!` are entity keys. */
export function messageType(name: string, ...fields: readonly string[]): DescriptorProto {
  const options = create(FieldOptionsSchema);
  setExtension(options, entity_key, true);
  return create(FileDescriptorProtoSchema, {
    messageType: [
      {
        name,
        field: fields.map((field, at) => ({
          name: field.replace("!", ""),
          number: at + 1,
          label: FieldDescriptorProto_Label.OPTIONAL,
          type: FieldDescriptorProto_Type.STRING,
          ...(field.endsWith("!") && { options }),
        })),
      },
    ],
  }).messageType[0] as DescriptorProto;
}

/** A method `Name(Input) returns (Output)` of package `shop`; `stream` as in proto. */
export interface MethodType {
  readonly name: string;
  readonly input: string;
  readonly streamedIn?: boolean;
  readonly streamedOut?: boolean;
}

/** shop.proto: package `shop`, the messages Add (key `cart`), Plain (no key) and one service. */
export function shopFile(service: string, methods: readonly MethodType[], dependency: readonly string[] = []): FileDescriptorProto {
  return create(FileDescriptorProtoSchema, {
    name: "shop.proto",
    package: "shop",
    syntax: "proto3",
    dependency: [...dependency],
    messageType: [messageType("Add", "item", "cart!"), messageType("Plain", "text")],
    service: [
      {
        name: service,
        method: methods.map(({ name, input, streamedIn = false, streamedOut = false }) => ({
          name,
          inputType: `.shop.${input}`,
          outputType: ".shop.Plain",
          clientStreaming: streamedIn,
          serverStreaming: streamedOut,
        })),
      },
    ],
  });
}

/** A serialized FileDescriptorSet. */
export function descriptorSet(...files: readonly FileDescriptorProto[]): Uint8Array {
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [...files] }));
}
