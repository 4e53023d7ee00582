/** P11–P15: value entities through the proxy. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { valueEntityPath } from "@mecha/dialect-cloudstate";
import { ValueEntityStreamInSchema, ValueEntityStreamOutSchema } from "@mecha/wire/gen/cloudstate/value_entity";
import { PersistedSchema, type RequestActionSchema, RequestSchema, ResponseSchema } from "../gen/cloudstate/tck/model/valueentity_pb.ts";
import type { Case } from "../kit/context.ts";
import { pack } from "../model/any.ts";
import { begin, type Dialogue, type EntityKind, firstPosted, forwardsAndEffects, passivates, posted, secondPosted } from "./dialogue.ts";

const service = "cloudstate.tck.model.valueentity.ValueEntityTckModel";
type Action = MessageInitShape<typeof RequestActionSchema>;

const update = (value: string): Action => ({ action: { case: "update", value: { value } } });
const drop: Action = { action: { case: "delete", value: {} } };
const fail = (message: string): Action => ({ action: { case: "fail", value: { message } } });

const updated = (value: string) => ({
  stateAction: { action: { case: "update" as const, value: { value: pack(PersistedSchema, { value }) } } },
});
const deleted = { stateAction: { action: { case: "delete" as const, value: {} } } };

const kind: EntityKind<Action> = {
  service,
  second: "cloudstate.tck.model.valueentity.ValueEntityTwo",
  configured: "cloudstate.tck.model.valueentity.ValueEntityConfigured",
  forward: (id) => ({ action: { case: "forward", value: { id } } }),
  effect: (id) => ({ action: { case: "effect", value: { id } } }),
  request: (id, actions = []) => pack(RequestSchema, { id, actions: [...actions] }),
  response: (message) => pack(ResponseSchema, { message }),
  call: (kit, to, id, actions = []) =>
    kit.call(
      { path: `/${to}/${to === service ? "Process" : "Call"}`, input: RequestSchema, output: ResponseSchema },
      { id, actions: [...actions] },
    ),
  /** Init, with `state` present though empty. */
  async opened(kit, serviceName, entityId) {
    const connection = await kit.connection(valueEntityPath);
    await connection.expectProxy(ValueEntityStreamInSchema, { message: { case: "init", value: { serviceName, entityId, state: {} } } });
    return connection;
  },
  expectCommand: (connection, value) => connection.expectProxy(ValueEntityStreamInSchema, { message: { case: "command", value } }),
  expectReply: (connection, value) => connection.expectFunction(ValueEntityStreamOutSchema, { message: { case: "reply", value } }),
};

/** The function fails the command. */
async function failure(entity: Dialogue<Action>, description: string): Promise<void> {
  await entity.reply({ action: { case: "failure", value: { commandId: entity.commandId, description } } });
}

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
    run: (kit) => forwardsAndEffects(kind, kit, update("X"), "X", updated("X")),
  },
  {
    id: "P13",
    group: "value entity",
    name: "verify failures",
    async run(kit) {
      const id = kit.newId();
      const entity = await begin(kind, kit, id, [update("one")], "one", updated("one"));
      const failing = kind.call(kit, service, id, [fail("expected failure")]);
      await entity.command("Process", [fail("expected failure")]);
      await failure(entity, "expected failure");
      await failing.expectFailure("expected failure");
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
      const entity = await firstPosted(kind, kit, path, id);
      await secondPosted(kind, kit);
      const one = { path, body: { actions: [{ update: { value: "one" } }] }, message: "one" };
      await posted(kit, entity, { ...one, actions: [update("one")], recorded: updated("one") });

      const failing = kit.expectPostFailure(path, { actions: [{ fail: { message: "some failure" } }] }, "some failure");
      await entity.command("Process", [fail("some failure")]);
      await failure(entity, "some failure");
      await failing;

      const two = { path, body: { actions: [{ update: { value: "two" } }] }, message: "two" };
      await posted(kit, entity, { ...two, actions: [update("two")], recorded: updated("two") });
    },
  },
  {
    id: "P15",
    group: "value entity",
    name: "verify passivation timeout",
    run: (kit) => passivates(kind, kit),
  },
];
