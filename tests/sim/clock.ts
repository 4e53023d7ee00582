/** Simulated time: nothing passes unless a timer is due, and everything that follows from one timer has happened before the next fires. */
import type { CancelTimer, Clock } from "@mecha/kit";

/** Turns of the promise queue after each timer. The longest chain between two timers (client, engine, store, engine, client) takes fewer. */
const settleTurns = 24;

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  fire: (() => void) | undefined;
}

/** A clock whose timers sit in a binary heap: a schedule has thousands. */
export class SimClock implements Clock {
  readonly #heap: Timer[] = [];
  #order = 0;
  nowMs = 0;

  wall(): number {
    return Date.UTC(2026, 0, 1) + this.nowMs;
  }
  monotonic(): number {
    return this.nowMs;
  }
  after(delayMs: number, fire: () => void): CancelTimer {
    const timer: Timer = { dueMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, fire };
    this.#push(timer);
    return () => void (timer.fire = undefined);
  }

  /** Fires timers in order until `done`, or until none is left or time is up. @returns whether `done` was reached. */
  async runUntil(done: () => boolean, untilMs: number): Promise<boolean> {
    await settle();
    while (!done()) {
      const next = this.#pop();
      if (!next) return false;
      if (next.dueMs > untilMs) {
        this.#push(next);
        return false;
      }
      if (!next.fire) continue;
      this.nowMs = next.dueMs;
      next.fire();
      await settle();
    }
    return true;
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(timer, heap[parent] as Timer)) break;
      heap[at] = heap[parent] as Timer;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): Timer | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (heap.length > 0 && last) this.#sink(last);
    return top;
  }

  #sink(timer: Timer): void {
    const heap = this.#heap;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && before(heap[child + 1] as Timer, heap[child] as Timer)) child++;
      if (!before(heap[child] as Timer, timer)) break;
      heap[at] = heap[child] as Timer;
      at = child;
    }
    heap[at] = timer;
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < settleTurns; turn++) await Promise.resolve();
}
