/** What the checks of all files share. */
import type { DatabaseSync } from "node:sqlite";
import { shards } from "../schema.ts";

/** One thing that is wrong. Equal ones are told once, with their number and the first of them. */
export interface Finding {
  /** Which rule: D1 to D9 (index.ts, state.ts), T1 to T3 (topics.ts), C1 to C5 (objects.ts). */
  readonly rule: string;
  readonly what: string;
  readonly count: number;
}

export class Findings {
  readonly #byText = new Map<string, { rule: string; what: string; count: number }>();

  /** `kind` groups: only the first of each is told in full. */
  add(rule: string, what: string, kind = what): void {
    const known = this.#byText.get(`${rule} ${kind}`);
    if (known) known.count++;
    else this.#byText.set(`${rule} ${kind}`, { rule, what, count: 1 });
  }
  get none(): boolean {
    return this.#byText.size === 0;
  }
  get all(): readonly Finding[] {
    return [...this.#byText.values()];
  }
}

/** How far cursors may be. */
export interface CursorBounds {
  readonly rule: string;
  /** Position of the newest event there ever was. */
  readonly newest: number;
  /** Offset the next event of a shard will have. */
  readonly nextOffset: (shard: number) => number;
}

/** Cursors of consumer groups: a row -1 with the position, others with what is further on (cursors.ts). One that is ahead would leave out events to come. */
export function checkCursors(db: DatabaseSync, found: Findings, { rule, newest, nextOffset }: CursorBounds): void {
  const groups = new Set<unknown>();
  for (const row of db.prepare("SELECT subscriber, shard, next_offset, position FROM cursor ORDER BY subscriber, shard").iterate()) {
    const { subscriber } = row;
    const group = `consumer group ${String(subscriber)}`;
    const shard = Number(row["shard"]);
    const position = Number(row["position"]);
    if (shard === -1) groups.add(subscriber);
    else if (!groups.has(subscriber)) found.add(rule, `${group} has no position`, "no position");
    if (shard < -1 || shard >= shards) found.add(rule, `${group} has a cursor in shard ${shard}, which does not exist`, "cursor's shard");
    if (position < 0 || position > newest) {
      found.add(rule, `${group} is at position ${position}, the newest there ever was is ${newest}`, "cursor ahead");
    } else if (shard >= 0 && Number(row["next_offset"]) > nextOffset(shard)) {
      const text = `${group} is at offset ${String(row["next_offset"])} of shard ${shard}, whose next is ${nextOffset(shard)}`;
      found.add(rule, text, "cursor ahead in a shard");
    }
  }
}

/** The first value of the first row; 0 without one. */
export function number(db: DatabaseSync, sql: string): number {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  return Number((statement.get() as unknown as readonly unknown[] | undefined)?.[0] ?? 0);
}
