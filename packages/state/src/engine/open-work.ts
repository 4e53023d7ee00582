/** What is still going on in one engine, and who waits until nothing is. */
import type { OpenAction, OpenActions } from "../action/open.ts";
import type { Activations } from "../entity/activations.ts";
import type { OpenCommands } from "../envelope.ts";
import { MemberList } from "../list.ts";
import { CallbackTimer } from "../timing/callback.ts";
import type { TimerWheel } from "../timing/wheel.ts";

/** See the file's header. */
export class OpenWork implements OpenCommands {
  /** Commands of entities in the engine. */
  open = 0;
  /** Calls of actions that are open. */
  readonly actions: OpenActions = new MemberList<OpenAction>();
  readonly #activations: Activations;
  readonly #wheel: TimerWheel;
  #waiters: (() => void)[] = [];

  constructor(activations: Activations, wheel: TimerWheel) {
    this.#activations = activations;
    this.#wheel = wheel;
  }

  /** Resolves when nothing is left, or at `dueMs`. */
  doneWithin(dueMs: number): Promise<void> {
    if (this.#isDone()) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = new CallbackTimer(resolve);
      this.#wheel.arm(timer, dueMs);
      this.#waiters.push(() => {
        this.#wheel.cancel(timer);
        resolve();
      });
    });
  }

  #isDone(): boolean {
    return this.open === 0 && this.actions.size === 0 && this.#activations.active === 0;
  }

  fewer(): void {
    if (this.#waiters.length === 0 || !this.#isDone()) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}
