/** What unary and streamed calls of actions have in common: they are open, bounded, and end. */
import type { Fault } from "@mecha/kit";
import type { Origin } from "../envelope.ts";
import type { Member, MemberList } from "../list.ts";
import type { ActionCall, ActionCallEvents, CallContext, ClientAction, Component, ComponentMethod, SideEffect } from "../model.ts";
import type { EngineParts } from "../parts.ts";
import type { TailSource } from "../tail.ts";
import { WheelTimer } from "../timing/wheel.ts";

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
  readonly #open: OpenActions;
  readonly #onAbort = (): void => this.abandoned();

  constructor(parts: EngineParts, open: OpenActions, target: ActionTarget) {
    super();
    this.parts = parts;
    this.target = target;
    this.#open = open;
    const { component, method, context, origin } = target;
    this.source = {
      service: component.service,
      commandName: method.name,
      context,
      origin,
      reportError: (message) => component.function.reportError(message),
    };
  }

  /** `shop.Desk.Buy`, for texts. */
  protected get name(): string {
    return `${this.target.component.service}.${this.target.method.name}`;
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
