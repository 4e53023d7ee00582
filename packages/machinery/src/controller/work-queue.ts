/**
 * The keyed work queue of a controller: what is asked for many times while it waits is done once, and the same key is never at two workers.
 *
 * Invariants
 * W1 a key is in `#ready` at most once, and never while it is at a worker
 * W2 a key added while it is at a worker is ready again when that worker is done with it
 * W3 nothing is dropped: a key added is handed out at least once after that, unless the queue is closed
 *
 * It holds keys, not objects, each at most once: its size is bounded by the number of objects that exist.
 */
import { type CancelTimer, type Clock } from "@mecha/kit";
import { RateLimiter, type RateLimits, rateLimitDefaults } from "./rate-limit.ts";

/** Keys of the first list after a start wait behind those of changes: news is more urgent than what has been so for long. */
export type Priority = "normal" | "low";

export class WorkQueue {
  readonly #clock: Clock;
  readonly #limiter: RateLimiter;
  readonly #ready: { readonly normal: Set<string>; readonly low: Set<string> } = { normal: new Set(), low: new Set() };
  /** Asked for again while at a worker. */
  readonly #again = new Set<string>();
  readonly #working = new Set<string>();
  readonly #delayed = new Map<string, { readonly dueMs: number; readonly cancel: CancelTimer }>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #closed = false;

  constructor(clock: Clock, limits: RateLimits = rateLimitDefaults) {
    this.#clock = clock;
    this.#limiter = new RateLimiter(limits);
  }

  /** Keys ready for a worker. */
  get depth(): number {
    return this.#ready.normal.size + this.#ready.low.size;
  }

  /** `key` is to be looked at. */
  add(key: string, priority: Priority = "normal"): void {
    if (this.#closed) return;
    if (this.#working.has(key)) {
      this.#again.add(key); // keeps W1, W2
      return;
    }
    if (this.#ready.normal.has(key)) return;
    if (priority === "low") {
      this.#ready.low.add(key);
    } else {
      this.#ready.low.delete(key);
      this.#ready.normal.add(key);
    }
    this.#serve();
  }

  /** As `add`, `delayMs` from now. Of several delays the earliest counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const dueMs = this.#clock.monotonic() + delayMs;
    const waiting = this.#delayed.get(key);
    if (waiting) {
      if (waiting.dueMs <= dueMs) return;
      waiting.cancel();
    }
    const cancel = this.#clock.after(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { dueMs, cancel });
  }

  /** As `add`, after the wait its failures call for. @returns That wait, ms. */
  addRateLimited(key: string): number {
    const waitMs = this.#limiter.next(key, this.#clock.monotonic());
    this.addAfter(key, waitMs);
    return waitMs;
  }

  /** Failures of `key` in a row. */
  failures(key: string): number {
    return this.#limiter.failures(key);
  }

  /** The key's next failure is its first again. */
  forget(key: string): void {
    this.#limiter.forget(key);
  }

  /** The next key, which is then at a worker until `done`. `undefined` when the queue is closed. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const key = this.#next();
    if (key !== undefined) return Promise.resolve(key);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** The worker is through with `key`. */
  done(key: string): void {
    this.#working.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  /** Hands out nothing more. Keys at workers may still be `done`. */
  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #next(): string | undefined {
    for (const waiting of [this.#ready.normal, this.#ready.low]) {
      const { done, value: key } = waiting.values().next();
      if (done) continue;
      waiting.delete(key);
      this.#working.add(key);
      return key;
    }
    return undefined;
  }

  #serve(): void {
    const taker = this.#takers.shift();
    if (taker) taker(this.#next());
  }
}
