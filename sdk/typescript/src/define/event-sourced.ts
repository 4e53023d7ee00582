/** `eventSourced({ … })`: an entity whose state is made of its events. */
import { expect } from "../mistake.ts";
import type { Answer } from "../run/answer.ts";
import type { EventSourcedContext } from "../run/event-sourced.ts";
import { type Commands, type InputOf, type ReplyOf } from "../schema/command.ts";
import type { ServiceSource } from "../schema/descriptors.ts";
import { type MessageLike, MessageSchema, type ShapeOf } from "../schema/fields.ts";
import { checkMemberName, checkServiceName, pascal } from "../schema/names.ts";
import { JsonEvent, jsonEventType } from "./json-event.ts";
import type { EventInfo, EventSourcedDefinition, EventType } from "./definitions.ts";
import {
  checkHandlers,
  checkUnary,
  type CommandRef,
  type ComponentBase,
  messageType,
  type MessageType,
  type Method,
  methodsOfSource,
  type Refs,
  refsOf,
  typescriptShape,
} from "./method.ts";
import { jsonState, messageState, type StateCodec, type StateSource } from "./state.ts";

/** An event-sourced entity to give to `serve` or `testEntity`. */
export interface EventSourced<Refs = Readonly<Record<string, CommandRef>>> {
  readonly kind: "eventSourced";
  readonly service: string;
  /** Its commands, for `ctx.forward` and `ctx.effect` of other components. */
  readonly commands: Refs;
  /** What it was compiled to. */
  readonly definition: EventSourcedDefinition;
}

/** Options of entities, however they are declared. */
export interface EntityOptions {
  /** Name under which its records are stored. Choose once: another name is another, empty store. Default: the service name. */
  readonly persistenceId?: string;
  /** Idle time after which an entity leaves memory, in ms. Default: the proxy's, usually 30,000. */
  readonly passivationMs?: number;
}

export interface EventSourcedOptions extends EntityOptions {
  /** A snapshot is stored each time the number of events passes a multiple of this; 0 = never. Default 100. */
  readonly snapshotEvery?: number;
}

/** Messages of events by name. */
export interface Events {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- inference needs a bound that accepts every T
  readonly [name: string]: MessageLike | JsonEvent<any>;
}
/** What an event holds. */
export type EventShape<M> = M extends JsonEvent<infer T> ? T : ShapeOf<M>;
export type EventShapes<E extends Events> = { [K in keyof E]: EventShape<E[K]> };

/** A field all commands have. */
export type KeyOf<C extends Commands> = keyof InputOf<C[keyof C]> & string;

/** What each command takes. */
export type InputsOf<C extends Commands> = { [K in keyof C]: InputOf<C[K]> };

/** What `eventSourced` takes. */
export interface EventSourcedSpec<State, E extends Events, C extends Commands> extends EventSourcedOptions {
  /** Full name of the gRPC service, `shop.Cart`. */
  readonly service: string;
  /** The field of every command that holds the entity's id; several are joined with `-`. */
  readonly key: KeyOf<C> | readonly KeyOf<C>[];
  /** State of an entity without events: a function that makes it (stored as JSON in snapshots), or a message type. */
  readonly state: StateSource<State>;
  /** What can happen: fields, message types, or `jsonEvent`, stored for ever. */
  readonly events: E;
  /** What can be asked. */
  readonly commands: C;
  /** How each event changes the state: return the new one, or change the given one and return nothing. Synchronous; runs again at each replay. */
  readonly on: { readonly [K in keyof E]: (state: NoInfer<State>, event: EventShape<E[K]>, info: EventInfo) => NoInfer<State> | void };
  /** Runs each command: look at `ctx.state`, `ctx.emit` events, return the reply. Synchronous where possible. */
  readonly handle: {
    readonly [K in keyof C]: (
      command: InputOf<C[K]>,
      ctx: EventSourcedContext<NoInfer<State>, EventShapes<E>, ReplyOf<C[K]>, InputsOf<C>>,
    ) => ReplyOf<C[K]> | Answer<ReplyOf<C[K]>> | Promise<ReplyOf<C[K]> | Answer<ReplyOf<C[K]>>>;
  };
}

/** Default of `snapshotEvery`; as in the other Cloudstate libraries. */
export const snapshotEveryDefault = 100;

/**
 * Declares an entity that remembers what happened to it. One command runs at a time for each id; its events are stored before the caller
 * gets the reply; the state is rebuilt from them whenever the entity is needed.
 * @throws Mistake saying what is missing or wrong.
 * @example
 * const Counter = eventSourced({
 *   service: "demo.Counter", key: "id",
 *   state: () => ({ total: 0 }),
 *   events: { added: { amount: t.int32 } },
 *   commands: { add: command({ id: t.string, amount: t.int32 }).replies({ total: t.int32 }) },
 *   on: { added(state, { amount }) { state.total += amount; } },
 *   handle: { add({ amount }, ctx) { ctx.emit("added", { amount }); return { total: ctx.state.total }; } },
 * });
 */
export function eventSourced<State, const E extends Events, const C extends Commands>(
  spec: EventSourcedSpec<State, E, C>,
): EventSourced<Refs<C>> {
  checkServiceName(spec.service);
  const { service } = spec;
  const keys = checkKeys(service, spec.key);
  expect(
    typeof spec.events === "object" && spec.events !== null,
    () => `${service}: events is missing; declare what can happen: events: { itemAdded: { sku: t.string } }`,
  );
  checkHandlers({ service, what: "event", names: Object.keys(spec.events), handlers: spec.on, property: "on" });
  const source: ServiceSource = {
    service,
    commands: spec.commands,
    keys,
    messages: new Map([...eventMessages(service, spec.events), ...stateMessage(spec.state)]),
  };
  const { built, methods } = methodsOfSource(source, spec.handle);
  const typeOf = (message: MessageLike): MessageType => messageType(built.message(built.nameOf(message)), typescriptShape);
  const events = Object.entries(spec.events).map(([name, message]) => ({
    name,
    message: message instanceof JsonEvent ? jsonEventType(message) : typeOf(message),
    apply: spec.on[name] as EventType["apply"],
  }));
  return eventSourcedOf({
    service,
    methods,
    origin: { from: "typescript", source },
    events,
    state: stateCodec(service, spec.state, typeOf),
    options: spec,
  });
}

/** The common end of both ways to declare an event-sourced entity. */
export function eventSourcedOf<R>(parts: {
  service: string;
  methods: Map<string, Method>;
  origin: ComponentBase["origin"];
  events: readonly EventType[];
  state: StateCodec;
  options: EventSourcedOptions;
}): EventSourced<R> {
  const { service, methods, origin, events, state, options } = parts;
  checkUnary(service, methods);
  for (const { name, apply } of events) {
    expect(
      apply.constructor.name !== "AsyncFunction",
      () =>
        `${service}: on.${name} is async; event handlers must be synchronous, because they run again at each replay. Do the waiting in the command handler`,
    );
  }
  const snapshotEvery = options.snapshotEvery ?? snapshotEveryDefault;
  expect(
    Number.isInteger(snapshotEvery) && snapshotEvery >= 0,
    () => `${service}: snapshotEvery: expected a whole number, 0 or more, got ${snapshotEvery}`,
  );
  state.initial(); // a broken one is found now, not at the first command
  const definition: EventSourcedDefinition = {
    service,
    methods,
    origin,
    ...entityOptions(service, options),
    snapshotEvery,
    state,
    events: new Map(events.map((event) => [event.name, event])),
    eventsByUrl: byUrl(service, events),
  };
  return { kind: "eventSourced", service, commands: refsOf(definition) as R, definition };
}

function byUrl(service: string, events: readonly EventType[]): Map<string, EventType> {
  const map = new Map<string, EventType>();
  for (const event of events) {
    const other = map.get(event.message.typeUrl);
    expect(
      other === undefined,
      () =>
        `${service}: events ${other?.name} and ${event.name} are the same message ${typeNameOf(event)}; stored events are told apart by it, so each needs its own`,
    );
    map.set(event.message.typeUrl, event);
  }
  return map;
}

function typeNameOf({ message: { codec, typeUrl } }: EventType): string {
  return codec.desc?.typeName ?? typeUrl;
}

/** Checks what both entity kinds share. */
export function entityOptions(service: string, options: EntityOptions): { persistenceId: string; passivationMs: number | undefined } {
  const { persistenceId = service, passivationMs } = options;
  expect(typeof persistenceId === "string" && persistenceId !== "", () => `${service}: persistenceId: expected a name that is not empty`);
  expect(
    passivationMs === undefined || (Number.isInteger(passivationMs) && passivationMs > 0),
    () => `${service}: passivationMs: expected a whole number of milliseconds above 0, got ${passivationMs}`,
  );
  return { persistenceId, passivationMs };
}

/** @throws Mistake when no key is named. */
export function checkKeys(service: string, key: unknown): string[] {
  const keys = typeof key === "string" ? [key] : Array.isArray(key) ? (key as string[]) : [];
  expect(
    keys.length > 0 && keys.every((one) => typeof one === "string" && one !== ""),
    () => `${service}: key is missing; name the field of every command that holds the entity's id: key: "cartId"`,
  );
  return keys;
}

function eventMessages(service: string, events: Events): [string, MessageLike][] {
  return Object.entries(events).flatMap(([name, message]): [string, MessageLike][] => {
    checkMemberName(name, "event", service);
    return message instanceof JsonEvent ? [] : [[pascal(name), message]];
  });
}

export function stateMessage<S>(state: StateSource<S>): [string, MessageLike][] {
  return state instanceof MessageSchema ? [["State", state]] : [];
}

export function stateCodec<S>(service: string, state: StateSource<S>, typeOf: (message: MessageLike) => MessageType): StateCodec {
  if (state instanceof MessageSchema) return messageState(service, typeOf(state));
  expect(
    typeof state === "function",
    () => `${service}: state is missing; give a function that makes the state of a new entity: state: () => ({ items: {} })`,
  );
  return jsonState<unknown>(service, state);
}
