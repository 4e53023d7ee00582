/**
 * Decides what a consumer group does next: read, send, save, wait. Pure: the time is passed in, consumer.ts carries out.
 *
 *     source ──page──► lane of its shard ──one at a time──► consumer
 *                                └── cursor: done up to here, and by shard what is further on
 *
 * Invariants
 * M1 events of one shard, and so of one entity, are sent one at a time and in order; a later one is never sent before an earlier one is done or parked
 * M2 a cursor says an event is done only if it is done, or is parked in the same save
 * M3 an event below the cursor is not sent again: not within one life, and not after a restart that read the cursor
 * M4 what is in memory is bounded (`bufferedMax`, `bufferedBytesMax`, and one page): past it nothing is read
 */
import { assert, type Fault } from "@mecha/kit";
import type { Cursor, ParkedEvent } from "@mecha/state";
import type { BoundEvent, EventPage } from "../event.ts";
import { afterFailure, type DeliveryLimits } from "./limits.ts";

/** What to do. Each is reported back by one of the methods it names. */
export type Action =
  /** `page` or `unread` */
  | { readonly do: "read"; readonly after: number; readonly limit: number }
  /** `delivered`, `failed` or `held` */
  | { readonly do: "send"; readonly event: BoundEvent }
  /** `saved` or `unsaved` */
  | { readonly do: "save"; readonly cursor: Cursor; readonly parked: readonly ParkedEvent[] }
  /** Ask again then. */
  | { readonly do: "wait"; readonly untilMs: number };

/** What became of a failed delivery. */
export interface Failed {
  readonly attempts: number;
  readonly parked: boolean;
}

/** Events of one shard. */
interface Lane {
  readonly queue: BoundEvent[];
  sending: boolean;
  /** Failed attempts of the first event. */
  attempts: number;
  /** Not sent before, monotonic ms. */
  dueMs: number;
}

/** How far a shard is. */
interface Done {
  /** Offset that comes next. */
  readonly next: number;
  /** Of the last event done; `Infinity`: a former process did it, and it was not met yet. */
  readonly position: number;
}

/** See the file's header. */
export class DeliveryMachine {
  readonly #limits: DeliveryLimits;
  readonly #lanes = new Map<number, Lane>();
  readonly #done = new Map<number, Done>();
  #readTo: number;
  #head: number;
  #savedPosition: number;
  /** There may be events behind `#readTo`. */
  #stale = true;
  #reading = false;
  #readDueMs = 0;
  #buffered = 0;
  #bufferedBytes = 0;
  #sending = 0;
  #parked: ParkedEvent[] = [];
  /** Being saved. */
  #parking: readonly ParkedEvent[] = [];
  /** Deliveries since the last save, and when the first of them was. */
  #unsaved = 0;
  #unsavedSinceMs = 0;
  #saving = false;
  #saveDueMs = 0;
  #stopping = false;

  constructor({ position, ahead }: Cursor, limits: DeliveryLimits) {
    this.#limits = limits;
    this.#readTo = position;
    this.#head = position;
    this.#savedPosition = position;
    for (const [shard, next] of ahead) this.#done.set(shard, { next, position: Infinity });
  }

  /** Events that are there and not done; at most, as those not read yet may be of others. */
  get lag(): number {
    return this.#buffered + Math.max(0, this.#head - this.#readTo);
  }
  /** Positions up to here were read: what lies there is done, or in hand. */
  get readTo(): number {
    return this.#readTo;
  }
  /** Position of the group's place, as it was stored last, or is being stored. */
  get position(): number {
    return this.#savedPosition;
  }
  /** Deliveries under way. */
  get sending(): number {
    return this.#sending;
  }
  /** Nothing is under way, and everything done is saved. */
  get settled(): boolean {
    return this.#sending === 0 && !this.#saving && !this.#reading && this.#unsaved === 0 && this.#parked.length === 0;
  }

  /** There may be new events. */
  wake(): void {
    this.#stale = true;
  }

  /** Sends and reads no more; saves what is done. */
  stop(): void {
    this.#stopping = true;
  }

  /** What is to be done now. `ready`: the consumer can be reached. */
  next(nowMs: number, ready: boolean): Action[] {
    const actions: Action[] = [];
    let untilMs = Infinity;
    if (!this.#stopping) {
      if (ready) untilMs = this.#send(actions, nowMs);
      untilMs = Math.min(untilMs, this.#read(actions, nowMs));
    }
    untilMs = Math.min(untilMs, this.#save(actions, nowMs));
    if (untilMs < Infinity) actions.push({ do: "wait", untilMs });
    return actions;
  }

  /** @returns when to look again. */
  #send(actions: Action[], nowMs: number): number {
    let untilMs = Infinity;
    for (const lane of this.#lanes.values()) {
      if (this.#sending >= this.#limits.sendingMax) break;
      const [event] = lane.queue;
      if (event === undefined || lane.sending) continue; // keeps M1
      if (lane.dueMs > nowMs) untilMs = Math.min(untilMs, lane.dueMs);
      else {
        lane.sending = true;
        this.#sending++;
        actions.push({ do: "send", event });
      }
    }
    return untilMs;
  }

  #read(actions: Action[], nowMs: number): number {
    const { bufferedMax, bufferedBytesMax, pageMax } = this.#limits;
    if (this.#reading || !this.#stale) return Infinity;
    if (this.#buffered >= bufferedMax || this.#bufferedBytes >= bufferedBytesMax) return Infinity; // keeps M4
    if (this.#readDueMs > nowMs) return this.#readDueMs;
    this.#reading = true;
    this.#stale = false;
    actions.push({ do: "read", after: this.#readTo, limit: pageMax });
    return Infinity;
  }

  #save(actions: Action[], nowMs: number): number {
    if (this.#saving || (this.#unsaved === 0 && this.#parked.length === 0)) return Infinity;
    if (this.#saveDueMs > nowMs) return this.#saveDueMs;
    const { saveEvery, saveAfterMs } = this.#limits;
    const dueMs = this.#unsavedSinceMs + saveAfterMs;
    const atOnce = this.#parked.length > 0 || this.#unsaved >= saveEvery || (this.#stopping && this.#sending === 0);
    if (!atOnce && nowMs < dueMs) return dueMs;
    this.#saving = true;
    this.#unsaved = 0;
    this.#parking = this.#parked;
    this.#parked = [];
    actions.push({ do: "save", cursor: this.#cursor(), parked: this.#parking });
    return Infinity;
  }

  /** keeps M2 */
  #cursor(): Cursor {
    let position = this.#readTo;
    for (const { queue } of this.#lanes.values()) if (queue[0] !== undefined) position = Math.min(position, queue[0].position - 1);
    this.#savedPosition = Math.max(position, this.#savedPosition);
    for (const [shard, done] of this.#done) if (done.position <= this.#savedPosition) this.#done.delete(shard);
    return { position: this.#savedPosition, ahead: Array.from(this.#done, ([shard, { next }]) => [shard, next] as const) };
  }

  // ---- what became of it ------------------------------------------------------------------------------------------------------------

  page({ events, readTo, head }: EventPage, nowMs: number): void {
    this.#reading = false;
    assert(readTo >= this.#readTo, `a page went back from ${this.#readTo} to ${readTo}`);
    this.#readTo = readTo;
    this.#head = Math.max(head, readTo);
    if (readTo < head) this.#stale = true;
    for (const event of events) this.#take(event);
    if (this.#buffered === 0 && readTo - this.#savedPosition > this.#limits.saveEveryPassed) this.#changed(nowMs);
  }

  #take(event: BoundEvent): void {
    const done = this.#done.get(event.shard);
    if (done !== undefined && event.offset < done.next) {
      // keeps M3; when it is the last one done, its position lets the cursor leave it behind
      if (event.offset + 1 === done.next) this.#done.set(event.shard, { next: done.next, position: event.position });
      return;
    }
    let lane = this.#lanes.get(event.shard);
    if (lane === undefined) this.#lanes.set(event.shard, (lane = { queue: [], sending: false, attempts: 0, dueMs: 0 }));
    lane.queue.push(event);
    this.#buffered++;
    this.#bufferedBytes += event.payload.value.length;
  }

  unread(nowMs: number): void {
    this.#reading = false;
    this.#stale = true;
    this.#readDueMs = nowMs + this.#limits.storePauseMs;
  }

  /** The consumer has it, or nobody wants its type. */
  delivered(event: BoundEvent, nowMs: number): void {
    this.#finish(this.#sent(event), event, nowMs);
  }

  /** `failure`: the fault in words, kept with a parked event. */
  failed(
    event: BoundEvent,
    { fault, failure }: { readonly fault: Fault; readonly failure: string },
    at: { readonly nowMs: number; readonly wallMs: number },
  ): Failed {
    const lane = this.#sent(event);
    const attempts = ++lane.attempts;
    const after = afterFailure(fault, attempts, this.#limits);
    if (after.do === "retry") {
      lane.dueMs = at.nowMs + after.pauseMs;
      return { attempts, parked: false };
    }
    const { attributes, payload, trace } = event;
    this.#parked.push({ attributes, payload, attempts, failure, timeMs: at.wallMs, ...(trace !== undefined && { trace }) });
    this.#finish(lane, event, at.nowMs);
    return { attempts, parked: true };
  }

  /** It was not tried: the consumer could not be reached, or is closing. */
  held(event: BoundEvent, nowMs: number): void {
    this.#sent(event).dueMs = nowMs + this.#limits.backoffMinMs;
  }

  #sent(event: BoundEvent): Lane {
    const lane = this.#lanes.get(event.shard);
    assert(lane?.sending === true && lane.queue[0] === event, `event ${event.id} of ${event.source} was not under way`);
    lane.sending = false;
    this.#sending--;
    return lane;
  }

  #finish(lane: Lane, event: BoundEvent, nowMs: number): void {
    lane.queue.shift();
    lane.attempts = 0;
    lane.dueMs = 0;
    if (lane.queue.length === 0) this.#lanes.delete(event.shard);
    this.#buffered--;
    this.#bufferedBytes -= event.payload.value.length;
    this.#done.set(event.shard, { next: event.offset + 1, position: event.position });
    this.#changed(nowMs);
  }

  /** There is something to save. */
  #changed(nowMs: number): void {
    if (this.#unsaved++ === 0) this.#unsavedSinceMs = nowMs;
  }

  saved(): void {
    this.#saving = false;
    this.#parking = [];
  }

  unsaved(nowMs: number): void {
    this.#saving = false;
    this.#parked = [...this.#parking, ...this.#parked];
    this.#parking = [];
    this.#changed(nowMs);
    this.#saveDueMs = nowMs + this.#limits.storePauseMs;
  }
}
