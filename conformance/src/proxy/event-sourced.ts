/** P16–P20: event sourced entities through the proxy. */
import assert from "node:assert/strict";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { eventSourcedPath } from "@mecha/dialect-cloudstate";
import { EventSourcedStreamInSchema, EventSourcedStreamOutSchema } from "@mecha/wire/gen/cloudstate/event_sourced";
import { PersistedSchema, type RequestActionSchema, RequestSchema, ResponseSchema } from "../gen/cloudstate/tck/model/eventsourced_pb.ts";
import { type Connection, expectSame } from "../kit/connection.ts";
import type { Case, CaseKit } from "../kit/context.ts";
import { pack } from "../model/any.ts";
import { passivationGraceMs } from "./passivation.ts";

const service = "cloudstate.tck.model.EventSourcedTckModel";
const second = "cloudstate.tck.model.EventSourcedTwo";
const configured = "cloudstate.tck.model.EventSourcedConfigured";
const types = { input: RequestSchema, output: ResponseSchema };
const process = { path: `/${service}/Process`, ...types };
const callSecond = { path: `/${second}/Call`, ...types };
const callConfigured = { path: `/${configured}/Call`, ...types };

type Action = MessageInitShape<typeof RequestActionSchema>;

const emit = (value: string): Action => ({ action: { case: "emit", value: { value } } });
const forward = (id: string): Action => ({ action: { case: "forward", value: { id } } });
const effect = (id: string, synchronous = false): Action => ({ action: { case: "effect", value: { id, synchronous } } });
const fail = (message: string): Action => ({ action: { case: "fail", value: { message } } });

const persisted = (value: string) => pack(PersistedSchema, { value });
const events = (...values: string[]) => ({ events: values.map(persisted) });
const snapshot = (value: string) => ({ snapshot: persisted(value) });
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

  /** The next stream opened is of this entity: init without a snapshot, then these events, numbered from 1. */
  static async open(kit: CaseKit, serviceName: string, id: string, ...replayed: string[]): Promise<Dialogue> {
    const connection = await kit.connection(eventSourcedPath);
    await connection.expectProxy(EventSourcedStreamInSchema, { message: { case: "init", value: { serviceName, entityId: id } } });
    for (const [at, value] of replayed.entries()) {
      const event = { sequence: BigInt(at + 1), payload: persisted(value) };
      await connection.expectProxy(EventSourcedStreamInSchema, { message: { case: "event", value: event } });
    }
    return new Dialogue(connection, id);
  }

  /** The next command, without metadata and numbered on. */
  async command(name: string, actions: Action[] = []): Promise<void> {
    const payload = pack(RequestSchema, { id: this.#id, actions });
    const value = { entityId: this.#id, id: ++this.#commandId, name, payload };
    await this.#connection.expectProxy(EventSourcedStreamInSchema, { message: { case: "command", value } });
  }

  /** The function's answer to it. */
  async reply(clientAction: object, more: object = {}): Promise<void> {
    const value = { commandId: this.#commandId, clientAction, ...more };
    await this.#connection.expectFunction(EventSourcedStreamOutSchema, { message: { case: "reply", value } });
  }

  /** The function fails the command; `true` when it asks for a restart of the entity, which is its own choice. */
  async failure(description: string): Promise<boolean> {
    const actual = await this.#connection.functionMessage(EventSourcedStreamOutSchema);
    assert.equal(actual.message.case, "reply");
    const { action } = actual.message.value?.clientAction ?? {};
    const restart = action?.case === "failure" && action.value.restart;
    const clientAction = { action: { case: "failure" as const, value: { commandId: this.#commandId, description, restart } } };
    // Events of a failed command are the function's to drop or to leave to us; both are in the TCK.
    const sent = actual.message.value?.events ?? [];
    const expected = create(EventSourcedStreamOutSchema, {
      message: { case: "reply", value: { commandId: this.#commandId, clientAction, events: sent } },
    });
    expectSame(EventSourcedStreamOutSchema, actual, expected);
    return restart;
  }

  /** A command with these actions goes in through the proxy, and its answer comes back the same way. */
  async exchange(kit: CaseKit, actions: Action[], message: string, more: object = {}): Promise<void> {
    const answer = kit.call(process, { id: this.#id, actions });
    await this.command("Process", actions);
    await this.reply(replied(message), more);
    await answer.expect({ message });
  }

  /** After a failure: the stream to go on with. With a restart the old one closes both ways and a new one replays, before any command. */
  async afterFailure(kit: CaseKit, restart: boolean, ...replayed: string[]): Promise<Dialogue> {
    if (!restart) return this;
    await this.#connection.expectClosed();
    return Dialogue.open(kit, service, this.#id, ...replayed);
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

export const eventSourcedCases: readonly Case[] = [
  {
    id: "P16",
    group: "event sourced",
    name: "verify state changes",
    async run(kit) {
      const entity = await begin(kit, kit.newId(), [emit("A")], "A", events("A"));
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
      const id = kit.newId();
      const otherId = kit.newId();
      const entity = await begin(kit, id, [emit("X")], "X", events("X"));

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
    id: "P18",
    group: "event sourced",
    name: "verify failures",
    async run(kit) {
      const id = kit.newId();
      const entity = await begin(kit, id, [emit("1"), emit("2"), emit("3")], "123", events("1", "2", "3"));
      const failing = kit.call(process, { id, actions: [fail("expected failure 1")] });
      await entity.command("Process", [fail("expected failure 1")]);
      const restarts = await entity.failure("expected failure 1");
      await failing.expectFailure("expected failure 1");
      const same = await entity.afterFailure(kit, restarts, "1", "2", "3");
      await same.exchange(kit, [], "123");

      const actions = [emit("4"), fail("expected failure 2"), emit("5")];
      const emitting = kit.call(process, { id, actions });
      await same.command("Process", actions);
      const restartsNow = await same.failure("expected failure 2");
      await emitting.expectFailure("expected failure 2");
      const next = await same.afterFailure(kit, restartsNow, "1", "2", "3");
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
      const reading = kit.expectPost(path, {}, '{"message":""}');
      const entity = await Dialogue.open(kit, service, id);
      await entity.command("Process");
      await entity.reply(replied(""));
      await reading;

      const emitting = kit.expectPost(path, { actions: [{ emit: { value: "x" } }, { emit: { value: "y" } }] }, '{"message":"xy"}');
      await entity.command("Process", [emit("x"), emit("y")]);
      await entity.reply(replied("xy"), events("x", "y"));
      await emitting;

      const otherId = kit.newId();
      const calling = kit.expectPost(callSecond.path, { id: otherId }, '{"message":""}');
      const other = await Dialogue.open(kit, second, otherId);
      await other.command("Call");
      await other.reply(replied(""));
      await calling;

      const failing = kit.expectPostFailure(
        path,
        { actions: [{ emit: { value: "z" } }, { fail: { message: "some failure" } }] },
        "some failure",
      );
      await entity.command("Process", [emit("z"), fail("some failure")]);
      const restarts = await entity.failure("some failure");
      await failing;

      const next = await entity.afterFailure(kit, restarts, "x", "y");
      const again = kit.expectPost(path, { actions: [{ emit: { value: "z" } }] }, '{"message":"xyz"}');
      await next.command("Process", [emit("z")]);
      await next.reply(replied("xyz"), events("z"));
      await again;
    },
  },
  {
    id: "P20",
    group: "event sourced",
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
