/**
 * Judges what clients saw of ledgers (entities that only append command ids and can be read whole) against what is stored at the end.
 *
 * A ledger makes linearizability cheap to decide: the stored list *is* the only possible order of the appends, so each answer either
 * fits that order and real time, or breaks the promise. Checked for each ledger:
 *   H1 no acknowledged append is missing             H2 no append is stored twice
 *   H3 nothing is stored that nobody sent            H4 an append's answer says the place where it is stored
 *   H5 real time: an operation that began after another's answer takes effect after it (appends and reads alike)
 *   H6 a read shows a prefix of the stored list
 *   M1 the mirror, which gets each append as an effect, has the same list in the same order
 * An operation without an answer may have taken effect 0 or 1 times, at any moment from its start on.
 */

/** One operation as its client saw it. Times come from one monotonic clock; `endedMs` undefined = no answer. */
export type Operation =
  | {
      readonly do: "append";
      readonly ledger: string;
      readonly commandId: string;
      readonly startedMs: number;
      readonly endedMs: number | undefined;
      /** Number of entries after the append, as answered. */
      readonly place: number | undefined;
    }
  | {
      readonly do: "read";
      readonly ledger: string;
      readonly startedMs: number;
      readonly endedMs: number | undefined;
      readonly seen: readonly string[] | undefined;
    };

/** A broken promise, with what is needed to look into it. */
export interface Breach {
  /** H… of ledgers, M1 of their mirrors, R… of registers (registers.ts), B… of bells (bells.ts, bell-clients.ts), C… of counters (counters.ts). */
  readonly rule: `B${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8}` | "C1" | "C2" | "H1" | "H2" | "H3" | "H4" | "H5" | "H6" | "M1" | "R1" | "R2";
  /** The ledger or register. */
  readonly entity: string;
  readonly what: string;
}

/** All breaches of all ledgers; empty = every promise was kept. `stored` maps a ledger to its final list. */
export function check(history: readonly Operation[], stored: ReadonlyMap<string, readonly string[]>): readonly Breach[] {
  const ledgers = new Map<string, Operation[]>();
  for (const operation of history) {
    const of = ledgers.get(operation.ledger);
    if (of) of.push(operation);
    else ledgers.set(operation.ledger, [operation]);
  }
  return [...ledgers].flatMap(([ledger, operations]) => checkLedger(ledger, operations, stored.get(ledger) ?? []));
}

/** Ledgers whose mirror is not the same list. */
export function checkMirrors(
  stored: ReadonlyMap<string, readonly string[]>,
  mirrors: ReadonlyMap<string, readonly string[]>,
): readonly Breach[] {
  return [...mirrors].flatMap(([ledger, mirror]) => {
    const list = stored.get(ledger) ?? [];
    const at = Array.from({ length: Math.max(list.length, mirror.length) }).findIndex((_, index) => list[index] !== mirror[index]);
    const what = `at ${at + 1} the mirror has ${mirror[at] ?? "nothing"}, the ledger ${list[at] ?? "nothing"} (${mirror.length} and ${list.length} entries)`;
    return at < 0 ? [] : [{ rule: "M1", entity: ledger, what } as const];
  });
}

function checkLedger(ledger: string, operations: readonly Operation[], stored: readonly string[]): readonly Breach[] {
  const breach = (rule: Breach["rule"], what: string): Breach => ({ rule, entity: ledger, what });
  const places = new Map<string, number>();
  const breaches: Breach[] = [];
  stored.forEach((commandId, index) => {
    const earlier = places.get(commandId);
    if (earlier === undefined) places.set(commandId, index + 1);
    else breaches.push(breach("H2", `${commandId} is stored at ${String(earlier)} and again at ${String(index + 1)}`));
  });
  const sent = new Set(operations.flatMap((o) => (o.do === "append" ? [o.commandId] : [])));
  for (const commandId of places.keys()) {
    if (!sent.has(commandId)) breaches.push(breach("H3", `${commandId} is stored and nobody sent it`));
  }
  const effects: Effect[] = [];
  for (const operation of operations) {
    if (operation.do === "append") {
      const place = places.get(operation.commandId);
      if (operation.endedMs !== undefined && place === undefined) {
        breaches.push(breach("H1", `${operation.commandId} was acknowledged at place ${String(operation.place)} and is not stored`));
      }
      if (operation.endedMs !== undefined && place !== undefined && operation.place !== place) {
        breaches.push(
          breach("H4", `${operation.commandId} was answered place ${String(operation.place)} and is stored at ${String(place)}`),
        );
      }
      if (place !== undefined) {
        effects.push({ name: operation.commandId, order: place, startedMs: operation.startedMs, endedMs: operation.endedMs ?? Infinity });
      }
    } else if (operation.seen !== undefined && operation.endedMs !== undefined) {
      const seen = operation.seen;
      const differs = seen.findIndex((commandId, index) => stored[index] !== commandId);
      if (differs >= 0) {
        breaches.push(
          breach("H6", `a read shows ${String(seen[differs])} at ${String(differs + 1)}, stored is ${String(stored[differs])}`),
        );
      }
      // A read of n entries takes effect after append n and before append n + 1.
      effects.push({
        name: `read of ${String(seen.length)}`,
        order: seen.length + 0.5,
        startedMs: operation.startedMs,
        endedMs: operation.endedMs,
      });
    }
  }
  return [...breaches, ...checkRealTime(effects, (what) => breach("H5", what))];
}

interface Effect {
  readonly name: string;
  readonly order: number;
  readonly startedMs: number;
  readonly endedMs: number;
}

/** Walks the effects in their order backwards: none may have ended before one that is ordered in front of it began. */
function checkRealTime(effects: readonly Effect[], breach: (what: string) => Breach): readonly Breach[] {
  const ordered = [...effects].sort((a, b) => a.order - b.order);
  const breaches: Breach[] = [];
  let soonest: Effect | undefined;
  for (let index = ordered.length - 1; index >= 0;) {
    // Effects of equal order (reads between the same appends) do not order each other.
    const order = ordered[index]?.order;
    const group: Effect[] = [];
    for (; index >= 0 && ordered[index]?.order === order; index--) group.push(ordered[index] as Effect);
    for (const effect of group) {
      if (soonest && soonest.endedMs < effect.startedMs) {
        breaches.push(breach(`${soonest.name} was answered before ${effect.name} began, yet is ordered behind it`));
      }
    }
    for (const effect of group) if (!soonest || effect.endedMs < soonest.endedMs) soonest = effect;
  }
  return breaches;
}
