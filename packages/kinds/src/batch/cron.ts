/** Rules of a CronJob's schedule and its time zone. What is wrong is said in the words of the server's reader of such schedules. */

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/** Minute, hour, day of the month, month, day of the week. */
const bounds: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: months },
  { min: 0, max: 6, names: days },
];
/** Names instead of fields; whether an interval after `@every` can be read is looked at where it is used. */
const named = /^@(?:yearly|annually|monthly|weekly|daily|midnight|hourly|every \S+)$/;

/** What is wrong with a schedule, `undefined` when nothing is. */
export function scheduleComplaint(schedule: string): string | undefined {
  const plain = schedule.replace(/^(?:CRON_)?TZ=\S+\s+/, "");
  if (named.test(plain)) return zoneComplaint(schedule);
  const fields = plain.split(/\s+/).filter((part) => part !== "");
  if (fields.length !== bounds.length) return `expected exactly 5 fields, found ${fields.length}: [${fields.join(" ")}]`;
  for (const [i, field] of fields.entries())
    for (const part of field.split(",")) {
      const complaint = part === "" ? undefined : partComplaint(part, bounds[i] as Bounds);
      if (complaint !== undefined) return complaint;
    }
  return zoneComplaint(schedule);
}

const zoneComplaint = (schedule: string): string | undefined =>
  schedule.includes("TZ") ? "cannot use TZ or CRON_TZ in schedule, use timeZone field instead" : undefined;

/** A part between commas: `*`, a number or name, `1-5`, each with a step after `/`. */
function partComplaint(part: string, { min, max, names }: Bounds): string | undefined {
  const [range = "", step, ...steps] = part.split("/");
  const [low = "", high, ...hyphens] = range.split("-");
  const all = low === "*" || low === "?";
  const numbers = all ? [min, max] : [low, high ?? low].map((text) => numberOf(text, names));
  const [from = Number.NaN, to = Number.NaN] = numbers;
  if (Number.isNaN(from)) return unreadable(low);
  if (hyphens.length > 0) return `too many hyphens: ${part}`;
  if (Number.isNaN(to)) return unreadable(high ?? "");
  if (steps.length > 0) return `too many slashes: ${part}`;
  if (step !== undefined && !/^\+?\d+$/.test(step)) return unreadable(step);
  const end = step !== undefined && high === undefined ? max : to;
  if (from < min) return `beginning of range (${from}) below minimum (${min}): ${part}`;
  if (end > max) return `end of range (${end}) above maximum (${max}): ${part}`;
  if (from > end) return `beginning of range (${from}) beyond end of range (${end}): ${part}`;
  return step !== undefined && Number(step) === 0 ? `step of range should be a positive number: ${part}` : undefined;
}

function numberOf(text: string, names: readonly string[] | undefined): number {
  const at = names?.indexOf(text.toLowerCase()) ?? -1;
  if (at >= 0) return names === months ? at + 1 : at;
  return /^\+?\d+$/.test(text) ? Number(text) : Number.NaN;
}

const unreadable = (text: string): string =>
  `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;

/** What is wrong with a time zone by name. */
export function timeZoneComplaint(zone: string): string | undefined {
  if (zone === "") return "timeZone must be nil or non-empty string";
  if (zone.toLowerCase() === "local") return "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
  return isZone(zone) ? undefined : `unknown time zone ${zone}`;
}

function isZone(zone: string): boolean {
  if (!/^[A-Za-z]/.test(zone)) return false; // an offset is no name
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
