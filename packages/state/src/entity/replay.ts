/** Feeds an entity's stored events to its stream: from the snapshot to the last, without a gap, at the pace the function takes them (E3). */
import type { Payload } from "../model.ts";
import type { StoredEvent } from "../store.ts";

/** What a replay needs next. */
export type ReplayState =
  /** Events after `replayed`. */
  | "needsPage"
  /** The function's word that it has room. */
  | "blocked"
  | "done"
  /** The log is not what the record says; `problem` tells. */
  | "broken";

/** Where events go. */
export interface EventSink {
  /** `false`: no more until `drained`. */
  sendEvent(sequence: number, payload: Payload): boolean;
}

/** See the file's header. */
export class Replay {
  readonly #target: number;
  #replayed: number;
  #page: readonly StoredEvent[] = [];
  #pageAt = 0;
  #blocked = false;
  /** Events sent. */
  loadedEvents = 0;
  problem = "";
  code: "dataLoss" | "unavailable" = "dataLoss";

  /** `from`: what the stream's init covers; `target`: the record's last sequence. */
  constructor(from: number, target: number) {
    this.#replayed = from;
    this.#target = target;
  }

  /** Last sequence sent, or covered by the init. */
  get replayed(): number {
    return this.#replayed;
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  get state(): ReplayState {
    if (this.problem !== "") return "broken";
    if (this.#blocked) return "blocked";
    if (this.#replayed === this.#target) return "done";
    if (this.#replayed < this.#target) return "needsPage";
    this.problem = `the log goes on past ${this.#target}`;
    this.code = "unavailable"; // nothing is lost: somebody else has written since the record was opened, or a later attempt says the same
    return "broken";
  }

  /** Takes a page of events. */
  take(page: readonly StoredEvent[]): void {
    if (page.length === 0) this.problem = `the log ends at ${this.#replayed}, not at ${this.#target}`;
    this.#page = page;
    this.#pageAt = 0;
  }

  /** The function has room again. */
  drained(): void {
    this.#blocked = false;
  }

  /** Sends until the page ends or `sendEvent` answers false. */
  feed(to: EventSink): ReplayState {
    while (this.#pageAt < this.#page.length && this.problem === "" && !this.#blocked) {
      const event = this.#page[this.#pageAt] as StoredEvent;
      if (event.sequence !== this.#replayed + 1) {
        this.problem = `event ${event.sequence} follows ${this.#replayed}`;
        break;
      }
      this.#pageAt++;
      this.#replayed = event.sequence;
      this.loadedEvents++;
      this.#blocked = !to.sendEvent(event.sequence, event.payload);
    }
    return this.state;
  }
}
