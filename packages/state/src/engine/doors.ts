/** Who comes in: callers from outside until the engine drains, forwards and effects until it ends, and not more than the limits allow. */
import { type Clock, Fault } from "@mecha/kit";
import type { Route } from "../components.ts";
import type { EngineLimits } from "../limits.ts";
import { type CallContext, type ComponentMethod, isGone } from "../model.ts";
import { lastingFault } from "../outbox/chosen.ts";
import type { OpenWork } from "./open-work.ts";

/** See the file's header. */
export class Doors {
  readonly #limits: EngineLimits;
  readonly #clock: Clock;
  readonly #work: OpenWork;
  #refusal: Fault | undefined;
  #ended: Fault | undefined;

  constructor(limits: EngineLimits, clock: Clock, work: OpenWork) {
    this.#limits = limits;
    this.#clock = clock;
    this.#work = work;
  }

  /** Why new calls are refused; `undefined` = they are not. */
  get refusal(): Fault | undefined {
    return this.#refusal;
  }
  /** Why internal calls are refused too. */
  get ended(): Fault | undefined {
    return this.#ended;
  }

  /** No new calls from now on. */
  shut(refusal: Fault): void {
    this.#refusal ??= refusal;
  }

  /** Nothing at all from now on. */
  end(fault: Fault): void {
    this.#refusal = fault;
    this.#ended = fault;
  }

  /** A caller who does not wait any more: nothing is begun for it. */
  alreadyGone(service: string, name: string, context: CallContext): Fault | undefined {
    if (isGone(context)) return new Fault("cancelled", `${service}.${name}: the caller had gone away; not applied`);
    if (context.deadlineMs === undefined || context.deadlineMs > this.#clock.monotonic()) return undefined;
    return new Fault("deadline", `${service}.${name}: the caller's deadline had passed; not applied`);
  }

  /** Why this call cannot be taken, whoever it comes from. */
  refuse(route: Route, method: ComponentMethod, context: CallContext): Fault | undefined {
    if (this.#ended !== undefined) return this.#ended;
    const limits = this.#limits;
    if (context.hops > limits.hopsMax) {
      const text = `${route.component.service}.${method.name}: ${limits.hopsMax} forwards and effects in a row (hopsMax); is it a loop?`;
      return lastingFault("exhausted", text);
    }
    if (route.kind === "action") {
      if (this.#work.actions.size < limits.actionCallsMax) return undefined;
      return new Fault("exhausted", `${limits.actionCallsMax} calls of actions are open (actionCallsMax); retry later`);
    }
    const room = context.hops > 0 ? limits.commandsMax + limits.commandsReserve : limits.commandsMax;
    if (this.#work.open < room) return undefined;
    return new Fault("exhausted", `${room} commands are open (commandsMax); slow down and retry`);
  }
}
