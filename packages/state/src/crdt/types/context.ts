/**
 * Causal context: which changes ("dots": replica and number) a state has seen. Mostly every number up to some one for each replica; the rest,
 * seen out of order, is kept one by one until the gap closes. Immutable.
 */

/** What was seen of one replica. */
export interface Seen {
  /** Every number from 1 to this. */
  readonly upTo: number;
  /** Further ones, ascending, all above `upTo + 1`. */
  readonly beyond: readonly number[];
}

/** By replica. */
export type Context = ReadonlyMap<string, Seen>;

/** The change number `number` of `replica`. */
export interface Dot {
  readonly replica: string;
  readonly number: number;
}

export const emptyContext: Context = new Map();
const nothingSeen: Seen = { upTo: 0, beyond: [] };

export function hasSeen(context: Context, { replica, number }: Dot): boolean {
  const seen = context.get(replica);
  return seen !== undefined && (number <= seen.upTo || seen.beyond.includes(number));
}

/** The number after the highest seen of `replica`. */
export function nextNumber(context: Context, replica: string): number {
  const { upTo, beyond } = context.get(replica) ?? nothingSeen;
  return (beyond.at(-1) ?? upTo) + 1;
}

/** A context of exactly these dots. */
export function contextOf(dots: Iterable<Dot>): Context {
  const numbers = new Map<string, number[]>();
  for (const { replica, number } of dots) {
    const list = numbers.get(replica);
    if (list === undefined) numbers.set(replica, [number]);
    else list.push(number);
  }
  return new Map([...numbers].map(([replica, list]) => [replica, compact(0, list)]));
}

export function joinContexts(a: Context, b: Context): Context {
  if (a === b || b.size === 0) return a;
  if (a.size === 0) return b;
  const joined = new Map(a);
  for (const [replica, seen] of b) {
    const other = joined.get(replica);
    joined.set(replica, other === undefined ? seen : compact(Math.max(seen.upTo, other.upTo), [...seen.beyond, ...other.beyond]));
  }
  return joined;
}

/** Moves what follows `upTo` without a gap into it. */
function compact(upTo: number, numbers: readonly number[]): Seen {
  let highest = upTo;
  const beyond: number[] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    if (number <= highest || number === beyond.at(-1)) continue;
    if (number === highest + 1 && beyond.length === 0) highest = number;
    else beyond.push(number);
  }
  return { upTo: highest, beyond };
}
