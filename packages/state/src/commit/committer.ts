/**
 * Group commit: steps of many entities share one call of the store, and so one fsync. What arrives while a group is being written goes
 * into the next one.
 *
 * Invariants
 * C1 steps reach the store in the order they were added (S2 gives the rest)
 * C2 each step gets exactly one outcome, after the store's verdict or when the committer ends; a group with fewer verdicts than steps is fatal
 * C3 a rejected group is never tried again: what the medium did is unknown (E4)
 */
import { Fault } from "@mecha/kit";
import type { Step, Store, Verdict } from "../store.ts";

/** Something to commit. */
export interface Committable {
  readonly step: Step;
  /** Payload bytes, for the group's bound. */
  readonly bytes: number;
  /** The verdict, or why there is none. */
  settle(outcome: Verdict | { readonly is: "dropped"; readonly fault: Fault }): void;
}

/** Bounds of a committer; meanings in limits.ts. */
export interface CommitterLimits {
  readonly groupStepsMax: number;
  readonly groupBytesMax: number;
  readonly groupsInFlightMax: number;
}

/** What the committer tells besides verdicts. */
export interface CommitterEvents {
  /** A group became durable, or was judged otherwise. */
  grouped?(steps: number, bytes: number): void;
  /** The store rejected a group: the process must stop (E4). */
  fatal(fault: Fault): void;
}

/** See the file's header. */
export class Committer {
  readonly #store: Pick<Store, "commit">;
  readonly #limits: CommitterLimits;
  readonly #events: CommitterEvents;
  /** Waiting steps; those before `#taken` have left. */
  #waiting: Committable[] = [];
  #taken = 0;
  #inFlight = 0;
  #scheduled = false;
  #ended: Fault | undefined;
  #idle: (() => void) | undefined;

  constructor(store: Pick<Store, "commit">, limits: CommitterLimits, events: CommitterEvents) {
    this.#store = store;
    this.#limits = limits;
    this.#events = events;
  }

  /** Steps not handed to the store yet. */
  get waiting(): number {
    return this.#waiting.length - this.#taken;
  }

  add(item: Committable): void {
    this.#waiting.push(item);
    if (this.#scheduled || this.#inFlight >= this.#limits.groupsInFlightMax) return;
    this.#scheduled = true;
    // At the end of this turn: replies that arrived in one read of a socket share a group even when the store is idle.
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** Hands over no more; steps that have not left are dropped with `fault`. Resolves when the store has answered the rest. */
  end(fault: Fault): Promise<void> {
    this.#ended ??= fault;
    this.#dropWaiting(fault);
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const before = this.#idle;
      this.#idle = () => {
        before?.();
        resolve();
      };
    });
  }

  #dropWaiting(fault: Fault): void {
    const left = this.#waiting.slice(this.#taken);
    this.#waiting = [];
    this.#taken = 0;
    for (const item of left) item.settle({ is: "dropped", fault });
  }

  #flush(): void {
    if (this.#ended !== undefined) {
      this.#dropWaiting(this.#ended);
      return;
    }
    while (this.waiting > 0 && this.#inFlight < this.#limits.groupsInFlightMax) this.#send(this.#nextGroup());
  }

  #nextGroup(): readonly Committable[] {
    const { groupStepsMax, groupBytesMax } = this.#limits;
    const from = this.#taken;
    const most = Math.min(this.#waiting.length, from + groupStepsMax);
    let bytes = (this.#waiting[from] as Committable).bytes;
    let to = from + 1;
    while (to < most) {
      bytes += (this.#waiting[to] as Committable).bytes;
      if (bytes > groupBytesMax) break;
      to++;
    }
    if (from === 0 && to === this.#waiting.length) {
      const group = this.#waiting;
      this.#waiting = [];
      return group;
    }
    this.#taken = to;
    const group = this.#waiting.slice(from, to);
    if (to === this.#waiting.length) {
      this.#waiting = [];
      this.#taken = 0;
    }
    return group;
  }

  #send(group: readonly Committable[]): void {
    this.#inFlight++;
    const steps: Step[] = [];
    for (const item of group) steps.push(item.step);
    // A throw in `#judged` is a mistake of ours: it must stay an unhandled rejection and stop the process, not look like a store's.
    this.#store.commit(steps).then(
      (verdicts) => this.#judged(group, verdicts),
      (cause: unknown) => this.#rejected(group, cause),
    );
  }

  #judged(group: readonly Committable[], verdicts: readonly Verdict[]): void {
    if (verdicts.length !== group.length) {
      this.#rejected(group, new Error(`${verdicts.length} verdicts for ${group.length} steps`)); // keeps C2
      return;
    }
    this.#inFlight--;
    // First the next group: the store works on it while we tell this one's callers.
    if (this.#ended === undefined) this.#flush();
    let bytes = 0;
    for (let at = 0; at < group.length; at++) {
      const item = group[at] as Committable;
      bytes += item.bytes;
      item.settle(verdicts[at] as Verdict);
    }
    this.#events.grouped?.(group.length, bytes);
    this.#whenIdle();
  }

  #rejected(group: readonly Committable[], cause: unknown): void {
    this.#inFlight--;
    const fault = new Fault("dataLoss", "commit: the store failed; whether the command was applied is not known", { cause });
    if (this.#ended === undefined) {
      this.#ended = fault;
      this.#events.fatal(fault);
    }
    for (const item of group) item.settle({ is: "dropped", fault });
    this.#dropWaiting(fault);
    this.#whenIdle();
  }

  #whenIdle(): void {
    if (this.#inFlight > 0 || this.#idle === undefined) return;
    const idle = this.#idle;
    this.#idle = undefined;
    idle();
  }
}
