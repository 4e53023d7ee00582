/** Fakes for the ports of kit: time, chance and log. For metrics use `MetricsRegistry` and its `value`. */
import type { CancelTimer, Clock } from "./clock.ts";
import type { Random } from "./random.ts";
import type { Log, LogFields, LogLevel } from "./log.ts";

/** A clock that stands still until `advance`. Timers fire in due order; promise callbacks run between them. */
export class FakeClock implements Clock {
  #nowMs = 0;
  readonly #startWallMs: number;
  #timers: { dueMs: number; order: number; fire: () => void }[] = [];
  #order = 0;

  constructor(startWallMs = Date.UTC(2026, 0, 1)) {
    this.#startWallMs = startWallMs;
  }
  wall(): number {
    return this.#startWallMs + this.#nowMs;
  }
  monotonic(): number {
    return this.#nowMs;
  }
  after(delayMs: number, fire: () => void): CancelTimer {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fire };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }
  /** Number of timers pending. */
  get pending(): number {
    return this.#timers.length;
  }
  /** Moves time forward by `ms`, firing what falls due on the way, and lets promise callbacks settle after each. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const next = this.#timers.filter((t) => t.dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#nowMs = next.dueMs;
      next.fire();
      await settle();
    }
    this.#nowMs = untilMs;
  }
}

/** Lets already queued promise callbacks run (a bounded number of turns). */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** A repeatable Random (mulberry32). Not for secrets. */
export class SeededRandom implements Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  below(belowExclusive: number): number {
    return Math.floor(this.#next() * belowExclusive);
  }
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

/** A log that keeps its lines. */
export class MemoryLog implements Log {
  readonly lines: { level: LogLevel; message: string; fields: LogFields }[];
  readonly #fields: LogFields;
  constructor(lines: MemoryLog["lines"] = [], fields: LogFields = {}) {
    this.lines = lines;
    this.#fields = fields;
  }
  #add(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.lines.push({ level, message, fields: { ...this.#fields, ...fields } });
  }
  debug(message: string, fields?: LogFields): void {
    this.#add("debug", message, fields);
  }
  info(message: string, fields?: LogFields): void {
    this.#add("info", message, fields);
  }
  warn(message: string, fields?: LogFields): void {
    this.#add("warn", message, fields);
  }
  error(message: string, fields?: LogFields): void {
    this.#add("error", message, fields);
  }
  with(fields: LogFields): Log {
    return new MemoryLog(this.lines, { ...this.#fields, ...fields });
  }
}
