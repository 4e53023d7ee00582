/** The event log models of the TCK: entities that emit what they are told, and an action that hears of it. */
import { create } from "@bufbuild/protobuf";
import { EmptySchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { type ActionCommand, type ActionResponse, ActionResponseSchema } from "@mecha/wire/gen/cloudstate/action";
import type { Command } from "@mecha/wire/gen/cloudstate/entity";
import {
  type EventSourcedStreamIn,
  type EventSourcedStreamOut,
  EventSourcedStreamOutSchema,
} from "@mecha/wire/gen/cloudstate/event_sourced";
import {
  EffectRequestSchema,
  EmitEventRequestSchema,
  EventOneSchema,
  EventTwoSchema,
  JsonEventSchema,
  type ProcessStep,
  ResponseSchema,
} from "../gen/cloudstate/tck/model/eventlogeventing_pb.ts";
import { type AnyFields, pack, unpack } from "./any.ts";

const prefix = "cloudstate.tck.model.eventlogeventing";
export const eventLogSubscriber = `${prefix}.EventLogSubscriberModel`;
/** Entities of this model. */
export const eventLogServices: ReadonlySet<string> = new Set([`${prefix}.EventSourcedEntityOne`, `${prefix}.EventSourcedEntityTwo`]);
/** Type URL of the JSON event. */
const jsonEvent = "json.cloudstate.io/JsonEvent";

/** One activation: it has no state, so there is nothing to replay. */
export class EventLogModel {
  take({ message }: EventSourcedStreamIn): EventSourcedStreamOut | undefined {
    return message.case === "command" ? answerTo(message.value) : undefined;
  }
}

function answerTo(command: Command): EventSourcedStreamOut {
  const event = command.name === "EmitJsonEvent" ? jsonOf(command.payload) : eventOf(command.payload);
  const clientAction = { action: { case: "reply" as const, value: { payload: pack(EmptySchema, {}) } } };
  const value = { commandId: command.id, clientAction, events: event === undefined ? [] : [event] };
  return create(EventSourcedStreamOutSchema, { message: { case: "reply", value } });
}

function eventOf(payload: AnyFields | undefined): AnyFields | undefined {
  const { event } = unpack(EmitEventRequestSchema, payload);
  if (event.case === undefined) return undefined;
  return event.case === "eventOne" ? pack(EventOneSchema, event.value) : pack(EventTwoSchema, event.value);
}

/** JSON is UTF-8 in field 1: what a StringValue looks like. */
function jsonOf(payload: AnyFields | undefined): AnyFields {
  const { message } = unpack(JsonEventSchema, payload);
  return { typeUrl: jsonEvent, value: pack(StringValueSchema, { value: JSON.stringify({ message }) }).value };
}

/** What the subscriber answers to an event, or to a forward. */
export function answersToEvent(command: ActionCommand): ActionResponse[] {
  const id = subjectOf(command);
  switch (command.name) {
    case "ProcessEventOne":
      return [answerOf(id, unpack(EventOneSchema, command.payload).step)];
    case "ProcessEventTwo":
      return unpack(EventTwoSchema, command.payload).step.map((step) => answerOf(id, step));
    case "ProcessAnyEvent":
      return [replied({ id, message: messageOf(command.payload) })];
    default: {
      const { id: asked, message } = unpack(EffectRequestSchema, command.payload);
      return [replied({ id: asked, message })];
    }
  }
}

/** What the event is about: the entity it came from. */
function subjectOf({ metadata }: ActionCommand): string {
  const entry = metadata?.entries.find(({ key }) => key === "ce-subject");
  return entry?.value.case === "stringValue" ? entry.value.value : "";
}

function messageOf(payload: AnyFields | undefined): string {
  if (payload?.typeUrl !== jsonEvent) throw new Error(`expected ${jsonEvent}, got ${payload?.typeUrl ?? "nothing"}`);
  const { value } = unpack(StringValueSchema, { typeUrl: `type.googleapis.com/${StringValueSchema.typeName}`, value: payload.value });
  return (JSON.parse(value) as { message: string }).message;
}

function answerOf(id: string, step: ProcessStep | undefined): ActionResponse {
  const { step: one } = step ?? { step: { case: undefined, value: undefined } };
  if (one.case !== "forward") return replied({ id, message: one.value?.message ?? "" });
  const payload = pack(EffectRequestSchema, { id, message: one.value.message });
  const value = { serviceName: eventLogSubscriber, commandName: "Effect", payload };
  return create(ActionResponseSchema, { response: { case: "forward", value } });
}

function replied({ id, message }: { readonly id: string; readonly message: string }): ActionResponse {
  const payload = pack(ResponseSchema, { id, message });
  return create(ActionResponseSchema, { response: { case: "reply", value: { payload } } });
}
