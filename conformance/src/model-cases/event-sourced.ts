/** ME1–ME21: an event sourced entity as the TCK wants it. */
import assert from "node:assert/strict";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type EventSourcedReplySchema,
  EventSourcedStreamInSchema,
  EventSourcedStreamOutSchema,
} from "@mecha/wire/gen/cloudstate/event_sourced";
import { PersistedSchema, type RequestActionSchema, RequestSchema, ResponseSchema } from "../gen/cloudstate/tck/model/eventsourced_pb.ts";
import type { ClientStream } from "../kit/client-stream.ts";
import { pack } from "../model/any.ts";
import { expectConfigured, expectEntity, type ModelCase, type ModelKit, numbered } from "./kit.ts";

const service = "cloudstate.tck.model.EventSourcedTckModel";
const second = "cloudstate.tck.model.EventSourcedTwo";
const configured = "cloudstate.tck.model.EventSourcedConfigured";
const entityType = "cloudstate.eventsourced.EventSourced";
const handle = { path: `/${entityType}/handle`, input: EventSourcedStreamInSchema, output: EventSourcedStreamOutSchema };
const id = "e";

/** Services that must be there for these cases. */
export const eventSourcedServices: readonly string[] = [service, second, configured];

type Action = MessageInitShape<typeof RequestActionSchema>;
const emit = (...values: string[]): Action[] => values.map((value) => ({ action: { case: "emit", value: { value } } }));
const forward: Action = { action: { case: "forward", value: { id } } };
const effect = (to: string, synchronous = false): Action => ({ action: { case: "effect", value: { id: to, synchronous } } });
const fail = (message: string): Action => ({ action: { case: "fail", value: { message } } });

type Reply = Omit<MessageInitShape<typeof EventSourcedReplySchema>, "$typeName" | "$unknown">;
const persisted = (value: string) => pack(PersistedSchema, { value });
const replied = (message: string): Reply => ({
  clientAction: { action: { case: "reply", value: { payload: pack(ResponseSchema, { message }) } } },
});
const toSecond = (to: string) => ({ serviceName: second, commandName: "Call", payload: pack(RequestSchema, { id: to }) });
const forwarded: Reply = { clientAction: { action: { case: "forward", value: toSecond(id) } } };
const failed = (commandId: bigint, description: string): Reply => ({
  clientAction: { action: { case: "failure", value: { commandId, description } } },
});
const events = (...values: string[]): Reply => ({ events: values.map(persisted) });
const snapshot = (value: string): Reply => ({ snapshot: persisted(value) });
const effects = (...ids: string[]): Reply => ({ sideEffects: ids.map((to) => toSecond(to)) });

type Entity = ClientStream<typeof EventSourcedStreamInSchema, typeof EventSourcedStreamOutSchema>;
/** What a command does, and the parts of the whole answer. */
type Step = readonly [actions: Action[], ...answer: Reply[]];

/** What is stored of an entity when it is activated. */
interface Stored {
  readonly snapshot?: { readonly sequence: number; readonly value: string };
  /** Those after the snapshot. */
  readonly events?: readonly string[];
}

function activate(kit: ModelKit, { snapshot: saved, events: later = [] }: Stored = {}): Entity {
  const entity = kit.open(handle);
  const init = { serviceName: service, entityId: id };
  const sequence = BigInt(saved?.sequence ?? 0);
  const withSnapshot = saved && { ...init, snapshot: { snapshotSequence: sequence, snapshot: persisted(saved.value) } };
  entity.send({ message: { case: "init", value: withSnapshot ?? init } });
  for (const [at, value] of later.entries())
    entity.send({ message: { case: "event", value: { sequence: sequence + BigInt(at + 1), payload: persisted(value) } } });
  return entity;
}

function command(entity: Entity, commandId: bigint, actions: Action[]): void {
  const value = { entityId: id, id: commandId, name: "Process", payload: pack(RequestSchema, { id, actions }) };
  entity.send({ message: { case: "command", value } });
}

/** Runs the commands, comparing each answer whole. */
async function runSteps(entity: Entity, steps: readonly Step[], firstId = 1n): Promise<void> {
  for (const [at, [actions, ...answer]] of steps.entries()) {
    const commandId = firstId + BigInt(at);
    command(entity, commandId, actions);
    await entity.expect({ message: { case: "reply", value: Object.assign({ commandId }, ...answer) as Reply } });
  }
}

async function passivate(entity: Entity): Promise<void> {
  entity.complete();
  await entity.expectComplete();
}

const steps =
  (stored: Stored, ...all: Step[]): ModelCase["run"] =>
  async (kit) => {
    const entity = activate(kit, stored);
    await runSteps(entity, all);
    await passivate(entity);
  };

const emits = (...values: string[]): Step => [emit(...values), replied(values.join("")), events(...values)];
const reads = (state: string): Step => [[], replied(state)];
const snapshotAt5 = { sequence: 5, value: "ABCDE" };

/**
 * Fails a command that has emitted events; none of them may be in its answer. A function may ask for a restart, because its memory has them.
 * Answers the stream to go on with, and the id of its next command.
 */
async function failAfterEmitting(kit: ModelKit, entity: Entity, commandId: bigint, stored: readonly string[]): Promise<[Entity, bigint]> {
  command(entity, commandId, [...emit("x"), fail("no"), ...emit("y")]);
  const { message } = await entity.receive();
  assert.ok(message.case === "reply", `a reply, not ${message.case ?? "an empty message"}`);
  const { clientAction, events: recorded, snapshot: saved, sideEffects } = message.value;
  const action = clientAction?.action;
  assert.ok(action?.case === "failure", "the command fails");
  assert.equal(action.value.description, "no");
  assert.deepEqual([recorded, saved, sideEffects], [[], undefined, []], "a failed command records nothing");
  if (!action.value.restart) return [entity, commandId + 1n];
  await passivate(entity);
  return [activate(kit, { events: stored }), 1n];
}

export const eventSourcedModelCases = numbered("ME", "event sourced", [
  [
    "event sourced entity discovery",
    async (kit) => {
      const spec = await kit.discover();
      expectEntity(spec, service, entityType, "event-sourced-tck-model");
      expectEntity(spec, second, entityType);
    },
  ],
  [
    "event sourced configured entity",
    async (kit) => {
      const spec = await kit.discover();
      expectEntity(spec, configured, entityType, "event-sourced-configured");
      expectConfigured(spec, configured);
    },
  ],
  ["initial empty state", steps({}, reads(""))],
  ["single emitted event", steps({}, emits("A"), reads("A"))],
  ["multiple emitted events", steps({}, emits("A", "B", "C"), reads("ABC"))],
  [
    "multiple emitted events and snapshots",
    steps(
      {},
      emits("A"),
      [emit("B", "C", "D"), replied("ABCD"), events("B", "C", "D")],
      [emit("E"), replied("ABCDE"), events("E"), snapshot("ABCDE")],
      [emit("F", "G", "H"), replied("ABCDEFGH"), events("F", "G", "H")],
      [emit("I", "J"), replied("ABCDEFGHIJ"), events("I", "J"), snapshot("ABCDEFGHIJ")],
      [emit("K"), replied("ABCDEFGHIJK"), events("K")],
      reads("ABCDEFGHIJK"),
    ),
  ],
  ["initial snapshot", steps({ snapshot: snapshotAt5 }, reads("ABCDE"))],
  ["initial snapshot and events", steps({ snapshot: snapshotAt5, events: ["F", "G"] }, reads("ABCDEFG"))],
  [
    "rehydration after passivation",
    async (kit) => {
      const letters = ["A", "B", "C", "D", "E"];
      const first: Step = [emit(...letters), replied("ABCDE"), events(...letters), snapshot("ABCDE")];
      await steps({}, first, [emit("F", "G"), replied("ABCDEFG"), events("F", "G")])(kit);
      const again: Step = [emit("H", "I", "J"), replied("ABCDEFGHIJ"), events("H", "I", "J"), snapshot("ABCDEFGHIJ")];
      await steps({ snapshot: snapshotAt5, events: ["F", "G"] }, reads("ABCDEFG"), again)(kit);
    },
  ],
  ["forward to second service", steps({}, emits("A"), [[forward], forwarded], reads("A"))],
  ["forward to second service with emitted events", steps({}, [[...emit("A"), forward], forwarded, events("A")], reads("A"))],
  [
    "forward to second service with emitted events and snapshot",
    steps({}, emits("A", "B", "C"), [[...emit("D", "E"), forward], forwarded, events("D", "E"), snapshot("ABCDE")]),
  ],
  ["reply with side effect to second service", steps({}, emits("A"), [[effect("x")], replied("A"), effects("x")], reads("A"))],
  [
    "reply with synchronous side effect to second service",
    steps({}, [[effect("x", true)], replied(""), { sideEffects: [{ ...toSecond("x"), synchronous: true }] }]),
  ],
  ["forward and side effect to second service", steps({}, [[effect("x"), forward], forwarded, effects("x")])],
  ["reply with multiple side effects", steps({}, [[effect("1"), effect("2"), effect("3")], replied(""), effects("1", "2", "3")])],
  [
    "reply with multiple side effects, events, and snapshot",
    steps({}, [
      [...emit("A", "B", "C", "D", "E"), effect("1"), effect("2")],
      replied("ABCDE"),
      events("A", "B", "C", "D", "E"),
      snapshot("ABCDE"),
      effects("1", "2"),
    ]),
  ],
  ["failure action", steps({}, [[fail("no")], failed(1n, "no")])],
  ["connection after failure action", steps({}, emits("A"), [[fail("no")], failed(2n, "no")], reads("A"))],
  [
    "failure actions do not retain emitted events, by requesting an entity restart if needed",
    async (kit) => {
      const entity = activate(kit);
      await runSteps(entity, [emits("A", "B")]);
      const [afterOne, nextId] = await failAfterEmitting(kit, entity, 2n, ["A", "B"]);
      await runSteps(afterOne, [reads("AB"), [emit("C"), replied("ABC"), events("C")]], nextId);
      const [afterTwo, lastId] = await failAfterEmitting(kit, afterOne, nextId + 2n, ["A", "B", "C"]);
      await runSteps(afterTwo, [[emit("D", "E"), replied("ABCDE"), events("D", "E"), snapshot("ABCDE")]], lastId);
      await passivate(afterTwo);
    },
  ],
  ["failure actions do not allow side effects", steps({}, [[effect("x"), fail("no")], failed(1n, "no")])],
]);
