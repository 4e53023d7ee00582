/**
 * The steps of one entity that are not released yet, in the order they were computed.
 *
 * Invariants
 * L1 steps leave from the front only, so releases keep the order of replies (E2)
 * L2 once a step has failed every later one fails too: it was computed on state that never existed (E3)
 * L3 a step that was handed to the committer leaves only after its verdict, failed or not: a reload must not read the store while
 *    one of them is still under way (E3)
 */
import type { Fault } from "@mecha/kit";
import type { Envelope } from "../envelope.ts";
import type { EntityReply } from "../model.ts";
import type { MessagePlan } from "../outbox/messages.ts";
import type { DeduplicationRecord } from "../rows.ts";
import type { Step, Verdict } from "../store.ts";

/** What became of a step so far. `unsure`: the store cannot tell (E4). */
export type StepState = "underWay" | "durable" | "failed" | "unsure";

/** A step's verdict, or why it never got one. */
export type Outcome = Verdict | { readonly is: "dropped"; readonly fault: Fault };

/** Whose step it is: hears the verdict. */
export interface StepOwner {
  verdict(step: LedgerStep, outcome: Outcome): void;
}

/** One command's outcome on its way to being durable. */
export class LedgerStep {
  next: LedgerStep | undefined = undefined;
  readonly envelope: Envelope;
  readonly reply: EntityReply;
  /** What the store gets; `undefined`: nothing changed and no fence is asked for (E6). */
  readonly step: Step | undefined;
  /** Last sequence once it is durable. */
  readonly endSequence: number;
  readonly bytes: number;
  state: StepState;
  /** Why it fails; set as soon as that is certain, which may be before its verdict. */
  fault: Fault | undefined = undefined;
  /** What of it is in the outbox, when something is. */
  plan: MessagePlan | undefined = undefined;
  /** Number of its first message there; `undefined`: the store could not say. */
  outboxId: number | undefined = undefined;
  /** Its key was answered before, and the store knew it only at the commit: that is the answer (E9). */
  known: DeduplicationRecord | undefined = undefined;
  /** When it was handed to the committer, monotonic ms. */
  handedMs = 0;
  /** Set when it is handed to the committer. */
  owner: StepOwner | undefined = undefined;

  constructor(envelope: Envelope, reply: EntityReply, step: Step | undefined, endSequence: number, bytes: number) {
    this.envelope = envelope;
    this.reply = reply;
    this.step = step;
    this.endSequence = endSequence;
    this.bytes = bytes;
    this.state = step === undefined ? "durable" : "underWay";
  }

  /** It changes the entity's sequence, so that a reading of it tells whether it is stored. */
  get moves(): boolean {
    return this.step !== undefined && this.endSequence > this.step.expectedSequence;
  }

  /** The committer's word. */
  settle(outcome: Outcome): void {
    this.owner?.verdict(this, outcome);
  }
}

/** See the file's header. */
export class Ledger {
  #head: LedgerStep | undefined = undefined;
  #tail: LedgerStep | undefined = undefined;
  size = 0;
  bytes = 0;
  /** Steps without a verdict. */
  underWay = 0;

  get head(): LedgerStep | undefined {
    return this.#head;
  }

  push(step: LedgerStep): void {
    if (this.#tail === undefined) this.#head = step;
    else this.#tail.next = step;
    this.#tail = step;
    this.size++;
    this.bytes += step.bytes;
    if (step.state === "underWay") this.underWay++;
  }

  /** Records a step's verdict. */
  settle(step: LedgerStep, state: Exclude<StepState, "underWay">): void {
    if (step.state === "underWay") this.underWay--;
    step.state = state;
  }

  /** Condemns `from` and everything after it (L2). What is under way stays until its verdict (L3). */
  fail(from: LedgerStep, fault: Fault): void {
    for (let step: LedgerStep | undefined = from; step !== undefined; step = step.next) {
      step.fault ??= fault;
      if (step.state !== "underWay") step.state = "failed";
    }
  }

  /** The next step to leave (L1), or `undefined`. */
  shiftSettled(): LedgerStep | undefined {
    const step = this.#head;
    if (step === undefined || (step.state !== "durable" && step.state !== "failed")) return undefined;
    this.#head = step.next;
    if (this.#head === undefined) this.#tail = undefined;
    step.next = undefined;
    this.size--;
    this.bytes -= step.bytes;
    return step;
  }

  /** Nobody can tell what became of the unsure steps. */
  doubt(fault: Fault): void {
    for (let step = this.#head; step !== undefined; step = step.next) {
      if (step.state !== "unsure") continue;
      this.fail(step, fault);
      return;
    }
  }

  /**
   * Decides the unsure steps once the store was read back. What moved the sequence to `sequence` or below is durable, and so is everything
   * before it (S2). Behind that a step is durable when its key is among `keys`; of one without, nobody can tell.
   */
  decide(sequence: number, keys: ReadonlySet<string>, faults: { readonly not: Fault; readonly maybe: Fault }): void {
    let last: LedgerStep | undefined;
    for (let step = this.#head; step !== undefined; step = step.next) if (step.moves && step.endSequence <= sequence) last = step;
    let certain = last !== undefined;
    for (let step = this.#head; step !== undefined; step = step.next) {
      const stored = certain || keys.has(step.step?.deduplication?.key ?? "");
      if (step.state === "unsure" && !stored) {
        this.fail(step, step.moves || step.step?.deduplication !== undefined ? faults.not : faults.maybe);
        return;
      }
      if (step.state === "unsure") step.state = "durable";
      if (step === last) certain = false;
    }
  }
}
