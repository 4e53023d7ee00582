/**
 * A simulated operating system process: whatever reaches its code goes through `deliver`, so that it can be stopped, continued and killed as a
 * whole, at any moment, with nothing running afterwards.
 */
import type { CancelTimer, Clock } from "@mecha/kit";
import type { SimClock } from "./clock.ts";

export class SimProcess implements Clock {
  readonly #world: SimClock;
  readonly #timers = new Set<CancelTimer>();
  #state: "running" | "stopped" | "dead" = "running";
  #waiting: (() => void)[] = [];

  constructor(world: SimClock) {
    this.#world = world;
  }

  get dead(): boolean {
    return this.#state === "dead";
  }
  get stopped(): boolean {
    return this.#state === "stopped";
  }
  /** Timers it waits for. */
  get timers(): number {
    return this.#timers.size;
  }

  wall(): number {
    return this.#world.wall();
  }
  monotonic(): number {
    return this.#world.monotonic();
  }
  after(delayMs: number, fire: () => void): CancelTimer {
    const cancel = this.#world.after(delayMs, () => {
      this.#timers.delete(stop);
      this.deliver(fire);
    });
    const stop = (): void => {
      cancel();
      this.#timers.delete(stop);
    };
    this.#timers.add(stop);
    return stop;
  }

  /** Something from outside reaches the process: now, or when it is continued, or never. */
  deliver(what: () => void): void {
    if (this.#state === "running") what();
    else if (this.#state === "stopped") this.#waiting.push(what);
  }

  /** SIGSTOP */
  stop(): void {
    if (this.#state === "running") this.#state = "stopped";
  }
  /** SIGCONT */
  continue(): void {
    if (this.#state !== "stopped") return;
    this.#state = "running";
    for (const what of this.#waiting.splice(0)) this.deliver(what);
  }
  /** SIGKILL */
  kill(): void {
    this.#state = "dead";
    this.#waiting = [];
    for (const cancel of [...this.#timers]) cancel();
  }
}
