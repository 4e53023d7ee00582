/** The event sourced models of the TCK: state is the values of all events, joined; a snapshot every five events. */
import { create } from "@bufbuild/protobuf";
import type { Command } from "@mecha/wire/gen/cloudstate/entity";
import {
  type EventSourcedInit,
  type EventSourcedStreamIn,
  type EventSourcedStreamOut,
  EventSourcedStreamOutSchema,
} from "@mecha/wire/gen/cloudstate/event_sourced";
import { PersistedSchema, RequestSchema, ResponseSchema } from "../gen/cloudstate/tck/model/eventsourced_pb.ts";
import { type AnyFields, pack, unpack } from "./any.ts";
import { Answer } from "./entity-stream.ts";

const snapshotEvery = 5;
const second = "cloudstate.tck.model.EventSourcedTwo";

/** One activation. */
export class EventSourcedModel {
  /** Whether a command that fails after emitting asks for a restart, as Go's library does; Node's never does. */
  readonly #asksRestart: boolean;
  #service = "";
  #state = "";
  #sequence = 0;

  constructor(asksRestart: boolean) {
    this.#asksRestart = asksRestart;
  }

  /** The answer to one message of the stream, if it has one. */
  take({ message }: EventSourcedStreamIn): EventSourcedStreamOut | undefined {
    switch (message.case) {
      case "init":
        this.#init(message.value);
        return undefined;
      case "event":
        this.#sequence = Number(message.value.sequence);
        this.#apply(message.value.payload);
        return undefined;
      case "command":
        return this.#service.endsWith("TckModel") ? this.#process(message.value) : this.#call(message.value);
      case undefined:
        throw new Error("an empty message");
    }
  }

  #init({ serviceName, snapshot }: EventSourcedInit): void {
    this.#service = serviceName;
    if (snapshot === undefined) return;
    this.#sequence = Number(snapshot.snapshotSequence);
    this.#state = unpack(PersistedSchema, snapshot.snapshot).value;
  }

  #apply(event: AnyFields | undefined): void {
    this.#state += unpack(PersistedSchema, event).value;
  }

  /** Two and Configured: an empty answer. */
  #call(command: Command): EventSourcedStreamOut {
    unpack(RequestSchema, command.payload);
    const clientAction = { action: { case: "reply" as const, value: { payload: pack(ResponseSchema, {}) } } };
    return create(EventSourcedStreamOutSchema, { message: { case: "reply", value: { commandId: command.id, clientAction } } });
  }

  #process(command: Command): EventSourcedStreamOut {
    const before = { state: this.#state, sequence: this.#sequence };
    const answer = new Answer();
    const events = this.#run(command, answer);
    const failed = answer.failure !== undefined;
    if (failed) ({ state: this.#state, sequence: this.#sequence } = before);
    const reply = {
      commandId: command.id,
      clientAction: answer.clientAction(
        command.id,
        () => pack(ResponseSchema, { message: this.#state }),
        this.#asksRestart && events.length > 0,
      ),
      sideEffects: answer.effects,
      events: failed ? [] : events,
      ...this.#snapshot(before.sequence),
    };
    return create(EventSourcedStreamOutSchema, { message: { case: "reply", value: reply } });
  }

  #run(command: Command, answer: Answer): AnyFields[] {
    const events: AnyFields[] = [];
    for (const { action } of unpack(RequestSchema, command.payload).actions) {
      switch (action.case) {
        case "emit": {
          const event = pack(PersistedSchema, { value: action.value.value });
          events.push(event);
          this.#sequence++;
          this.#apply(event);
          break;
        }
        case "forward":
          answer.forward(second, pack(RequestSchema, { id: action.value.id }));
          break;
        case "effect":
          answer.effect(second, pack(RequestSchema, { id: action.value.id }), action.value.synchronous);
          break;
        case "fail":
          answer.failure ??= action.value.message;
          break;
        case undefined:
          break;
      }
    }
    return events;
  }

  #snapshot(sequenceBefore: number): { snapshot?: AnyFields } {
    const due = Math.floor(this.#sequence / snapshotEvery) > Math.floor(sequenceBefore / snapshotEvery);
    return due ? { snapshot: pack(PersistedSchema, { value: this.#state }) } : {};
  }
}
