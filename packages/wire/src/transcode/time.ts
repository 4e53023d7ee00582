/** google.protobuf.Timestamp and Duration in JSON (proto3 JSON mapping): RFC 3339 with Z, and seconds with an "s". */

export interface SecondsAndNanos {
  readonly seconds: number;
  readonly nanos: number;
}

const timestampPattern = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/;
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, in seconds. */
const timestampMin = -62_135_596_800;
const timestampMax = 253_402_300_799;
/** About 10,000 years. */
const durationMax = 315_576_000_000;

/** The time, or what is wrong with the text. */
export function timestampOfText(text: string): SecondsAndNanos | string {
  const match = timestampPattern.exec(text);
  const wrong = `expected a time like 2026-01-31T12:00:00Z, got ${JSON.stringify(text.slice(0, 60))}`;
  if (!match) return wrong;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  if (hour > 23 || minute > 59 || second > 59) return wrong;
  const date = new Date(0);
  // Not Date.UTC: it takes years below 100 for 19xx.
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return wrong;
  const offset = (match[8] === "-" ? -60 : 60) * (Number(match[9] ?? 0) * 60 + Number(match[10] ?? 0));
  if (Number(match[9] ?? 0) > 23 || Number(match[10] ?? 0) > 59) return wrong;
  const seconds = date.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset;
  if (seconds < timestampMin || seconds > timestampMax) return "must be from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z";
  return { seconds, nanos: nanosOf(match[7]) };
}

const durationPattern = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/;

/** The duration, or what is wrong with the text. */
export function durationOfText(text: string): SecondsAndNanos | string {
  const match = durationPattern.exec(text);
  if (!match) return `expected a duration like 1.5s, got ${JSON.stringify(text.slice(0, 60))}`;
  const seconds = Number(match[2]);
  if (seconds > durationMax) return `must be from -${durationMax}s to ${durationMax}s`;
  const sign = match[1] === "-" ? -1 : 1;
  return { seconds: sign * seconds, nanos: sign * nanosOf(match[3]) };
}

function nanosOf(fraction: string | undefined): number {
  return fraction === undefined ? 0 : Number(fraction.padEnd(9, "0"));
}

/** JSON text of a timestamp, or `undefined` when it has none (outside the years 1 to 9999, nanos outside 0 to 999,999,999). */
export function timestampText({ seconds, nanos }: SecondsAndNanos): string | undefined {
  if (seconds < timestampMin || seconds > timestampMax || nanos < 0 || nanos > 999_999_999) return undefined;
  return `"${new Date(seconds * 1000).toISOString().slice(0, 19)}${fractionText(nanos)}Z"`;
}

/** JSON text of a duration, or `undefined` when it has none (too long, signs that differ, nanos beyond a second). */
export function durationText({ seconds, nanos }: SecondsAndNanos): string | undefined {
  if (Math.abs(seconds) > durationMax || Math.abs(nanos) > 999_999_999 || seconds * nanos < 0) return undefined;
  return `"${seconds < 0 || nanos < 0 ? "-" : ""}${Math.abs(seconds)}${fractionText(Math.abs(nanos))}s"`;
}

/** Three, six or nine digits, as the mapping asks; nothing for 0. */
function fractionText(nanos: number): string {
  if (nanos === 0) return "";
  const digits = String(nanos).padStart(9, "0");
  if (digits.endsWith("000000")) return `.${digits.slice(0, 3)}`;
  return digits.endsWith("000") ? `.${digits.slice(0, 6)}` : `.${digits}`;
}
