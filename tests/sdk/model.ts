/** The conformance model (facts/cloudstate.md §3.2) written with the SDK: what a user function must be able to do, done in the SDK's own terms. */
import { type CommandRef, commandRef, fromProto } from "mecha-sdk";
import {
  ActionTckModel,
  ActionTwo,
  type ProcessGroup,
  type Request as ActionRequest,
} from "../../conformance/src/gen/cloudstate/tck/model/action_pb.ts";
import {
  EventSourcedConfigured,
  EventSourcedTckModel,
  EventSourcedTwo,
  PersistedSchema,
} from "../../conformance/src/gen/cloudstate/tck/model/eventsourced_pb.ts";
import {
  PersistedSchema as StoredSchema,
  ValueEntityConfigured,
  ValueEntityTckModel,
  ValueEntityTwo,
} from "../../conformance/src/gen/cloudstate/tck/model/valueentity_pb.ts";
import type { ActionContext, Answer, Component } from "mecha-sdk";
import { crdtModel } from "./crdt-model.ts";
import { eventLogModel } from "./event-log-model.ts";

/** The part of a context the actions of a request use. */
interface Caller {
  forward(to: CommandRef<{ id?: string }>, message: { id: string }): Answer<never>;
  effect(to: CommandRef<{ id?: string }>, message: { id: string }, options: { synchronous: boolean }): void;
  fail(message: string): never;
}

type Requested<Own extends { case: string; value: unknown }> =
  | Own
  | { case: "forward"; value: { id: string } }
  | { case: "effect"; value: { id: string; synchronous: boolean } }
  | { case: "fail"; value: { message: string } }
  | { case: undefined; value?: undefined };

/** Runs the actions in order; the last forward, if any, is the answer. */
function run<Own extends { case: string; value: unknown }>(
  actions: readonly { action: Requested<Own> }[],
  ctx: Caller,
  two: CommandRef<{ id?: string }>,
  own: (action: Own) => void,
): Answer<never> | undefined {
  let answer: Answer<never> | undefined;
  for (const { action } of actions) {
    if (action.case === "forward") answer = ctx.forward(two, { id: (action.value as { id: string }).id });
    else if (action.case === "effect") {
      const { id, synchronous } = action.value as { id: string; synchronous: boolean };
      ctx.effect(two, { id }, { synchronous });
    } else if (action.case === "fail") ctx.fail((action.value as { message: string }).message);
    else if (action.case !== undefined) own(action as Own);
  }
  return answer;
}

const eventSourcedTwo = commandRef(EventSourcedTwo, "call");
const valueEntityTwo = commandRef(ValueEntityTwo, "call");
const actionTwo = commandRef(ActionTwo, "call");

const noEvents = { state: () => ({}), events: {}, on: {}, handle: { call: () => ({}) } };

const eventSourced = fromProto.eventSourced(EventSourcedTckModel, {
  persistenceId: "event-sourced-tck-model",
  snapshotEvery: 5,
  state: PersistedSchema,
  events: { persisted: PersistedSchema },
  on: {
    persisted(state, { value }) {
      state.value += value;
    },
  },
  handle: {
    process({ actions }, ctx) {
      const forward = run(actions, ctx, eventSourcedTwo, ({ value }: { case: "emit"; value: { value: string } }) =>
        ctx.emit("persisted", value),
      );
      return forward ?? { message: ctx.state.value };
    },
  },
});

const valueEntity = fromProto.valueEntity(ValueEntityTckModel, {
  persistenceId: "value-entity-tck-model",
  state: StoredSchema,
  handle: {
    process({ actions }, ctx) {
      const forward = run(
        actions,
        ctx,
        valueEntityTwo,
        (action: { case: "update"; value: { value: string } } | { case: "delete"; value: object }) =>
          action.case === "update" ? ctx.update({ value: action.value.value }) : ctx.delete(),
      );
      return forward ?? { message: ctx.state.value };
    },
  },
});

/** One response for the steps of a group: the last of reply, forward and failure. */
function answerGroup({ steps }: ProcessGroup, ctx: ActionContext<{ message?: string }>): Answer<{ message?: string }> {
  let answer: Answer<{ message?: string }> = ctx.noReply();
  for (const { step } of steps) {
    if (step.case === "reply") answer = ctx.reply({ message: step.value.message });
    else if (step.case === "forward") answer = ctx.forward(actionTwo, { id: step.value.id });
    else if (step.case === "fail") answer = ctx.failure(step.value.message);
    else if (step.case === "effect") ctx.effect(actionTwo, { id: step.value.id }, { synchronous: step.value.synchronous });
  }
  return answer;
}

const action = fromProto.action(ActionTckModel, {
  handle: {
    processUnary: ({ groups }, ctx) => answerGroup(groups[0] as ProcessGroup, ctx),
    async processStreamedIn(requests: AsyncIterable<ActionRequest>, ctx) {
      let answer: Answer<{ message?: string }> = ctx.noReply();
      for await (const { groups } of requests) {
        for (const group of groups) {
          const next = answerGroup(group, ctx);
          if (next.outcome.do !== "nothing") answer = next;
        }
      }
      return answer;
    },
    *processStreamedOut({ groups }, ctx) {
      for (const group of groups) yield answerGroup(group, ctx);
    },
    async *processStreamed(requests, ctx) {
      for await (const { groups } of requests) for (const group of groups) yield answerGroup(group, ctx);
    },
  },
});

/** Everything the model consists of. */
export const model: readonly Component[] = [
  eventSourced,
  fromProto.eventSourced(EventSourcedTwo, { ...noEvents, persistenceId: "event-sourced-two" }),
  fromProto.eventSourced(EventSourcedConfigured, { ...noEvents, persistenceId: "event-sourced-configured", passivationMs: 100 }),
  valueEntity,
  fromProto.valueEntity(ValueEntityTwo, { persistenceId: "value-entity-tck-model-two", state: () => ({}), handle: { call: () => ({}) } }),
  fromProto.valueEntity(ValueEntityConfigured, {
    persistenceId: "value-entity-configured",
    passivationMs: 100,
    state: () => ({}),
    handle: { call: () => ({}) },
  }),
  action,
  fromProto.action(ActionTwo, { handle: { call: () => ({}) } }),
  ...crdtModel,
  ...eventLogModel,
];
