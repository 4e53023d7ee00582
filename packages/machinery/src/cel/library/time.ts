/** Timestamps and durations: reading, writing, arithmetic, and their parts in a time zone. */
import { type Library } from "../language/environment.ts";
import { durationType, intType, stringType, timestampType } from "../language/types.ts";
import { CelError, Duration, Timestamp } from "../language/values.ts";

const second = 1_000_000_000n;
const milli = 1_000_000n;
const durationMax = 2n ** 63n;
/** 0001-01-01 and 10000-01-01. */
const timestampMin = -62_135_596_800n * second;
const timestampEnd = 253_402_300_800n * second;

export function durationOf(nanos: bigint): Duration {
  if (nanos < -durationMax || nanos >= durationMax) throw new CelError("integer overflow");
  return new Duration(nanos);
}

export function timestampOf(nanos: bigint): Timestamp {
  if (nanos < timestampMin || nanos >= timestampEnd) throw new CelError("timestamp overflow");
  return new Timestamp(nanos);
}

const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: milli,
  s: second,
  m: 60n * second,
  h: 3600n * second,
};

/** `1h30m`, `-1.5s`; `undefined` for any other text. */
export function parseDuration(text: string): Duration | undefined {
  const [, sign, body = ""] = /^([+-]?)(.*)$/su.exec(text) ?? [];
  if (body === "0") return new Duration(0n);
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/u.test(body)) return undefined;
  let nanos = 0n;
  for (const [, whole = "", part = "", unit = ""] of body.matchAll(/(\d*)\.?(\d*)(ns|us|µs|μs|ms|s|m|h)/gu)) {
    const size = units[unit] ?? 0n;
    nanos += BigInt(whole || "0") * size + (BigInt(part || "0") * size) / 10n ** BigInt(part.length);
  }
  return nanos >= durationMax ? undefined : new Duration(sign === "-" ? -nanos : nanos);
}

/** RFC 3339; `undefined` for any other text. */
export function parseTimestamp(text: string): Timestamp | undefined {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/u.exec(text);
  if (!match) return undefined;
  const [, date = "", time = "", part = "", zone = ""] = match;
  const at = dateMs(date);
  const clock = Date.parse(`1970-01-01T${time}Z`);
  const offset = zone === "Z" ? 0 : Date.parse(`1970-01-01T${zone.slice(1)}:00Z`) * (zone.startsWith("-") ? -1 : 1);
  if (at === undefined || Number.isNaN(clock) || Number.isNaN(offset) || time.startsWith("24")) return undefined;
  return new Timestamp(BigInt(at + clock - offset) * milli + BigInt(part.slice(0, 9).padEnd(9, "0")));
}

/** Milliseconds of a day that is in the calendar. */
export function dateMs(date: string): number | undefined {
  const at = Date.parse(`${date}T00:00:00Z`);
  return Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== date ? undefined : at;
}

export function timestampText({ nanos }: Timestamp): string {
  const part = ((nanos % second) + second) % second;
  const seconds = (nanos - part) / second;
  const fraction = part === 0n ? "" : `.${String(part).padStart(9, "0").replace(/0+$/u, "")}`;
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}${fraction}Z`;
}

/** In seconds: `5400s`. */
export function durationText({ nanos }: Duration): string {
  const size = nanos < 0n ? -nanos : nanos;
  const fraction = String(size % second)
    .padStart(9, "0")
    .replace(/0+$/u, "");
  return `${nanos < 0n ? "-" : ""}${String(size / second)}${fraction === "" ? "" : `.${fraction}`}s`;
}

/** The time of a place as if it were UTC: what its clocks and calendars show. */
function inZone({ nanos }: Timestamp, zone: string | undefined): Date {
  const ms = Number((nanos - (((nanos % milli) + milli) % milli)) / milli);
  if (zone === undefined || zone === "" || zone === "UTC") return new Date(ms);
  const fixed = /^([+-]?)(\d{1,2}):(\d\d)$/u.exec(zone);
  if (fixed) return new Date(ms + (fixed[1] === "-" ? -1 : 1) * (Number(fixed[2]) * 60 + Number(fixed[3])) * 60_000);
  return new Date(localMs(ms, zone));
}

function localMs(ms: number, zone: string): number {
  try {
    const two = "2-digit";
    const format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: two,
      day: two,
      hour: two,
      minute: two,
      second: two,
    });
    const of = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
    const seconds = Date.UTC(of["year"] ?? 0, (of["month"] ?? 1) - 1, of["day"], of["hour"], of["minute"], of["second"]);
    return seconds + (((ms % 1000) + 1000) % 1000);
  } catch {
    throw new CelError(`unknown time zone ${zone}`);
  }
}

const dayOfYear = (date: Date): number => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000);

/** Function, name of its forms, and the part of a date. */
const parts: readonly (readonly [name: string, id: string, of: (date: Date) => number])[] = [
  ["getFullYear", "timestamp_to_year", (date) => date.getUTCFullYear()],
  ["getMonth", "timestamp_to_month", (date) => date.getUTCMonth()],
  ["getDayOfYear", "timestamp_to_day_of_year", dayOfYear],
  ["getDayOfMonth", "timestamp_to_day_of_month", (date) => date.getUTCDate() - 1],
  ["getDate", "timestamp_to_day_of_month_1_based", (date) => date.getUTCDate()],
  ["getDayOfWeek", "timestamp_to_day_of_week", (date) => date.getUTCDay()],
  ["getHours", "timestamp_to_hours", (date) => date.getUTCHours()],
  ["getMinutes", "timestamp_to_minutes", (date) => date.getUTCMinutes()],
  ["getSeconds", "timestamp_to_seconds", (date) => date.getUTCSeconds()],
  ["getMilliseconds", "timestamp_to_milliseconds", (date) => date.getUTCMilliseconds()],
];

const spans: readonly (readonly [name: string, id: string, of: bigint])[] = [
  ["getHours", "duration_to_hours", 3600n * second],
  ["getMinutes", "duration_to_minutes", 60n * second],
  ["getSeconds", "duration_to_seconds", second],
  ["getMilliseconds", "duration_to_milliseconds", milli],
];

export function addTime(library: Library): void {
  for (const [name, id, of] of parts) {
    library.member(name, id, [timestampType], intType, (at: Timestamp) => BigInt(of(inZone(at, undefined))));
    library.member(name, `${id}_with_tz`, [timestampType, stringType], intType, (at: Timestamp, zone: string) =>
      BigInt(of(inZone(at, zone))),
    );
  }
  for (const [name, id, unit] of spans) library.member(name, id, [durationType], intType, ({ nanos }: Duration) => nanos / unit);
}
