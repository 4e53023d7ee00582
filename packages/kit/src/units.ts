/** Durations and sizes as people write them: `1h30m`, `64KiB`. Code only ever sees milliseconds and bytes. */

/** Milliseconds in a second. */
export const second = 1_000;
/** Milliseconds in a minute. */
export const minute = 60 * second;
/** Milliseconds in an hour. */
export const hour = 60 * minute;
/** Milliseconds in a day of 24 hours. */
export const day = 24 * hour;
/** Bytes in a kibibyte. */
export const kib = 1_024;
/** Bytes in a mebibyte. */
export const mib = 1_024 * kib;
/** Bytes in a gibibyte. */
export const gib = 1_024 * mib;

const durationUnits: readonly (readonly [unit: string, ms: number])[] = [
  ["d", day],
  ["h", hour],
  ["m", minute],
  ["s", second],
  ["ms", 1],
];

/**
 * Milliseconds of `1h30m`, `15s`, `250ms`, `1.5s`, `0`. Units: d h m s ms, each at most once, largest first.
 * @returns `undefined` when the text is no duration; a number without a unit is none, except 0.
 */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  const match = /^(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/.exec(
    text,
  );
  if (!match || text === "") return undefined;
  const totalMs = durationUnits.reduce((sum, [, unitMs], index) => sum + Number(match[index + 1] ?? 0) * unitMs, 0);
  return Number.isFinite(totalMs) ? Math.round(totalMs * 1_000) / 1_000 : undefined; // whole microseconds: no 1100.0000000000002
}

/** The shortest text that `parseDuration` reads back: 90000 → `1m30s`. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return "0";
  let restMs = durationMs;
  let text = "";
  for (const [unit, unitMs] of durationUnits) {
    const count = unit === "ms" ? restMs : Math.floor(restMs / unitMs);
    if (count > 0) text += `${String(count)}${unit}`;
    restMs -= count * unitMs;
  }
  return text;
}

const sizeUnits: Readonly<Record<string, number>> = { "": 1, B: 1, KiB: kib, MiB: mib, GiB: gib, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9 };

/**
 * Bytes of `4MiB`, `64KiB`, `10MB`, `512`. A number without a unit is bytes.
 * @returns `undefined` when the text is no size or not a whole number of bytes.
 */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text);
  const unit = sizeUnits[match?.[2] ?? "none"];
  if (!match || unit === undefined) return undefined;
  const size = Number(match[1]) * unit;
  return Number.isSafeInteger(size) ? size : undefined;
}

/** The text with the largest binary unit that divides evenly: 4194304 → `4MiB`. */
export function formatBytes(size: number): string {
  for (const [unit, bytes] of [
    ["GiB", gib],
    ["MiB", mib],
    ["KiB", kib],
  ] as const) {
    if (size >= bytes && size % bytes === 0) return `${String(size / bytes)}${unit}`;
  }
  return `${String(size)}B`;
}
