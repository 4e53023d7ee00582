/** Lengths of time: Go's notation for fields (`1h30m0s`), and the short one people read in `kubectl get` (`5d3h`). */
import { Fault } from "@mecha/kit";

/** Nanoseconds of each unit. */
const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
/** Longest text taken; the longest that Go writes has 25 characters. */
const textMax = 64;

/** Nanoseconds of `1h30m`, `1.5s`, `-2ms`. @throws Fault("invalid") when the text is no duration. */
export function parseDuration(text: string): bigint {
  const [, sign, rest = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === "0") return 0n;
  if (text.length > textMax || !/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.test(rest))
    throw new Fault("invalid", `time: invalid duration ${JSON.stringify(text)}`);
  let nanos = 0n;
  for (const [, whole = "", fraction = "", unit = ""] of rest.matchAll(/(\d*)\.?(\d*)(ns|us|µs|ms|s|m|h)/g)) {
    const factor = units[unit] ?? 1n;
    nanos += BigInt(whole || "0") * factor + (BigInt(fraction || "0") * factor) / 10n ** BigInt(fraction.length);
  }
  return sign === "-" ? -nanos : nanos;
}

/** Go's text of a duration: `1h30m0s`, `1.5s`, `2ms`, `0s`. */
export function formatDuration(nanos: bigint): string {
  if (nanos === 0n) return "0s";
  const sign = nanos < 0n ? "-" : "";
  const size = nanos < 0n ? -nanos : nanos;
  for (const unit of ["ns", "us", "ms"]) {
    const factor = units[unit] ?? 1n;
    if (size < factor * 1_000n) return `${sign}${decimalText(size, factor)}${unit === "us" ? "µs" : unit}`;
  }
  const seconds = `${decimalText(size % 60_000_000_000n, 1_000_000_000n)}s`;
  const minutes = size / 60_000_000_000n;
  if (minutes === 0n) return sign + seconds;
  return minutes < 60n ? `${sign}${minutes}m${seconds}` : `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

function decimalText(value: bigint, unit: bigint): string {
  const digits = `${unit}`.length - 1;
  const fraction = digits === 0 ? "" : `${value % unit}`.padStart(digits, "0").replace(/0+$/, "");
  return `${value / unit}${fraction === "" ? "" : `.${fraction}`}`;
}

/** How old something is, as `kubectl get` says it: two units at most, fewer digits the older it is. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return withRest(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return withRest(hours, "h", minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (days < 8) return withRest(days, "d", hours % 24, "h");
  if (days < 365 * 2) return `${days}d`;
  const years = Math.trunc(days / 365);
  return years < 8 ? withRest(years, "y", days % 365, "d") : `${years}y`;
}

function withRest(value: number, unit: string, rest: number, restUnit: string): string {
  return rest === 0 ? `${value}${unit}` : `${value}${unit}${rest}${restUnit}`;
}

/** Age of an RFC 3339 time, `<unknown>` when there is none. */
export function ageOf(time: unknown, nowMs: number): string {
  const at = typeof time === "string" ? Date.parse(time) : Number.NaN;
  return Number.isNaN(at) ? "<unknown>" : humanDuration(nowMs - at);
}
