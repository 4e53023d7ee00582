/**
 * A streamed command of a CRDT, from the call to its end: many answers, worked off in order.
 *
 * Invariants
 * X1 answers reach the caller in the order in which they became durable: while one waits for a synchronous effect or a forward, the next wait
 * X2 `closed` is the last callback and comes once; after `cancel` there is none
 */
import { Fault } from "@mecha/kit";
import type { StreamedCall, StreamedCallEvents } from "../../engine.ts";
import { Envelope } from "../../envelope.ts";
import type { CallContext, ClientAction, Command, ComponentMethod, Reply, SideEffect } from "../../model.ts";
import type { EngineParts } from "../../parts.ts";

/** An answer on its way to the caller. */
export interface StreamedAnswer {
  readonly action: ClientAction;
  readonly effects: readonly SideEffect[];
  readonly last: boolean;
}

/** Runs an answer's effects and forwards. */
export type RunTail = (answer: StreamedAnswer, done: (fault: Fault | undefined, reply: Reply | undefined) => void) => void;

/** Answers that wait for a caller who reads slowly. The function cannot be held back: one stream serves all callers of an entity. */
const answersMax = 1_000;

/** Told when the caller does not want more. */
export type Abandon = (envelope: StreamedEnvelope) => void;

/** See the file's header. */
export class StreamedEnvelope extends Envelope {
  readonly #events: StreamedCallEvents;
  readonly #answers: StreamedAnswer[] = [];
  readonly #runTail: RunTail;
  readonly #abandon: Abandon;
  readonly #onAbort = (): void => this.abandon();
  #busy = false;
  #over = false;
  #silent = false;
  /** The caller takes no more for now. */
  #paused = false;

  constructor(
    parts: EngineParts,
    target: { readonly service: string; readonly method: ComponentMethod; readonly command: Command; readonly context: CallContext },
    events: StreamedCallEvents,
    hooks: { readonly runTail: RunTail; readonly abandon: Abandon },
    nowMs: number,
  ) {
    const { service, method, command, context } = target;
    super(service, method, command, context, undefined, (fault) => this.#close(fault), nowMs, parts.wheel, parts.commands);
    this.#events = events;
    this.#runTail = hooks.runTail;
    this.#abandon = hooks.abandon;
    context.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** The caller hears nothing any more. */
  get over(): boolean {
    return this.#over;
  }

  /** An answer that may be shown. */
  answer(answer: StreamedAnswer): void {
    this.#answers.push(answer);
    if (this.#answers.length > answersMax) this.#overflow();
    else this.#work();
  }

  #overflow(): void {
    const text = `${this.service}.${this.command.name}: ${answersMax} answers wait for a slow caller; read faster, or watch less`;
    const fault = new Fault("exhausted", text);
    const ended = this.#answers.some(({ last }) => last);
    this.#answers.length = 0;
    this.abandon(fault);
    if (ended) this.finish(fault, undefined); // the machine has done with it
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#work();
  }

  #work(): void {
    while (!this.#busy && (!this.#paused || this.#over)) {
      const answer = this.#answers.shift();
      if (answer === undefined) return;
      this.#busy = true;
      let inline = true;
      this.#runTail(answer, (fault, reply) => {
        this.#busy = false;
        this.#answered(answer, fault, reply);
        if (!inline) this.#work();
      });
      inline = false;
    }
  }

  #answered({ last }: StreamedAnswer, fault: Fault | undefined, reply: Reply | undefined): void {
    if (!this.#over && fault === undefined && reply?.payload !== undefined) this.#events.reply(reply);
    if (!last && fault === undefined) return;
    if (!last) this.abandon(fault);
    else this.finish(fault, undefined);
  }

  /** The caller wants no more, or must not get more: the command is called off at the function, which then ends it. */
  abandon(fault?: Fault): void {
    if (this.#over) return;
    this.#close(fault ?? new Fault("cancelled", `${this.service}.${this.command.name}: the caller went away`));
    this.#abandon(this);
  }

  /** As `abandon`, and without a last word. */
  cancel(): void {
    this.#silent = true;
    this.abandon();
  }

  override expired(): void {
    super.expired();
    this.#abandon(this);
  }

  #close(fault: Fault | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.context.signal?.removeEventListener("abort", this.#onAbort);
    if (!this.#silent) this.#events.closed(fault);
  }
}

/** The caller's end of a streamed command: one message, then answers. */
export class CrdtStreamedCall implements StreamedCall {
  readonly #begin: (message: Uint8Array) => StreamedEnvelope | undefined;
  readonly #refuse: (fault: Fault) => void;
  readonly #name: string;
  #message: Uint8Array | undefined = undefined;
  #envelope: StreamedEnvelope | undefined = undefined;
  #over = false;

  constructor(name: string, begin: (message: Uint8Array) => StreamedEnvelope | undefined, refuse: (fault: Fault) => void) {
    this.#name = name;
    this.#begin = begin;
    this.#refuse = refuse;
  }

  message(bytes: Uint8Array): boolean {
    if (this.#over) return true;
    if (this.#message !== undefined) this.#end("a second one arrived");
    this.#message = bytes;
    return true;
  }

  halfClose(): void {
    if (this.#over || this.#envelope !== undefined) return;
    if (this.#message === undefined) this.#end("none arrived");
    else this.#envelope = this.#begin(this.#message);
  }

  #end(what: string): void {
    this.#over = true;
    this.#refuse(new Fault("invalid", `${this.#name} takes one message; ${what}`));
    this.#envelope?.cancel();
  }

  cancel(): void {
    this.#over = true;
    this.#envelope?.cancel();
  }

  pause(): void {
    this.#envelope?.pause();
  }

  resume(): void {
    this.#envelope?.resume();
  }
}
