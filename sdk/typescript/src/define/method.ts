/** What every kind of component has in common once it is defined: methods with codecs and handlers, and references to call it by. */
import type { DescMessage, DescService } from "@bufbuild/protobuf";
import { messagePrefix } from "@mecha/wire";
import { type Codec, type CodecOptions, compileCodec } from "@mecha/wire/codec";
import { expect, listed, nearest } from "../mistake.ts";
import type { Commands } from "../schema/command.ts";
import { type BuiltFiles, buildFiles, type ServiceSource } from "../schema/descriptors.ts";
import { pascal } from "../schema/names.ts";

/** Objects of messages declared in TypeScript: enum names, nothing missing, nothing unknown. */
export const typescriptShape: CodecOptions = { enums: "name", required: true, exact: true };
/** Objects of messages from .proto files: as protobuf-es types them. */
export const protoShape: CodecOptions = { typeName: true, exact: true };

/** A message type with its codec and its name in an Any. */
export interface MessageType<T = unknown> {
  readonly typeUrl: string;
  readonly codec: Codec<T>;
}

/** One method, ready to run. */
export interface Method {
  /** Name on the wire, `AddItem`. */
  readonly name: string;
  /** Name in TypeScript, `addItem`. */
  readonly key: string;
  /** `shop.Cart.addItem`, for messages to people. */
  readonly where: string;
  readonly input: MessageType;
  readonly output: MessageType;
  readonly streamedIn: boolean;
  readonly streamedOut: boolean;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- handlers are typed where they are declared
  readonly handler: (...args: any[]) => unknown;
}

/** Where discovery gets a component's descriptors from. */
export type Origin =
  | { readonly from: "typescript"; readonly source: ServiceSource }
  | { readonly from: "proto"; readonly service: DescService; readonly messages: readonly DescMessage[] };

/** What all kinds of component have. */
export interface ComponentBase {
  /** Full gRPC service name. */
  readonly service: string;
  /** By wire name. */
  readonly methods: ReadonlyMap<string, Method>;
  readonly origin: Origin;
}

/** A method of some component that a handler can forward to, or call as a side effect. */
export interface CommandRef<In = unknown> {
  /** Type only. */
  readonly phantom?: (input: In) => void;
  readonly service: string;
  /** Wire name. */
  readonly command: string;
  readonly input: MessageType;
}

/** Refs by the names of the commands. */
export type Refs<C extends Commands> = {
  readonly [K in keyof C]: CommandRef<C[K] extends { readonly phantom?: [infer In, unknown] } ? In : never>;
};

export function refsOf(base: ComponentBase): Record<string, CommandRef> {
  return Object.fromEntries(
    [...base.methods.values()].map(({ key, name, input }) => [key, { service: base.service, command: name, input }]),
  );
}

export function messageType<T>(desc: DescMessage, shape: CodecOptions): MessageType<T> {
  return { typeUrl: messagePrefix + desc.typeName, codec: compileCodec<T>(desc, shape) };
}

type Handlers = Readonly<Record<string, unknown>>;

/** Builds descriptors and methods of a service declared in TypeScript. */
export function methodsOfSource(source: ServiceSource, handlers: Handlers): { built: BuiltFiles; methods: Map<string, Method> } {
  const { service, commands } = source;
  expect(
    typeof commands === "object" && commands !== null && Object.keys(commands).length > 0,
    () => `${service}: declare at least one command: commands: { get: command({ id: t.string }) }`,
  );
  checkHandlers({ service, what: "command", names: Object.keys(commands), handlers, property: "handle" });
  const built = buildFiles([source]);
  return { built, methods: methodsOf(built.service(service), handlers, typescriptShape, (name) => keyOfMethod(commands, name)) };
}

function keyOfMethod(commands: Commands, method: string): string {
  return Object.keys(commands).find((key) => pascal(key) === method) as string;
}

/** Methods of a service from a .proto file. */
export function methodsOfService(service: DescService, handlers: Handlers): Map<string, Method> {
  const keys = new Map(service.methods.map((method) => [method.name, method.localName]));
  checkHandlers({ service: service.typeName, what: "rpc", names: [...keys.values()], handlers, property: "handle" });
  return methodsOf(service, handlers, protoShape, (name) => keys.get(name) as string);
}

function methodsOf(service: DescService, handlers: Handlers, shape: CodecOptions, keyOf: (method: string) => string): Map<string, Method> {
  const types = new Map<string, MessageType>();
  const typeFor = (desc: DescMessage): MessageType => {
    let type = types.get(desc.typeName);
    if (type === undefined) types.set(desc.typeName, (type = messageType(desc, shape)));
    return type;
  };
  return new Map(
    service.methods.map((method) => {
      const key = keyOf(method.name);
      const streamedIn = method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
      const streamedOut = method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
      const handler = handlers[key] as Method["handler"];
      const where = `${service.typeName}.${key}`;
      return [
        method.name,
        { name: method.name, key, where, input: typeFor(method.input), output: typeFor(method.output), streamedIn, streamedOut, handler },
      ];
    }),
  );
}

/** Every name has a function, and every function a name. */
export function checkHandlers(check: {
  service: string;
  what: string;
  names: readonly string[];
  handlers: unknown;
  property: string;
}): void {
  const { service, what, names, handlers, property } = check;
  expect(
    typeof handlers === "object" && handlers !== null,
    () => `${service}: ${property} is missing; it holds one function for each ${what}: ${property}: { ${names[0] ?? "name"}(…) { … } }`,
  );
  for (const name of names) {
    const handler = (handlers as Handlers)[name];
    expect(handler !== undefined, () => `${service}: ${what} ${name} has no handler; add ${property}: { ${name}(…) { … } }`);
    expect(typeof handler === "function", () => `${service}: ${property}.${name} is no function but ${typeof handler}`);
  }
  for (const name of Object.keys(handlers)) {
    expect(
      names.includes(name),
      () => `${service}: ${property}.${name} handles no ${what}${nearest(name, names)}; declared: ${listed(names)}`,
    );
  }
}

/** Entities answer one message to one message. */
export function checkUnary(service: string, methods: ReadonlyMap<string, Method>): void {
  for (const { key, streamedIn, streamedOut } of methods.values()) {
    expect(
      !streamedIn && !streamedOut,
      () => `${service}: command ${key} is streamed; entities answer each command once. Use an action for streams`,
    );
  }
}
