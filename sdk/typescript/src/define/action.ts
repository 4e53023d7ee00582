/** `action({ … })`: a service without state: unary calls and streams. */
import type { ActionContext } from "../run/action.ts";
import type { Answer } from "../run/answer.ts";
import type { Commands, CommandSchema, ReplyOf } from "../schema/command.ts";
import { checkServiceName } from "../schema/names.ts";
import { type CommandRef, type ComponentBase, methodsOfSource, type Refs, refsOf } from "./method.ts";

/** An action to give to `serve`. */
export interface Action<Refs = Readonly<Record<string, CommandRef>>> {
  readonly kind: "action";
  readonly service: string;
  /** Its commands, for `ctx.forward` and `ctx.effect` of other components. */
  readonly commands: Refs;
  /** What it was compiled to. */
  readonly definition: ComponentBase;
}

type One<R> = R | Answer<R>;
type Input<C> =
  C extends CommandSchema<infer In, unknown, infer Streamed, boolean> ? (Streamed extends true ? AsyncIterable<In> : In) : never;
type Output<C> =
  C extends CommandSchema<unknown, infer Out, boolean, infer Streamed>
    ? Streamed extends true
      ? AsyncIterable<One<Out>> | Iterable<One<Out>>
      : One<Out> | Promise<One<Out>>
    : never;

/** What `action` takes. */
export interface ActionSpec<C extends Commands> {
  /** Full name of the gRPC service, `shop.Checkout`. */
  readonly service: string;
  /** What can be asked; `.streamedIn()` and `.streamedOut()` make streams. */
  readonly commands: C;
  /** Runs each command. Streams are async iterables both ways, read and written no faster than the other side does. */
  readonly handle: { readonly [K in keyof C]: (command: Input<C[K]>, ctx: ActionContext<ReplyOf<C[K]>>) => Output<C[K]> };
}

/**
 * Declares a stateless service. Its handlers may be async; a command that fails may have had effects elsewhere, nothing is taken back.
 * @throws Mistake saying what is missing or wrong.
 * @example
 * const Greeter = action({
 *   service: "demo.Greeter",
 *   commands: { count: command({ to: t.int32 }).replies({ n: t.int32 }).streamedOut() },
 *   handle: { async *count({ to }) { for (let n = 1; n <= to; n++) yield { n }; } },
 * });
 */
export function action<const C extends Commands>(spec: ActionSpec<C>): Action<Refs<C>> {
  checkServiceName(spec.service);
  const source = { service: spec.service, commands: spec.commands, keys: [], messages: new Map() };
  const { methods } = methodsOfSource(source, spec.handle);
  return actionOf({ service: spec.service, methods, origin: { from: "typescript", source } });
}

/** The common end of both ways to declare an action. */
export function actionOf<R>(definition: ComponentBase): Action<R> {
  return { kind: "action", service: definition.service, commands: refsOf(definition) as R, definition };
}
