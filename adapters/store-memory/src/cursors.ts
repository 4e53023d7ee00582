/** Cursors and parked events in memory, for event logs and topics alike. */
import { assert, Fault } from "@mecha/kit";
import {
  type Cursor,
  type Cursors,
  cursorAtStart,
  eventsPageBytes,
  type ParkedChange,
  type ParkedEvent,
  type ParkedQuery,
  type ParkedRow,
  rowsMax,
} from "@mecha/state/store";

/** See the file's header. `closed`: its owner is. */
export class MemoryCursors implements Cursors {
  readonly #closed: () => boolean;
  readonly #cursors = new Map<string, Cursor>();
  readonly #parked = new Map<number, ParkedRow>();
  #ids = 0;

  constructor(closed: () => boolean) {
    this.#closed = closed;
  }

  async cursor(subscriber: string): Promise<Cursor> {
    this.mustBeOpen();
    return this.placeOf(subscriber);
  }

  /** Every subscriber that has a cursor. */
  protected subscribers(): Iterable<string> {
    return this.#cursors.keys();
  }

  protected placeOf(subscriber: string): Cursor {
    return this.#cursors.get(subscriber) ?? cursorAtStart;
  }

  async advance(subscriber: string, cursor: Cursor, parked: readonly ParkedEvent[]): Promise<void> {
    this.mustBeOpen();
    const before = this.#cursors.get(subscriber)?.position ?? 0;
    if (cursor.position >= before) this.#cursors.set(subscriber, { position: cursor.position, ahead: [...cursor.ahead] });
    for (const event of parked) this.#parked.set(++this.#ids, { ...copyParked(event), id: this.#ids, subscriber });
  }

  async parked({ subscriber, afterId = 0, limit }: ParkedQuery): Promise<readonly ParkedRow[]> {
    this.mustBeOpen();
    assert(limit >= 1 && limit <= rowsMax, `limit ${limit} is not 1 to ${rowsMax}`);
    const page: ParkedRow[] = [];
    let bytes = 0;
    for (const row of this.#parked.values()) {
      if (row.id <= afterId || (subscriber !== undefined && row.subscriber !== subscriber)) continue;
      bytes += row.payload.value.length;
      if (page.length === limit || (page.length > 0 && bytes > eventsPageBytes)) break;
      page.push(copyParked(row));
    }
    return page;
  }

  async settleParked(changes: readonly ParkedChange[]): Promise<number> {
    this.mustBeOpen();
    let settled = 0;
    for (const change of changes) {
      const row = this.#parked.get(change.id);
      if (!row) continue;
      settled++;
      if (change.to === "removed") this.#parked.delete(change.id);
      else this.#parked.set(change.id, { ...row, attempts: change.attempts, failure: change.failure });
    }
    return settled;
  }

  async parkedCount(): Promise<number> {
    this.mustBeOpen();
    return this.#parked.size;
  }

  protected mustBeOpen(): void {
    if (this.#closed()) throw new Fault("unavailable", "the store is closed");
  }
}

function copyParked<T extends ParkedEvent>(event: T): T {
  const { typeUrl, value } = event.payload;
  return { ...event, payload: { typeUrl, value: value.slice() } };
}
