/** MV1–MV19: a value entity as the TCK wants it. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ValueEntityReplySchema,
  ValueEntityStreamInSchema,
  ValueEntityStreamOutSchema,
} from "@mecha/wire/gen/cloudstate/value_entity";
import { PersistedSchema, type RequestActionSchema, RequestSchema, ResponseSchema } from "../gen/cloudstate/tck/model/valueentity_pb.ts";
import type { ClientStream } from "../kit/client-stream.ts";
import { pack } from "../model/any.ts";
import { expectConfigured, expectEntity, type ModelCase, type ModelKit, numbered } from "./kit.ts";

const prefix = "cloudstate.tck.model.valueentity.";
const service = `${prefix}ValueEntityTckModel`;
const second = `${prefix}ValueEntityTwo`;
const configured = `${prefix}ValueEntityConfigured`;
const entityType = "cloudstate.valueentity.ValueEntity";
const handle = { path: `/${entityType}/handle`, input: ValueEntityStreamInSchema, output: ValueEntityStreamOutSchema };
const id = "e";

/** Services that must be there for these cases. */
export const valueEntityServices: readonly string[] = [service, second, configured];

type Action = MessageInitShape<typeof RequestActionSchema>;
const update = (...values: string[]): Action[] => values.map((value) => ({ action: { case: "update", value: { value } } }));
const remove: Action = { action: { case: "delete", value: {} } };
const forward: Action = { action: { case: "forward", value: { id } } };
const effect = (to: string, synchronous = false): Action => ({ action: { case: "effect", value: { id: to, synchronous } } });
const fail = (message: string): Action => ({ action: { case: "fail", value: { message } } });

type Reply = Omit<MessageInitShape<typeof ValueEntityReplySchema>, "$typeName" | "$unknown">;
const replied = (message: string): Reply => ({
  clientAction: { action: { case: "reply", value: { payload: pack(ResponseSchema, { message }) } } },
});
const toSecond = (to: string) => ({ serviceName: second, commandName: "Call", payload: pack(RequestSchema, { id: to }) });
const forwarded: Reply = { clientAction: { action: { case: "forward", value: toSecond(id) } } };
const failed = (commandId: bigint, description: string): Reply => ({
  clientAction: { action: { case: "failure", value: { commandId, description } } },
});
const updated = (value: string): Reply => ({
  stateAction: { action: { case: "update", value: { value: pack(PersistedSchema, { value }) } } },
});
const deleted: Reply = { stateAction: { action: { case: "delete", value: {} } } };
const effects = (...ids: string[]): Reply => ({ sideEffects: ids.map((to) => toSecond(to)) });

type Entity = ClientStream<typeof ValueEntityStreamInSchema, typeof ValueEntityStreamOutSchema>;
/** What a command does, and the parts of the whole answer. */
type Step = readonly [actions: Action[], ...answer: Reply[]];

function activate(kit: ModelKit, stored?: string): Entity {
  const entity = kit.open(handle);
  const state = stored === undefined ? {} : { value: pack(PersistedSchema, { value: stored }) };
  entity.send({ message: { case: "init", value: { serviceName: service, entityId: id, state } } });
  return entity;
}

/** Runs the commands, comparing each answer whole; then passivates. */
async function runSteps(entity: Entity, steps: readonly Step[]): Promise<void> {
  for (const [at, [actions, ...answer]] of steps.entries()) {
    const commandId = BigInt(at + 1);
    const command = { entityId: id, id: commandId, name: "Process", payload: pack(RequestSchema, { id, actions }) };
    entity.send({ message: { case: "command", value: command } });
    await entity.expect({ message: { case: "reply", value: Object.assign({ commandId }, ...answer) as Reply } });
  }
  entity.complete();
  await entity.expectComplete();
}

const steps =
  (...all: Step[]): ModelCase["run"] =>
  (kit) =>
    runSteps(activate(kit), all);

const storesA: Step = [update("A"), replied("A"), updated("A")];
const readsA: Step = [[], replied("A")];

export const valueEntityModelCases = numbered("MV", "value entity", [
  [
    "value entity discovery",
    async (kit) => {
      const spec = await kit.discover();
      expectEntity(spec, service, entityType, "value-entity-tck-model");
      expectEntity(spec, second, entityType, "value-entity-tck-model-two");
    },
  ],
  [
    "value entity configured",
    async (kit) => {
      const spec = await kit.discover();
      expectEntity(spec, configured, entityType, "value-entity-configured");
      expectConfigured(spec, configured);
    },
  ],
  ["initial empty state", steps([[], replied("")])],
  ["update state", steps(storesA, readsA)],
  ["delete state", steps(storesA, [[remove], replied(""), deleted], [[], replied("")])],
  ["sub invocations with multiple update states", steps([update("A", "B", "C"), replied("C"), updated("C")], [[], replied("C")])],
  [
    "sub invocations with multiple update states and delete states",
    steps([[...update("A"), remove, ...update("B"), remove], replied(""), deleted], [[], replied("")]),
  ],
  [
    "sub invocations with update, delete and update states",
    steps([[...update("A"), remove, ...update("B")], replied("B"), updated("B")], [[], replied("B")]),
  ],
  [
    "rehydration after passivation",
    async (kit) => {
      await runSteps(activate(kit), [storesA, [update("B"), replied("B"), updated("B")]]);
      await runSteps(activate(kit, "B"), [[[], replied("B")], [update("C"), replied("C"), updated("C")]]); // prettier-ignore
    },
  ],
  ["reply with multiple side effects", steps([[effect("1"), effect("2"), effect("3")], replied(""), effects("1", "2", "3")])],
  ["reply with side effect to second service", steps(storesA, [[effect("x")], replied("A"), effects("x")], readsA)],
  [
    "reply with multiple side effects and state",
    steps([[...update("A", "B"), effect("1"), effect("2")], replied("B"), effects("1", "2"), updated("B")]),
  ],
  ["synchronous side effect", steps([[effect("x", true)], replied(""), { sideEffects: [{ ...toSecond("x"), synchronous: true }] }])],
  ["forward to second service", steps(storesA, [[forward], forwarded], readsA)],
  ["forward to second service with updated state", steps([[...update("A"), forward], forwarded, updated("A")], readsA)],
  ["forward and side effect to second service", steps([[effect("x"), forward], forwarded, effects("x")])],
  ["failure action", steps([[fail("no")], failed(1n, "no")])],
  ["connection after failure action", steps(storesA, [[fail("no")], failed(2n, "no")], readsA)],
  ["failure action does not allow side effects", steps([[effect("x"), fail("no")], failed(1n, "no")])],
]);
