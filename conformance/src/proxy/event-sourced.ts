/** P16–P20: event sourced entities through the proxy. */
import assert from "node:assert/strict";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { eventSourcedPath } from "@mecha/dialect-cloudstate";
import { EventSourcedStreamInSchema, EventSourcedStreamOutSchema } from "@mecha/wire/gen/cloudstate/event_sourced";
import { PersistedSchema, type RequestActionSchema, RequestSchema, ResponseSchema } from "../gen/cloudstate/tck/model/eventsourced_pb.ts";
import { expectSame } from "../kit/connection.ts";
import type { Case, CaseKit } from "../kit/context.ts";
import { pack } from "../model/any.ts";
import { begin, Dialogue, type EntityKind, firstPosted, forwardsAndEffects, passivates, secondPosted, textAnswers } from "./dialogue.ts";

const service = "cloudstate.tck.model.EventSourcedTckModel";
type Action = MessageInitShape<typeof RequestActionSchema>;

const emit = (value: string): Action => ({ action: { case: "emit", value: { value } } });
const fail = (message: string): Action => ({ action: { case: "fail", value: { message } } });

const persisted = (value: string) => pack(PersistedSchema, { value });
const events = (...values: string[]) => ({ events: values.map(persisted) });
const snapshot = (value: string) => ({ snapshot: persisted(value) });

const kind: EntityKind<Action, string> = {
  ...textAnswers,
  service,
  second: "cloudstate.tck.model.EventSourcedTwo",
  configured: "cloudstate.tck.model.EventSourcedConfigured",
  forward: (id) => ({ action: { case: "forward", value: { id } } }),
  effect: (id) => ({ action: { case: "effect", value: { id } } }),
  request: (id, actions = []) => pack(RequestSchema, { id, actions: [...actions] }),
  response: (message) => pack(ResponseSchema, { message }),
  call(kit, to, id, actions = []) {
    const path = `/${to}/${to === service ? "Process" : "Call"}`;
    return kit.call({ path, input: RequestSchema, output: ResponseSchema }, { id, actions: [...actions] });
  },
  /** Init without a snapshot, then these events, numbered from 1. */
  async opened(kit, serviceName, entityId, replayed) {
    const connection = await kit.connection(eventSourcedPath);
    await connection.expectProxy(EventSourcedStreamInSchema, { message: { case: "init", value: { serviceName, entityId } } });
    for (const [at, value] of replayed.entries()) {
      const event = { sequence: BigInt(at + 1), payload: persisted(value) };
      await connection.expectProxy(EventSourcedStreamInSchema, { message: { case: "event", value: event } });
    }
    return connection;
  },
  expectCommand: (connection, value) => connection.expectProxy(EventSourcedStreamInSchema, { message: { case: "command", value } }),
  expectReply: (connection, value) => connection.expectFunction(EventSourcedStreamOutSchema, { message: { case: "reply", value } }),
};

/** The function fails the command; `true` when it asks for a restart of the entity, which is its own choice. */
async function failure({ connection, commandId }: Dialogue<Action, string>, description: string): Promise<boolean> {
  const actual = await connection.functionMessage(EventSourcedStreamOutSchema);
  assert.equal(actual.message.case, "reply");
  const { action } = actual.message.value?.clientAction ?? {};
  const restart = action?.case === "failure" && action.value.restart;
  const clientAction = { action: { case: "failure" as const, value: { commandId, description, restart } } };
  // Events of a failed command are the function's to drop or to leave to us; both are in the TCK.
  const sent = actual.message.value?.events ?? [];
  const expected = create(EventSourcedStreamOutSchema, { message: { case: "reply", value: { commandId, clientAction, events: sent } } });
  expectSame(EventSourcedStreamOutSchema, actual, expected);
  return restart;
}

/** After a failure: the stream to go on with. With a restart the old one closes both ways and a new one replays, before any command. */
async function afterFailure(
  kit: CaseKit,
  entity: Dialogue<Action, string>,
  restart: boolean,
  ...replayed: string[]
): Promise<Dialogue<Action, string>> {
  if (!restart) return entity;
  await entity.connection.expectClosed();
  return Dialogue.open(kind, kit, service, entity.id, ...replayed);
}

/** A command that fails, called through the proxy. @returns the stream to go on with. */
async function failing(
  kit: CaseKit,
  entity: Dialogue<Action, string>,
  actions: Action[],
  description: string,
  ...stored: string[]
): Promise<Dialogue<Action, string>> {
  // prettier-ignore
  const calling = kind.call(kit, service, entity.id, actions);
  await entity.command("Process", actions);
  const restarts = await failure(entity, description);
  await calling.expectFailure(description);
  return afterFailure(kit, entity, restarts, ...stored);
}

export const eventSourcedCases: readonly Case[] = [
  {
    id: "P16",
    group: "event sourced",
    name: "verify state changes",
    async run(kit) {
      const entity = await begin(kind, kit, kit.newId(), [emit("A")], "A", events("A"));
      await entity.exchange(kit, [emit("B"), emit("C"), emit("D")], "ABCD", events("B", "C", "D"));
      await entity.exchange(kit, [emit("E")], "ABCDE", { ...events("E"), ...snapshot("ABCDE") });
      await entity.exchange(kit, [emit("F"), emit("G"), emit("H")], "ABCDEFGH", events("F", "G", "H"));
      await entity.exchange(kit, [emit("I")], "ABCDEFGHI", events("I"));
      await entity.exchange(kit, [emit("J"), emit("K")], "ABCDEFGHIJK", { ...events("J", "K"), ...snapshot("ABCDEFGHIJK") });
    },
  },
  {
    id: "P17",
    group: "event sourced",
    name: "verify forwards and side effects",
    async run(kit) {
      const entity = await begin(kind, kit, kit.newId(), [emit("X")], "X", events("X"));
      await forwardsAndEffects(kind, kit, entity, "X");
      await entity.exchange(kit, [], "X");
    },
  },
  {
    id: "P18",
    group: "event sourced",
    name: "verify failures",
    async run(kit) {
      const id = kit.newId();
      const entity = await begin(kind, kit, id, [emit("1"), emit("2"), emit("3")], "123", events("1", "2", "3"));
      const same = await failing(kit, entity, [fail("expected failure 1")], "expected failure 1", "1", "2", "3");
      await same.exchange(kit, [], "123");
      const actions = [emit("4"), fail("expected failure 2"), emit("5")];
      const next = await failing(kit, same, actions, "expected failure 2", "1", "2", "3");
      await next.exchange(kit, [emit("4"), emit("5")], "12345", { ...events("4", "5"), ...snapshot("12345") });
    },
  },
  {
    id: "P19",
    group: "event sourced",
    name: "verify HTTP API",
    async run(kit) {
      const id = kit.newId();
      const path = `/tck/model/eventsourced/${id}`;
      const entity = await firstPosted(kind, kit, id, { path, body: {}, actions: [], answer: "" });
      const two = { path, body: { actions: [{ emit: { value: "x" } }, { emit: { value: "y" } }] }, answer: "xy" };
      await entity.posted(kit, { ...two, actions: [emit("x"), emit("y")], recorded: events("x", "y") });
      await secondPosted(kind, kit);

      const wrong = { actions: [{ emit: { value: "z" } }, { fail: { message: "some failure" } }] };
      const refused = kit.expectPostFailure(path, wrong, "some failure");
      await entity.command("Process", [emit("z"), fail("some failure")]);
      const restarts = await failure(entity, "some failure");
      await refused;

      const next = await afterFailure(kit, entity, restarts, "x", "y");
      const one = { path, body: { actions: [{ emit: { value: "z" } }] }, answer: "xyz" };
      await next.posted(kit, { ...one, actions: [emit("z")], recorded: events("z") });
    },
  },
  {
    id: "P20",
    group: "event sourced",
    name: "verify passivation timeout",
    run: (kit) => passivates(kind, kit),
  },
];
