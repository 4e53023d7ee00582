/**
 * A command under way, from the call to its answer.
 *
 * Invariants
 * V1 `answer` is called exactly once: with the outcome, or before it when the caller's deadline passes
 * V2 `finish` is called exactly once, whether or not somebody still waits: the command itself is never withdrawn (E7)
 */
import { Fault } from "@mecha/kit";
import type { Answer } from "./engine.ts";
import type { CallContext, Command, ComponentMethod, Reply } from "./model.ts";
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
    this.#tell(fault, reply);
    if (commands.open === 0) commands.fewer();
  }

  #tell(fault: Fault | undefined, reply: Reply | undefined): void {
    if (this.#answered) return; // keeps V1
    this.#answered = true;
    if (this.context.signal?.aborted === true) {
      this.#answer(new Fault("cancelled", `${this.service}.${this.command.name}: the caller went away`), undefined);
    } else {
      this.#answer(fault, reply);
    }
  }
}
