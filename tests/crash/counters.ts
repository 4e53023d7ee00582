/**
 * Judges what clients saw of counters: CRDTs that only add. Each addition has an amount of its own, large and at random, so that a count says which
 * additions are in it, and one that is in it twice does not pass for another that is missing.
 *
 *   C1 in the end a counter is the sum of all acknowledged additions and of some of those without an answer, each once
 *   C2 an answer counts, besides its own addition, whatever had been acknowledged before it was asked for, and nothing that began after it came
 *
 * Commands of CRDTs take no idempotency key (E13): one without an answer happened 0 or 1 times.
 */
import type { Breach } from "./history.ts";

/** An addition as its client saw it; `amount` 0 = a reading. Times come from one monotonic clock; `endedMs` undefined = no answer. */
export interface Addition {
  readonly counter: string;
  readonly amount: number;
  readonly startedMs: number;
  readonly endedMs: number | undefined;
  /** What was answered. */
  readonly counted: number | undefined;
}

/** Additions without an answer for which all sums are tried: 2^16 of them, some ms. With more only the bounds are checked. */
const openMax = 16;

/** All breaches of all counters. `counted` maps a counter to what it is in the end. */
export function checkCounters(additions: readonly Addition[], counted: ReadonlyMap<string, number>): readonly Breach[] {
  return [...counted].flatMap(([counter, end]) => {
    const own = additions.filter((addition) => addition.counter === counter);
    return [...checkEnd(counter, own, end), ...own.flatMap((addition) => checkAnswer(addition, own))];
  });
}

function checkEnd(counter: string, additions: readonly Addition[], end: number): readonly Breach[] {
  const acknowledged = sum(additions.filter(({ endedMs }) => endedMs !== undefined));
  const open = additions.filter(({ endedMs, amount }) => endedMs === undefined && amount > 0);
  const rest = end - acknowledged;
  if (open.length <= openMax ? isSumOfSome(rest, open) : rest >= 0 && rest <= sum(open)) return [];
  const what =
    `it is ${String(end)}: ${String(acknowledged)} acknowledged, and ${String(rest)} that are no sum of some of the ` +
    `${String(open.length)} additions without an answer`;
  return [{ rule: "C1", entity: counter, what }];
}

/** keeps C2 */
function checkAnswer(addition: Addition, all: readonly Addition[]): readonly Breach[] {
  const { counter, amount, startedMs, endedMs, counted } = addition;
  if (endedMs === undefined || counted === undefined) return [];
  const others = all.filter((other) => other !== addition);
  const least = amount + sum(others.filter((other) => other.endedMs !== undefined && other.endedMs < startedMs));
  const most = amount + sum(others.filter((other) => other.startedMs < endedMs));
  if (counted >= least && counted <= most) return [];
  const what = `adding ${String(amount)} was answered ${String(counted)}, which must be from ${String(least)} to ${String(most)}`;
  return [{ rule: "C2", entity: counter, what }];
}

/** Whether `rest` is the sum of some of the amounts; none of them = 0. */
function isSumOfSome(rest: number, [first, ...more]: readonly Addition[]): boolean {
  if (first === undefined || rest <= 0) return rest === 0;
  return isSumOfSome(rest, more) || isSumOfSome(rest - first.amount, more);
}

function sum(additions: readonly Addition[]): number {
  return additions.reduce((total, { amount }) => total + amount, 0);
}
