/** The step of an action: nothing but messages, and nobody's entity (E10). */
import { Fault } from "@mecha/kit";
import type { Committable } from "../commit/committer.ts";
import { noEntity, type Step, type Verdict } from "../store.ts";
import type { MessagePlan } from "./messages.ts";

/** Bookkeeping of a message beside its payload; an estimate for the group's bound. */
const overheadBytes = 128;

/** See the file's header. `settled` gets the number of the first message, or why nothing is stored. */
export class ActionStep implements Committable {
  readonly step: Step;
  readonly bytes: number;
  readonly #settled: (outcome: number | Fault) => void;

  constructor(plan: MessagePlan, cause: string, timeMs: number, settled: (outcome: number | Fault) => void) {
    const { messages } = plan;
    this.step = { entity: noEntity, expectedSequence: 0, events: [], outbox: messages, cause, timeMs };
    this.bytes = messages.reduce((sum, { payload }) => sum + payload.value.byteLength + overheadBytes, 0);
    this.#settled = settled;
  }

  settle(outcome: Verdict | { readonly is: "dropped"; readonly fault: Fault }): void {
    if (outcome.is === "committed" && outcome.outboxId !== undefined) this.#settled(outcome.outboxId);
    else if (outcome.is === "dropped") this.#settled(outcome.fault);
    else this.#settled(new Fault("unavailable", "the effects could not be stored; retry"));
  }
}
