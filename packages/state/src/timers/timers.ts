/**
 * Fires durable timers. They are rows of the store, changed only by commits; memory holds those that are firing and when to look again.
 *
 * Invariants
 * R1 firing is a command to the entity; the row moves on in that command's commit, so a crash neither loses a firing nor repeats its effect (E12)
 * R2 a row is fired only as it is: what a step under way, or one that was stored while rows were being read, did to a timer is known here before
 *    its row is looked at; a firing whose timer was set anew or cancelled meanwhile does not reach the function
 * R3 every due row was looked at, or `#fromStart` or `#hungry` says that some were not; the earliest row that is not due is `#nextMs`
 * R4 memory and pace are bounded: `firingsMax` at once, `firingsPerSecondMax`, `deferredMax` waiting for another attempt; other rows wait in the store
 * R5 due times are wall times. No wait is longer than `wallCheckMs`, so a clock that jumps is noticed; looking at the clock asks nothing of the store
 */
import { type Clock, explain, Fault, type Log } from "@mecha/kit";
import { isLeftOut, nextDueMs } from "@mecha/schedule";
import type { Answer } from "../engine.ts";
import type { Outcome } from "../entity/ledger.ts";
import type { EntityAddress } from "../model.ts";
import type { TimerChange, TimerRow } from "../rows.ts";
import type { Store, Verdict } from "../store.ts";
import { type TimerWheel, WheelTimer } from "../timing/wheel.ts";
import { readSchedule } from "./changes.ts";
import { afterFiring, Firing, firingPauseMs, timerKey } from "./firing.ts";

/** Timers firing at once. */
export const firingsMax = 128;
/** Firings begun in a second, so that what fell due in a downtime does not crowd out callers. */
export const firingsPerSecondMax = 2_000;
/** Firings that wait for another attempt. Past it no other timer fires until one is through. */
export const deferredMax = 10_000;
/** Due rows read at once. With `timerPayloadMaxBytes` each, at most 8 MiB. */
const pageRows = 128;
/** Longest wait without a look at the wall clock (R5), ms. */
const wallCheckMs = 10_000;
/** The pace is kept in portions of this long, ms. */
const paceMs = 50;
/** Pause after the store could not be read, ms. */
const rereadPauseMs = 1_000;
/** Attempts to move a timer on without its entity, each overtaken by a step of the entity. */
const aloneAttemptsMax = 20;
/** Pause before a row that this version cannot read is looked at again, ms. */
const unreadablePauseMs = 3_600_000;

/** What timers work with. */
export interface TimersParts {
  readonly store: Pick<Store, "open" | "commit" | "release" | "timers" | "timersDue">;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
  /** Sends a firing to its entity. `false`: nobody serves it now, and `answer` is not called. */
  fire(firing: Firing, answer: Answer): boolean;
  fatal(fault: Fault): void;
}

class Alarm extends WheelTimer {
  readonly #ring: () => void;
  constructor(ring: () => void) {
    super();
    this.#ring = ring;
  }
  override expired(): void {
    this.#ring();
  }
}

interface Deferred {
  readonly attempts: number;
  /** Monotonic ms. */
  readonly untilMs: number;
}

/** Before every row. */
const first = { dueMs: 0, id: 0 };
/** Behind every row that is due. */
const lastId = Number.MAX_SAFE_INTEGER;

/** See the file's header. */
export class Timers {
  readonly #parts: TimersParts;
  readonly #firing = new Map<string, Firing>();
  /** Firings to be tried again, by timer. */
  readonly #deferred = new Map<string, Deferred>();
  /** Services whose function cannot be reached: one firing at a time is tried. */
  readonly #held = new Map<string, Deferred>();
  /** Timers that steps under way change, and how many of them (R2). */
  readonly #unsettled = new Map<string, number>();
  /** Those settled since the read under way began (R2). */
  readonly #settledLately = new Set<string>();
  readonly #dueAlarm = new Alarm(() => this.#dueRings());
  readonly #retryAlarm = new Alarm(() => this.#again());
  readonly #paceAlarm = new Alarm(() => this.#look());
  readonly #unreadable = new Set<number>();

  /** Every due row up to here was looked at. */
  #from: { readonly dueMs: number; readonly id: number } = first;
  /** Rows before `#from` want another look. */
  #fromStart = false;
  /** A look ended before its end for want of room. */
  #hungry = false;
  #looking = false;
  #wanted = false;
  /** Earliest row behind `#from`. */
  #nextMs = Infinity;
  /** Earliest due time that became durable since the look under way began. */
  #notedMs = Infinity;
  #retryAtMs = Infinity;
  #portion = 0;
  #portionMs = -Infinity;
  #isStarted = false;
  #isStopped = false;

  constructor(parts: TimersParts) {
    this.#parts = parts;
  }

  /** Firings under way. */
  get firing(): number {
    return this.#firing.size;
  }

  /** Functions can be reached from now on, or others than before. */
  wake(): void {
    this.#isStarted = true;
    this.#held.clear();
    this.#again();
  }

  /** Fires no more. What is under way goes on. */
  stop(): void {
    this.#isStopped = true;
    for (const alarm of [this.#dueAlarm, this.#retryAlarm, this.#paceAlarm]) this.#parts.wheel.cancel(alarm);
  }

  // ---- steps of entities ----------------------------------------------------------------------------------------------------------

  /** A step that changes timers goes to the store; `settled` follows. */
  handed(address: EntityAddress, changes: readonly TimerChange[]): void {
    for (const { do: what, name } of changes) {
      const key = timerKey(address, name);
      this.#unsettled.set(key, (this.#unsettled.get(key) ?? 0) + 1);
      const firing = this.#firing.get(key);
      if (firing !== undefined && (what === "set" || what === "cancel")) firing.stale = true; // keeps R2
    }
  }

  /** What became of it. */
  settled(address: EntityAddress, changes: readonly TimerChange[], outcome: Outcome): void {
    for (const change of changes) this.#settle(timerKey(address, change.name), change, outcome.is === "committed");
    if (outcome.is !== "committed") this.#again(); // a firing that was dropped for it may be wanted after all
  }

  #settle(key: string, change: TimerChange, committed: boolean): void {
    const left = (this.#unsettled.get(key) ?? 1) - 1;
    if (left > 0) this.#unsettled.set(key, left);
    else this.#unsettled.delete(key);
    if (this.#looking) this.#settledLately.add(key);
    if (!committed) return;
    this.#deferred.delete(key);
    if (change.do === "set") this.#note(change.dueMs);
    if (change.do === "set" || change.do === "cancel") return;
    const firing = this.#firing.get(key);
    if (firing?.row.dueMs === change.dueMs) firing.done = true;
    if (change.nextDueMs !== undefined) this.#note(change.nextDueMs);
  }

  /** A timer due at `dueMs` is durable. */
  #note(dueMs: number): void {
    this.#notedMs = Math.min(this.#notedMs, dueMs);
    if (!this.#looking) this.#takeNote();
  }

  /** keeps R3 */
  #takeNote(): void {
    const noted = this.#notedMs;
    this.#notedMs = Infinity;
    if (noted <= this.#from.dueMs) this.#again();
    else if (noted < this.#nextMs) {
      this.#nextMs = noted;
      this.#armDue();
    }
  }

  // ---- looking --------------------------------------------------------------------------------------------------------------------

  #again(): void {
    this.#fromStart = true;
    this.#look();
  }

  #look(): void {
    this.#wanted = true;
    if (this.#looking || !this.#isStarted || this.#isStopped) return;
    this.#looking = true;
    void this.#lookOn();
  }

  async #lookOn(): Promise<void> {
    try {
      while (this.#wanted && !this.#isStopped) {
        this.#wanted = false;
        await this.#lookThrough();
        this.#takeNote();
      }
    } catch (cause) {
      this.#notRead(cause);
    } finally {
      this.#looking = false;
      this.#settledLately.clear();
    }
  }

  #notRead(cause: unknown): void {
    if (cause instanceof Fault && cause.code === "dataLoss") this.#parts.fatal(cause);
    if (this.#isStopped) return;
    this.#parts.log.warn("timers could not be read", { cause });
    this.#retryIn(rereadPauseMs);
  }

  /** Looks at every due row not looked at yet, and finds out when the next one is due. */
  async #lookThrough(): Promise<void> {
    const { store, clock } = this.#parts;
    if (this.#fromStart) this.#from = first;
    this.#fromStart = false;
    this.#hungry = false;
    const nowMs = clock.wall();
    for (let more = true; more;) {
      this.#settledLately.clear();
      const page = await store.timersDue(nowMs, pageRows, this.#from);
      for (const row of page) {
        if (this.#isStopped || !this.#offer(row, nowMs)) return;
        this.#from = row;
      }
      more = page.length === pageRows;
    }
    this.#from = { dueMs: nowMs, id: lastId };
    const [next] = await store.timersDue(lastId, 1, this.#from);
    this.#nextMs = next?.dueMs ?? Infinity;
    this.#armDue();
  }

  #armDue(): void {
    if (this.#nextMs === Infinity || this.#isStopped) return;
    const { clock, wheel } = this.#parts;
    const waitMs = Math.min(Math.max(0, this.#nextMs - clock.wall()), wallCheckMs);
    wheel.arm(this.#dueAlarm, clock.monotonic() + waitMs);
  }

  #dueRings(): void {
    if (this.#parts.clock.wall() >= this.#nextMs) this.#look();
    else this.#armDue(); // keeps R5
  }

  // ---- firing ---------------------------------------------------------------------------------------------------------------------

  /** Fires a due row, or passes over it. `false`: there is no room, it must be looked at again (R3, R4). */
  #offer(row: TimerRow, nowMs: number): boolean {
    const key = timerKey(row.address, row.name);
    const firing = this.#firing.get(key);
    if (firing !== undefined) {
      firing.again = true;
      return true;
    }
    if (this.#unsettled.has(key) || this.#settledLately.has(key) || this.#waits(key, row.address.service)) return true;
    if (!this.#hasRoom(this.#deferred.has(key))) return false;
    const schedule = readSchedule(row.schedule);
    if (schedule === undefined) this.#reportUnreadable(row, key);
    else {
      const next = nextDueMs(schedule.recurrence, row.dueMs, nowMs);
      this.#fire(new Firing(row, schedule.id, next), isLeftOut(schedule.recurrence, row.dueMs, nowMs));
    }
    return true;
  }

  /** It was tried, and its pause is not over; or its function cannot be reached, and another firing is to find out when. */
  #waits(key: string, service: string): boolean {
    const nowMs = this.#parts.clock.monotonic();
    const held = this.#held.get(service);
    const pauseMs = Math.max(this.#deferred.get(key)?.untilMs ?? 0, held?.untilMs ?? 0) - nowMs;
    if (pauseMs > 0) this.#retryIn(pauseMs);
    return pauseMs > 0 || (held !== undefined && [...this.#firing.values()].some(({ row }) => row.address.service === service));
  }

  #hasRoom(known: boolean): boolean {
    this.#hungry = this.#firing.size >= firingsMax || (!known && this.#deferred.size >= deferredMax);
    return !this.#hungry && this.#hasPace();
  }

  #hasPace(): boolean {
    const { clock, wheel } = this.#parts;
    const nowMs = clock.monotonic();
    if (nowMs >= this.#portionMs + paceMs) {
      this.#portionMs = nowMs;
      this.#portion = Math.ceil((firingsPerSecondMax * paceMs) / 1_000);
    }
    if (this.#portion > 0) {
      this.#portion--;
      return true;
    }
    wheel.arm(this.#paceAlarm, this.#portionMs + paceMs);
    return false;
  }

  #reportUnreadable({ id, address, name, schedule }: TimerRow, key: string): void {
    this.#defer(key, 1, unreadablePauseMs);
    if (this.#unreadable.has(id)) return;
    this.#unreadable.add(id);
    const entity = `${address.service}/${address.entityId}`;
    this.#parts.log.error("timer has a schedule this version cannot read; it does not fire", { entity, timer: name, schedule });
  }

  #fire(firing: Firing, leftOut: boolean): void {
    this.#firing.set(firing.key, firing);
    if (leftOut) {
      this.#parts.log.info("timer left out: it was due too long ago", this.#fieldsOf(firing));
      this.#moveOn(firing);
      return;
    }
    const taken = this.#parts.fire(firing, (fault) => this.#answered(firing, fault));
    if (!taken) this.#end(firing); // until `wake`
  }

  #answered(firing: Firing, fault: Fault | undefined): void {
    if (firing.done) this.#fired(firing, fault);
    else if (firing.stale || this.#isStopped) this.#end(firing);
    // It was answered from the record: the entity knows this firing, only the timer does not.
    else if (fault === undefined) this.#moveOn(firing);
    else this.#failed(firing, fault);
  }

  #fired(firing: Firing, fault: Fault | undefined): void {
    if (fault !== undefined) this.#parts.log.warn("timer fired, its command failed", { ...this.#fieldsOf(firing), cause: fault });
    this.#deferred.delete(firing.key);
    this.#reached(firing);
    this.#end(firing);
  }

  /** Its function answered: the other timers of the service need not wait. */
  #reached(firing: Firing): void {
    if (this.#held.delete(firing.row.address.service)) this.#fromStart = true;
  }

  #failed(firing: Firing, fault: Fault): void {
    const { service } = firing.row.address;
    const before = fault.code === "unavailable" ? this.#held.get(service) : this.#deferred.get(firing.key);
    const attempts = (before?.attempts ?? 0) + 1;
    const after = afterFiring(fault, attempts);
    if (after.do !== "holdService") this.#reached(firing);
    if (after.do === "giveUp") {
      const message = firing.nextDueMs === undefined ? "timer given up; `mecha timers list` shows it" : "timer given up for this time";
      this.#parts.log.error(message, { ...this.#fieldsOf(firing), attempts, cause: fault });
      this.#moveOn(firing, firing.givenUp(`${fault.code}: ${explain(fault)}`));
      return;
    }
    this.#parts.log.warn("timer could not fire, it is tried again", { ...this.#fieldsOf(firing), attempts, cause: fault });
    if (after.do === "retry") this.#defer(firing.key, attempts, after.pauseMs);
    else if ((before?.untilMs ?? 0) <= this.#parts.clock.monotonic()) this.#hold(service, attempts, after.pauseMs);
    this.#end(firing);
  }

  #defer(key: string, attempts: number, pauseMs: number): void {
    this.#deferred.set(key, { attempts, untilMs: this.#parts.clock.monotonic() + pauseMs });
    this.#retryIn(pauseMs);
  }

  #hold(service: string, attempts: number, pauseMs: number): void {
    this.#held.set(service, { attempts, untilMs: this.#parts.clock.monotonic() + pauseMs });
    this.#retryIn(pauseMs);
  }

  /** The alarm rings at the earliest end of a pause; those that end later are found waiting then, and arm it again. */
  #retryIn(pauseMs: number): void {
    const { clock, wheel } = this.#parts;
    const nowMs = clock.monotonic();
    if (this.#isStopped) return;
    if (this.#retryAtMs > nowMs && this.#retryAtMs <= nowMs + pauseMs) return;
    this.#retryAtMs = nowMs + pauseMs;
    wheel.arm(this.#retryAlarm, this.#retryAtMs);
  }

  #end(firing: Firing): void {
    this.#firing.delete(firing.key);
    if (this.#isStopped) return;
    if (firing.again || this.#probes(firing)) this.#fromStart = true;
    const roomy = this.#firing.size <= firingsMax / 2;
    if (this.#fromStart || (this.#hungry && roomy)) this.#look();
  }

  /** It was to find out whether a function can be reached, and did not: another one has to. */
  #probes({ row }: Firing): boolean {
    return (this.#held.get(row.address.service)?.untilMs ?? Infinity) <= this.#parts.clock.monotonic();
  }

  #fieldsOf({ row }: Firing): Readonly<Record<string, unknown>> {
    const { address, name, dueMs, command } = row;
    return { entity: `${address.service}/${address.entityId}`, timer: name, due: new Date(dueMs).toISOString(), command };
  }

  // ---- without the entity ---------------------------------------------------------------------------------------------------------

  /** Moves the timer on without its command. */
  #moveOn(firing: Firing, change: TimerChange = firing.change): void {
    const { address, kind } = firing.row;
    this.#commitAlone(address, kind, change).then(
      () => this.#end(firing),
      (cause: unknown) => {
        if (cause instanceof Fault && cause.code === "dataLoss") this.#parts.fatal(cause);
        this.#parts.log.warn("timer could not be moved on, it is tried again", { ...this.#fieldsOf(firing), cause });
        const attempts = (this.#deferred.get(firing.key)?.attempts ?? 0) + 1;
        this.#defer(firing.key, attempts, firingPauseMs(attempts));
        this.#end(firing);
      },
    );
  }

  /**
   * Cancels a timer, for people.
   * @returns whether there was one.
   */
  async cancel(service: string, entityId: string, name: string): Promise<boolean> {
    for (let afterId = 0; ;) {
      const page = await this.#parts.store.timers({ service, entityId, afterId, limit: pageRows });
      const row = page.find((one) => one.name === name);
      if (row !== undefined) {
        await this.#commitAlone(row.address, row.kind, { do: "cancel", name });
        return true;
      }
      if (page.length < pageRows) return false;
      afterId = page.at(-1)?.id ?? lastId;
    }
  }

  /** A step of its own that changes no state: it does not disturb the entity, and is computed anew when one of the entity's was first. */
  async #commitAlone(address: EntityAddress, kind: TimerRow["kind"], change: TimerChange): Promise<void> {
    for (let attempts = 1; attempts <= aloneAttemptsMax; attempts++) {
      const { is } = await this.#tryAlone(address, kind, change);
      if (is === "committed") return;
      if (is !== "conflict") throw new Fault("unavailable", `change timer ${change.name} of ${address.service}/${address.entityId}: ${is}`);
    }
    throw new Fault("aborted", `change timer ${change.name} of ${address.service}/${address.entityId}: its entity is too busy; retry`);
  }

  async #tryAlone(address: EntityAddress, kind: TimerRow["kind"], change: TimerChange): Promise<Verdict> {
    const { store, clock } = this.#parts;
    const { handle, sequence } = await store.open(address, kind);
    const timers = [change];
    let verdict: Verdict = { is: "unknown" };
    this.handed(address, timers);
    try {
      const step = { entity: handle, expectedSequence: sequence, events: [], timers, cause: "timer", timeMs: clock.wall() };
      verdict = (await store.commit([step]))[0] ?? verdict;
      return verdict;
    } finally {
      this.settled(address, timers, verdict);
      store.release(handle);
    }
  }
}
