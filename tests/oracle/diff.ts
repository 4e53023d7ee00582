/**
 * What differs between two records, place by place, and which of it is known. Pure.
 *
 * D1 order of a list counts, order of an object's fields does not
 * D2 a difference nobody listed fails; so does a listed one that is no more
 */
import { isDeepStrictEqual } from "node:util";
import type { Entry } from "./session.ts";

/** `undefined` on one side: not there. */
export interface Difference {
  /** `crud/configmaps › 3 POST /api/v1/… › body.message` */
  readonly where: string;
  readonly real: unknown;
  readonly ours: unknown;
}

/** A difference that is meant. */
export interface Accepted {
  /** Matched against `where`. */
  readonly where: RegExp;
  /** Matched against both sides as JSON, `real → ours`, when the place alone says too little. */
  readonly what?: RegExp;
  readonly reason: string;
}

/** Differences of one case. */
export function compareEntries(name: string, real: readonly Entry[], ours: readonly Entry[]): Difference[] {
  const differences: Difference[] = [];
  for (let i = 0; i < Math.max(real.length, ours.length); i++) {
    const one = real[i];
    const other = ours[i];
    const where = `${name} › ${i + 1} ${one?.what ?? other?.what ?? ""}`;
    if (!one || !other || one.what !== other.what) {
      differences.push({ where: `${where} › went another way`, real: one?.what, ours: other?.what });
      break; // what follows is not comparable
    }
    compare(one.seen, other.seen, `${where} › `, differences);
  }
  return differences;
}

function compare(real: unknown, ours: unknown, where: string, differences: Difference[]): void {
  if (isDeepStrictEqual(real, ours)) return;
  if (Array.isArray(real) && Array.isArray(ours)) return compareLists(real, ours, where, differences);
  // Answers of different kinds have nothing to compare inside.
  const otherKind = isRecord(real) && isRecord(ours) && typeof real["kind"] === "string" && real["kind"] !== ours["kind"];
  if (!isRecord(real) || !isRecord(ours) || otherKind) return void differences.push({ where, real, ours });
  for (const key of new Set([...Object.keys(real), ...Object.keys(ours)])) {
    const at = where.endsWith(" ") ? `${where}${key}` : `${where}.${key}`;
    if (key in real && key in ours) compare(real[key], ours[key], at, differences);
    else differences.push({ where: at, real: real[key], ours: ours[key] });
  }
}

/** Items that are the same, or have the same name, belong together; what is left is paired as it stands. */
function compareLists(real: readonly unknown[], ours: readonly unknown[], where: string, differences: Difference[]): void {
  const names = real.map(nameIn);
  const byName = names.every((name) => name !== undefined) && new Set(names).size === names.length;
  if (!byName && real.length === ours.length) return real.forEach((each, i) => compare(each, ours[i], `${where}[${i}]`, differences));
  const key = (item: unknown): string => (byName ? (nameIn(item) ?? "") : JSON.stringify(item));
  const left = [...ours];
  const common: unknown[] = [];
  for (const [i, each] of real.entries()) {
    const at = left.findIndex((other) => key(other) === key(each));
    const place = `${where}[${byName ? key(each) : i}]`;
    if (at < 0) differences.push({ where: place, real: each, ours: undefined });
    else {
      const [other] = left.splice(at, 1);
      common.push(other);
      compare(each, other, place, differences);
    }
  }
  for (const each of left) differences.push({ where: `${where}[${byName ? key(each) : "+"}]`, real: undefined, ours: each });
  const inOurs = ours.filter((each) => common.includes(each));
  if (!isDeepStrictEqual(common, inOurs)) differences.push({ where: `${where}(order)`, real: common.map(key), ours: inOurs.map(key) });
}

function nameIn(item: unknown): string | undefined {
  if (!isRecord(item)) return undefined;
  const name = item["name"] ?? (isRecord(item["metadata"]) ? item["metadata"]["name"] : undefined);
  return typeof name === "string" ? name : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export interface Judged {
  /** Nobody listed them. */
  readonly open: readonly Difference[];
  readonly known: readonly { readonly difference: Difference; readonly by: Accepted }[];
}

/** keeps D2, its first half; the second is `unused`. */
export function judge(differences: readonly Difference[], table: readonly Accepted[]): Judged {
  const open: Difference[] = [];
  const known: { difference: Difference; by: Accepted }[] = [];
  for (const difference of differences) {
    const by = table.find(({ where, what }) => where.test(difference.where) && (what?.test(sides(difference)) ?? true));
    if (by) known.push({ difference, by });
    else open.push(difference);
  }
  return { open, known };
}

/** Entries of the table nothing fits any more. */
export function unused(table: readonly Accepted[], known: Judged["known"]): readonly Accepted[] {
  const used = new Set(known.map(({ by }) => by));
  return table.filter((each) => !used.has(each));
}

export function sides({ real, ours }: Difference): string {
  return `${JSON.stringify(real) ?? "–"} → ${JSON.stringify(ours) ?? "–"}`;
}
