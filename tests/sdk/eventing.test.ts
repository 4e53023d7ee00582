/** Subscribers as the proxy calls them: the option in the descriptors of a .proto, the event's attributes, events of any type. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, createFileRegistry, fromBinary, getOption, type MessageInitShape } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { packJson, packPrimitive } from "@mecha/wire";
import { type ActionCommandSchema, ActionCommandSchema as Command, ActionResponseSchema } from "@mecha/wire/gen/cloudstate/action";
import { EntitySpecSchema, ProxyInfoSchema } from "@mecha/wire/gen/cloudstate/entity";
import { eventing } from "@mecha/wire/gen/cloudstate/eventing";
import {
  EffectRequestSchema,
  EventOneSchema,
  EventTwoSchema,
  ResponseSchema,
} from "../../conformance/src/gen/cloudstate/tck/model/eventlogeventing_pb.ts";
import { pack } from "../../conformance/src/model/any.ts";
import { eventLogModel } from "./event-log-model.ts";
import { Proxy } from "./proxy.ts";

const service = "cloudstate.tck.model.eventlogeventing.EventLogSubscriberModel";
let proxy: Proxy;
before(async () => (proxy = await Proxy.to(eventLogModel)));
after(() => proxy[Symbol.asyncDispose]());

test("the eventing option of a .proto arrives at the proxy", async () => {
  const spec = await proxy.unary("/cloudstate.EntityDiscovery/discover", ProxyInfoSchema, EntitySpecSchema, { protocolMinorVersion: 2 });
  const methods = createFileRegistry(fromBinary(FileDescriptorSetSchema, spec.proto)).getService(service)?.methods ?? [];
  assert.deepEqual(
    methods.map((method) => [method.name, getOption(method, eventing).in?.source.value]),
    [
      ["ProcessEventOne", "eventlogeventing-one"],
      ["ProcessEventTwo", "eventlogeventing-one"],
      ["Effect", undefined],
      ["ProcessAnyEvent", "eventlogeventing-two"],
    ],
  );
});

const metadata = {
  entries: Object.entries({ "ce-id": "3", "ce-source": "log", "ce-type": "t", "ce-subject": "cart-1", "ce-specversion": "1.0" }).map(
    ([key, value]) => ({ key, value: { case: "stringValue" as const, value } }),
  ),
};

async function deliver(rpc: string, name: string, payload: NonNullable<MessageInitShape<typeof ActionCommandSchema>["payload"]>) {
  const call = proxy.open(`/cloudstate.action.ActionProtocol/${rpc}`, Command, ActionResponseSchema);
  return call.send({ serviceName: service, name, payload, metadata }).halfClose();
}
const replied = (message: string) =>
  create(ActionResponseSchema, { response: { case: "reply", value: { payload: pack(ResponseSchema, { id: "cart-1", message }) } } });

test("an event is a command with the event's attributes", async () => {
  const call = await deliver(
    "handleUnary",
    "ProcessEventOne",
    pack(EventOneSchema, { step: { step: { case: "reply", value: { message: "a" } } } }),
  );
  assert.deepEqual(await call.next(), replied("a"));
});

test("an event may be forwarded, and answered by a stream", async () => {
  const steps = [
    { step: { case: "reply" as const, value: { message: "a" } } },
    { step: { case: "forward" as const, value: { message: "b" } } },
  ];
  const call = await deliver("handleStreamedOut", "ProcessEventTwo", pack(EventTwoSchema, { step: steps }));
  assert.deepEqual(await call.next(), replied("a"));
  const payload = pack(EffectRequestSchema, { id: "cart-1", message: "b" });
  const forward = { serviceName: service, commandName: "Effect", payload };
  assert.deepEqual(await call.next(), create(ActionResponseSchema, { response: { case: "forward", value: forward } }));
});

test("JSON goes to the command that takes any event, as it is", async () => {
  const call = await deliver("handleUnary", "ProcessAnyEvent", packJson("JsonEvent", { message: "hello" }));
  assert.deepEqual(await call.next(), replied("hello"));
});

test("an event that does not hold what it says fails its delivery", async () => {
  const call = await deliver("handleUnary", "ProcessAnyEvent", {
    ...packPrimitive({ type: "string", value: "x" }),
    typeUrl: "json.cloudstate.io/JsonEvent",
  });
  const { response } = await call.next();
  assert.equal(response.case === "failure" && /does not hold JSON/.test(response.value.description), true);
});
