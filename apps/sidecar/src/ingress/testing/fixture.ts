/** An ingress over real sockets in front of an engine that tests script. */
import { MemoryLog } from "@mecha/kit/testing";
import { hostClock } from "@mecha/host";
import { listen } from "@mecha/net";
import type {
  ActiveEntity,
  Answer,
  CallContext,
  Command,
  CommandMetadata,
  Component,
  ComponentMethod,
  StateEngine,
  StreamedCall,
  StreamedCallEvents,
} from "@mecha/state";
import { type DescriptorSet, loadDescriptors } from "@mecha/wire";
import { compileProto } from "@mecha/wire/testing";
import { type IngressOptions, openIngress } from "../index.ts";
import type { Publish } from "../publish.ts";

export const shopProto = `
syntax = "proto3";
package shop;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "google/protobuf/empty.proto";
message Add { string cart_id = 1; string name = 2; int32 quantity = 3; }
message Get { string cart_id = 1; }
message CartState { string id = 1; int32 lines = 2; int64 cents = 3; }
service Cart {
  rpc AddItem(Add) returns (google.protobuf.Empty) { option (google.api.http) = { post: "/carts/{cart_id}/items" body: "*" }; }
  rpc GetCart(Get) returns (CartState) { option (google.api.http) = { get: "/carts/{cart_id}" }; }
  rpc Watch(Get) returns (stream CartState);
}
service Desk {
  rpc Ask(Get) returns (CartState);
  rpc Sum(stream Get) returns (CartState) { option (google.api.http) = { post: "/desks/{cart_id}/sum" body: "*" }; }
  rpc Split(Get) returns (stream CartState) { option (google.api.http) = { get: "/split/{cart_id}" }; }
  rpc Talk(stream Get) returns (stream CartState);
}
message Attachment { string cart_id = 1; string note = 2; google.api.HttpBody file = 1000; }
service Files {
  rpc Upload(google.api.HttpBody) returns (google.api.HttpBody) { option (google.api.http) = { post: "/files" body: "*" }; }
  rpc Attach(Attachment) returns (Attachment) {
    option (google.api.http) = { put: "/carts/{cart_id}/file" body: "file" response_body: "file" additional_bindings { get: "/notes/{cart_id}" response_body: "note" } };
  }
  rpc Download(Get) returns (stream google.api.HttpBody) { option (google.api.http) = { get: "/files/{cart_id}" }; }
  rpc Notes(Get) returns (stream Attachment) {
    option (google.api.http) = { get: "/notes" response_body: "note" additional_bindings { post: "/notes:watch" body: "*" } };
  }
}
service Other { rpc Ask(Get) returns (CartState); }
service Rival { rpc Ask(Get) returns (CartState) { option (google.api.http) = { get: "/carts/{cart_id}" }; } }
`;

export const shop: DescriptorSet = loadDescriptors(compileProto({ "shop/shop.proto": shopProto }));

/** A component with the methods the descriptors know. */
export function component(service: string, kind: Component["kind"]): Component {
  const methods = shop.service(service)!.methods.map((method): [string, ComponentMethod] => [
    method.name,
    {
      name: method.name,
      streamedIn: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
      streamedOut: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
      inputTypeUrl: `type.googleapis.com/${method.input.typeName}`,
      outputTypeUrl: `type.googleapis.com/${method.output.typeName}`,
    },
  ]);
  return {
    kind,
    service,
    persistenceId: kind === "action" ? "" : service,
    methods: new Map(methods),
    passivationMs: undefined,
    function: undefined as never, // the engine's affair; nothing here calls it
  };
}

/** Does what a test says, and keeps what it was asked. */
export class ScriptedEngine implements StateEngine {
  readonly calls: { readonly service: string; readonly command: Command; readonly context: CallContext }[] = [];
  readonly streams: { readonly method: string; readonly metadata: CommandMetadata | undefined; readonly events: StreamedCallEvents }[] = [];
  onCall: (service: string, command: Command, context: CallContext, answer: Answer) => void = (_service, _command, _context, answer) => {
    answer(undefined, {});
  };
  onStream: (method: string, events: StreamedCallEvents) => Partial<StreamedCall> = () => ({});

  call(service: string, command: Command, context: CallContext, answer: Answer): void {
    this.calls.push({ service, command, context });
    this.onCall(service, command, context, answer);
  }
  stream(_service: string, method: string, _context: CallContext, events: StreamedCallEvents, metadata?: CommandMetadata): StreamedCall {
    this.streams.push({ method, metadata, events });
    return { message: () => true, halfClose() {}, cancel() {}, pause() {}, resume() {}, ...this.onStream(method, events) };
  }
  closeFunction(): void {}
  setComponents(): void {}
  component(): undefined {}
  drain(): Promise<number> {
    return Promise.resolve(0);
  }
  active(): readonly ActiveEntity[] {
    return [];
  }
  async cancelTimer(): Promise<boolean> {
    return false;
  }
  timersImported(): void {}
  async outbox(): Promise<[]> {
    return [];
  }
  async retryMessages(): Promise<number> {
    return 0;
  }
  async discardMessages(): Promise<number> {
    return 0;
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Serves Cart as an entity, Desk and Files as actions. Close it with `await using`. */
export async function serve(options: IngressOptions = {}, publish?: Publish) {
  const engine = new ScriptedEngine();
  const log = new MemoryLog();
  const ingress = openIngress({ engine, clock: hostClock, log, options, publish });
  const components = [component("shop.Cart", "eventSourced"), component("shop.Desk", "action"), component("shop.Files", "action")];
  ingress.update([{ components, descriptors: shop }]);
  const listener = await listen({ host: "127.0.0.1", port: 0, clock: hostClock, log }, ingress);
  return {
    engine,
    log,
    ingress,
    target: `127.0.0.1:${listener.port}`,
    url: `http://127.0.0.1:${listener.port}`,
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  };
}
