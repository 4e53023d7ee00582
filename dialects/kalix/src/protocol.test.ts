/** Kalix's own messages through the shared codec: what only it has must arrive, and nothing may be lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ComponentMethod } from "@mecha/state";
import { remoteFunction } from "@mecha/state/remote";
import { FakeChannel } from "@mecha/state/remote/testing";
import { ActionCommandSchema, ActionResponseSchema } from "@mecha/wire/gen/kalix/component/action/action";
import {
  EventSourcedStreamInSchema,
  EventSourcedStreamOutSchema,
} from "@mecha/wire/gen/kalix/component/eventsourcedentity/event_sourced_entity";
import { ValueEntityStreamInSchema, ValueEntityStreamOutSchema } from "@mecha/wire/gen/kalix/component/valueentity/value_entity";
import { kalixProtocol } from "./protocol.ts";

const address = { namespace: "default", service: "shop.Cart", persistenceId: "carts", entityId: "c-1" };
const payload = { typeUrl: "type.googleapis.com/shop.Add", value: Uint8Array.of(1, 2) };

function openEntity(kind: "eventSourced" | "value") {
  const channel = new FakeChannel();
  const replies: unknown[] = [];
  const failures: unknown[] = [];
  const events = {
    reply: (reply: unknown) => replies.push(reply),
    failure: (failure: unknown) => failures.push(failure),
    violation: (problem: string) => assert.fail(problem),
    drain() {},
    closed() {},
  };
  const stream = remoteFunction(channel, kalixProtocol).openEntity(address, { kind }, events);
  const [call] = channel.calls;
  assert.ok(call);
  stream.command(1, { name: "AddItem", payload });
  return { call, replies, failures };
}

const failed = { case: "failure" as const, value: { commandId: 1n, description: "no such item", grpcStatusCode: 5 } };
const asModel = { do: "fail", description: "no such item", restart: false, grpcCode: 5 };

test("an event sourced entity: init and command go out, a failure comes back with its status code", () => {
  const { call, replies } = openEntity("eventSourced");
  assert.equal(call.path, "/kalix.component.eventsourcedentity.EventSourcedEntities/Handle");
  const sent = call.sent.map((bytes) => fromBinary(EventSourcedStreamInSchema, bytes).message);
  assert.deepEqual(
    sent.map((message) => message.case),
    ["init", "command"],
  );
  assert.deepEqual(sent[1]?.value, create(EventSourcedStreamInSchema, { message: { case: "command", value: { entityId: "c-1", id: 1n, name: "AddItem", payload } } }).message.value); // prettier-ignore
  const out: MessageInitShape<typeof EventSourcedStreamOutSchema> = {
    message: { case: "reply", value: { commandId: 1n, clientAction: { action: failed } } },
  };
  call.deliver(toBinary(EventSourcedStreamOutSchema, create(EventSourcedStreamOutSchema, out)));
  assert.deepEqual(replies, [{ commandId: 1, action: asModel, effects: [], events: [] }]);
});

test("a value entity: its delete may carry a time, its failures carry codes and have it loaded anew", () => {
  const { call, replies } = openEntity("value");
  assert.equal(call.path, "/kalix.component.valueentity.ValueEntities/Handle");
  assert.deepEqual(
    call.sent.map((bytes) => fromBinary(ValueEntityStreamInSchema, bytes).message.case),
    ["init", "command"],
  );
  const out: MessageInitShape<typeof ValueEntityStreamOutSchema> = {
    message: {
      case: "reply",
      value: {
        commandId: 1n,
        clientAction: { action: failed },
        stateAction: { action: { case: "delete", value: { cleanupAfter: { seconds: 60n } } } },
      },
    },
  };
  call.deliver(toBinary(ValueEntityStreamOutSchema, create(ValueEntityStreamOutSchema, out)));
  assert.deepEqual(replies, [{ commandId: 1, action: { ...asModel, restart: true }, effects: [], events: [], state: { do: "delete" } }]);
});

test("a failure of the stream brings its code, too", () => {
  const { call, failures } = openEntity("eventSourced");
  const failure = { commandId: 1n, description: "Unknown command named AddItem", grpcStatusCode: 12 };
  call.deliver(
    toBinary(EventSourcedStreamOutSchema, create(EventSourcedStreamOutSchema, { message: { case: "failure", value: failure } })),
  );
  assert.deepEqual(failures, [{ commandId: 1, description: "Unknown command named AddItem", grpcCode: 12 }]);
});

test("deleting an event sourced entity is refused whole: unimplemented, nothing recorded, its memory loaded anew", () => {
  const { call, replies } = openEntity("eventSourced");
  const out: MessageInitShape<typeof EventSourcedStreamOutSchema> = {
    message: { case: "reply", value: { commandId: 1n, events: [payload], delete: { seconds: 60n } } },
  };
  call.deliver(toBinary(EventSourcedStreamOutSchema, create(EventSourcedStreamOutSchema, out)));
  const [reply] = replies as [{ action: { do: string; restart: boolean; grpcCode: number }; events: unknown[] }];
  assert.deepEqual([reply.action.do, reply.action.restart, reply.action.grpcCode, reply.events], ["fail", true, 12, []]);
});

test("an action: four RPCs, names first, failures with codes", () => {
  const shapes: [Pick<ComponentMethod, "streamedIn" | "streamedOut">, string][] = [
    [{ streamedIn: false, streamedOut: false }, "HandleUnary"],
    [{ streamedIn: true, streamedOut: false }, "HandleStreamedIn"],
    [{ streamedIn: false, streamedOut: true }, "HandleStreamedOut"],
    [{ streamedIn: true, streamedOut: true }, "HandleStreamed"],
  ];
  for (const [shape, rpc] of shapes) {
    const channel = new FakeChannel();
    const responses: unknown[] = [];
    const method = { name: "Do", ...shape, inputTypeUrl: payload.typeUrl, outputTypeUrl: payload.typeUrl };
    const events = { response: (response: unknown) => responses.push(response), drain() {}, closed() {} };
    remoteFunction(channel, kalixProtocol)
      .openAction("shop.Act", method, { metadata: [["x-a", "1"]] }, events)
      .message(payload);
    const [call] = channel.to(`/kalix.component.action.Actions/${rpc}`);
    assert.ok(call);
    const [first] = call.sent.map((bytes) => fromBinary(ActionCommandSchema, bytes));
    assert.equal(first?.serviceName, "shop.Act");
    assert.deepEqual(first.metadata?.entries.map(({ key, value }) => [key, value.value]), [["x-a", "1"]]); // prettier-ignore
    assert.equal(first.payload === undefined, shape.streamedIn);
    const failure = { description: "no such item", grpcStatusCode: 5 };
    call.deliver(toBinary(ActionResponseSchema, create(ActionResponseSchema, { response: { case: "failure", value: failure } })));
    assert.deepEqual(responses, [{ action: asModel, effects: [] }]);
  }
});
