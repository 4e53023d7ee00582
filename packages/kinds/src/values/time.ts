/** Times as the API has them: RFC 3339, refused in the words of Go's `time.Parse`. */
import { Fault } from "@mecha/kit";

/** What stands in a time, one after the other, as Go's layout names it. */
const parts = ["2006", "-", "01", "-", "02", "T", "15", ":", "04", ":", "05"] as const;
const ranges: Readonly<Record<string, readonly [name: string, from: number, to: number]>> = {
  "01": ["month", 1, 12],
  "15": ["hour", 0, 23],
  "04": ["minute", 0, 59],
  "05": ["second", 0, 59],
};
const zone = "Z07:00";
const micros = ".000000";
/** Go takes a whole day and a whole hour for an offset too; minutes are looked at last and so told first. */
const offsetMax = { hours: 24, minutes: 60 } as const;

/**
 * @param digits Of a second. 0: any number is taken and forgotten; 6: exactly these must be there.
 * @returns In UTC: `2030-01-01T00:00:00Z`, `2030-01-01T00:00:00.000000Z`.
 * @throws Fault("invalid") in Go's words
 */
export function canonicalTime(text: string, digits: 0 | 6): string {
  if (digits === 0 && isCanonical(text)) return text;
  const [ms, fraction] = readTime(text, digits);
  const [whole = ""] = new Date(ms)
    .toISOString()
    .replace(/^\+0|(?<=^-)00/u, "")
    .split(".");
  if (digits === 6) return `${whole}${fraction}Z`;
  if (!/^\d{4}-/u.test(whole)) throw new Fault("invalid", "Time.MarshalJSON: year outside of range [0,9999]");
  return `${whole}Z`;
}

/** What the server itself wrote, which each write of an object holds several times: not worth being read part by part. */
function isCanonical(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/u.test(text)) return false;
  const ms = Date.parse(text);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text.slice(0, -1));
}

function readTime(text: string, digits: 0 | 6): readonly [ms: number, fraction: string] {
  const layout = `${parts.join("")}${digits === 0 ? "" : micros}${zone}`;
  const bad = (rest: string, part: string): Fault =>
    new Fault(
      "invalid",
      `parsing time ${JSON.stringify(text)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(part)}`,
    );
  const beyond = (what: string): Fault => new Fault("invalid", `parsing time ${JSON.stringify(text)}: ${what} out of range`);
  let rest = text;
  for (const part of parts) {
    const said = rest.slice(0, part.length);
    const isNumber = /^\d/u.test(part);
    if (isNumber ? said.length < part.length || !/^\d+$/u.test(said) : said !== part) throw bad(rest, part);
    const [name = "", from = 0, to = 0] = ranges[part] ?? [];
    if (name !== "" && (Number(said) < from || Number(said) > to)) throw beyond(name);
    rest = rest.slice(part.length);
  }
  const fraction = (digits === 0 ? /^[.,]\d+/u : /^[.,]\d{6}/u).exec(rest)?.[0] ?? "";
  if (digits === 6 && fraction === "") throw bad(rest, micros);
  rest = rest.slice(fraction.length);
  const [offset, sign = "", hours = "0", minutes = "0"] = /^(?:Z|([+-])(\d\d):(\d\d))/u.exec(rest) ?? [];
  if (offset === undefined) throw bad(rest, zone);
  if (Number(minutes) > offsetMax.minutes) throw beyond("time zone offset minute");
  if (Number(hours) > offsetMax.hours) throw beyond("time zone offset hour");
  if (rest.length > offset.length)
    throw new Fault("invalid", `parsing time ${JSON.stringify(text)}: extra text: ${JSON.stringify(rest.slice(offset.length))}`);
  if (!isDay(text)) throw beyond("day");
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return [Date.parse(`${text.slice(0, 19)}Z`) - (sign === "-" ? -offsetMs : offsetMs), fraction.replace(",", ".")];
}

function isDay(text: string): boolean {
  const [year = 0, month = 0, day = 0] = [text.slice(0, 4), text.slice(5, 7), text.slice(8, 10)].map(Number);
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
  return day >= 1 && day <= days;
}
