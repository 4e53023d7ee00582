/**
 * Judges what clients saw of registers (value entities that are set, cleared and read) when nobody kept the order of the writes.
 *
 * A value entity stores its last value only, so the order has to be searched for: is there one order of the operations that a single register,
 * used by one client at a time, could have had, in which no operation comes before one that had been answered when it began? That is
 * linearizability, decided for each register alone (Herlihy and Wing: it is local) by the search of Wing and Gong, with every point of the search
 * remembered (Lowe), so that no point is looked at twice.
 *   R1 such an order exists        R2 nothing is seen or stored that nobody wrote
 * An operation without an answer may have taken effect 0 or 1 times, at any moment from its start on. Values written must be unique.
 *
 * What keeps the search small
 * S1 an unanswered write whose value nobody saw may be left out: an order with it stays one without it
 * S2 an unanswered write whose value somebody saw was in effect before the first of those who saw it had their answer: that is its end
 * S3 a read that fits is taken at once: it changes nothing, so taking it later gains nothing
 */
import type { Breach } from "./history.ts";

/** What a register holds: a value, or `null` = nothing. */
export type Held = string | null;

/** One operation as its client saw it. Times come from one monotonic clock; `endedMs` undefined = no answer. */
export type RegisterOperation =
  | {
      readonly do: "set";
      readonly register: string;
      /** Unique among all writes to the register; `null` clears it. */
      readonly value: Held;
      /** What the answer says it replaced; undefined = it does not say. */
      readonly replaced?: Held | undefined;
      readonly startedMs: number;
      readonly endedMs: number | undefined;
    }
  | {
      readonly do: "get";
      readonly register: string;
      readonly seen: Held;
      readonly startedMs: number;
      readonly endedMs: number;
    };

/** All breaches of all registers; empty = every promise was kept. `stored` maps a register to what it holds at the end. */
export function checkRegisters(history: readonly RegisterOperation[], stored: ReadonlyMap<string, Held>): readonly Breach[] {
  const registers = new Map<string, RegisterOperation[]>([...stored.keys()].map((register) => [register, []]));
  for (const operation of history) {
    const of = registers.get(operation.register);
    if (of) of.push(operation);
    else registers.set(operation.register, [operation]);
  }
  return [...registers].flatMap(([register, operations]) => checkRegister(register, operations, stored.get(register)));
}

function checkRegister(register: string, operations: readonly RegisterOperation[], stored: Held | undefined): readonly Breach[] {
  const written = new Set<Held>([null, ...operations.flatMap((o) => (o.do === "set" ? [o.value] : []))]);
  const seen = [...operations.flatMap((o) => (o.do === "get" ? [o.seen] : [o.replaced ?? null])), stored ?? null];
  const strange = seen.filter((value) => !written.has(value));
  if (strange.length > 0) return [{ rule: "R2", entity: register, what: `${String(strange[0])} was seen and nobody wrote it` }];
  const { moves, clears } = movesOf(operations, stored);
  const stuck = search(moves, clears);
  return stuck === undefined ? [] : [{ rule: "R1", entity: register, what: stuck }];
}

/** An operation as the search sees it: it fits when the register holds `wants` (undefined = anything), and leaves `leaves` there. */
interface Move {
  readonly name: string;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly wants: Held | undefined;
  /** Undefined: it changes nothing. */
  readonly leaves: Held | undefined;
}

/** What must be placed, by start; and unanswered clears, which may be: "nothing" is not unique, so S1 and S2 do not tell. */
function movesOf(operations: readonly RegisterOperation[], stored: Held | undefined): { readonly moves: Move[]; readonly clears: Move[] } {
  const seenAt = firstSeen(operations, stored);
  const moves: Move[] = [];
  const clears: Move[] = [];
  for (const { startedMs, ...o } of operations) {
    if (o.do === "get") {
      moves.push({ name: `get ${String(o.seen)}`, startedMs, endedMs: o.endedMs, wants: o.seen, leaves: undefined });
      continue;
    }
    const move = { name: `set ${String(o.value)}`, startedMs, wants: o.replaced, leaves: o.value };
    if (o.endedMs !== undefined) moves.push({ ...move, endedMs: o.endedMs });
    else if (o.value === null) clears.push({ ...move, wants: undefined, endedMs: Infinity });
    else if (seenAt.has(o.value)) moves.push({ ...move, wants: undefined, endedMs: seenAt.get(o.value) ?? Infinity }); // S2, else S1
  }
  if (stored !== undefined) {
    moves.push({ name: `stored ${String(stored)}`, startedMs: Infinity, endedMs: Infinity, wants: stored, leaves: undefined });
  }
  return { moves: moves.sort((a, b) => a.startedMs - b.startedMs || a.endedMs - b.endedMs), clears };
}

/** For each value the end of the first operation that saw it. */
function firstSeen(operations: readonly RegisterOperation[], stored: Held | undefined): ReadonlyMap<Held, number> {
  const first = new Map<Held, number>();
  const note = (value: Held | undefined, endedMs: number): void => {
    if (value !== undefined) first.set(value, Math.min(first.get(value) ?? Infinity, endedMs));
  };
  for (const o of operations) {
    if (o.endedMs !== undefined) note(o.do === "get" ? o.seen : o.replaced, o.endedMs);
  }
  note(stored, Infinity);
  return first;
}

/** How far a search has come: moves before `next` are placed, and those in `ahead`; of the clears those in `cleared`. */
interface Point {
  readonly next: number;
  readonly ahead: readonly number[];
  readonly cleared: readonly number[];
  readonly held: Held;
}

/** @returns undefined when all moves can be placed; else where the search that came furthest was stuck. */
function search(moves: readonly Move[], clears: readonly Move[]): string | undefined {
  const known = new Set<string>();
  const open: Point[] = [{ next: 0, ahead: [], cleared: [], held: null }];
  let furthest: Point | undefined;
  for (let from = open.pop(); from; from = open.pop()) {
    const point = takeReads(from, moves);
    if (point.next === moves.length) return undefined;
    const key = `${String(point.next)}|${point.ahead.join()}|${point.cleared.join()}|${String(point.held)}`;
    if (known.has(key)) continue;
    known.add(key);
    if (!furthest || placed(point) > placed(furthest)) furthest = point;
    open.push(...steps(point, moves, clears));
  }
  const first = furthest && moves[furthest.next];
  return `no order explains it: after ${String(furthest && placed(furthest))} of ${String(moves.length)} operations it holds ${String(furthest?.held)}, next is ${String(first?.name)}`;
}

function placed({ next, ahead }: Point): number {
  return next + ahead.length;
}

/** Moves that may come next: no other one that is not placed had ended when they began. */
function candidates({ next, ahead }: Point, moves: readonly Move[]): number[] {
  const found: number[] = [];
  let soonestEndMs = Infinity;
  for (let at = next; at < moves.length; at++) {
    const move = moves[at] as Move;
    if (move.startedMs > soonestEndMs) break;
    if (ahead.includes(at)) continue;
    soonestEndMs = Math.min(soonestEndMs, move.endedMs);
    found.push(at);
  }
  return found;
}

/** keeps S3 */
function takeReads(from: Point, moves: readonly Move[]): Point {
  for (let point = from; ;) {
    const fits = candidates(point, moves).find((at) => moves[at]?.leaves === undefined && moves[at]?.wants === point.held);
    if (fits === undefined) return point;
    point = place(point, fits, point.held);
  }
}

function steps(point: Point, moves: readonly Move[], clears: readonly Move[]): Point[] {
  const may = candidates(point, moves);
  const latestMs = Math.min(...may.map((at) => moves[at]?.endedMs ?? Infinity));
  // A clear of what is empty already changes nothing: it is left out.
  const cleared = clears.flatMap((clear, at) =>
    point.held !== null && clear.startedMs <= latestMs && !point.cleared.includes(at)
      ? [{ ...point, cleared: [...point.cleared, at].sort((a, b) => a - b), held: null }]
      : [],
  );
  const written = may.flatMap((at) => {
    const { wants, leaves } = moves[at] as Move;
    return leaves !== undefined && (wants === undefined || wants === point.held) ? [place(point, at, leaves)] : [];
  });
  // The last one pushed is tried first: the earliest write, which is nearly always the right one.
  return [...cleared, ...written.reverse()];
}

function place(point: Point, at: number, held: Held): Point {
  const ahead = new Set([...point.ahead, at]);
  let next = point.next;
  while (ahead.delete(next)) next++;
  return { next, ahead: [...ahead].sort((a, b) => a - b), cleared: point.cleared, held };
}
