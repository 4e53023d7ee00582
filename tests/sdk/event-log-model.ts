/** The event log model of the conformance kit (facts/cloudstate.md §3.2) written with the SDK: an entity and who hears of its events. */
import { type ActionContext, type Answer, commandRef, type Component, fromProto, jsonEvent, openEvent } from "mecha-sdk";
import {
  EventLogSubscriberModel,
  EventOneSchema,
  EventSourcedEntityOne,
  EventSourcedEntityTwo,
  EventTwoSchema,
  type ProcessStep,
} from "../../conformance/src/gen/cloudstate/tck/model/eventlogeventing_pb.ts";

interface Response {
  id?: string;
  message?: string;
}
const effect = commandRef(EventLogSubscriberModel, "effect");
const subjectOf = (ctx: ActionContext<Response>): string => ctx.cloudEvent?.subject ?? "";

function answer(step: ProcessStep | undefined, ctx: ActionContext<Response>): Response | Answer<Response> {
  const id = subjectOf(ctx);
  const message = step?.step.value?.message ?? "";
  return step?.step.case === "forward" ? ctx.forward(effect, { id, message }) : { id, message };
}

export const eventLogModel: readonly Component[] = [
  fromProto.eventSourced(EventSourcedEntityOne, {
    persistenceId: "eventlogeventing-one",
    state: () => ({}),
    events: { one: EventOneSchema, two: EventTwoSchema },
    on: { one: () => undefined, two: () => undefined },
    handle: {
      emitEvent({ event }, ctx) {
        if (event.case === "eventOne") ctx.emit("one", event.value);
        else if (event.case === "eventTwo") ctx.emit("two", event.value);
      },
    },
  }),
  fromProto.eventSourced(EventSourcedEntityTwo, {
    persistenceId: "eventlogeventing-two",
    state: () => ({}),
    events: { json: jsonEvent<{ message: string }>("JsonEvent") },
    on: { json: () => undefined },
    handle: { emitJsonEvent: ({ message }, ctx) => ctx.emit("json", { message }) },
  }),
  fromProto.action(EventLogSubscriberModel, {
    handle: {
      processEventOne: ({ step }, ctx) => answer(step, ctx),
      *processEventTwo({ step }, ctx) {
        for (const one of step) yield answer(one, ctx);
      },
      effect: ({ id, message }) => ({ id, message }),
      processAnyEvent: (event, ctx) => ({ id: subjectOf(ctx), message: (openEvent(event)?.value as { message: string }).message }),
    },
  }),
];
