/**
 * P21–P26: CRDTs through the proxy. What the function answers is taken as it is where support libraries differ (the first delta of a new value,
 * whether a message to watchers precedes the reply that caused it); what the proxy does is compared field by field.
 */
import assert from "node:assert/strict";
import { create, equals, type MessageInitShape } from "@bufbuild/protobuf";
import { crdtPath } from "@mecha/dialect-cloudstate";
import {
  type CrdtDeltaSchema,
  type CrdtReply,
  type CrdtStateAction,
  CrdtStateActionSchema,
  type CrdtStreamedMessage,
  CrdtStreamInSchema,
  CrdtStreamOutSchema,
} from "@mecha/wire/gen/cloudstate/crdt";
import { ClientActionSchema } from "@mecha/wire/gen/cloudstate/entity";
import {
  type RequestActionSchema,
  RequestSchema,
  ResponseSchema,
  type StateSchema,
  type StreamedRequestSchema,
  StreamedRequestSchema as StreamedRequest,
  type UpdateSchema,
} from "../gen/cloudstate/tck/model/crdt_pb.ts";
import type { Connection } from "../kit/connection.ts";
import type { Case, CaseKit } from "../kit/context.ts";
import { pack } from "../model/any.ts";
import { passivationGraceMs } from "./passivation.ts";

const service = "cloudstate.tck.model.crdt.CrdtTckModel";
const second = "cloudstate.tck.model.crdt.CrdtTwo";
const configured = "cloudstate.tck.model.crdt.CrdtConfigured";
const types = { input: RequestSchema, output: ResponseSchema };
const process = { path: `/${service}/Process`, ...types };
const processStreamed = { path: `/${service}/ProcessStreamed`, input: StreamedRequest, output: ResponseSchema };
const callSecond = { path: `/${second}/Call`, ...types };
const callConfigured = { path: `/${configured}/Call`, ...types };

type Action = MessageInitShape<typeof RequestActionSchema>;
type UpdateInit = MessageInitShape<typeof UpdateSchema>;
type State = MessageInitShape<typeof StateSchema>;
type Delta = NonNullable<MessageInitShape<typeof CrdtDeltaSchema>["delta"]>;
type StateAction = MessageInitShape<typeof CrdtStateActionSchema>;

const act = (update: UpdateInit): Action => ({ action: { case: "update", value: update } });
const change = (by: bigint): Action => act({ update: { case: "pncounter", value: { change: by } } });
const increment = (by: bigint): Action => act({ update: { case: "gcounter", value: { increment: by } } });
const add = (element: string): Action => act({ update: { case: "gset", value: { add: element } } });
const vote = (selfVote: boolean): UpdateInit => ({ update: { case: "vote", value: { selfVote } } });
const drop: Action = { action: { case: "delete", value: {} } };
const forward = (id: string): Action => ({ action: { case: "forward", value: { id } } });
const effect = (id: string): Action => ({ action: { case: "effect", value: { id } } });
const fail = (message: string): Action => ({ action: { case: "fail", value: { message } } });

const pncounter = (value: bigint): State => ({ value: { case: "pncounter", value: { value } } });
const votes = (selfVote: boolean, votesFor: number): State => ({
  value: { case: "vote", value: { selfVote, votesFor, totalVoters: 1 } },
});
const updated = (delta: Delta): StateAction => ({ action: { case: "update", value: { delta } } });
const deleted: StateAction = { action: { case: "delete", value: {} } };
const toSecond = (id: string) => ({ serviceName: second, commandName: "Call", payload: pack(RequestSchema, { id }) });
const replied = (response: MessageInitShape<typeof ResponseSchema>) => ({
  action: { case: "reply" as const, value: { payload: pack(ResponseSchema, response) } },
});

/** One entity's stream as the interceptor sees it, with the ids counted. */
class Dialogue {
  readonly #connection: Connection;
  readonly id: string;
  #commandId = 0n;

  constructor(connection: Connection, id: string) {
    this.#connection = connection;
    this.id = id;
  }

  /** The next stream opened is of this entity, which does not exist yet: its init has no delta. */
  static async open(kit: CaseKit, serviceName: string, id: string): Promise<Dialogue> {
    const connection = await kit.connection(crdtPath);
    await connection.expectProxy(CrdtStreamInSchema, { message: { case: "init", value: { serviceName, entityId: id } } });
    return new Dialogue(connection, id);
  }

  /** The next command, without metadata and numbered on. */
  async command(name: string, actions: Action[] = []): Promise<void> {
    const value = { entityId: this.id, id: ++this.#commandId, name, payload: pack(RequestSchema, { id: this.id, actions }) };
    await this.#connection.expectProxy(CrdtStreamInSchema, { message: { case: "command", value } });
  }

  async streamedCommand(request: MessageInitShape<typeof StreamedRequestSchema>): Promise<void> {
    const payload = pack(StreamedRequest, { id: this.id, ...request });
    const value = { entityId: this.id, id: ++this.#commandId, name: "ProcessStreamed", payload, streamed: true };
    await this.#connection.expectProxy(CrdtStreamInSchema, { message: { case: "command", value } });
  }

  /** The function's answer to the last command. */
  async reply(expected: {
    readonly clientAction: MessageInitShape<typeof ClientActionSchema> | "any";
    readonly stateAction?: StateAction | "any";
    readonly sideEffects?: number;
  }): Promise<CrdtReply> {
    const reply = await this.#reply();
    this.#check(reply, expected);
    return reply;
  }

  async #reply(): Promise<CrdtReply> {
    const { message } = await this.#connection.functionMessage(CrdtStreamOutSchema);
    assert.equal(message.case, "reply");
    return message.value;
  }

  #check(reply: CrdtReply, { clientAction, stateAction, sideEffects = 0 }: Parameters<Dialogue["reply"]>[0]): void {
    assert.equal(reply.commandId, this.#commandId);
    assert.equal(reply.sideEffects.length, sideEffects);
    if (clientAction !== "any") {
      const wanted = create(ClientActionSchema, clientAction);
      assert.ok(reply.clientAction && equals(ClientActionSchema, reply.clientAction, wanted), "the function's client action");
    }
    if (stateAction !== "any") checkState(reply.stateAction, stateAction);
  }

  /** What the function does about a streamed command: its reply, and a message to somebody who watches, in either order. */
  async replyAndMessage(): Promise<{ readonly reply: CrdtReply; readonly told: CrdtStreamedMessage }> {
    const both = [await this.#connection.functionMessage(CrdtStreamOutSchema), await this.#connection.functionMessage(CrdtStreamOutSchema)];
    const reply = both.find(({ message }) => message.case === "reply")?.message.value;
    const told = both.find(({ message }) => message.case === "streamedMessage")?.message.value;
    assert.ok(reply && told, "a reply and a message");
    return { reply: reply as CrdtReply, told: told as CrdtStreamedMessage };
  }

  /** The proxy calls off a streamed command. */
  async callsOff(commandId: bigint): Promise<void> {
    const value = { entityId: this.id, id: commandId };
    await this.#connection.expectProxy(CrdtStreamInSchema, { message: { case: "streamCancelled", value } });
  }

  /** The function's answer to that; with a change, a watcher is told too, in either order. */
  async callOffAnswer(commandId: bigint, stateAction: StateAction | undefined): Promise<void> {
    const answers = [await this.#connection.functionMessage(CrdtStreamOutSchema)];
    if (stateAction) answers.push(await this.#connection.functionMessage(CrdtStreamOutSchema));
    const answer = answers.find(({ message }) => message.case === "streamCancelledResponse")?.message;
    assert.equal(answer?.case, "streamCancelledResponse");
    assert.equal(answer.value.commandId, commandId);
    checkState(answer.value.stateAction, stateAction);
    if (stateAction) assert.ok(answers.some(({ message }) => message.case === "streamedMessage"));
  }

  /** A command with these actions goes in through the proxy, and its answer comes back the same way. */
  async exchange(kit: CaseKit, actions: Action[], state: State, delta?: Delta): Promise<void> {
    const answer = kit.call(process, { id: this.id, actions });
    await this.command("Process", actions);
    await this.reply({ clientAction: replied({ state }), ...(delta && { stateAction: updated(delta) }) });
    await answer.expect({ state });
  }

  /** The entity is deleted, and its stream ends. */
  async drop(kit: CaseKit, method: typeof process | typeof callSecond, name: string): Promise<void> {
    const answer = kit.call(method, { id: this.id, actions: [drop] });
    await this.command(name, [drop]);
    const { clientAction } = await this.reply({ clientAction: "any", stateAction: deleted });
    assert.equal(clientAction?.action.case, "reply");
    await answer.received();
    await this.closed();
  }

  async closed(withinMs?: number): Promise<void> {
    await this.#connection.expectClosed(withinMs);
  }
}

function checkState(actual: CrdtStateAction | undefined, expected: StateAction | undefined): void {
  if (expected === undefined) assert.equal(actual, undefined, "no state action");
  else assert.ok(actual && equals(CrdtStateActionSchema, actual, create(CrdtStateActionSchema, expected)), "the function's state action");
}

/** Starts an entity of that type with one command. */
async function begin(kit: CaseKit, type: string, actions: Action[], state: State, delta: Delta): Promise<Dialogue> {
  const id = `${type}-${kit.newId()}`;
  const answer = kit.call(process, { id, actions });
  const dialogue = await Dialogue.open(kit, service, id);
  await dialogue.command("Process", actions);
  await dialogue.reply({ clientAction: replied({ state }), stateAction: updated(delta) });
  await answer.expect({ state });
  return dialogue;
}

export const crdtCases: readonly Case[] = [
  {
    id: "P21",
    group: "CRDT",
    name: "verify state changes",
    async run(kit) {
      const two = { case: "pncounter" as const, value: { change: 2n } };
      const entity = await begin(kit, "PNCounter", [change(1n), change(-2n), change(3n)], pncounter(2n), two);
      const five = { case: "pncounter" as const, value: { change: 5n } };
      await entity.exchange(kit, [change(4n), change(-5n), change(6n)], pncounter(7n), five);
      await entity.drop(kit, process, "Process");
    },
  },
  {
    id: "P22",
    group: "CRDT",
    name: "verify forwards and side effects",
    async run(kit) {
      const state: State = { value: { case: "gset", value: { elements: ["one"] } } };
      const added = pack(ResponseSchema, { state });
      const answer = kit.call(process, { id: `GSet-${kit.newId()}`, actions: [add("one")] });
      const connection = await kit.connection(crdtPath);
      const { message } = await connection.proxyMessage(CrdtStreamInSchema);
      assert.equal(message.case, "init");
      assert.equal(message.value.delta, undefined);
      const entity = new Dialogue(connection, message.value.entityId);
      await entity.command("Process", [add("one")]);
      await entity.reply({ clientAction: { action: { case: "reply", value: { payload: added } } }, stateAction: "any" });
      await answer.expect({ state });

      const otherId = kit.newId();
      const forwarding = kit.call(process, { id: entity.id, actions: [forward(otherId)] });
      await entity.command("Process", [forward(otherId)]);
      await entity.reply({ clientAction: { action: { case: "forward", value: toSecond(otherId) } } });
      const other = await Dialogue.open(kit, second, otherId);
      await other.command("Call");
      await other.reply({ clientAction: replied({}), stateAction: "any" });
      await forwarding.expect({});

      const effecting = kit.call(process, { id: entity.id, actions: [effect(otherId)] });
      await entity.command("Process", [effect(otherId)]);
      await entity.reply({ clientAction: replied({ state }), sideEffects: 1 });
      await effecting.expect({ state });
      await other.command("Call");
      await other.reply({ clientAction: replied({}), stateAction: "any" });

      await entity.drop(kit, process, "Process");
      await other.drop(kit, callSecond, "Call");
    },
  },
  {
    id: "P23",
    group: "CRDT",
    name: "verify failures",
    async run(kit) {
      const state: State = { value: { case: "gcounter", value: { value: 42n } } };
      const entity = await begin(kit, "GCounter", [increment(42n)], state, { case: "gcounter", value: { increment: 42n } });
      const failing = kit.call(process, { id: entity.id, actions: [fail("expected failure")] });
      await entity.command("Process", [fail("expected failure")]);
      await entity.reply({ clientAction: { action: { case: "failure", value: { commandId: 2n, description: "expected failure" } } } });
      await failing.expectFailure("expected failure");
      await entity.exchange(kit, [], state);
      await entity.drop(kit, process, "Process");
    },
  },
  {
    id: "P24",
    group: "CRDT",
    name: "verify streamed responses for connection tracking",
    async run(kit) {
      const id = `Vote-${kit.newId()}`;
      const monitor = kit.stream(processStreamed);
      monitor.send({ id });
      monitor.complete();
      const entity = await Dialogue.open(kit, service, id);
      await entity.streamedCommand({});
      await entity.reply({ clientAction: replied({ state: votes(false, 0) }), stateAction: "any" });
      await monitor.expect({ state: votes(false, 0) });

      const request = { initialUpdate: vote(true), cancelUpdate: vote(false), empty: true };
      const connected = kit.stream(processStreamed);
      connected.send({ id, ...request });
      connected.complete();
      await entity.streamedCommand(request);
      const { reply, told } = await entity.replyAndMessage();
      assert.deepEqual([reply.commandId, reply.clientAction, reply.streamed], [2n, undefined, true]);
      checkState(reply.stateAction, updated({ case: "vote", value: { selfVote: true } }));
      assert.equal(told.commandId, 1n);
      await monitor.expect({ state: votes(true, 1) });

      connected.cancel();
      await entity.callsOff(2n);
      await entity.callOffAnswer(2n, updated({ case: "vote", value: { selfVote: false } }));
      await monitor.expect({ state: votes(false, 0) });

      monitor.cancel();
      await entity.callsOff(1n);
      await entity.callOffAnswer(1n, undefined);
      await entity.drop(kit, process, "Process");
    },
  },
  {
    id: "P25",
    group: "CRDT",
    name: "verify HTTP API",
    async run(kit) {
      const id = `PNCounter-${kit.newId()}`;
      const path = `/tck/model/crdt/${id}`;
      const changing = kit.expectPost(
        path,
        { actions: [{ update: { pncounter: { change: 42 } } }] },
        '{"state":{"pncounter":{"value":"42"}}}',
      );
      const entity = await Dialogue.open(kit, service, id);
      await entity.command("Process", [change(42n)]);
      await entity.reply({
        clientAction: replied({ state: pncounter(42n) }),
        stateAction: updated({ case: "pncounter", value: { change: 42n } }),
      });
      await changing;

      const failing = kit.expectPostFailure(path, { actions: [{ fail: { message: "some failure" } }] }, "some failure");
      await entity.command("Process", [fail("some failure")]);
      await entity.reply({ clientAction: { action: { case: "failure", value: { commandId: 2n, description: "some failure" } } } });
      await failing;

      const otherId = kit.newId();
      const calling = kit.expectPost(callSecond.path, { id: otherId }, "{}");
      const other = await Dialogue.open(kit, second, otherId);
      await other.command("Call");
      await other.reply({ clientAction: replied({}), stateAction: "any" });
      await calling;

      await entity.drop(kit, process, "Process");
      await other.drop(kit, callSecond, "Call");
    },
  },
  {
    id: "P26",
    group: "CRDT",
    name: "verify passivation timeout",
    async run(kit) {
      const id = kit.newId();
      const calling = kit.call(callConfigured, { id });
      const entity = await Dialogue.open(kit, configured, id);
      await entity.command("Call");
      await entity.reply({ clientAction: replied({}), stateAction: "any" });
      await calling.expect({});
      await entity.closed(passivationGraceMs);
    },
  },
];
