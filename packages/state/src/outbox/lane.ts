/**
 * Messages of one source for one target, in the order they were begun (E10). Decides only; outbox.ts carries out.
 *
 *     fresh messages ──► queue (the first few) ──► one at a time to the target
 *                 └────► left in the store, read from there when the queue is empty ("behind")
 *
 * Invariants
 * Q1 messages leave one at a time: the next when the one before is settled
 * Q2 once one was left in the store, all later ones are too until what was left is read: else they would overtake
 * Q3 the store is read only when nothing of the lane is in memory, so a page never brings what is under way
 */
import type { Origin } from "../envelope.ts";
import type { EntityAddress } from "../model.ts";
import type { OutboxLane, OutboxMessage } from "../rows.ts";

/** A message in memory. */
export interface Waiting {
  readonly id: number;
  readonly message: OutboxMessage;
  readonly source: EntityAddress | undefined;
  /** Which command asked; not known any more when it was read from the store. */
  readonly origin: Origin | undefined;
  attempts: number;
  /** Called after the first attempt, or at once when there is none soon: who awaits a synchronous effect. */
  tried: (() => void) | undefined;
}

/** Messages one lane keeps in memory: enough for one page of the store. */
export const laneQueueMax = 64;

/** What a lane needs next. */
export type LaneNeed = "nothing" | "send" | "read";

/** See the file's header. */
export class Lane {
  readonly key: string;
  readonly of: OutboxLane;
  readonly queue: Waiting[] = [];
  #behind: boolean;
  /** Reads go on after this id. */
  #cursor = 0;
  /** Messages were left in the store while a read was under way: it may not have seen them. */
  #leftMeanwhile = false;
  sending = false;
  reading = false;
  /** Nothing is sent before somebody says so: the target was out of reach. */
  held = false;

  /** `behind`: there may be messages in the store. */
  constructor(key: string, of: OutboxLane, behind: boolean) {
    this.key = key;
    this.of = of;
    this.#behind = behind;
  }

  get behind(): boolean {
    return this.#behind;
  }
  get cursor(): number {
    return this.#cursor;
  }
  get need(): LaneNeed {
    if (this.sending || this.reading || this.held) return "nothing";
    if (this.queue.length > 0) return "send";
    return this.#behind ? "read" : "nothing";
  }
  /** Nothing is left to do, here or in the store. */
  get empty(): boolean {
    return this.queue.length === 0 && !this.#behind && !this.sending && !this.reading;
  }

  /** Takes a fresh message. `false`: it stays in the store (Q2). `room`: there is memory for it. */
  add(waiting: Waiting, room: boolean): boolean {
    if (!this.#behind && room && this.queue.length < laneQueueMax) {
      this.queue.push(waiting);
      return true;
    }
    this.leave(waiting.id);
    return false;
  }

  /** A message stays in the store. */
  leave(id: number): void {
    this.#behind = true;
    this.#leftMeanwhile = true;
    this.#cursor = Math.min(this.#cursor, id - 1);
  }

  beginRead(): void {
    this.reading = true;
    this.#leftMeanwhile = false;
  }

  /** A page came: `taken` of it are this lane's to send, `lastId` is its end; `undefined`: it was empty, and that is the end for now. */
  endRead(taken: readonly Waiting[], lastId: number | undefined): void {
    this.reading = false;
    this.queue.push(...taken);
    if (lastId === undefined) this.#behind = this.#leftMeanwhile;
    else if (!this.#leftMeanwhile) this.#cursor = lastId;
  }
}

/** Parts of an address hold no NUL (E1), so two lanes never share a key. */
export function laneKey({ source, service, entityId }: OutboxLane): string {
  const from = source === undefined ? "" : `${source.service}\0${source.entityId}\0${source.persistenceId}\0${source.namespace}`;
  return `${from}\0\0${service}\0${entityId ?? ""}`;
}
