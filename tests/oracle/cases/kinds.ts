/** What each kind makes of sparse objects, and what it refuses: one object after the other, dry. */
import type { Case, Session } from "../session.ts";
import { nameOf } from "./crud.ts";
import { badObjects } from "./bad-objects.ts";
import { oddObjects } from "./odd-objects.ts";
import { sparseObjects } from "./sparse-objects.ts";
import { collection, named, type Sample, samples } from "./samples.ts";

/** Variants of a sample: what is merged into it, by name. `null` takes a field away. */
export type Variants = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>;

export function kindCases(): Case[] {
  return [...variantCases("defaults", sparseObjects), ...variantCases("invalid", badObjects), ...variantCases("odd", oddObjects)];
}

export function variantCases(group: string, variants: Variants): Case[] {
  return Object.entries(variants).map(([kind, each]) => {
    const sample = samples.find((one) => nameOf(one) === kind);
    if (!sample) throw new Error(`no sample of ${kind}`);
    return { name: `${group}/${kind}`, run: (session) => tryAll(session, sample, each) };
  });
}

async function tryAll(session: Session, sample: Sample, variants: Variants[string]): Promise<void> {
  const at = collection(sample, await session.stage());
  for (const [label, change] of Object.entries(variants)) {
    const object = merged(named(sample, `${session.namespace}-x`), change);
    await session.post(`${at}?dryRun=All`, object, { label });
  }
}

/** RFC 7396. */
export function merged(target: unknown, patch: unknown): Record<string, unknown> {
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch as Record<string, unknown>)) {
    if (value === null) delete result[key];
    else result[key] = isRecord(value) ? merged(result[key], value) : value;
  }
  return result;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
