/** The value entity models of the TCK: state is one text. */
import { create } from "@bufbuild/protobuf";
import type { Command } from "@mecha/wire/gen/cloudstate/entity";
import {
  type ValueEntityInit,
  type ValueEntityStreamIn,
  type ValueEntityStreamOut,
  ValueEntityStreamOutSchema,
} from "@mecha/wire/gen/cloudstate/value_entity";
import { PersistedSchema, RequestSchema, ResponseSchema } from "../gen/cloudstate/tck/model/valueentity_pb.ts";
import { type AnyFields, pack, unpack } from "./any.ts";
import { Answer } from "./entity-stream.ts";

const second = "cloudstate.tck.model.valueentity.ValueEntityTwo";

type StateAction = { action: { case: "update"; value: { value: AnyFields } } | { case: "delete"; value: object } };

/** One activation. */
export class ValueEntityModel {
  #service = "";
  #state = "";

  /** The answer to one message of the stream, if it has one. */
  take({ message }: ValueEntityStreamIn): ValueEntityStreamOut | undefined {
    switch (message.case) {
      case "init":
        this.#init(message.value);
        return undefined;
      case "command":
        return this.#service.endsWith("TckModel") ? this.#process(message.value) : this.#call(message.value);
      case undefined:
        throw new Error("an empty message");
    }
  }

  #init({ serviceName, state }: ValueEntityInit): void {
    if (state === undefined) throw new Error("init without state");
    this.#service = serviceName;
    if (state.value !== undefined) this.#state = unpack(PersistedSchema, state.value).value;
  }

  /** Two and Configured: an empty answer. */
  #call(command: Command): ValueEntityStreamOut {
    unpack(RequestSchema, command.payload);
    const clientAction = { action: { case: "reply" as const, value: { payload: pack(ResponseSchema, {}) } } };
    return create(ValueEntityStreamOutSchema, { message: { case: "reply", value: { commandId: command.id, clientAction } } });
  }

  #process(command: Command): ValueEntityStreamOut {
    const before = this.#state;
    const answer = new Answer();
    const stateAction = this.#run(command, answer);
    const failed = answer.failure !== undefined;
    if (failed) this.#state = before;
    const reply = {
      commandId: command.id,
      clientAction: answer.clientAction(command.id, () => pack(ResponseSchema, { message: this.#state }), false),
      sideEffects: answer.effects,
      ...(stateAction !== undefined && !failed && { stateAction }),
    };
    return create(ValueEntityStreamOutSchema, { message: { case: "reply", value: reply } });
  }

  #run(command: Command, answer: Answer): StateAction | undefined {
    let stateAction: StateAction | undefined;
    for (const { action } of unpack(RequestSchema, command.payload).actions) {
      switch (action.case) {
        case "update":
          this.#state = action.value.value;
          stateAction = { action: { case: "update", value: { value: pack(PersistedSchema, { value: this.#state }) } } };
          break;
        case "delete":
          this.#state = "";
          stateAction = { action: { case: "delete", value: {} } };
          break;
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
    return stateAction;
  }
}
