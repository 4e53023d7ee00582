/**
 * Components of services declared in .proto files, with the types protobuf-es generated from them.
 * The .proto marks keys with `(cloudstate.entity_key)` and routes with `(google.api.http)`; both imports come with this package (`proto/`).
 */
import type { DescMessage, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import { expect } from "../mistake.ts";
import { type AnyCrdtState, splitMessages, type StateOf as CrdtStateOf } from "../crdt/state.ts";
import type { ActionContext } from "../run/action.ts";
import type { Answer } from "../run/answer.ts";
import type { EventSourcedContext } from "../run/event-sourced.ts";
import type { ValueEntityContext } from "../run/value-entity.ts";
import { type Action, actionOf } from "./action.ts";
import { type CrdtComponent, type CrdtContextOf, crdtOf, type CrdtOptions, type CrdtResult, elementType, messagesOf } from "./crdt.ts";
import type { EventInfo, EventType } from "./definitions.ts";
import { type EntityOptions, type EventSourced, eventSourcedOf, type EventSourcedOptions } from "./event-sourced.ts";
import { JsonEvent, jsonEventType } from "./json-event.ts";
import { checkHandlers, type CommandRef, messageType, methodsOfService, protoShape } from "./method.ts";
import { jsonState, messageState, type StateCodec } from "./state.ts";
import { type ValueEntityComponent, valueEntityOf } from "./value-entity.ts";

/** State of an entity: a generated message schema, or a function that makes a JSON value. */
export type ProtoStateSource = DescMessage | (() => unknown);
/** What handlers see. */
type StateOf<S> = S extends DescMessage ? MessageShape<S> : S extends () => infer T ? T : never;
/** What they may store: messages need not be complete. */
type NewStateOf<S> = S extends DescMessage ? MessageInitShape<S> : StateOf<S>;

type InputOf<M extends GenServiceMethods, K extends keyof M> = MessageShape<M[K]["input"]>;
type ReplyOf<M extends GenServiceMethods, K extends keyof M> = M[K]["output"]["typeName"] extends "google.protobuf.Empty"
  ? MessageInitShape<M[K]["output"]> | void
  : MessageInitShape<M[K]["output"]>;
/** What each method takes, as it may be given to `ctx.schedule`. */
type InputsOf<M extends GenServiceMethods> = { [K in keyof M]: MessageInitShape<M[K]["input"]> };
type Answered<R> = R | Answer<R>;

/** Refs by the names of the methods. */
export type ProtoRefs<M extends GenServiceMethods> = { readonly [K in keyof M]: CommandRef<MessageInitShape<M[K]["input"]>> };

/** Generated message schemas of events, by the names `ctx.emit` uses. */
export interface ProtoEvents {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- inference needs a bound that accepts every T
  readonly [name: string]: DescMessage | JsonEvent<any>;
}
/** What handlers of events get. */
type EventOf<E> = E extends JsonEvent<infer T> ? T : E extends DescMessage ? MessageShape<E> : never;
/** What `emit` takes. */
type NewEventOf<E> = E extends JsonEvent<infer T> ? T : E extends DescMessage ? MessageInitShape<E> : never;

/** What `fromProto.eventSourced` takes beside the service. */
export interface ProtoEventSourcedSpec<
  M extends GenServiceMethods,
  S extends ProtoStateSource,
  E extends ProtoEvents,
> extends EventSourcedOptions {
  readonly state: S;
  /** Which messages are stored as events. Their full names are stored with them. */
  readonly events: E;
  /** How each event changes the state: return the new one, or change the given one and return nothing. */
  readonly on: { readonly [K in keyof E]: (state: StateOf<S>, event: EventOf<E[K]>, info: EventInfo) => StateOf<S> | void };
  readonly handle: {
    readonly [K in keyof M]: (
      command: InputOf<M, K>,
      ctx: EventSourcedContext<StateOf<S>, { [N in keyof E]: NewEventOf<E[N]> }, ReplyOf<M, K>, InputsOf<M>>,
    ) => Answered<ReplyOf<M, K>> | Promise<Answered<ReplyOf<M, K>>>;
  };
}

/** What `fromProto.valueEntity` takes beside the service. */
export interface ProtoValueEntitySpec<M extends GenServiceMethods, S extends ProtoStateSource> extends EntityOptions {
  readonly state: S;
  readonly handle: {
    readonly [K in keyof M]: (
      command: InputOf<M, K>,
      ctx: ValueEntityContext<StateOf<S>, ReplyOf<M, K>, NewStateOf<S>, InputsOf<M>>,
    ) => Answered<ReplyOf<M, K>> | Promise<Answered<ReplyOf<M, K>>>;
  };
}

type IsStreamed<M extends GenServiceMethods, K extends keyof M> = M[K]["methodKind"] extends "server_streaming" ? true : false;

/** What `fromProto.crdt` takes beside the service. */
export interface ProtoCrdtSpec<M extends GenServiceMethods, S extends AnyCrdtState> extends CrdtOptions {
  /** What it is: `pncounter()`, `orset(ItemSchema)` …; or a function that says so by the entity's id. */
  readonly state: S | ((entityId: string) => S);
  readonly handle: {
    readonly [K in keyof M]: (
      command: InputOf<M, K>,
      ctx: CrdtContextOf<CrdtStateOf<S>, ReplyOf<M, K>, IsStreamed<M, K>>,
    ) => CrdtResult<ReplyOf<M, K>, IsStreamed<M, K>> | Promise<CrdtResult<ReplyOf<M, K>, IsStreamed<M, K>>>;
  };
}

type StreamOf<R> = AsyncIterable<Answered<R>> | Iterable<Answered<R>>;
type ActionInput<M extends GenServiceMethods, K extends keyof M> = M[K]["methodKind"] extends "client_streaming" | "bidi_streaming"
  ? AsyncIterable<InputOf<M, K>>
  : InputOf<M, K>;
type ActionOutput<M extends GenServiceMethods, K extends keyof M> = M[K]["methodKind"] extends "server_streaming" | "bidi_streaming"
  ? StreamOf<ReplyOf<M, K>>
  : Answered<ReplyOf<M, K>> | Promise<Answered<ReplyOf<M, K>>>;

/** What `fromProto.action` takes beside the service. */
export interface ProtoActionSpec<M extends GenServiceMethods> {
  readonly handle: { readonly [K in keyof M]: (command: ActionInput<M, K>, ctx: ActionContext<ReplyOf<M, K>>) => ActionOutput<M, K> };
}

/** A generated service, or one loaded at start from a FileDescriptorSet (its handlers are untyped). */
function checkService(service: DescService): void {
  const kind: unknown = (service as Partial<DescService> | undefined)?.kind;
  expect(
    kind === "service",
    () => "fromProto: the first argument is no service; pass the generated one, such as CartService of gen/cart_pb.ts",
  );
}

function stateOf(service: string, state: ProtoStateSource): StateCodec {
  if (typeof state === "function") return jsonState<unknown>(service, state);
  expect(
    (state as Partial<DescMessage> | undefined)?.kind === "message",
    () =>
      `${service}: state is missing; give a generated schema such as CartStateSchema, or a function that makes the state of a new entity`,
  );
  return messageState(service, messageType(state, protoShape));
}

export const fromProto = {
  /** An event-sourced entity. @throws Mistake saying what is missing or wrong. */
  eventSourced<M extends GenServiceMethods, const S extends ProtoStateSource, const E extends ProtoEvents>(
    service: GenService<M>,
    spec: ProtoEventSourcedSpec<M, S, E>,
  ): EventSourced<ProtoRefs<M>> {
    checkService(service);
    const name = service.typeName;
    expect(
      typeof spec.events === "object",
      () => `${name}: events is missing; name the messages that are stored: events: { itemAdded: ItemAddedSchema }`,
    );
    checkHandlers({ service: name, what: "event", names: Object.keys(spec.events), handlers: spec.on, property: "on" });
    const events: EventType[] = Object.entries(spec.events).map(([event, desc]) => ({
      name: event,
      message: desc instanceof JsonEvent ? jsonEventType(desc) : messageType(desc, protoShape),
      apply: spec.on[event] as EventType["apply"],
    }));
    return eventSourcedOf({
      service: name,
      methods: methodsOfService(service, spec.handle),
      origin: {
        from: "proto",
        service,
        messages: [...messagesOfEvents(spec.events), ...messageOf(spec.state)],
      },
      events,
      state: stateOf(name, spec.state),
      options: spec,
    });
  },

  /** A value entity. @throws Mistake saying what is missing or wrong. */
  valueEntity<M extends GenServiceMethods, const S extends ProtoStateSource>(
    service: GenService<M>,
    spec: ProtoValueEntitySpec<M, S>,
  ): ValueEntityComponent<ProtoRefs<M>> {
    checkService(service);
    return valueEntityOf({
      service: service.typeName,
      methods: methodsOfService(service, spec.handle),
      origin: { from: "proto", service, messages: messageOf(spec.state) },
      state: stateOf(service.typeName, spec.state),
      options: spec,
    });
  },

  /** A CRDT entity. @throws Mistake saying what is missing or wrong. */
  crdt<M extends GenServiceMethods, const S extends AnyCrdtState>(
    service: GenService<M>,
    spec: ProtoCrdtSpec<M, S>,
  ): CrdtComponent<ProtoRefs<M>, CrdtStateOf<S>> {
    checkService(service);
    const name = service.typeName;
    return crdtOf({
      service: name,
      methods: methodsOfService(service, spec.handle),
      origin: { from: "proto", service, messages: splitMessages(messagesOf(spec.state)).generated },
      state: spec.state,
      types: (message) => elementType(name, message),
      options: spec,
    });
  },

  /** An action. @throws Mistake saying what is missing or wrong. */
  action<M extends GenServiceMethods>(service: GenService<M>, spec: ProtoActionSpec<M>): Action<ProtoRefs<M>> {
    checkService(service);
    return actionOf({
      service: service.typeName,
      methods: methodsOfService(service, spec.handle),
      origin: { from: "proto", service, messages: [] },
    });
  },
} as const;

function messagesOfEvents(events: ProtoEvents): DescMessage[] {
  return Object.values(events).filter((event): event is DescMessage => !(event instanceof JsonEvent));
}

function messageOf(state: ProtoStateSource): DescMessage[] {
  return typeof state === "function" ? [] : [state];
}
