/** How much topics keep: the environment, else the project file, else this. Pure. */
import type { Retention } from "@mecha/binding";
import { day, gib, mib, minute } from "@mecha/kit";

/** Ranges, ms and bytes. Below a minute or a MiB a consumer that starts anew would lose messages; above, disks and people are elsewhere. */
export const topicAgeRange = { min: minute, max: 365 * day };
export const topicBytesRange = { min: mib, max: 1_024 * gib };

const retentionDefault: Retention = { maxAgeMs: 7 * day, maxBytes: gib };

/** What one of them says; the first that says something wins. */
export interface RetentionGiven {
  readonly maxAgeMs?: number | undefined;
  readonly maxBytes?: number | undefined;
}

export function topicRetention(...given: readonly RetentionGiven[]): Retention {
  const first = <K extends keyof Retention>(name: K): number =>
    given.find((one) => one[name] !== undefined)?.[name] ?? retentionDefault[name];
  return { maxAgeMs: first("maxAgeMs"), maxBytes: first("maxBytes") };
}
