/** What unary and streamed calls of actions have in common: they are open, bounded, and end. */
import type { Fault, Span } from "@mecha/kit";
import type { Origin } from "../envelope.ts";
import type { Member, MemberList } from "../list.ts";
import type { Answer } from "../engine.ts";
import type {
  ActionCall,
  ActionCallEvents,
  CallContext,
  ClientAction,
  CommandMetadata,
  Component,
  ComponentMethod,
  FunctionPort,
  SideEffect,
} from "../model.ts";
import { ActionStep } from "../outbox/action-step.ts";
import { planMessages } from "../outbox/messages.ts";
import { StoredMessages } from "../outbox/stored.ts";
import type { EngineParts } from "../parts.ts";
import { Tail, type TailSource } from "../tail.ts";
import { WheelTimer } from "../timing/wheel.ts";
import { actionSpan, withTraceparent } from "../tracing.ts";

/** What a function answers to an action. */
export interface ActionResponse {
  readonly action: ClientAction;
  readonly effects: readonly SideEffect[];
}

/** The calls of actions that are open in one engine. */
export type OpenActions = MemberList<OpenAction>;

/** Where an action call comes from and goes to. */
export interface ActionTarget {
  readonly component: Component;
  readonly method: ComponentMethod;
  readonly context: CallContext;
  readonly origin: Origin | undefined;
  /** Attributes of the event it is about. */
  readonly event?: CommandMetadata | undefined;
}

/** See the file's header. */
export abstract class OpenAction extends WheelTimer implements ActionCallEvents, Member<OpenAction> {
  memberOf: object | undefined = undefined;
  memberBefore: OpenAction | undefined = undefined;
  memberAfter: OpenAction | undefined = undefined;
  protected readonly parts: EngineParts;
  protected readonly target: ActionTarget;
  protected readonly source: TailSource;
  protected call: ActionCall | undefined = undefined;
  /** Of the call, when it is traced. */
  protected readonly span: Span | undefined;
  /** Why the call failed, if it did: told to its span. */
  protected failure: Fault | undefined = undefined;
  readonly #open: OpenActions;
  readonly #onAbort = (): void => this.abandoned();

  /** Where its code runs. */
  get port(): FunctionPort {
    return this.target.component.function;
  }

  constructor(parts: EngineParts, open: OpenActions, target: ActionTarget) {
    super();
    this.parts = parts;
    this.target = target;
    this.#open = open;
    const { component, method, context, origin } = target;
    this.span = parts.tracer && actionSpan(parts.tracer, target);
    this.source = {
      service: component.service,
      commandName: method.name,
      context,
      origin,
      reportError: (message) => component.function.reportError(message),
      awaited: () => this.memberOf !== undefined,
    };
  }

  /**
   * Does what a response asks for. Asynchronous effects are stored first: the caller is told of nothing that a crash could undo (E10).
   * `key`: of the command, when the caller gave one; the same command asked again then asks for the same (E9).
   */
  protected runTail({ action, effects }: ActionResponse, key: string | undefined, done: Answer): void {
    const { parts, source } = this;
    const { service, commandName, context } = source;
    const from = { service, commandName, context, key: key ?? parts.newKey() };
    const plan = effects.length === 0 ? undefined : planMessages(from, { action, effects }, false, parts.findTarget);
    const run = (stored?: StoredMessages): void => {
      new Tail(parts.dispatcher, source, action, effects, done, { stored }).run();
    };
    if (plan === undefined) run();
    else {
      const settled = (outcome: number | Fault): void => {
        if (typeof outcome === "number") run(new StoredMessages(parts.outbox, parts.limits, plan, outcome, undefined));
        else done(outcome, undefined);
      };
      parts.committer.add(new ActionStep(plan, commandName, parts.clock.wall(), settled));
    }
  }

  /** `shop.Desk.Buy`, for texts. */
  protected get name(): string {
    return `${this.target.component.service}.${this.target.method.name}`;
  }

  /** Metadata for the function: with our span as its parent, when there is one; else the trace it belongs to passes through, also over effects and events. */
  protected traced(metadata: CommandMetadata | undefined): CommandMetadata | undefined {
    const traceparent = this.span?.traceparent ?? this.target.context.trace;
    return traceparent === undefined ? metadata : withTraceparent(metadata, traceparent);
  }

  /** One line for a call the function was lost under, or never answered. Statuses the user's code chose are the caller's answer, and no line. */
  protected warnIfLost(code: number, fault: Fault | undefined): void {
    if (fault === undefined || (code !== 0 && fault.code !== "unavailable")) return;
    const { component, method } = this.target;
    this.parts.log.warn("call of an action failed", { service: component.service, command: method.name, cause: fault });
  }

  /** Takes the call's place among the open ones. `dueMs`: when it is too late; `undefined` = never. */
  protected begin(dueMs: number | undefined): void {
    this.#open.add(this);
    if (dueMs !== undefined) this.parts.wheel.arm(this, dueMs);
    this.target.context.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Gives it back. May be called twice. */
  protected end(): void {
    if (this.memberOf === undefined) return;
    this.span?.end(this.failure);
    this.#open.remove(this);
    this.parts.wheel.cancel(this);
    this.target.context.signal?.removeEventListener("abort", this.#onAbort);
    this.parts.commands.fewer();
  }

  /** The caller went away. */
  protected abandoned(): void {
    this.cut(undefined);
  }

  /** Ends the call at once; the caller hears `fault`, or that it was cancelled. */
  abstract cut(fault: Fault | undefined): void;
  abstract response(response: ActionResponse): void;
  abstract drain(): void;
  abstract closed(code: number, message: string): void;
}
