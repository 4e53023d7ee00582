/** P28–P30: events of an entity reach the action that subscribed to them. */
import assert from "node:assert/strict";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { eventSourcedPath, protocol02 } from "@mecha/dialect-cloudstate";
import { type ActionCommand, ActionCommandSchema, ActionResponseSchema } from "@mecha/wire/gen/cloudstate/action";
import { EventSourcedStreamInSchema, EventSourcedStreamOutSchema } from "@mecha/wire/gen/cloudstate/event_sourced";
import {
  EffectRequestSchema,
  EmitEventRequestSchema,
  EventOneSchema,
  JsonEventSchema,
  type ProcessStepSchema,
  ResponseSchema,
} from "../gen/cloudstate/tck/model/eventlogeventing_pb.ts";
import { type Connection, expectSame } from "../kit/connection.ts";
import type { Case, CaseKit } from "../kit/context.ts";
import { type AnyFields, pack, unpack } from "../model/any.ts";

const prefix = "cloudstate.tck.model.eventlogeventing";
const subscriber = `${prefix}.EventLogSubscriberModel`;
const jsonPrefix = "json.cloudstate.io/";

/** A call makes an entity emit one event, on a new stream of its own; gives back the event. */
async function emit<In extends DescMessage>(
  kit: CaseKit,
  to: { readonly service: string; readonly method: string; readonly input: In },
  request: MessageInitShape<In> & { readonly id: string },
): Promise<AnyFields> {
  const { service, method, input } = to;
  const answer = kit.call({ path: `/${service}/${method}`, input, output: EmptySchema }, request);
  const stream = await kit.connection(eventSourcedPath);
  await stream.expectProxy(EventSourcedStreamInSchema, {
    message: { case: "init", value: { serviceName: service, entityId: request.id } },
  });
  const command = { entityId: request.id, id: 1n, name: method, payload: pack(input, request) };
  await stream.expectProxy(EventSourcedStreamInSchema, { message: { case: "command", value: command } });
  const { message } = await stream.functionMessage(EventSourcedStreamOutSchema);
  assert.equal(message.case, "reply");
  const [event, ...more] = message.value.events;
  assert.ok(event !== undefined && more.length === 0, `one event was to be emitted, not ${message.value.events.length}`);
  await answer.expect({});
  return event;
}

/** The next unary call of an action: its command without metadata, and the `ce-subject` in them. */
async function nextUnary(
  kit: CaseKit,
): Promise<{ readonly unary: Connection; readonly command: ActionCommand; readonly subject: string | undefined }> {
  const unary = await kit.connection(protocol02.actionPaths.unary);
  const command = await unary.proxyMessage(ActionCommandSchema);
  const subject = command.metadata?.entries.find(({ key }) => key === "ce-subject")?.value;
  delete command.metadata;
  return { unary, command, subject: subject?.case === "stringValue" ? subject.value : undefined };
}

/** The subscriber is called with this event of the entity, and answers so. */
async function expectDelivery(
  kit: CaseKit,
  wanted: { readonly name: string; readonly payload: AnyFields; readonly subject: string },
  answered: MessageInitShape<typeof ActionResponseSchema>,
): Promise<void> {
  const { unary, command, subject } = await nextUnary(kit);
  expectSame(ActionCommandSchema, command, { serviceName: subscriber, name: wanted.name, payload: wanted.payload });
  assert.equal(subject, wanted.subject, "ce-subject is the id of the entity");
  await unary.expectProxyComplete();
  await unary.expectFunction(ActionResponseSchema, answered);
  await unary.expectFunctionComplete();
}

const replied = (id: string, message: string): MessageInitShape<typeof ActionResponseSchema> => ({
  response: { case: "reply", value: { payload: pack(ResponseSchema, { id, message }) } },
});
const emitOne = { service: `${prefix}.EventSourcedEntityOne`, method: "EmitEvent", input: EmitEventRequestSchema };
const emitJson = { service: `${prefix}.EventSourcedEntityTwo`, method: "EmitJsonEvent", input: JsonEventSchema };

function eventOne(id: string, step: MessageInitShape<typeof ProcessStepSchema>) {
  return { id, event: { case: "eventOne" as const, value: { step } } };
}

export const eventLogCases: readonly Case[] = [
  {
    id: "P28",
    group: "event log",
    name: "consume an event",
    async run(kit) {
      const id = kit.newId();
      const step = { step: { case: "reply" as const, value: { message: "some message" } } };
      const payload = await emit(kit, emitOne, eventOne(id, step));
      expectSame(EventOneSchema, unpack(EventOneSchema, payload), { step });
      await expectDelivery(kit, { name: "ProcessEventOne", payload, subject: id }, replied(id, "some message"));
    },
  },
  {
    id: "P29",
    group: "event log",
    name: "forward a consumed event",
    async run(kit) {
      const id = kit.newId();
      const payload = await emit(kit, emitOne, eventOne(id, { step: { case: "forward", value: { message: "some message" } } }));
      const forward = {
        serviceName: subscriber,
        commandName: "Effect",
        payload: pack(EffectRequestSchema, { id, message: "some message" }),
      };
      await expectDelivery(kit, { name: "ProcessEventOne", payload, subject: id }, { response: { case: "forward", value: forward } });
      const { unary, command } = await nextUnary(kit);
      expectSame(ActionCommandSchema, command, { serviceName: subscriber, name: "Effect", payload: forward.payload });
      await unary.expectProxyComplete();
      await unary.expectFunction(ActionResponseSchema, replied(id, "some message"));
      await unary.expectFunctionComplete();
    },
  },
  {
    id: "P30",
    group: "event log",
    name: "process json events",
    async run(kit) {
      const id = kit.newId();
      const payload = await emit(kit, emitJson, { id, message: "some json message" });
      assert.ok(payload.typeUrl.startsWith(jsonPrefix), `${payload.typeUrl} is JSON`);
      await expectDelivery(kit, { name: "ProcessAnyEvent", payload, subject: id }, replied(id, "some json message"));
    },
  },
];
