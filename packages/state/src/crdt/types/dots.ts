/**
 * The heart of observed-remove sets and maps: elements that live as long as one of the dots that added them does.
 *
 * Invariants
 * D1 a dot is given out once, and what belongs to it never changes: an update of a map's entry is a new dot that replaces those it saw
 * D2 the context has every dot of every entry, and those that were removed; so "I do not have it" and "I removed it" are told apart, and an
 *    addition nobody has seen survives a removal (add wins)
 */
import type { Payload } from "../../model.ts";
import { type Context, contextOf, type Dot, emptyContext, hasSeen, joinContexts } from "./context.ts";

/** A dot and what it added. `T`: undefined for sets. */
export interface Dotted<T> extends Dot {
  readonly value: T;
}

/** An element, and the dots that keep it alive: one, and more after concurrent additions. */
export interface DotEntry<T> {
  readonly element: Payload;
  readonly dots: readonly Dotted<T>[];
}

/** Immutable. Keys are those of `elementKey`. */
export interface Dots<T> {
  readonly context: Context;
  readonly entries: ReadonlyMap<string, DotEntry<T>>;
}

export const noDots: Dots<never> = { context: emptyContext, entries: new Map() };

/** @param same joins what two replicas hold for one dot: equal things (D1), but for votes, which are not stored. */
export function joinDots<T>(a: Dots<T>, b: Dots<T>, same: (a: T, b: T) => T): Dots<T> {
  const entries = new Map<string, DotEntry<T>>();
  for (const [key, mine] of a.entries) {
    const dots = survivors(mine.dots, b.entries.get(key)?.dots ?? [], a.context, b.context, same);
    if (dots.length > 0) entries.set(key, { element: mine.element, dots });
  }
  for (const [key, theirs] of b.entries) {
    if (a.entries.has(key)) continue;
    const dots = survivors([], theirs.dots, a.context, b.context, same);
    if (dots.length > 0) entries.set(key, { element: theirs.element, dots });
  }
  return { context: joinContexts(a.context, b.context), entries };
}

/** Dots both have, and those of one that the other has not seen (D2). */
function survivors<T>(
  mine: readonly Dotted<T>[],
  theirs: readonly Dotted<T>[],
  myContext: Context,
  theirContext: Context,
  same: (a: T, b: T) => T,
): readonly Dotted<T>[] {
  const kept: Dotted<T>[] = [];
  for (const dot of mine) {
    const other = theirs.find((one) => one.number === dot.number && one.replica === dot.replica);
    if (other !== undefined) kept.push(dot.value === other.value ? dot : { ...dot, value: same(dot.value, other.value) });
    else if (!hasSeen(theirContext, dot)) kept.push(dot);
  }
  for (const dot of theirs) if (!hasSeen(myContext, dot)) kept.push(dot);
  return kept;
}

/** Gathers one change of an observed-remove set or map as a delta: what it adds and the dots it does away with. */
export class DotsDelta<T> {
  readonly #gone: Dot[] = [];
  readonly #added = new Map<string, DotEntry<T>>();

  /** Takes away what was seen of an element. */
  remove(dots: readonly Dot[]): void {
    this.#gone.push(...dots);
  }

  /** Adds an element anew, or in place of what this delta added under the key before. */
  add(key: string, element: Payload, dot: Dotted<T>): void {
    this.drop(key);
    this.#added.set(key, { element, dots: [dot] });
  }

  /** Takes back what this delta itself added. */
  drop(key: string): void {
    const before = this.#added.get(key);
    if (before === undefined) return;
    this.#gone.push(...before.dots);
    this.#added.delete(key);
  }

  /** What this delta added under a key. */
  added(key: string): DotEntry<T> | undefined {
    return this.#added.get(key);
  }

  keys(): Iterable<string> {
    return [...this.#added.keys()];
  }

  done(): Dots<T> {
    const dots = [...this.#gone, ...[...this.#added.values()].flatMap((entry) => entry.dots)];
    return { context: contextOf(dots), entries: this.#added };
  }
}
