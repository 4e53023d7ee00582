/** Test doubles of this package: a channel driven by hand, what a CRDT's stream says, and descriptors made without a compiler. */
import assert from "node:assert/strict";
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
import type { CrdtDelta } from "../crdt/delta.ts";
import type { CrdtStream, CrdtStreamEvents } from "../crdt/port.ts";
import type { EntityAddress, FunctionPort } from "../model.ts";

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

/** A CRDT's stream; everything it said to the function, and everything the function said to the engine. */
export interface NotedStream {
  readonly channel: FakeChannel;
  readonly call: FakeCall;
  readonly stream: CrdtStream;
  /** Name and details of each event, in order. */
  readonly said: unknown[][];
}

/** Opens a CRDT at the function `port` makes of a channel. */
export function openNoted(port: (channel: Channel) => FunctionPort, address: EntityAddress, delta: CrdtDelta | undefined): NotedStream {
  const channel = new FakeChannel();
  const said: unknown[][] = [];
  const note =
    (what: string) =>
    (...details: unknown[]): void =>
      void said.push([what, ...details]);
  const events: CrdtStreamEvents = {
    reply: note("reply"),
    message: note("message"),
    cancelled: note("cancelled"),
    failure: note("failure"),
    violation: note("violation"),
    closed: note("closed"),
  };
  const { crdt } = port(channel);
  assert.ok(crdt);
  const stream = crdt.open(address, delta, events);
  const [call] = channel.calls;
  assert.ok(call);
  return { channel, call, stream, said };
}

/** The stream was cut and nothing followed; engine and function were told why. */
export function assertCut({ channel, call, said }: NotedStream, why: RegExp, reportPath: string): void {
  assert.deepEqual(
    said.map(([event]) => event),
    ["violation", "closed"],
  );
  assert.match(String(said[0]?.[1]), why);
  assert.ok(call.cancelled);
  assert.equal(channel.to(reportPath).length, 1);
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
