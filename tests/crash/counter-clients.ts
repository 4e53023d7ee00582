/** Clients of counters (CRDTs): they add and read, and write down what they see for the judge (counters.ts). */
import type { Random } from "@mecha/kit";
import type { Asking } from "./asking.ts";
import { type Addition, checkCounters } from "./counters.ts";
import type { Breach } from "./history.ts";

/** Largest amount of an addition. Sums of some dozen stay far below 2^53, and are rarely equal to others. */
const amountMax = 1_000_000_000;

export class CounterClients {
  readonly #additions: Addition[] = [];
  readonly #asking: Asking;
  readonly #random: Random;
  readonly #counters: readonly string[];

  constructor(asking: Asking, random: Random, counters: readonly string[]) {
    this.#asking = asking;
    this.#random = random;
    this.#counters = counters;
  }

  get acknowledged(): number {
    return this.#additions.filter(({ amount, endedMs }) => amount > 0 && endedMs !== undefined).length;
  }
  get unanswered(): number {
    return this.#additions.filter(({ endedMs }) => endedMs === undefined).length;
  }

  /** @returns whether it was answered. */
  async once(): Promise<boolean> {
    const counter = this.#counters[this.#random.below(this.#counters.length)] ?? "";
    const amount = this.#random.below(4) === 0 ? 0 : 1 + this.#random.below(amountMax);
    const asked: Addition = { counter, amount, startedMs: performance.now(), endedMs: undefined, counted: undefined };
    const index = this.#additions.push(asked) - 1;
    const answer = await this.#ask(counter, amount);
    if (answer) this.#additions[index] = { ...asked, endedMs: performance.now(), counted: answer.counted };
    return answer !== undefined;
  }

  #ask(counter: string, amount: number): Promise<{ readonly counted: number } | undefined> {
    if (amount === 0) return this.#asking.read(`/counters/${counter}`);
    // Of one sidecar: what it takes to be acknowledged is the same for all, yet the ways differ.
    const consistency = ["local", "majority", "all"][this.#random.below(3)];
    return this.#asking.change(`/counters/${counter}/add`, { amount, consistency }, undefined);
  }

  async judge(): Promise<readonly Breach[]> {
    const counted = new Map<string, number>();
    for (const counter of this.#counters)
      counted.set(counter, (await this.#asking.untilRead<{ counted: number }>(`/counters/${counter}`)).counted);
    return checkCounters(this.#additions, counted);
  }
}
