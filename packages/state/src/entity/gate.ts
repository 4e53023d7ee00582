/**
 * Holds entities back while their function cannot be reached; one for each function, so that 50,000 entities wait on one timer and knock on a
 * dead function's door a few at a time.
 */
import type { EngineLimits } from "../limits.ts";
import { MemberList } from "../list.ts";
import { type TimerWheel, WheelTimer } from "../timing/wheel.ts";
import type { Activations, Occupant } from "./activations.ts";
import type { Reachability } from "./reachability.ts";

/** See the file's header. */
export class FunctionGate extends WheelTimer {
  readonly #reachability: Reachability;
  readonly #activations: Activations;
  readonly #wheel: TimerWheel;
  readonly #limits: Pick<EngineLimits, "functionProbesMax" | "functionBackoffMinMs">;
  readonly #waiting = new MemberList<Occupant>();

  constructor(
    reachability: Reachability,
    activations: Activations,
    wheel: TimerWheel,
    limits: Pick<EngineLimits, "functionProbesMax" | "functionBackoffMinMs">,
  ) {
    super();
    this.#reachability = reachability;
    this.#activations = activations;
    this.#wheel = wheel;
    this.#limits = limits;
  }

  /** Why the function is held to be unreachable; empty when it is not. */
  get reason(): string {
    return this.#reachability.reason;
  }

  /** Lets `occupant` ask for its places: now, or when its turn to try has come. */
  enter(occupant: Occupant, nowMs: number): void {
    const behindOthers = this.#reachability.suspect && this.#waiting.size > 0;
    if (!behindOthers && nowMs >= this.#reachability.retryAtMs) this.#activations.enter(occupant);
    else this.#wait(occupant);
  }

  /** Takes `occupant` back in when the function was lost since it entered. */
  closes(occupant: Occupant, nowMs: number): boolean {
    if (nowMs >= this.#reachability.retryAtMs) return false;
    this.#wait(occupant);
    return true;
  }

  #wait(occupant: Occupant): void {
    this.#waiting.add(occupant);
    if (this.#waiting.size === 1) this.#wheel.arm(this, this.#reachability.retryAtMs);
  }

  holds(occupant: Occupant): boolean {
    return occupant.memberOf === this.#waiting;
  }

  /** Gives up waiting. */
  leave(occupant: Occupant): void {
    this.#waiting.remove(occupant);
  }

  /** A stream ended before any reply. */
  failed(reason: string, nowMs: number): void {
    this.#reachability.failed(reason, nowMs);
  }

  /** A reply came: everybody may try. How many load at once is bounded elsewhere. */
  alive(): void {
    if (!this.#reachability.suspect) return;
    this.#reachability.alive();
    this.#wheel.cancel(this);
    this.#letIn(this.#waiting.size);
  }

  override expired(nowMs: number): void {
    if (nowMs >= this.#reachability.retryAtMs) this.#letIn(this.#limits.functionProbesMax);
    // A stream may stay open without a reply: then nobody tells us that it works, and the others follow slowly.
    if (this.#waiting.size > 0) this.#wheel.arm(this, Math.max(this.#reachability.retryAtMs, nowMs + this.#limits.functionBackoffMinMs));
  }

  #letIn(count: number): void {
    for (let left = count; left > 0; left--) {
      const occupant = this.#waiting.shift();
      if (occupant === undefined) return;
      this.#activations.enter(occupant);
    }
  }
}
