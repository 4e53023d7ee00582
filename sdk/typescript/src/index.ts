/**
 * mecha-sdk: durable entities and actions in TypeScript, for Mecha or any other Cloudstate 0.2 proxy.
 *
 *     import { command, eventSourced, serve, t } from "mecha-sdk";
 *
 * Start with docs/guides/first-entity.md.
 */
export type { Component } from "./component.ts";
export { Flag, GCounter, PNCounter, Vote } from "./crdt/counters.ts";
export type { ElementLike, ElementOf } from "./crdt/element.ts";
export { ORMap } from "./crdt/map.ts";
export { LWWRegister, type RegisterClock } from "./crdt/register.ts";
export { GSet, ORSet } from "./crdt/sets.ts";
export { type CrdtState, flag, gcounter, gset, lwwRegister, ormap, orset, pncounter, vote } from "./crdt/state.ts";
export { action, type Action, type ActionSpec } from "./define/action.ts";
export { crdt, type CrdtComponent, type CrdtOptions, type CrdtSpec } from "./define/crdt.ts";
export {
  type EntityOptions,
  eventSourced,
  type EventSourced,
  type EventSourcedOptions,
  type EventSourcedSpec,
  snapshotEveryDefault,
} from "./define/event-sourced.ts";
export type { EventInfo } from "./define/definitions.ts";
export {
  fromProto,
  type ProtoActionSpec,
  type ProtoCrdtSpec,
  type ProtoEvents,
  type ProtoEventSourcedSpec,
  type ProtoStateSource,
  type ProtoValueEntitySpec,
} from "./define/from-proto.ts";
export { jsonEvent, type JsonEvent } from "./define/json-event.ts";
export type { CommandRef } from "./define/method.ts";
export { commandRef } from "./define/refs.ts";
export type { StateSource } from "./define/state.ts";
export { valueEntity, type ValueEntityComponent, type ValueEntitySpec } from "./define/value-entity.ts";
export { Mistake } from "./mistake.ts";
export type { CallMetadata } from "./protocol/common.ts";
export type { WriteConsistency } from "./protocol/crdt.ts";
export type { ActionContext } from "./run/action.ts";
export type { Answer, CommandFailure, EffectOptions, FailOptions, MetadataInput } from "./run/answer.ts";
export type { CrdtContext, CrdtStream, StreamCancel, StreamChange, StreamedCrdtContext, StreamHandlers } from "./run/crdt-context.ts";
export { type EntityContext, type Firing, type TimerOptions, timerNameBytesMax } from "./run/entity-context.ts";
export type { EventSourcedContext } from "./run/event-sourced.ts";
export type { ValueEntityContext } from "./run/value-entity.ts";
export { type CloudEvent, openEvent, type OpenedEvent } from "./run/cloud-event.ts";
export { anyEvent, type AnyEvent, type ConsumerOptions, eventLog, type EventLog, topic, type Topic } from "./schema/eventing.ts";
export { command, type CommandSchema, type HttpOptions } from "./schema/command.ts";
export { type Field, message, type MessageSchema, type Shape, type ShapeOf, t } from "./schema/fields.ts";
export { serve, type ServeOptions, type Server } from "./serve/serve.ts";
