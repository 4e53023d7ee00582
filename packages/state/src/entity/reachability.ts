/** Whether a function can be reached, as its streams tell, and how long to leave it alone when not. Decides only. */
import type { Random } from "@mecha/kit";

/** See the file's header. */
export class Reachability {
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #random: Random;
  #failures = 0;
  #retryAtMs = -Infinity;
  #reason = "";

  constructor(minMs: number, maxMs: number, random: Random) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#random = random;
  }

  /** Why the last stream failed; empty when none has since the last sign of life. */
  get reason(): string {
    return this.#reason;
  }
  /** Streams failed and no reply came since. */
  get suspect(): boolean {
    return this.#failures > 0;
  }
  /** No stream should be opened before. */
  get retryAtMs(): number {
    return this.#retryAtMs;
  }

  /** A reply came. */
  alive(): void {
    this.#failures = 0;
    this.#retryAtMs = -Infinity;
    this.#reason = "";
  }

  /** A stream ended before any reply. Several that fail during one pause count once: they were opened before it began. */
  failed(reason: string, nowMs: number): void {
    this.#reason = reason;
    if (nowMs < this.#retryAtMs) return;
    const pauseMs = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(this.#failures, 20));
    this.#failures++;
    this.#retryAtMs = nowMs + pauseMs - (pauseMs * this.#random.below(200)) / 1000;
  }
}
