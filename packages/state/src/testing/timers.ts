/** Timer rows in memory, for stores of tests. */
import type { EntityAddress } from "../model.ts";
import type { TimerChange, TimerQuery, TimerRow } from "../rows.ts";

type Due = Pick<TimerRow, "dueMs" | "id">;

export class TimerRows {
  readonly rows = new Map<string, TimerRow>();
  #ids = 0;

  /** What a committed step does. */
  change(address: EntityAddress, kind: TimerRow["kind"], changes: readonly TimerChange[]): void {
    for (const change of changes) {
      const key = JSON.stringify([address.service, address.entityId, change.name]);
      const before = this.rows.get(key);
      if (change.do === "set") {
        const { do: _, ...timer } = change;
        this.rows.set(key, { ...timer, id: before?.id ?? ++this.#ids, address, kind, firings: 0 });
      } else if (change.do === "cancel") this.rows.delete(key);
      else if (before?.dueMs === change.dueMs) {
        const after = movedOn(before, change);
        if (after === undefined) this.rows.delete(key);
        else this.rows.set(key, after);
      }
    }
  }

  due(nowMs: number, limit: number, after: Due = { dueMs: -1, id: 0 }): readonly TimerRow[] {
    const order = (a: Due, b: Due): number => a.dueMs - b.dueMs || a.id - b.id;
    return [...this.rows.values()]
      .filter((row) => row.parked !== true && row.dueMs <= nowMs && order(row, after) > 0)
      .sort(order)
      .slice(0, limit);
  }

  list({ service, entityId, afterId = 0, limit }: TimerQuery): readonly TimerRow[] {
    return [...this.rows.values()]
      .filter(
        ({ id, address }) =>
          id > afterId && (service ?? address.service) === address.service && (entityId ?? address.entityId) === address.entityId,
      )
      .sort((a, b) => a.id - b.id)
      .slice(0, limit);
  }
}

/** A timer after a firing, or after one that was given up; `undefined` = it is gone. */
function movedOn(before: TimerRow, change: Extract<TimerChange, { do: "fired" | "failed" }>): TimerRow | undefined {
  const { failure: _, ...row } = before;
  const next = change.nextDueMs === undefined ? undefined : { ...row, dueMs: change.nextDueMs, firings: row.firings + 1 };
  if (change.do === "fired") return next;
  return next === undefined ? { ...row, failure: change.failure, parked: true } : { ...next, failure: change.failure };
}
