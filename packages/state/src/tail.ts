/**
 * What follows a durable step, or an action's response: effects in list order, then the reply, or the forward in its place (E2).
 * It runs outside the mailbox, so it may call the entity it came from.
 *
 * Invariants
 * T1 a synchronous effect is awaited before the next effect and before the reply; an asynchronous one is started in its turn
 * T2 what an effect answers is dropped, but a synchronous one to a service or command nobody has fails the command
 * T3 effects run also before a failure: if the function sent them, it meant them (facts/cloudstate.md §1.13)
 * T4 what is stored with the step goes with its key, and is settled in the outbox: async effects and retries by its lanes, a forward's first attempt here (E10)
 * T5 a forward that is stored is delivered in the end, whatever its first attempt came to: then the caller hears that, not that nothing was applied
 */
import { Fault, faultCodeOfGrpc } from "@mecha/kit";
import { acceptedFault, chosenFault, isAccepted } from "./outbox/chosen.ts";
import { mayFareBetter } from "./outbox/retry.ts";
import type { StoredMessages } from "./outbox/stored.ts";
import type { Answer } from "./engine.ts";
import { describeOrigin, type Origin } from "./envelope.ts";
import type { CallContext, ClientAction, Command, Reply, SideEffect } from "./model.ts";

/** Sends internal commands. */
export interface Dispatcher {
  /** `false`: there is no such service or command, and `answer` is not called. */
  dispatch(service: string, command: Command, context: CallContext, origin: Origin | undefined, answer: Answer): boolean;
}

/** The command a tail belongs to. */
export interface TailSource {
  readonly service: string;
  readonly commandName: string;
  readonly context: CallContext;
  readonly origin: Origin | undefined;
  /** Tells the function whose code asked for the effects. */
  reportError(message: string): void;
  /** Somebody still waits for the answer. Absent: yes. */
  awaited?(): boolean;
}

/** What of a tail is durable. */
export interface TailKeys {
  /** Its messages, when some are stored. */
  readonly stored?: StoredMessages | undefined;
  /** Key for a forward that is not among them: the command was answered before, and only its answer is given again. */
  readonly forwardKey?: string;
  /** With `forwardKey`: it is still in the outbox, so a refusal is not the end of it. */
  readonly forwardWaits?: boolean;
}

const noKeys: TailKeys = {};

const noReply: Reply = {};

/** gRPC status of a failure that names none (facts/cloudstate.md §1.12). */
const grpcUnknown = 2;

/** The Fault a caller gets for a failure the user's code chose. */
export function chosenFailure(action: Extract<ClientAction, { do: "fail" }>): Fault {
  return chosenFault(faultCodeOfGrpc(action.grpcCode ?? grpcUnknown), action.description);
}

const ignoreAnswer: Answer = () => undefined;

/** See the file's header. */
export class Tail {
  readonly #dispatcher: Dispatcher;
  readonly #source: TailSource;
  readonly #action: ClientAction;
  readonly #effects: readonly SideEffect[];
  readonly #done: Answer;
  readonly #keys: TailKeys;
  #at = 0;

  constructor(
    dispatcher: Dispatcher,
    source: TailSource,
    action: ClientAction,
    effects: readonly SideEffect[],
    done: Answer,
    keys: TailKeys = noKeys,
  ) {
    this.#dispatcher = dispatcher;
    this.#source = source;
    this.#action = action;
    this.#effects = effects;
    this.#done = done;
    this.#keys = keys;
  }

  /** Starts the next effect, and so on; ends with `done`. */
  run(): void {
    while (this.#at < this.#effects.length) {
      const at = this.#at++;
      const effect = this.#effects[at] as SideEffect;
      const { stored } = this.#keys;
      if (effect.synchronous) {
        if (stored?.has(at) === true)
          stored.begin(at, this.#origin("side effect of"), () => this.run()); // keeps T1
        else this.#await(effect);
        return;
      }
      if (stored?.has(at) === true) {
        stored.begin(at, this.#origin("side effect of"));
        continue;
      }
      const context = { hops: this.#source.context.hops + 1, ...this.#trace() };
      if (!this.#send(effect, context, "side effect of", ignoreAnswer)) this.#reportUnknown(effect, "side effect of");
    }
    this.#finish();
  }

  #await(effect: SideEffect): void {
    if (this.#send(effect, this.#contextWithDeadline(), "side effect of", () => this.run())) return;
    this.#done(this.#reportUnknown(effect, "side effect of"), undefined); // keeps T2
  }

  #finish(): void {
    const action = this.#action;
    switch (action.do) {
      case "reply":
        this.#done(undefined, action);
        return;
      case "nothing":
        this.#done(undefined, noReply);
        return;
      case "fail":
        this.#done(chosenFailure(action), undefined);
        return;
      case "forward": {
        this.#forward(action);
      }
    }
  }

  #forward(action: Extract<ClientAction, { do: "forward" }>): void {
    const signal = this.#source.context.signal;
    const context = signal === undefined ? this.#contextWithDeadline() : { ...this.#contextWithDeadline(), signal };
    const { stored, forwardKey, forwardWaits } = this.#keys;
    const at = this.#effects.length;
    const key = stored?.key(at) ?? forwardKey;
    const done: Answer = (fault, reply) => {
      if (fault === undefined || key === undefined || mayFareBetter(fault)) {
        stored?.answered(at, fault, this.#origin("forwarded from")); // keeps T4
        this.#done(fault === undefined || key === undefined ? fault : this.#accepted(action, fault), reply); // keeps T5
        return;
      }
      const told = (over: boolean): void => this.#done(over ? fault : this.#accepted(action, fault), undefined); // keeps T5
      if (stored !== undefined) stored.over(at, told);
      else told(forwardWaits !== true);
    };
    if (this.#send(action, context, "forwarded from", done, key)) return;
    stored?.answered(at, undefined, undefined);
    this.#done(this.#reportUnknown(action, "forwarded from"), undefined);
  }

  /** What a caller hears whose command is stored and whose forward is not answered yet. */
  #accepted({ service, command }: Extract<ClientAction, { do: "forward" }>, cause: Fault): Fault {
    if (isAccepted(cause)) return cause;
    const from = `${this.#source.service}.${this.#source.commandName}`;
    const what = `${from} was accepted and is forwarded to ${service}.${command}, which has not answered yet (${cause.code}); it is tried again`;
    const fix = "to hear the outcome ask again with the same idempotency key; without one do not repeat it";
    return acceptedFault(`${what}. ${fix}`, { cause });
  }

  #send(
    to: Pick<SideEffect, "service" | "command" | "payload" | "metadata">,
    context: CallContext,
    by: Origin["by"],
    answer: Answer,
    id?: string,
  ): boolean {
    const command: Command = {
      name: to.command,
      payload: to.payload,
      ...(to.metadata && { metadata: to.metadata }),
      ...(id !== undefined && { id }),
    };
    return this.#dispatcher.dispatch(to.service, command, context, this.#origin(by), answer);
  }

  #origin(by: Origin["by"]): Origin {
    const { service, commandName, origin } = this.#source;
    return { by, service, command: commandName, before: origin };
  }

  /** Nobody waits for an asynchronous effect, so the caller's deadline binds only what is awaited. */
  #contextWithDeadline(): CallContext {
    const { hops, deadlineMs } = this.#source.context;
    return { hops: hops + 1, ...(deadlineMs === undefined ? {} : { deadlineMs }), ...this.#trace() };
  }

  #trace(): { trace?: string } {
    const trace = this.#source.context.trace;
    return trace === undefined ? {} : { trace };
  }

  #reportUnknown(to: { readonly service: string; readonly command: string }, by: Origin["by"]): Fault {
    const chain = describeOrigin(this.#origin(by));
    const text = `${to.service}.${to.command} does not exist: ${chain}`;
    this.#source.reportError(`${text}. Check the service and command name; known are those the function declared at discovery.`);
    return new Fault("unknown", text);
  }
}
