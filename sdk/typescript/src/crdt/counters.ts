/** Counters, flags and votes: what needs no elements. */
import { shown } from "@mecha/wire/codec";
import { expect, Mistake } from "../mistake.ts";
import { Draft, type DraftHome } from "./draft.ts";
import type { DeltaInit, HeldCounter, HeldFlag, HeldVote } from "./held.ts";

const uint64Max = 2n ** 64n - 1n;
const int64Max = 2n ** 63n - 1n;

abstract class Counter extends Draft {
  readonly #held: HeldCounter;
  #change = 0n;

  /** @internal */
  constructor(held: HeldCounter, home: DraftHome) {
    super(home);
    this.#held = held;
  }

  /** The count. @throws Mistake beyond ±(2^53 - 1), where a `number` would be rounded; see `exact`. */
  get value(): number {
    const value = Number(this.exact);
    if (!Number.isSafeInteger(value)) throw new Mistake(`${this.home.where}: the counter is at ${this.exact}; read it as a bigint: exact`);
    return value;
  }

  /** The count as a bigint. */
  get exact(): bigint {
    return this.#held.value + this.#change;
  }

  /** @internal */
  protected changeBy(method: string, by: number | bigint, sign: 1n | -1n, max: bigint): void {
    this.home.checkChange(method);
    expect(
      typeof by === "bigint" || Number.isSafeInteger(by),
      () => `${this.home.where}: ${method}(${shown(by)}): expected a whole number or a bigint`,
    );
    const changed = this.#change + sign * BigInt(by);
    expect(
      changed <= max && changed >= -max,
      () => `${this.home.where}: ${method}(${by}): one command cannot change a counter by ${changed}`,
    );
    this.#change = changed;
  }

  /** @internal */
  protected get changed(): bigint {
    return this.#change;
  }
}

/** A counter that only grows. */
export class GCounter extends Counter {
  /** Adds `by`, 0 or more. Default 1. */
  increment(by: number | bigint = 1): this {
    expect(
      by >= 0,
      () => `${this.home.where}: increment(${shown(by)}): this counter only grows; declare the state as pncounter() to count down as well`,
    );
    this.changeBy("increment", by, 1n, uint64Max);
    return this;
  }

  /** @internal */
  change(): DeltaInit | undefined {
    return this.changed === 0n ? undefined : { delta: { case: "gcounter", value: { increment: this.changed } } };
  }
}

/** A counter that goes up and down. */
export class PNCounter extends Counter {
  /** Adds `by`. Default 1. */
  increment(by: number | bigint = 1): this {
    this.changeBy("increment", by, 1n, int64Max);
    return this;
  }

  /** Takes `by` away. Default 1. */
  decrement(by: number | bigint = 1): this {
    this.changeBy("decrement", by, -1n, int64Max);
    return this;
  }

  /** @internal */
  change(): DeltaInit | undefined {
    return this.changed === 0n ? undefined : { delta: { case: "pncounter", value: { change: this.changed } } };
  }
}

/** A flag that stays up once it is raised. */
export class Flag extends Draft {
  readonly #held: HeldFlag;
  #raised = false;

  /** @internal */
  constructor(held: HeldFlag, home: DraftHome) {
    super(home);
    this.#held = held;
  }

  /** Whether it is up. */
  get value(): boolean {
    return this.#held.value || this.#raised;
  }

  /** Raises it. */
  enable(): this {
    this.home.checkChange("enable");
    this.#raised = true;
    return this;
  }

  /** @internal */
  change(): DeltaInit | undefined {
    return this.#raised && !this.#held.value ? { delta: { case: "flag", value: { value: true } } } : undefined;
  }
}

/** One vote for each replica that is up: of the sidecars, not of the callers. */
export class Vote extends Draft {
  readonly #held: HeldVote;
  #selfVote: boolean | undefined;

  /** @internal */
  constructor(held: HeldVote, home: DraftHome) {
    super(home);
    this.#held = held;
  }

  /** This replica's vote. */
  get selfVote(): boolean {
    return this.#selfVote ?? this.#held.selfVote;
  }

  /** Replicas that vote for it, this one included. */
  get votesFor(): number {
    const { votesFor, selfVote } = this.#held;
    return votesFor + Number(this.selfVote) - Number(selfVote);
  }

  /** Replicas that are up, this one included. */
  get totalVoters(): number {
    return this.#held.totalVoters;
  }

  /** At least one is for it. */
  get atLeastOne(): boolean {
    return this.votesFor > 0;
  }

  /** More than half are for it. */
  get majority(): boolean {
    return this.votesFor > this.totalVoters / 2;
  }

  /** All are for it. */
  get all(): boolean {
    return this.votesFor === this.totalVoters;
  }

  /** Sets this replica's vote. */
  vote(isFor: boolean): this {
    this.home.checkChange("vote");
    expect(typeof isFor === "boolean", () => `${this.home.where}: vote(${shown(isFor)}): expected true or false`);
    this.#selfVote = isFor;
    return this;
  }

  /** @internal */
  change(): DeltaInit | undefined {
    return this.selfVote === this.#held.selfVote ? undefined : { delta: { case: "vote", value: { selfVote: this.selfVote } } };
  }
}
