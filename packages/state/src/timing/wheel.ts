/**
 * One timing structure for everything the engine waits for: 50,000 entities and as many deadlines share one timer of the clock.
 * A hashed wheel (Varghese and Lauck 1987, scheme 6): arming and cancelling are a few pointer writes.
 *
 * Invariants
 * W1 a timer never fires before its due time, and at most one tick after the clock's own timer came due
 * W2 a timer fires once for each `arm`; a cancelled one does not fire, also when it was cancelled by another timer of the same tick
 * W3 the clock holds at most one timer of ours; none when nothing is armed
 * W4 slots hold only what is due within one round; what is due later waits aside and is looked through once a round, so that 100,000 idle
 *    entities with an hour to go wake nobody
 */
import type { CancelTimer, Clock } from "@mecha/kit";

/** Precision, ms. Passivation and deadlines of 100 ms and more need no finer one, and 10 ms bounds the wake-ups to 100 a second. */
const tickMs = 10;
/** 4,096 slots of 10 ms: 41 s until the wheel comes round, so a 30 s idle time needs no second look. */
const slotCount = 4096;

/** Something that can wait on a wheel. Embedded in the object it belongs to, so that arming allocates nothing. */
export abstract class WheelTimer {
  /** Wheel's own. */
  dueTick = -1;
  /** Wheel's own. */
  before: WheelTimer | undefined = undefined;
  /** Wheel's own. */
  after: WheelTimer | undefined = undefined;

  /** Called from an empty stack when due. */
  abstract expired(nowMs: number): void;
}

/** The head of a slot's ring. */
class Slot extends WheelTimer {
  constructor() {
    super();
    this.before = this;
    this.after = this;
  }
  expired(): void {
    throw new Error("assertion failed: a slot is not a timer");
  }
}

function unlink(timer: WheelTimer): void {
  (timer.before as WheelTimer).after = timer.after;
  (timer.after as WheelTimer).before = timer.before;
  timer.before = undefined;
  timer.after = undefined;
}

function linkLast(slot: Slot, timer: WheelTimer): void {
  const last = slot.before as WheelTimer;
  timer.before = last;
  timer.after = slot;
  last.after = timer;
  slot.before = timer;
}

/** See the file's header. */
export class TimerWheel {
  readonly #clock: Clock;
  readonly #slots: readonly Slot[] = Array.from({ length: slotCount }, () => new Slot());
  readonly #due = new Slot();
  /** What is due a round ahead or later (W4). */
  readonly #later = new Slot();
  /** When `#later` must be looked through: before anything in it can be due. */
  #laterTick = Infinity;
  #armed = 0;
  /** Everything due up to here has fired. */
  #doneTick: number;
  #wakeTick = Infinity;
  #cancelWake: CancelTimer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#doneTick = Math.floor(clock.monotonic() / tickMs);
  }

  /** Timers waiting. */
  get armed(): number {
    return this.#armed;
  }

  /** Makes `timer` fire at `dueMs` (monotonic); an earlier arming of it is forgotten. */
  arm(timer: WheelTimer, dueMs: number): void {
    if (timer.after !== undefined) this.cancel(timer);
    // Rounded up (W1); a time already past fires at the next tick, never inside this call.
    const dueTick = Math.max(Math.ceil(dueMs / tickMs), this.#doneTick + 1);
    timer.dueTick = dueTick;
    this.#armed++;
    this.#place(timer, this.#doneTick);
    const wakeTick = Math.min(dueTick, this.#laterTick);
    if (wakeTick < this.#wakeTick) this.#wakeAt(wakeTick);
  }

  /** Keeps W4. */
  #place(timer: WheelTimer, nowTick: number): void {
    if (timer.dueTick - nowTick < slotCount) {
      linkLast(this.#slots[timer.dueTick % slotCount] as Slot, timer);
      return;
    }
    linkLast(this.#later, timer);
    if (this.#laterTick === Infinity) this.#laterTick = nowTick + slotCount - 1;
  }

  /** Does nothing when `timer` is not armed. */
  cancel(timer: WheelTimer): void {
    if (timer.after === undefined) return;
    unlink(timer);
    this.#armed--;
    // The wake-up stays: at worst it finds nothing. Moving it would cost a system timer for each cancelled deadline.
  }

  /** Ends all waiting. */
  stop(): void {
    this.#cancelWake?.();
    this.#cancelWake = undefined;
    this.#wakeTick = Infinity;
    this.#laterTick = Infinity;
    for (const slot of [...this.#slots, this.#later]) while (slot.after !== slot) unlink(slot.after as WheelTimer);
    this.#armed = 0;
  }

  #wakeAt(tick: number): void {
    this.#cancelWake?.();
    this.#wakeTick = tick;
    this.#cancelWake = this.#clock.after(Math.max(0, tick * tickMs - this.#clock.monotonic()), () => this.#wake());
  }

  #wake(): void {
    this.#cancelWake = undefined;
    this.#wakeTick = Infinity;
    const nowMs = this.#clock.monotonic();
    this.#collect(Math.floor(nowMs / tickMs));
    for (let timer = this.#due.after as WheelTimer; timer !== this.#due; timer = this.#due.after as WheelTimer) {
      unlink(timer);
      this.#armed--;
      timer.expired(nowMs);
    }
    const next = this.#nextTick();
    if (next < this.#wakeTick) this.#wakeAt(next);
  }

  /** Moves what is due up to `nowTick` aside; from there it can still be cancelled (W2). */
  #collect(nowTick: number): void {
    const from = Math.max(this.#doneTick + 1, nowTick - slotCount + 1);
    for (let tick = from; tick <= nowTick; tick++) {
      const slot = this.#slots[tick % slotCount] as Slot;
      let timer = slot.after as WheelTimer;
      while (timer !== slot) {
        const next = timer.after as WheelTimer;
        if (timer.dueTick <= nowTick) {
          unlink(timer);
          linkLast(this.#due, timer);
        }
        timer = next;
      }
    }
    if (nowTick > this.#doneTick) this.#doneTick = nowTick;
    if (nowTick >= this.#laterTick) this.#lookThroughLater(nowTick);
  }

  #lookThroughLater(nowTick: number): void {
    this.#laterTick = Infinity;
    const { before: last } = this.#later;
    if (last === this.#later) return;
    for (let timer = this.#later.after as WheelTimer, next; ; timer = next) {
      next = timer.after as WheelTimer;
      unlink(timer);
      if (timer.dueTick <= nowTick) linkLast(this.#due, timer);
      else this.#place(timer, nowTick);
      if (timer === last) return;
    }
  }

  /** The next tick at which something is due, or at which to look at what is due later. */
  #nextTick(): number {
    if (this.#armed === 0) return Infinity;
    for (let ahead = 1; ahead < slotCount; ahead++) {
      const slot = this.#slots[(this.#doneTick + ahead) % slotCount] as Slot;
      if (slot.after !== slot) return Math.min(this.#doneTick + ahead, this.#laterTick);
    }
    return this.#laterTick;
  }
}
