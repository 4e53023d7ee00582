/** Formats of strings that the API server checks; all others are only descriptions. */
import { dns1123Label, dns1123Subdomain, isIpv4, isIpv6 } from "@mecha/kinds";
import { complaint as urlComplaint } from "../cel/library/url.ts";

const dateTime = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const label = String.raw`[a-zA-Z0-9\p{S}\p{L}]`;
const inner = String.raw`[a-zA-Z0-9\-\p{S}\p{L}]`;
/** One label; or labels and a last one of two letters or more. */
const hostname = new RegExp(
  String.raw`^(?:${label}(?:-?${label}{0,62})?|(?:${label}(?:${inner}{0,61}${label})?\.)+[a-zA-Z\p{L}]{2,63})$`,
  "u",
);
const uuidForm = (version: string, variant = "[0-9a-f]"): RegExp =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?${variant}[0-9a-f]{3}-?[0-9a-f]{12}$`, "i");
const uuids = { any: uuidForm("[0-9a-f]"), 3: uuidForm("3"), 4: uuidForm("4", "[89ab]"), 5: uuidForm("5", "[89ab]") };
const part = String.raw`\s*(?:0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*`;
const rgb = new RegExp(`^rgb\\(${part},${part},${part}\\)$`, "u");
/** Of 6, 8 or 20 bytes. */
const mac = /^(?:(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4,18}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2,9}[0-9a-f]{4})$/iu;
const macDigits = new Set([12, 16, 40]);

/** Longest name of a host. */
const maxHostname = 255;
const maxLabel = 63;

function isHostname(text: string): boolean {
  return text.length <= maxHostname && text.split(".").every((name) => name.length <= maxLabel) && hostname.test(text);
}

function isCidr(text: string): boolean {
  const [address = "", bits = "", ...rest] = text.split("/");
  if (rest.length > 0 || !/^\d{1,4}$/.test(bits)) return false;
  return (isIpv4(address) && Number(bits) <= 32) || (isIpv6(address) && Number(bits) <= 128);
}

function isDate(text: string): boolean {
  const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN;
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

const digitsOf = (text: string): string => text.replace(/[- ]/gu, "");
const weighed = (digits: readonly number[], weight: (place: number) => number): number =>
  digits.reduce((sum, digit, place) => sum + digit * weight(place), 0);

function isIsbn10(text: string): boolean {
  const digits = digitsOf(text);
  if (!/^\d{9}[\dX]$/u.test(digits)) return false;
  return (
    weighed(
      Array.from(digits, (char) => (char === "X" ? 10 : Number(char))),
      (place) => place + 1,
    ) %
      11 ===
    0
  );
}

function isIsbn13(text: string): boolean {
  const digits = digitsOf(text);
  return /^\d{13}$/u.test(digits) && weighed(Array.from(digits, Number), (place) => (place % 2 === 0 ? 1 : 3)) % 10 === 0;
}

/** Luhn's check over the numbers banks give out. */
function isCreditCard(text: string): boolean {
  const digits = text.replace(/[^0-9]+/gu, "");
  if (!/^\d{13,19}$/u.test(digits)) return false;
  const reversed = Array.from(digits, Number).reverse();
  const doubled = reversed.map((digit, place) => (place % 2 === 0 ? digit : digit * 2 > 9 ? digit * 2 - 9 : digit * 2));
  return weighed(doubled, () => 1) % 10 === 0;
}

const checks: Readonly<Record<string, (text: string) => boolean>> = {
  "date-time": (text) => dateTime.test(text) && !Number.isNaN(Date.parse(text)),
  datetime: (text) => dateTime.test(text) && !Number.isNaN(Date.parse(text)),
  date: isDate,
  duration: (text) => /^-?(\d+(\.\d+)?\s*(ns|us|µs|ms|s|m|h|d|w|hours?|minutes?|seconds?|days?|weeks?))+$/.test(text) || text === "0",
  email: (text) => /^(?:[^\s@<>]+@[^\s@<>]+|[^@<>]*<[^\s@<>]+@[^\s@<>]+>)$/.test(text),
  ipv4: isIpv4,
  ipv6: isIpv6,
  cidr: isCidr,
  hostname: isHostname,
  uri: (text) => urlComplaint(text) === undefined,
  mac: (text) => mac.test(text) && macDigits.has(text.replace(/[.:-]/gu, "").length),
  uuid: (text) => uuids.any.test(text),
  uuid3: (text) => uuids[3].test(text),
  uuid4: (text) => uuids[4].test(text),
  uuid5: (text) => uuids[5].test(text),
  byte: (text) => text !== "" && /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text),
  hexcolor: (text) => /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i.test(text),
  rgbcolor: (text) => rgb.test(text),
  bsonobjectid: (text) => /^[0-9a-f]{24}$/i.test(text),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: isCreditCard,
  ssn: (text) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/u.test(text),
  "k8s-short-name": (text) => dns1123Label(text).length === 0,
  "k8s-long-name": (text) => dns1123Subdomain(text).length === 0,
};

/** Formats of a type's values the server knows; of other types it knows none. */
const known: Readonly<Record<string, (format: string) => boolean>> = {
  string: (format) => format === "password" || Object.keys(checks).some((name) => withoutDashes(name) === withoutDashes(format)),
  integer: (format) => format === "int32" || format === "int64",
  number: (format) => format === "float" || format === "double",
};

const withoutDashes = (format: string): string => format.replaceAll("-", "");

/** Does the server check values of this type against the format, or would it at least know what to check? */
export function isFormatOf(type: string, format: string): boolean {
  return (Object.hasOwn(known, type || "string") && known[type || "string"]?.(format)) ?? false;
}

const ofNumbers = new Set(["int32", "int64", "uint32", "uint64", "float", "double", "password"]);

export const isKnownFormat = (format: string): boolean => Object.hasOwn(checks, format) || ofNumbers.has(format);

/** False only for a text that is known not to have the format. */
export function hasFormat(format: string, text: string): boolean {
  return !Object.hasOwn(checks, format) || checks[format]?.(text) !== false;
}
