/** Holds entities back while their function cannot be reached; one for each function, so that 50,000 entities wait on one timer. */
import { MemberList } from "../list.ts";
import { type TimerWheel, WheelTimer } from "../timing/wheel.ts";
import type { Activations, Occupant } from "./activations.ts";
import type { Reachability } from "./reachability.ts";

/** See the file's header. */
export class FunctionGate extends WheelTimer {
  readonly reachability: Reachability;
  readonly #activations: Activations;
  readonly #wheel: TimerWheel;
  readonly #waiting = new MemberList<Occupant>();

  constructor(reachability: Reachability, activations: Activations, wheel: TimerWheel) {
    super();
    this.reachability = reachability;
    this.#activations = activations;
    this.#wheel = wheel;
  }

  /** Lets `occupant` ask for its places, now or when the pause is over. */
  enter(occupant: Occupant, nowMs: number): void {
    const retryAtMs = this.reachability.retryAtMs;
    if (nowMs >= retryAtMs) {
      this.#activations.enter(occupant);
      return;
    }
    this.#waiting.add(occupant);
    if (this.#waiting.size === 1) this.#wheel.arm(this, retryAtMs);
  }

  holds(occupant: Occupant): boolean {
    return occupant.memberOf === this.#waiting;
  }

  /** Gives up waiting. */
  leave(occupant: Occupant): void {
    this.#waiting.remove(occupant);
  }

  /** All ask at once: `activationsMax` bounds how many then really try. */
  override expired(): void {
    for (let left = this.#waiting.size; left > 0; left--) {
      const occupant = this.#waiting.shift();
      if (occupant !== undefined) this.#activations.enter(occupant);
    }
  }
}
