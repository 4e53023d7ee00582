/** The 19 model cases of value entities. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { EntitySpecSchema, ProxyInfoSchema } from "@mecha/wire/gen/cloudstate/entity";
import {
  type ValueEntityReplySchema,
  ValueEntityStreamInSchema,
  ValueEntityStreamOutSchema,
} from "@mecha/wire/gen/cloudstate/value_entity";
import {
  PersistedSchema,
  type RequestActionSchema,
  RequestSchema,
  ResponseSchema,
} from "../../conformance/src/gen/cloudstate/tck/model/valueentity_pb.ts";
import { model } from "./model.ts";
import { Proxy, type Stream } from "./proxy.ts";

const prefix = "cloudstate.tck.model.valueentity.";
const two = `${prefix}ValueEntityTwo`;
const url = `type.googleapis.com/${prefix}`;
let proxy: Proxy;
before(async () => (proxy = await Proxy.to(model)));
after(() => proxy[Symbol.asyncDispose]());

type Action = MessageInitShape<typeof RequestActionSchema>;
const update = (...values: string[]): Action[] => values.map((value) => ({ action: { case: "update", value: { value } } }));
const remove: Action = { action: { case: "delete", value: {} } };
const forward: Action = { action: { case: "forward", value: { id: "e" } } };
const effect = (id: string, synchronous = false): Action => ({ action: { case: "effect", value: { id, synchronous } } });
const fail = (message: string): Action => ({ action: { case: "fail", value: { message } } });

const persisted = (value: string) => ({ typeUrl: `${url}Persisted`, value: toBinary(PersistedSchema, create(PersistedSchema, { value })) });
const request = (id: string, actions: Action[] = []) => ({
  typeUrl: `${url}Request`,
  value: toBinary(RequestSchema, create(RequestSchema, { id, actions })),
});

type ReplyInit = Omit<MessageInitShape<typeof ValueEntityReplySchema>, "$typeName" | "$unknown">;
const replied = (message: string): ReplyInit => ({
  clientAction: {
    action: {
      case: "reply",
      value: { payload: { typeUrl: `${url}Response`, value: toBinary(ResponseSchema, create(ResponseSchema, { message })) } },
    },
  },
});
const forwarded: ReplyInit = {
  clientAction: { action: { case: "forward", value: { serviceName: two, commandName: "Call", payload: request("e") } } },
};
const failed = (id: number, description: string): ReplyInit => ({
  clientAction: { action: { case: "failure", value: { commandId: BigInt(id), description } } },
});
const updated = (value: string): ReplyInit => ({ stateAction: { action: { case: "update", value: { value: persisted(value) } } } });
const deleted: ReplyInit = { stateAction: { action: { case: "delete", value: {} } } };
const effects = (synchronous: boolean, ...ids: string[]): ReplyInit => ({
  sideEffects: ids.map((id) => ({ serviceName: two, commandName: "Call", payload: request(id), synchronous })),
});

type Entity = Stream<typeof ValueEntityStreamInSchema, typeof ValueEntityStreamOutSchema>;

function activate(stored?: string): Entity {
  const stream = proxy.open("/cloudstate.valueentity.ValueEntity/handle", ValueEntityStreamInSchema, ValueEntityStreamOutSchema);
  const state = stored === undefined ? {} : { value: persisted(stored) };
  return stream.send({ message: { case: "init", value: { serviceName: `${prefix}ValueEntityTckModel`, entityId: "e", state } } });
}

/** Sends a command and compares the whole answer. */
async function step(entity: Entity, id: number, actions: Action[], ...parts: ReplyInit[]): Promise<void> {
  entity.send({ message: { case: "command", value: { entityId: "e", id: BigInt(id), name: "Process", payload: request("e", actions) } } });
  const value = Object.assign({ commandId: BigInt(id) }, ...parts) as ReplyInit;
  assert.deepEqual(await entity.next(), create(ValueEntityStreamOutSchema, { message: { case: "reply", value } }));
}

test("entity discovery and configured entity", async () => {
  const spec = await proxy.unary("/cloudstate.EntityDiscovery/discover", ProxyInfoSchema, EntitySpecSchema, { protocolMinorVersion: 2 });
  const byName = new Map(spec.entities.map((entity) => [entity.serviceName, entity]));
  const names = {
    ValueEntityTckModel: "value-entity-tck-model",
    ValueEntityTwo: "value-entity-tck-model-two",
    ValueEntityConfigured: "value-entity-configured",
  };
  for (const [name, persistenceId] of Object.entries(names)) {
    const entity = byName.get(prefix + name);
    assert.deepEqual([entity?.entityType, entity?.persistenceId], ["cloudstate.valueentity.ValueEntity", persistenceId]);
  }
  assert.equal(byName.get(`${prefix}ValueEntityConfigured`)?.passivationStrategy?.strategy.value?.timeout, 100n);
});

const cases: Record<string, [actions: Action[], ...parts: ReplyInit[]][]> = {
  "initial empty state": [[[], replied("")]],
  "update state": [[update("A"), replied("A"), updated("A")], [[], replied("A")]], // prettier-ignore
  "delete state": [[update("A"), replied("A"), updated("A")], [[remove], replied(""), deleted], [[], replied("")]], // prettier-ignore
  "several updates: the last wins": [[update("A", "B", "C"), replied("C"), updated("C")], [[], replied("C")]], // prettier-ignore
  "updates and deletes": [[[...update("A"), remove, ...update("B"), remove], replied(""), deleted], [[], replied("")]], // prettier-ignore
  "update, delete and update": [[[...update("A"), remove, ...update("B")], replied("B"), updated("B")], [[], replied("B")]], // prettier-ignore
  "reply with multiple side effects": [[[effect("1"), effect("2"), effect("3")], replied(""), effects(false, "1", "2", "3")]],
  "reply with side effect to second service": [[update("X"), replied("X"), updated("X")], [[effect("x")], replied("X"), effects(false, "x")], [[], replied("X")]], // prettier-ignore
  "multiple side effects and state": [
    [[...update("A", "B"), effect("1"), effect("2")], replied("B"), effects(false, "1", "2"), updated("B")],
  ],
  "synchronous side effect": [[[effect("x", true)], replied(""), effects(true, "x")]],
  forward: [[update("X"), replied("X"), updated("X")], [[forward], forwarded], [[], replied("X")]], // prettier-ignore
  "forward with updated state": [[[...update("A"), forward], forwarded, updated("A")]],
  "forward and side effect": [[[effect("x"), forward], forwarded, effects(false, "x")]],
  "failure action": [[[fail("no")], failed(1, "no")]],
  "connection after failure action": [[update("A"), replied("A"), updated("A")], [[fail("no")], failed(2, "no")], [[], replied("A")]], // prettier-ignore
  "failure action does not allow side effects": [[[effect("x"), fail("no")], failed(1, "no")]],
  "failure action does not change the state": [[update("A"), replied("A"), updated("A")], [[...update("B"), fail("no")], failed(2, "no")], [[remove, fail("no")], failed(3, "no")], [[], replied("A")]], // prettier-ignore
};

for (const [name, steps] of Object.entries(cases)) {
  test(name, async () => {
    const entity = activate();
    for (const [index, [actions, ...parts]] of steps.entries()) await step(entity, index + 1, actions, ...parts);
    await entity.passivate();
  });
}

test("rehydration after passivation", async () => {
  const first = activate();
  await step(first, 1, update("A"), replied("A"), updated("A"));
  await step(first, 2, update("B"), replied("B"), updated("B"));
  await first.passivate();
  const second = activate("B");
  await step(second, 1, [], replied("B"));
  await step(second, 2, update("C"), replied("C"), updated("C"));
  await second.passivate();
});
