/**
 * A command under way, from the call to its answer.
 *
 * Invariants
 * V1 `answer` is called exactly once: with the outcome, or before it when the caller's deadline passes
 * V2 `finish` is called exactly once, whether or not somebody still waits: the command itself is never withdrawn (E7)
 * V3 commands that wait for this one (same idempotency key, E9) get its outcome, after it
 */
import { Fault, type Span } from "@mecha/kit";
import type { Answer } from "./engine.ts";
import { commandHash } from "./keys/hash.ts";
import { type CallContext, type Command, type ComponentMethod, type Reply, isGone } from "./model.ts";
import type { Firing } from "./timers/firing.ts";
import { type TimerWheel, WheelTimer } from "./timing/wheel.ts";

/** Which command asked for this one, for the function's developer. */
export interface Origin {
  readonly by: "forwarded from" | "side effect of";
  readonly service: string;
  readonly command: string;
  readonly before: Origin | undefined;
}

/** "side effect of shop.Cart.AddItem, forwarded from shop.Desk.Buy" */
export function describeOrigin(origin: Origin | undefined): string {
  const parts: string[] = [];
  for (let at = origin; at !== undefined; at = at.before) parts.push(`${at.by} ${at.service}.${at.command}`);
  return parts.join(", ");
}

/** What a deadline reads like, wherever it is noticed. */
export function deadlineFault(service: string, command: string): Fault {
  return new Fault("deadline", `${service}.${command}: the caller's deadline passed; the command may still be carried out`);
}

/** Counts the commands in the engine; `drain` waits for it. */
export interface OpenCommands {
  open: number;
  /** Called when `open` falls to 0, and when an entity ends. */
  fewer(): void;
}

/** See the file's header. */
export class Envelope extends WheelTimer {
  /** Mailbox's own. */
  next: Envelope | undefined = undefined;
  readonly service: string;
  readonly method: ComponentMethod;
  readonly command: Command;
  readonly context: CallContext;
  readonly origin: Origin | undefined;
  readonly enqueuedMs: number;
  /** It could not go to its entity at once. */
  waited = false;
  /** Called when it is finished, before anybody hears of it. Set by who tracks its key. */
  leaving: (() => void) | undefined = undefined;
  /** Of its call of the function, while that is under way. */
  span: Span | undefined = undefined;
  /** It is a timer's. */
  firing: Firing | undefined = undefined;
  #hash: Uint8Array | undefined = undefined;
  #followers: Envelope[] | undefined = undefined;
  readonly #answer: Answer;
  readonly #wheel: TimerWheel;
  readonly #commands: OpenCommands;
  #answered = false;

  constructor(
    service: string,
    method: ComponentMethod,
    command: Command,
    context: CallContext,
    origin: Origin | undefined,
    answer: Answer,
    nowMs: number,
    wheel: TimerWheel,
    commands: OpenCommands,
  ) {
    super();
    this.service = service;
    this.method = method;
    this.command = command;
    this.context = context;
    this.origin = origin;
    this.enqueuedMs = nowMs;
    this.#answer = answer;
    this.#wheel = wheel;
    this.#commands = commands;
    commands.open++;
    if (context.deadlineMs !== undefined) wheel.arm(this, context.deadlineMs);
  }

  /** Tells this command from another one under the same key. */
  get hash(): Uint8Array {
    return (this.#hash ??= commandHash(this.command.name, this.command.payload.value));
  }

  /** Somebody still waits for the outcome. */
  get awaited(): boolean {
    return !this.#answered && !isGone(this.context);
  }

  /** `envelope` is this command asked again (V3). */
  followedBy(envelope: Envelope): void {
    (this.#followers ??= []).push(envelope);
  }

  /** An effect or a forward. */
  get internal(): boolean {
    return this.context.hops > 0;
  }

  /** The caller's deadline: it hears of it, the command stays. */
  override expired(): void {
    this.#tell(deadlineFault(this.service, this.command.name), undefined);
  }

  /** The outcome. */
  finish(fault: Fault | undefined, reply: Reply | undefined): void {
    this.#wheel.cancel(this);
    const commands = this.#commands;
    commands.open--;
    this.leaving?.();
    this.#tell(fault, reply);
    for (const follower of this.#followers ?? []) follower.finish(fault, reply); // keeps V3
    if (commands.open === 0) commands.fewer();
  }

  #tell(fault: Fault | undefined, reply: Reply | undefined): void {
    if (this.#answered) return; // keeps V1
    this.#answered = true;
    if (isGone(this.context)) {
      this.#answer(new Fault("cancelled", `${this.service}.${this.command.name}: the caller went away`), undefined);
    } else {
      this.#answer(fault, reply);
    }
  }
}
