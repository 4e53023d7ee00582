/** Calls of one engine, on their way to entities and actions. */
import { Fault } from "@mecha/kit";
import { StreamedAction } from "../action/streamed.ts";
import { UnaryAction } from "../action/unary.ts";
import type { Components } from "../components.ts";
import type { Answer, StreamedCall, StreamedCallEvents } from "../engine.ts";
import type { EntityHost } from "../entity/host.ts";
import { Envelope, type Origin } from "../envelope.ts";
import type { CallContext, Command, CommandMetadata, Component, ComponentMethod, Payload } from "../model.ts";
import type { EngineParts } from "../parts.ts";
import type { Dispatcher } from "../tail.ts";
import type { Firing } from "../timers/firing.ts";
import type { Doors } from "./doors.ts";
import { entityOf, keyOfCrdt, readEntityId, received } from "./entities.ts";
import type { OpenWork } from "./open-work.ts";
import { refusedStream, streamedCommand } from "./streamed.ts";

/** See the file's header. */
export class Calls implements Dispatcher {
  readonly #parts: EngineParts;
  readonly #components: Components;
  readonly #doors: Doors;
  readonly #work: OpenWork;

  constructor(parts: EngineParts, components: Components, doors: Doors, work: OpenWork) {
    this.#parts = parts;
    this.#components = components;
    this.#doors = doors;
    this.#work = work;
  }

  call(service: string, command: Command, context: CallContext, answer: Answer): void {
    const refusal = this.#doors.refusal;
    if (refusal !== undefined && context.hops === 0) {
      answer(refusal, undefined);
      return;
    }
    const gone = context.hops === 0 ? this.#doors.alreadyGone(service, command.name, context) : undefined;
    if (gone !== undefined) {
      answer(gone, undefined);
      return;
    }
    if (!this.dispatch(service, command, context, undefined, answer)) answer(this.#unknownCommand(service, command.name), undefined);
  }

  dispatch(service: string, command: Command, context: CallContext, origin: Origin | undefined, answer: Answer): boolean {
    const route = this.#components.route(service);
    const method = route?.component.methods.get(command.name);
    if (route === undefined || method === undefined) return false;
    const refusal = this.#doors.refuse(route, method, context);
    if (refusal !== undefined) answer(refusal, undefined);
    else if (route.kind === "entity") this.#callEntity(route.host, method, command, context, origin, answer);
    else this.#callAction(route.component, method, command, context, origin, answer);
    return true;
  }

  stream(service: string, method: string, context: CallContext, events: StreamedCallEvents, metadata?: CommandMetadata): StreamedCall {
    const route = this.#components.route(service);
    const found = route?.component.methods.get(method);
    if (route === undefined || found === undefined) return refusedStream(events, this.#unknownCommand(service, method));
    if (route.kind === "entity" && !found.streamedOut) {
      return refusedStream(events, new Fault("unimplemented", `${service}.${method} is a command of an entity: call it, it has no stream`));
    }
    const nowMs = this.#parts.clock.monotonic();
    const refusal = this.#doors.refusal ?? this.#doors.alreadyGone(service, method, context) ?? this.#doors.refuse(route, found, context);
    if (refusal !== undefined) return refusedStream(events, refusal);
    if (route.kind === "entity") return streamedCommand(this.#parts, { host: route.host, method: found, context }, events, metadata);
    this.#countAction(service, nowMs);
    const target = { component: route.component, method: found, context, origin: undefined };
    const action = new StreamedAction(this.#parts, this.#work.actions, target, events);
    action.start(metadata, nowMs);
    return action;
  }

  /** What a forward or effect would be for; `undefined`: nobody serves it. */
  findTarget(service: string, command: string, { value }: Payload): { readonly entityId?: string } | undefined {
    const route = this.#components.route(service);
    const method = route?.component.methods.get(command);
    if (method === undefined) return undefined;
    try {
      return method.entityId === undefined ? {} : { entityId: method.entityId(value) };
    } catch {
      return {}; // it will be refused, with the reason, when it is sent
    }
  }

  #unknownCommand(service: string, name: string): Fault {
    const route = this.#components.route(service);
    if (route !== undefined) {
      const known = [...route.component.methods.keys()].join(", ");
      return new Fault("unimplemented", `${service} has no command ${name}; it has ${known}`);
    }
    return new Fault("unimplemented", `no component serves ${service}`);
  }

  #callEntity(
    host: EntityHost,
    method: ComponentMethod,
    command: Command,
    context: CallContext,
    origin: Origin | undefined,
    answer: Answer,
  ): void {
    if (host.kind === "crdt" && command.id !== undefined && context.hops === 0 && command.event !== true) {
      answer(keyOfCrdt(host.service, method.name), undefined);
      return;
    }
    const entityId = readEntityId(host, method, command.payload.value);
    if (entityId instanceof Fault || method.streamedOut) {
      const streamed = `${host.service}.${method.name} answers a stream; open one, it cannot be called, forwarded to or be an effect`;
      answer(entityId instanceof Fault ? entityId : new Fault("unimplemented", streamed), undefined);
      return;
    }
    const nowMs = received(this.#parts, host);
    const envelope = new Envelope(host.service, method, command, context, origin, answer, nowMs, this.#parts.wheel, this.#work);
    const { machine } = entityOf(this.#parts, host, entityId);
    const queuedBefore = machine.queued;
    machine.command(envelope, nowMs);
    if (machine.queued <= queuedBefore) return;
    envelope.waited = true;
    host.meters.queuedCommands++;
  }

  /** The entity is the timer's own, whatever its payload says. `false`: nobody serves it now. */
  fireTimer(firing: Firing, answer: Answer): boolean {
    const { address, kind, command: name, payload, metadata } = firing.row;
    const route = this.#components.route(address.service);
    if (route?.kind !== "entity" || route.host.kind !== kind || route.host.persistenceId !== address.persistenceId) return false;
    const method = route.component.methods.get(name);
    const context: CallContext = { hops: 1 };
    const refusal = method === undefined ? this.#unknownCommand(address.service, name) : this.#doors.refuse(route, method, context);
    if (method === undefined || refusal !== undefined) {
      answer(refusal, undefined);
      return true;
    }
    const { host } = route;
    const nowMs = received(this.#parts, host);
    const command: Command = { name, payload, id: firing.commandId, about: firing.metadata, ...(metadata && { metadata }) };
    const envelope = new Envelope(host.service, method, command, context, undefined, answer, nowMs, this.#parts.wheel, this.#work);
    envelope.firing = firing;
    entityOf(this.#parts, host, address.entityId).machine.command(envelope, nowMs);
    return true;
  }

  #callAction(
    component: Component,
    method: ComponentMethod,
    command: Command,
    context: CallContext,
    origin: Origin | undefined,
    answer: Answer,
  ): void {
    const nowMs = this.#parts.clock.monotonic();
    this.#countAction(component.service, nowMs);
    const event = command.event === true ? command.metadata : undefined;
    new UnaryAction(this.#parts, this.#work.actions, { component, method, context, origin, event }, answer).start(command, nowMs);
  }

  #countAction(service: string, nowMs: number): void {
    this.#parts.meters.of(service).actionCalls++;
    this.#parts.meters.changed(nowMs);
  }
}
