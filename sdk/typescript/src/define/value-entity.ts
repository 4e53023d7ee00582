/** `valueEntity({ … })`: an entity that is one value, replaced as a whole. */
import type { Answer } from "../run/answer.ts";
import type { ValueEntityContext } from "../run/value-entity.ts";
import type { Commands, InputOf, ReplyOf } from "../schema/command.ts";
import type { ServiceSource } from "../schema/descriptors.ts";
import { checkServiceName } from "../schema/names.ts";
import { checkKeys, entityOptions, type EntityOptions, type InputsOf, type KeyOf, stateCodec, stateMessage } from "./event-sourced.ts";
import {
  checkUnary,
  type CommandRef,
  type ComponentBase,
  messageType,
  type Method,
  methodsOfSource,
  type Refs,
  refsOf,
  typescriptShape,
} from "./method.ts";
import type { ValueEntityDefinition } from "./definitions.ts";
import type { StateCodec, StateSource } from "./state.ts";

/** A value entity to give to `serve` or `testEntity`. */
export interface ValueEntityComponent<Refs = Readonly<Record<string, CommandRef>>> {
  readonly kind: "value";
  readonly service: string;
  /** Its commands, for `ctx.forward` and `ctx.effect` of other components. */
  readonly commands: Refs;
  /** What it was compiled to. */
  readonly definition: ValueEntityDefinition;
}

/** What `valueEntity` takes. */
export interface ValueEntitySpec<State, C extends Commands> extends EntityOptions {
  /** Full name of the gRPC service, `shop.Profile`. */
  readonly service: string;
  /** The field of every command that holds the entity's id; several are joined with `-`. */
  readonly key: KeyOf<C> | readonly KeyOf<C>[];
  /** The value where nothing is stored: a function that makes it (stored as JSON), or a message type. */
  readonly state: StateSource<State>;
  /** What can be asked. */
  readonly commands: C;
  /** Runs each command: look at `ctx.state`, `ctx.update` or `ctx.delete` it, return the reply. */
  readonly handle: {
    readonly [K in keyof C]: (
      command: InputOf<C[K]>,
      ctx: ValueEntityContext<NoInfer<State>, ReplyOf<C[K]>, NoInfer<State>, InputsOf<C>>,
    ) => ReplyOf<C[K]> | Answer<ReplyOf<C[K]>> | Promise<ReplyOf<C[K]> | Answer<ReplyOf<C[K]>>>;
  };
}

/**
 * Declares an entity that remembers one value. One command runs at a time for each id; a new value is stored before the caller gets the reply.
 * @throws Mistake saying what is missing or wrong.
 * @example
 * const Profile = valueEntity({
 *   service: "shop.Profile", key: "userId",
 *   state: () => ({ name: "" }),
 *   commands: { rename: command({ userId: t.string, name: t.string }) },
 *   handle: { rename({ name }, ctx) { ctx.update({ ...ctx.state, name }); } },
 * });
 */
export function valueEntity<State, const C extends Commands>(spec: ValueEntitySpec<State, C>): ValueEntityComponent<Refs<C>> {
  checkServiceName(spec.service);
  const { service } = spec;
  const source: ServiceSource = {
    service,
    commands: spec.commands,
    keys: checkKeys(service, spec.key),
    messages: new Map(stateMessage(spec.state)),
  };
  const { built, methods } = methodsOfSource(source, spec.handle);
  const state = stateCodec(service, spec.state, (message) => messageType(built.message(built.nameOf(message)), typescriptShape));
  return valueEntityOf({ service, methods, origin: { from: "typescript", source }, state, options: spec });
}

/** The common end of both ways to declare a value entity. */
export function valueEntityOf<R>(parts: {
  service: string;
  methods: Map<string, Method>;
  origin: ComponentBase["origin"];
  state: StateCodec;
  options: EntityOptions;
}): ValueEntityComponent<R> {
  const { service, methods, origin, state, options } = parts;
  checkUnary(service, methods);
  state.initial(); // a broken one is found now, not at the first command
  const definition: ValueEntityDefinition = { service, methods, origin, state, ...entityOptions(service, options) };
  return { kind: "value", service, commands: refsOf(definition) as R, definition };
}
