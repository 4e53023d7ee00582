/** The CRDT models of the TCK. The type of an entity is what its id begins with. */
import { create, equals, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type CrdtInit,
  type CrdtStateActionSchema,
  type CrdtStreamIn,
  type CrdtStreamOut,
  CrdtStreamOutSchema,
  CrdtWriteConsistency,
} from "@mecha/wire/gen/cloudstate/crdt";
import type { Command } from "@mecha/wire/gen/cloudstate/entity";
import {
  type Effect,
  RequestSchema,
  ResponseSchema,
  StateSchema,
  type StreamedRequest,
  StreamedRequestSchema,
  type Update,
} from "../gen/cloudstate/tck/model/crdt_pb.ts";
import { type AnyFields, pack, unpack } from "./any.ts";
import { deltaMessage, type Held, newHeld } from "./crdt-values.ts";
import { Answer, type SideEffectInit } from "./entity-stream.ts";

const second = "cloudstate.tck.model.crdt.CrdtTwo";

type OutInit = NonNullable<MessageInitShape<typeof CrdtStreamOutSchema>["message"]>;
type StateActionInit = MessageInitShape<typeof CrdtStateActionSchema>;

/** A streamed command that goes on. */
interface Watcher {
  readonly request: StreamedRequest;
}

/** One activation. */
export class CrdtModel {
  #service = "";
  #id = "";
  #held: Held | undefined;
  readonly #watchers = new Map<bigint, Watcher>();

  /** The answers to one message of the stream. */
  take({ message }: CrdtStreamIn): CrdtStreamOut[] {
    switch (message.case) {
      case "init":
        this.#init(message.value);
        return [];
      case "delta":
        this.#value.apply(message.value);
        return this.#tellWatchers();
      case "delete":
        this.#watchers.clear();
        return [];
      case "command":
        return this.#command(message.value);
      case "streamCancelled":
        return this.#cancelled(message.value.id);
      case undefined:
        throw new Error("an empty message");
    }
  }

  #init({ serviceName, entityId, delta }: CrdtInit): void {
    this.#service = serviceName;
    this.#id = entityId;
    if (delta !== undefined && this.#service.endsWith("TckModel")) this.#value.apply(delta);
  }

  get #value(): Held {
    return (this.#held ??= newHeld(this.#id));
  }

  #command(command: Command): CrdtStreamOut[] {
    if (!this.#service.endsWith("TckModel")) return [this.#call(command)];
    return command.streamed ? this.#watch(command) : this.#process(command);
  }

  /** Two and Configured: an empty answer, and the end if that is asked for. */
  #call(command: Command): CrdtStreamOut {
    const { actions } = unpack(RequestSchema, command.payload);
    const deletes = actions.some(({ action }) => action.case === "delete");
    const stateAction: StateActionInit | undefined = deletes ? { action: { case: "delete", value: {} } } : undefined;
    const clientAction = { action: { case: "reply" as const, value: { payload: pack(ResponseSchema, {}) } } };
    return out({ case: "reply", value: { commandId: command.id, clientAction, ...(stateAction && { stateAction }) } });
  }

  #process(command: Command): CrdtStreamOut[] {
    const answer = new Answer();
    let consistency: CrdtWriteConsistency = CrdtWriteConsistency.LOCAL;
    let deletes = false;
    for (const { action } of unpack(RequestSchema, command.payload).actions) {
      switch (action.case) {
        case "update":
          this.#value.update(action.value);
          consistency = consistencyOf(action.value);
          break;
        case "delete":
          deletes = true;
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
    const stateAction = deletes ? deletion(consistency) : this.#stateAction(consistency);
    const clientAction = answer.clientAction(command.id, () => this.#response(), false);
    const value = { commandId: command.id, clientAction, sideEffects: answer.effects, ...(stateAction && { stateAction }) };
    const reply = out({ case: "reply", value });
    return stateAction === undefined || deletes ? [reply] : [reply, ...this.#tellWatchers()];
  }

  /** The value, also of an entity that is being deleted: the TCK compares it. */
  #response(): AnyFields {
    return pack(ResponseSchema, { state: this.#value.state() });
  }

  #stateAction(writeConsistency: CrdtWriteConsistency): StateActionInit | undefined {
    const delta = this.#value.takeDelta();
    return delta && { action: { case: "update", value: deltaMessage(delta) }, writeConsistency };
  }

  // ---- streamed -------------------------------------------------------------------------------------------------------------------

  #watch(command: Command): CrdtStreamOut[] {
    const request = unpack(StreamedRequestSchema, command.payload);
    const others = new Map(this.#watchers);
    if (request.initialUpdate) this.#value.update(request.initialUpdate);
    this.#watchers.set(command.id, { request });
    const stateAction = this.#stateAction(consistencyOf(request.initialUpdate));
    const clientAction = { action: { case: "reply" as const, value: { payload: this.#response() } } };
    const reply = out({
      case: "reply",
      value: {
        commandId: command.id,
        streamed: true,
        ...(!request.empty && { clientAction }),
        ...(stateAction && { stateAction }),
      },
    });
    return stateAction === undefined ? [reply] : [reply, ...this.#tell(others)];
  }

  /** Whoever watches hears the value; who waited for this one hears no more. */
  #tellWatchers(): CrdtStreamOut[] {
    return this.#tell(this.#watchers);
  }

  #tell(watchers: ReadonlyMap<bigint, Watcher>): CrdtStreamOut[] {
    return [...watchers].filter(([, { request }]) => !request.empty).map(([commandId, { request }]) => this.#tellOne(commandId, request));
  }

  #tellOne(commandId: bigint, { endState, effects }: StreamedRequest): CrdtStreamOut {
    const endStream = endState !== undefined && equals(StateSchema, endState, create(StateSchema, this.#value.state()));
    if (endStream) this.#watchers.delete(commandId);
    const clientAction = { action: { case: "reply" as const, value: { payload: this.#response() } } };
    return out({ case: "streamedMessage", value: { commandId, clientAction, sideEffects: effects.map(sideEffect), endStream } });
  }

  #cancelled(commandId: bigint): CrdtStreamOut[] {
    const watcher = this.#watchers.get(commandId);
    this.#watchers.delete(commandId);
    const update = watcher?.request.cancelUpdate;
    if (update) this.#value.update(update);
    const stateAction = update && this.#stateAction(consistencyOf(update));
    const response = out({ case: "streamCancelledResponse", value: { commandId, ...(stateAction && { stateAction }) } });
    return stateAction === undefined ? [response] : [response, ...this.#tellWatchers()];
  }
}

function out(message: OutInit): CrdtStreamOut {
  return create(CrdtStreamOutSchema, { message });
}

function deletion(writeConsistency: CrdtWriteConsistency): StateActionInit {
  return { action: { case: "delete", value: {} }, writeConsistency };
}

/** The consistencies of model and protocol have the same numbers. */
function consistencyOf(update: Update | undefined): CrdtWriteConsistency {
  return update?.writeConsistency ?? 0;
}

function sideEffect({ id, synchronous }: Effect): SideEffectInit {
  return { serviceName: second, commandName: "Call", payload: pack(RequestSchema, { id }), synchronous };
}
