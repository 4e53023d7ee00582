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
import {
  type RequestActionSchema,
  RequestSchema,
  ResponseSchema,
  type StateSchema,
  type StreamedRequestSchema,
  StreamedRequestSchema as StreamedRequest,
  type UpdateSchema,
} from "../gen/cloudstate/tck/model/crdt_pb.ts";
import { expectSame } from "../kit/connection.ts";
import type { Case, CaseKit } from "../kit/context.ts";
import { pack } from "../model/any.ts";
import { begin, Dialogue, type EntityKind, firstPosted, forwardsAndEffects, passivates, type ReplySeen, secondPosted } from "./dialogue.ts";

const service = "cloudstate.tck.model.crdt.CrdtTckModel";
const types = { input: RequestSchema, output: ResponseSchema };
const processStreamed = { path: `/${service}/ProcessStreamed`, input: StreamedRequest, output: ResponseSchema };

type Action = MessageInitShape<typeof RequestActionSchema>;
type UpdateInit = MessageInitShape<typeof UpdateSchema>;
/** `undefined`: a response without a state. */
type State = MessageInitShape<typeof StateSchema> | undefined;
type Delta = NonNullable<MessageInitShape<typeof CrdtDeltaSchema>["delta"]>;
type StateAction = MessageInitShape<typeof CrdtStateActionSchema>;
type Entity = Dialogue<Action, State>;

const act = (update: UpdateInit): Action => ({ action: { case: "update", value: update } });
const change = (by: bigint): Action => act({ update: { case: "pncounter", value: { change: by } } });
const increment = (by: bigint): Action => act({ update: { case: "gcounter", value: { increment: by } } });
const add = (element: string): Action => act({ update: { case: "gset", value: { add: element } } });
const vote = (selfVote: boolean): UpdateInit => ({ update: { case: "vote", value: { selfVote } } });
const drop: Action = { action: { case: "delete", value: {} } };
const fail = (message: string): Action => ({ action: { case: "fail", value: { message } } });

const pncounter = (value: bigint): State => ({ value: { case: "pncounter", value: { value } } });
const votes = (selfVote: boolean, votesFor: number): State => ({
  value: { case: "vote", value: { selfVote, votesFor, totalVoters: 1 } },
});
const fields = (state: State) => (state === undefined ? {} : { state });
const updated = (delta: Delta): StateAction => ({ action: { case: "update", value: { delta } } });
const changed = (by: bigint) => ({ stateAction: updated({ case: "pncounter", value: { change: by } }) });
const deleted: StateAction = { action: { case: "delete", value: {} } };
/** Whatever the function does to the state: libraries differ in the first delta of a new value. */
const anyChange = { stateAction: "any" } as const;

const kind: EntityKind<Action, State> = {
  service,
  second: "cloudstate.tck.model.crdt.CrdtTwo",
  configured: "cloudstate.tck.model.crdt.CrdtConfigured",
  nothing: { answer: undefined, more: anyChange },
  forward: (id) => ({ action: { case: "forward", value: { id } } }),
  effect: (id) => ({ action: { case: "effect", value: { id } } }),
  request: (id, actions = []) => pack(RequestSchema, { id, actions: [...actions] }),
  fields,
  response: (state) => pack(ResponseSchema, fields(state)),
  json: (state) => (state?.value?.case === "pncounter" ? `{"state":{"pncounter":{"value":"${state.value.value.value}"}}}` : "{}"),
  call: (kit, to, id, actions = []) =>
    kit.call({ path: `/${to}/${to === service ? "Process" : "Call"}`, ...types }, { id, actions: [...actions] }),
  /** It does not exist yet: its init has no delta. */
  async opened(kit, serviceName, entityId) {
    const connection = await kit.connection(crdtPath);
    await connection.expectProxy(CrdtStreamInSchema, { message: { case: "init", value: { serviceName, entityId } } });
    return connection;
  },
  expectCommand: (connection, value) => connection.expectProxy(CrdtStreamInSchema, { message: { case: "command", value } }),
  async expectReply(connection, { stateAction, ...rest }: ReplySeen & { readonly stateAction?: StateAction | "any" }) {
    const actual = await connection.functionMessage(CrdtStreamOutSchema);
    const wanted = stateAction === "any" && actual.message.case === "reply" ? actual.message.value.stateAction : stateAction;
    const value = { ...rest, ...(wanted !== undefined && wanted !== "any" && { stateAction: wanted }) };
    expectSame(CrdtStreamOutSchema, actual, { message: { case: "reply", value } });
  },
};

/** The entity is deleted, and its stream ends. */
async function dropped(entity: Entity, kit: CaseKit, of: "model" | "second" = "model"): Promise<void> {
  const calling = kind.call(kit, of === "model" ? service : kind.second, entity.id, [drop]);
  await entity.command(of === "model" ? "Process" : "Call", [drop]);
  const { message } = await entity.connection.functionMessage(CrdtStreamOutSchema);
  assert.equal(message.case, "reply");
  assert.equal(message.value.commandId, entity.commandId);
  // What it says of a value that is going is its own affair.
  assert.equal(message.value.clientAction?.action.case, "reply");
  checkState(message.value.stateAction, deleted);
  await calling.received();
  await entity.connection.expectClosed();
}

function checkState(actual: CrdtStateAction | undefined, expected: StateAction | undefined): void {
  if (expected === undefined) assert.equal(actual, undefined, "no state action");
  else assert.ok(actual && equals(CrdtStateActionSchema, actual, create(CrdtStateActionSchema, expected)), "the function's state action");
}

// ---- streamed commands ----------------------------------------------------------------------------------------------------------------

async function streamedCommand(entity: Entity, request: MessageInitShape<typeof StreamedRequestSchema>): Promise<void> {
  const payload = pack(StreamedRequest, { id: entity.id, ...request });
  const value = { entityId: entity.id, id: ++entity.commandId, name: "ProcessStreamed", payload, streamed: true };
  await entity.connection.expectProxy(CrdtStreamInSchema, { message: { case: "command", value } });
}

/** What the function does about a streamed command: its reply, and a message to somebody who watches, in either order. */
async function replyAndMessage({ connection }: Entity): Promise<{ readonly reply: CrdtReply; readonly told: CrdtStreamedMessage }> {
  const both = [await connection.functionMessage(CrdtStreamOutSchema), await connection.functionMessage(CrdtStreamOutSchema)];
  const reply = both.find(({ message }) => message.case === "reply")?.message.value;
  const told = both.find(({ message }) => message.case === "streamedMessage")?.message.value;
  assert.ok(reply && told, "a reply and a message");
  return { reply: reply as CrdtReply, told: told as CrdtStreamedMessage };
}

/** The proxy calls off a streamed command; the function answers that. With a change, a watcher is told too, in either order. */
async function callsOff({ connection, id: entityId }: Entity, commandId: bigint, stateAction: StateAction | undefined): Promise<void> {
  await connection.expectProxy(CrdtStreamInSchema, { message: { case: "streamCancelled", value: { entityId, id: commandId } } });
  const answers = [await connection.functionMessage(CrdtStreamOutSchema)];
  if (stateAction) answers.push(await connection.functionMessage(CrdtStreamOutSchema));
  const answer = answers.find(({ message }) => message.case === "streamCancelledResponse")?.message;
  assert.equal(answer?.case, "streamCancelledResponse");
  assert.equal(answer.value.commandId, commandId);
  checkState(answer.value.stateAction, stateAction);
  if (stateAction) assert.ok(answers.some(({ message }) => message.case === "streamedMessage"));
}

export const crdtCases: readonly Case[] = [
  {
    id: "P21",
    group: "CRDT",
    name: "verify state changes",
    async run(kit) {
      const id = `PNCounter-${kit.newId()}`;
      const entity = await begin(kind, kit, id, [change(1n), change(-2n), change(3n)], pncounter(2n), changed(2n));
      await entity.exchange(kit, [change(4n), change(-5n), change(6n)], pncounter(7n), changed(5n));
      await dropped(entity, kit);
    },
  },
  {
    id: "P22",
    group: "CRDT",
    name: "verify forwards and side effects",
    async run(kit) {
      const state: State = { value: { case: "gset", value: { elements: ["one"] } } };
      const entity = await begin(kind, kit, `GSet-${kit.newId()}`, [add("one")], state, anyChange);
      const other = await forwardsAndEffects(kind, kit, entity, state);
      await dropped(entity, kit);
      await dropped(other, kit, "second");
    },
  },
  {
    id: "P23",
    group: "CRDT",
    name: "verify failures",
    async run(kit) {
      const state: State = { value: { case: "gcounter", value: { value: 42n } } };
      const created = { stateAction: updated({ case: "gcounter", value: { increment: 42n } }) };
      const entity = await begin(kind, kit, `GCounter-${kit.newId()}`, [increment(42n)], state, created);
      await entity.failing(kit, [fail("expected failure")], "expected failure");
      await entity.exchange(kit, [], state);
      await dropped(entity, kit);
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
      const entity = await Dialogue.open(kind, kit, service, id);
      await streamedCommand(entity, {});
      await entity.replied(votes(false, 0), { ...anyChange, streamed: true });
      await monitor.expect(fields(votes(false, 0)));

      const request = { initialUpdate: vote(true), cancelUpdate: vote(false), empty: true };
      const connected = kit.stream(processStreamed);
      connected.send({ id, ...request });
      connected.complete();
      await streamedCommand(entity, request);
      const { reply, told } = await replyAndMessage(entity);
      assert.deepEqual([reply.commandId, reply.clientAction, reply.streamed], [2n, undefined, true]);
      checkState(reply.stateAction, updated({ case: "vote", value: { selfVote: true } }));
      assert.equal(told.commandId, 1n);
      await monitor.expect(fields(votes(true, 1)));

      connected.cancel();
      await callsOff(entity, 2n, updated({ case: "vote", value: { selfVote: false } }));
      await monitor.expect(fields(votes(false, 0)));

      monitor.cancel();
      await callsOff(entity, 1n, undefined);
      await dropped(entity, kit);
    },
  },
  {
    id: "P25",
    group: "CRDT",
    name: "verify HTTP API",
    async run(kit) {
      const id = `PNCounter-${kit.newId()}`;
      const path = `/tck/model/crdt/${id}`;
      const body = { actions: [{ update: { pncounter: { change: 42 } } }] };
      const posted = { path, body, actions: [change(42n)], answer: pncounter(42n), recorded: changed(42n) };
      const entity = await firstPosted(kind, kit, id, posted);
      const wrong = { actions: [{ fail: { message: "some failure" } }] };
      await entity.postFailed(kit, path, wrong, [fail("some failure")], "some failure");
      const other = await secondPosted(kind, kit);
      await dropped(entity, kit);
      await dropped(other, kit, "second");
    },
  },
  {
    id: "P26",
    group: "CRDT",
    name: "verify passivation timeout",
    run: (kit) => passivates(kind, kit),
  },
];
