/** P11–P15: value entities through the proxy. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { valueEntityPath } from "@mecha/dialect-cloudstate";
import { ValueEntityStreamInSchema, ValueEntityStreamOutSchema } from "@mecha/wire/gen/cloudstate/value_entity";
import { PersistedSchema, type RequestActionSchema, RequestSchema, ResponseSchema } from "../gen/cloudstate/tck/model/valueentity_pb.ts";
import type { Connection } from "../kit/connection.ts";
import type { Case, CaseKit } from "../kit/context.ts";
import { pack } from "../model/any.ts";
import { passivationGraceMs } from "./passivation.ts";

const service = "cloudstate.tck.model.valueentity.ValueEntityTckModel";
const second = "cloudstate.tck.model.valueentity.ValueEntityTwo";
const configured = "cloudstate.tck.model.valueentity.ValueEntityConfigured";
const types = { input: RequestSchema, output: ResponseSchema };
const process = { path: `/${service}/Process`, ...types };
const callSecond = { path: `/${second}/Call`, ...types };
const callConfigured = { path: `/${configured}/Call`, ...types };

type Action = MessageInitShape<typeof RequestActionSchema>;

const update = (value: string): Action => ({ action: { case: "update", value: { value } } });
const drop: Action = { action: { case: "delete", value: {} } };
const forward = (id: string): Action => ({ action: { case: "forward", value: { id } } });
const effect = (id: string, synchronous = false): Action => ({ action: { case: "effect", value: { id, synchronous } } });
const fail = (message: string): Action => ({ action: { case: "fail", value: { message } } });

const updated = (value: string) => ({
  stateAction: { action: { case: "update" as const, value: { value: pack(PersistedSchema, { value }) } } },
});
const deleted = { stateAction: { action: { case: "delete" as const, value: {} } } };
const toSecond = (id: string) => ({ serviceName: second, commandName: "Call", payload: pack(RequestSchema, { id }) });
const replied = (message: string) => ({ action: { case: "reply" as const, value: { payload: pack(ResponseSchema, { message }) } } });

/** One entity's stream as the interceptor sees it, with the ids counted. */
class Dialogue {
  readonly #connection: Connection;
  readonly #id: string;
  #commandId = 0n;

  constructor(connection: Connection, id: string) {
    this.#connection = connection;
    this.#id = id;
  }

  /** The next stream opened is of this entity and begins with init, `state` present though empty. */
  static async open(kit: CaseKit, serviceName: string, id: string): Promise<Dialogue> {
    const connection = await kit.connection(valueEntityPath);
    await connection.expectProxy(ValueEntityStreamInSchema, { message: { case: "init", value: { serviceName, entityId: id, state: {} } } });
    return new Dialogue(connection, id);
  }

  /** The next command, without metadata and numbered on. */
  async command(name: string, actions: Action[] = []): Promise<void> {
    const payload = pack(RequestSchema, { id: this.#id, actions });
    const value = { entityId: this.#id, id: ++this.#commandId, name, payload };
    await this.#connection.expectProxy(ValueEntityStreamInSchema, { message: { case: "command", value } });
  }

  /** The function's answer to it. */
  async reply(clientAction: object, more: object = {}): Promise<void> {
    const value = { commandId: this.#commandId, clientAction, ...more };
    await this.#connection.expectFunction(ValueEntityStreamOutSchema, { message: { case: "reply", value } });
  }

  async failure(description: string): Promise<void> {
    await this.reply({ action: { case: "failure", value: { commandId: this.#commandId, description } } });
  }

  /** A command with these actions goes in through the proxy, and its answer comes back the same way. */
  async exchange(kit: CaseKit, actions: Action[], message: string, more: object = {}): Promise<void> {
    const answer = kit.call(process, { id: this.#id, actions });
    await this.command("Process", actions);
    await this.reply(replied(message), more);
    await answer.expect({ message });
  }

  async closed(withinMs: number): Promise<void> {
    await this.#connection.expectClosed(withinMs);
  }
}

/** Starts an entity with one command. */
async function begin(kit: CaseKit, id: string, actions: Action[], message: string, more: object = {}): Promise<Dialogue> {
  const answer = kit.call(process, { id, actions });
  const dialogue = await Dialogue.open(kit, service, id);
  await dialogue.command("Process", actions);
  await dialogue.reply(replied(message), more);
  await answer.expect({ message });
  return dialogue;
}

export const valueEntityCases: readonly Case[] = [
  {
    id: "P11",
    group: "value entity",
    name: "verify state changes",
    async run(kit) {
      const entity = await begin(kit, kit.newId(), [], "");
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
      const id = kit.newId();
      const otherId = kit.newId();
      const entity = await begin(kit, id, [update("X")], "X", updated("X"));

      const forwarding = kit.call(process, { id, actions: [forward(otherId)] });
      await entity.command("Process", [forward(otherId)]);
      await entity.reply({ action: { case: "forward", value: toSecond(otherId) } });
      const other = await Dialogue.open(kit, second, otherId);
      await other.command("Call");
      await other.reply(replied(""));
      await forwarding.expect({});

      const effecting = kit.call(process, { id, actions: [effect(otherId)] });
      await entity.command("Process", [effect(otherId)]);
      await entity.reply(replied("X"), { sideEffects: [{ ...toSecond(otherId), synchronous: false }] });
      await effecting.expect({ message: "X" });
      await other.command("Call");
      await other.reply(replied(""));

      await entity.exchange(kit, [], "X");
    },
  },
  {
    id: "P13",
    group: "value entity",
    name: "verify failures",
    async run(kit) {
      const id = kit.newId();
      const entity = await begin(kit, id, [update("one")], "one", updated("one"));
      const failing = kit.call(process, { id, actions: [fail("expected failure")] });
      await entity.command("Process", [fail("expected failure")]);
      await entity.failure("expected failure");
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
      const reading = kit.expectPost(path, {}, '{"message":""}');
      const entity = await Dialogue.open(kit, service, id);
      await entity.command("Process");
      await entity.reply(replied(""));
      await reading;

      const otherId = kit.newId();
      const calling = kit.expectPost(callSecond.path, { id: otherId }, '{"message":""}');
      const other = await Dialogue.open(kit, second, otherId);
      await other.command("Call");
      await other.reply(replied(""));
      await calling;

      const updating = kit.expectPost(path, { actions: [{ update: { value: "one" } }] }, '{"message":"one"}');
      await entity.command("Process", [update("one")]);
      await entity.reply(replied("one"), updated("one"));
      await updating;

      const failing = kit.expectPostFailure(path, { actions: [{ fail: { message: "some failure" } }] }, "some failure");
      await entity.command("Process", [fail("some failure")]);
      await entity.failure("some failure");
      await failing;

      const again = kit.expectPost(path, { actions: [{ update: { value: "two" } }] }, '{"message":"two"}');
      await entity.command("Process", [update("two")]);
      await entity.reply(replied("two"), updated("two"));
      await again;
    },
  },
  {
    id: "P15",
    group: "value entity",
    name: "verify passivation timeout",
    async run(kit) {
      const id = kit.newId();
      const calling = kit.call(callConfigured, { id });
      const entity = await Dialogue.open(kit, configured, id);
      await entity.command("Call");
      await entity.reply(replied(""));
      await calling.expect({});
      await entity.closed(passivationGraceMs);
    },
  },
];
