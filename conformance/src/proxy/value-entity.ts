/** P11–P15: value entities through the proxy. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { valueEntityPath } from "@mecha/dialect-cloudstate";
import { ValueEntityStreamInSchema, ValueEntityStreamOutSchema } from "@mecha/wire/gen/cloudstate/value_entity";
import { PersistedSchema, type RequestActionSchema, RequestSchema, ResponseSchema } from "../gen/cloudstate/tck/model/valueentity_pb.ts";
import type { Case } from "../kit/context.ts";
import { pack } from "../model/any.ts";
import { begin, type EntityKind, firstPosted, forwardsAndEffects, passivates, secondPosted, textAnswers } from "./dialogue.ts";

const service = "cloudstate.tck.model.valueentity.ValueEntityTckModel";
type Action = MessageInitShape<typeof RequestActionSchema>;

const update = (value: string): Action => ({ action: { case: "update", value: { value } } });
const drop: Action = { action: { case: "delete", value: {} } };
const fail = (message: string): Action => ({ action: { case: "fail", value: { message } } });

const updated = (value: string) => ({
  stateAction: { action: { case: "update" as const, value: { value: pack(PersistedSchema, { value }) } } },
});
const deleted = { stateAction: { action: { case: "delete" as const, value: {} } } };

const kind: EntityKind<Action, string> = {
  ...textAnswers,
  service,
  second: "cloudstate.tck.model.valueentity.ValueEntityTwo",
  configured: "cloudstate.tck.model.valueentity.ValueEntityConfigured",
  forward: (id) => ({ action: { case: "forward", value: { id } } }),
  effect: (id) => ({ action: { case: "effect", value: { id } } }),
  request: (id, actions = []) => pack(RequestSchema, { id, actions: [...actions] }),
  response: (message) => pack(ResponseSchema, { message }),
  call(kit, to, id, actions = []) {
    const path = `/${to}/${to === service ? "Process" : "Call"}`;
    return kit.call({ path, input: RequestSchema, output: ResponseSchema }, { id, actions: [...actions] });
  },
  /** Init, with `state` present though empty. */
  async opened(kit, serviceName, entityId) {
    const connection = await kit.connection(valueEntityPath);
    await connection.expectProxy(ValueEntityStreamInSchema, { message: { case: "init", value: { serviceName, entityId, state: {} } } });
    return connection;
  },
  expectCommand: (connection, value) => connection.expectProxy(ValueEntityStreamInSchema, { message: { case: "command", value } }),
  expectReply: (connection, value) => connection.expectFunction(ValueEntityStreamOutSchema, { message: { case: "reply", value } }),
};

export const valueEntityCases: readonly Case[] = [
  {
    id: "P11",
    group: "value entity",
    name: "verify state changes",
    async run(kit) {
      const entity = await begin(kind, kit, kit.newId(), [], "");
      await entity.exchange(kit, [update("one")], "one", updated("one"));
      await entity.exchange(kit, [update("two")], "two", updated("two"));
      await entity.exchange(kit, [], "two");
      await entity.exchange(kit, [drop], "", deleted);
      await entity.exchange(kit, [], "");
      await entity.exchange(kit, [update("foo")], "foo", updated("foo"));
      await entity.exchange(kit, [drop], "", deleted);
    },
  },
  {
    id: "P12",
    group: "value entity",
    name: "verify forwards and side effects",
    async run(kit) {
      const entity = await begin(kind, kit, kit.newId(), [update("X")], "X", updated("X"));
      await forwardsAndEffects(kind, kit, entity, "X");
      await entity.exchange(kit, [], "X");
    },
  },
  {
    id: "P13",
    group: "value entity",
    name: "verify failures",
    async run(kit) {
      const entity = await begin(kind, kit, kit.newId(), [update("one")], "one", updated("one"));
      await entity.failing(kit, [fail("expected failure")], "expected failure");
      await entity.exchange(kit, [], "one");
    },
  },
  {
    id: "P14",
    group: "value entity",
    name: "verify HTTP API",
    async run(kit) {
      const id = kit.newId();
      const path = `/tck/model/entity/${id}`;
      const entity = await firstPosted(kind, kit, id, { path, body: {}, actions: [], answer: "" });
      await secondPosted(kind, kit);
      const one = { path, body: { actions: [{ update: { value: "one" } }] }, answer: "one" };
      await entity.posted(kit, { ...one, actions: [update("one")], recorded: updated("one") });
      const wrong = { actions: [{ fail: { message: "some failure" } }] };
      await entity.postFailed(kit, path, wrong, [fail("some failure")], "some failure");
      const two = { path, body: { actions: [{ update: { value: "two" } }] }, answer: "two" };
      await entity.posted(kit, { ...two, actions: [update("two")], recorded: updated("two") });
    },
  },
  {
    id: "P15",
    group: "value entity",
    name: "verify passivation timeout",
    run: (kit) => passivates(kind, kit),
  },
];
