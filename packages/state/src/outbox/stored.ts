/** The stored messages of one step, as its tail sees them: by the index of the effect, and past the last effect the forward. */
import type { Fault } from "@mecha/kit";
import type { Origin } from "../envelope.ts";
import type { EngineLimits } from "../limits.ts";
import type { EntityAddress } from "../model.ts";
import type { OutboxMessage } from "../rows.ts";
import type { MessagePlan } from "./messages.ts";
import type { Outbox } from "./outbox.ts";
import { afterFailure } from "./retry.ts";

/** See the file's header. */
export class StoredMessages {
  readonly #outbox: Outbox;
  readonly #limits: EngineLimits;
  readonly #plan: MessagePlan;
  /** Of the first message; `undefined`: the store could not say (E4), they are found by a look through it. */
  readonly #firstId: number | undefined;
  readonly #source: EntityAddress | undefined;

  constructor(outbox: Outbox, limits: EngineLimits, plan: MessagePlan, firstId: number | undefined, source: EntityAddress | undefined) {
    this.#outbox = outbox;
    this.#limits = limits;
    this.#plan = plan;
    this.#firstId = firstId;
    this.#source = source;
    if (firstId === undefined) outbox.lost();
    else outbox.hold(firstId, plan.messages.length);
  }

  has(at: number): boolean {
    return (this.#plan.at[at] ?? -1) >= 0;
  }

  key(at: number): string | undefined {
    return this.#message(at)?.key;
  }

  #message(at: number): OutboxMessage | undefined {
    return this.#plan.messages[this.#plan.at[at] ?? -1];
  }

  #id(at: number): number | undefined {
    return this.#firstId === undefined ? undefined : this.#firstId + (this.#plan.at[at] ?? 0);
  }

  /** Sends an effect. `tried`: its first attempt is over, or will not be soon. */
  begin(at: number, origin: Origin, tried?: () => void): void {
    const [id, message] = [this.#id(at), this.#message(at)];
    if (id === undefined || message === undefined) tried?.();
    else this.#outbox.send(id, message, this.#source, origin, tried);
  }

  /** A forward's first attempt has failed for good. `told`: whether it is over for good, also after a crash. */
  over(at: number, told: (over: boolean) => void): void {
    const id = this.#id(at);
    if (id === undefined) told(false);
    else this.#outbox.forget(id, told);
  }

  /** How a forward's first attempt, made by the tail, ended. */
  answered(at: number, fault: Fault | undefined, origin: Origin | undefined): void {
    const [id, message] = [this.#id(at), this.#message(at)];
    if (id === undefined || message === undefined) return;
    const again = fault !== undefined && afterFailure(fault, 1, this.#limits).do === "retry";
    if (again) this.#outbox.send(id, message, this.#source, origin);
    else this.#outbox.done(id);
  }
}
