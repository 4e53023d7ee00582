/** `crdt({ … })`: an entity that every sidecar holds and may change at any time, without asking the others. */
import { shown } from "@mecha/wire/codec";
import type { DescMessage } from "@bufbuild/protobuf";
import type { Draft } from "../crdt/draft.ts";
import type { ElementMessage, MessageTypes } from "../crdt/element.ts";
import { type AnyCrdtState, type BoundState, CrdtState, splitMessages } from "../crdt/state.ts";
import { expect, listed, nearest } from "../mistake.ts";
import type { WriteConsistency } from "../protocol/crdt.ts";
import type { Answer } from "../run/answer.ts";
import type { CrdtContext, StreamedCrdtContext } from "../run/crdt-context.ts";
import type { Commands, CommandSchema, InputOf, ReplyOf } from "../schema/command.ts";
import { buildFiles, type ServiceSource } from "../schema/descriptors.ts";
import { MessageSchema } from "../schema/fields.ts";
import { checkServiceName } from "../schema/names.ts";
import { checkKeys, entityOptions, type EntityOptions, type KeyOf } from "./event-sourced.ts";
import {
  type CommandRef,
  type ComponentBase,
  messageType,
  type MessageType,
  type Method,
  methodsOfSource,
  protoShape,
  type Refs,
  refsOf,
  typescriptShape,
} from "./method.ts";

/** A CRDT entity to give to `serve` or `testCrdt`. */
export interface CrdtComponent<Refs = Readonly<Record<string, CommandRef>>, S = unknown> {
  /** Type only. */
  readonly phantom?: S;
  readonly kind: "crdt";
  readonly service: string;
  /** Its commands, for `ctx.forward` and `ctx.effect` of other components. */
  readonly commands: Refs;
  /** What it was compiled to. */
  readonly definition: CrdtDefinition;
}

/** A CRDT entity, checked and compiled. */
export interface CrdtDefinition extends ComponentBase {
  readonly persistenceId: string;
  readonly passivationMs: number | undefined;
  /** What the entity of that id is. */
  readonly stateOf: (entityId: string) => BoundState;
  readonly writeConsistency: WriteConsistency;
  /** What its elements are made of. */
  readonly messages: readonly DescMessage[];
}

export interface CrdtOptions extends EntityOptions {
  /** How many sidecars must have a change before its command is answered; a command may say otherwise. Default `local`: this one. */
  readonly writeConsistency?: WriteConsistency;
}

type Answered<R> = R | Answer<R>;
/** Handlers of streamed commands may answer nothing at first. */
export type CrdtResult<R, Streamed> = Answered<R> | (Streamed extends true ? void : never);
export type CrdtContextOf<S, R, Streamed> = Streamed extends true ? StreamedCrdtContext<S, R> : CrdtContext<S, R>;
type IsStreamed<C> = C extends CommandSchema<infer _In, unknown, boolean, infer Streamed> ? Streamed : false;

/** What `crdt` takes. */
export interface CrdtSpec<S extends Draft, C extends Commands> extends CrdtOptions {
  /** Full name of the gRPC service, `chat.Room`. */
  readonly service: string;
  /** The field of every command that holds the entity's id; several are joined with `-`. */
  readonly key: KeyOf<C> | readonly KeyOf<C>[];
  /** What it is: `pncounter()`, `orset(t.string)`, `ormap(t.string, flag())` …; or a function that says so by the entity's id, always the same for one id. */
  readonly state: CrdtState<S> | ((entityId: string) => CrdtState<S>);
  /** What can be asked; with `.streamedOut()` a caller hears of every change. */
  readonly commands: C;
  /** Runs each command: look at `ctx.state` and change it, return the reply. Several may run at a time for one id, when they are async. */
  readonly handle: {
    readonly [K in keyof C]: (
      command: InputOf<C[K]>,
      ctx: CrdtContextOf<NoInfer<S>, ReplyOf<C[K]>, IsStreamed<C[K]>>,
    ) => CrdtResult<ReplyOf<C[K]>, IsStreamed<C[K]>> | Promise<CrdtResult<ReplyOf<C[K]>, IsStreamed<C[K]>>>;
  };
}

/**
 * Declares an entity that lives on every sidecar at once. A command is answered by the nearest one, also while others cannot be reached; changes find
 * their way to all, and all come to the same value.
 * @throws Mistake saying what is missing or wrong.
 * @example
 * const Likes = crdt({
 *   service: "blog.Likes", key: "post",
 *   state: gcounter(),
 *   commands: { like: command({ post: t.string }).replies({ likes: t.int32 }) },
 *   handle: { like(_, ctx) { return { likes: ctx.state.increment().value }; } },
 * });
 */
export function crdt<S extends Draft, const C extends Commands>(spec: CrdtSpec<S, C>): CrdtComponent<Refs<C>, S> {
  checkServiceName(spec.service);
  const { service } = spec;
  const { own } = splitMessages(messagesOf(spec.state));
  const source: ServiceSource = {
    service,
    commands: spec.commands,
    keys: checkKeys(service, spec.key),
    messages: new Map(own.map((message, index) => [`Element${index === 0 ? "" : index + 1}`, message])),
  };
  const { built, methods } = methodsOfSource(source, spec.handle);
  const types: MessageTypes = (message) => {
    const name = message instanceof MessageSchema ? (built.nameOf(message) as string | undefined) : undefined;
    return name === undefined ? elementType(service, message) : messageType(built.message(name), typescriptShape);
  };
  return crdtOf({ service, methods, origin: { from: "typescript", source }, state: spec.state, types, options: spec });
}

/** A message that is no part of the service's own descriptors: from a .proto, or only found in what `ormap` chooses by key. */
export function elementType(service: string, message: ElementMessage): MessageType {
  if (!(message instanceof MessageSchema)) return messageType(message, protoShape);
  expect(
    message.name !== undefined,
    () => `${service}: a message that the service's own descriptors do not hold needs a name: message("Item", { … })`,
  );
  const built = buildFiles([{ service, commands: {}, messages: new Map([["Element", message]]), keys: [] }]);
  return messageType(built.message(built.nameOf(message)), typescriptShape);
}

type StateSource = AnyCrdtState | ((entityId: string) => AnyCrdtState);

/** Messages the state is known to hold. */
export const messagesOf = (state: StateSource): readonly ElementMessage[] => (state instanceof CrdtState ? state.messages : []);

function boundState(service: string, state: StateSource, types: MessageTypes): CrdtDefinition["stateOf"] {
  const bind = (given: unknown): BoundState => {
    expect(
      given instanceof CrdtState,
      () => `${service}: state: expected what the CRDT is, such as pncounter() or orset(t.string), got ${shown(given)}`,
    );
    return given.bind(types);
  };
  if (typeof state === "function") return (entityId) => bind(state(entityId));
  const bound = bind(state);
  return () => bound;
}

const levels: readonly WriteConsistency[] = ["local", "majority", "all"];

/** @throws Mistake for a level nobody knows. */
export function checkConsistency(level: unknown, where: string): asserts level is WriteConsistency {
  expect(
    levels.includes(level as WriteConsistency),
    () => `${where}: there is no consistency ${shown(level)}${nearest(String(level), levels)}; there are ${listed(levels)}`,
  );
}

/** The common end of both ways to declare a CRDT entity. */
export function crdtOf<R, S>(parts: {
  service: string;
  methods: Map<string, Method>;
  origin: ComponentBase["origin"];
  state: StateSource;
  types: MessageTypes;
  options: CrdtOptions;
}): CrdtComponent<R, S> {
  const { service, methods, origin, state, types, options } = parts;
  for (const { key, streamedIn } of methods.values())
    expect(!streamedIn, () => `${service}: command ${key} is streamed in; entities take one message at a time. Use an action for that`);
  const { writeConsistency = "local" } = options;
  checkConsistency(writeConsistency, `${service}: writeConsistency`);
  const definition: CrdtDefinition = {
    service,
    methods,
    origin,
    ...entityOptions(service, options),
    stateOf: boundState(service, state, cached(types)),
    writeConsistency,
    messages: messagesOf(state).map((message) => types(message).codec.desc),
  };
  return { kind: "crdt", service, commands: refsOf(definition) as R, definition };
}

function cached(types: MessageTypes): MessageTypes {
  const known = new Map<unknown, MessageType>();
  return (message) => {
    const type = known.get(message) ?? types(message);
    known.set(message, type);
    return type;
  };
}
