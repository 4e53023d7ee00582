/** Rules of IP addresses and of ranges of them. */
import { invalidValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { ipFamily, isIpv4, ipv4Number } from "../values/ip.ts";

const addressComplaint = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const rangeComplaint = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/** An IP address of either family. */
export function validateAddress(text: string, field: string): FieldProblem[] {
  return ipFamily(text) === undefined ? [invalidValue(field, text, addressComplaint)] : [];
}

/** Ranges nobody outside a machine can reach, and what is said of them. Texts as they are written in full, lower case. */
type Special = readonly [test: (address: string) => boolean, why: (address: string) => string];
const loopback: Special = [
  (address) => (isIpv4(address) && address.startsWith("127.")) || address === "::1",
  () => "may not be in the loopback range (127.0.0.0/8, ::1/128)",
];
const special: readonly Special[] = [
  [(address) => address === "0.0.0.0" || address === "::", (address) => `may not be unspecified (${address})`],
  [
    (address) => (isIpv4(address) && address.startsWith("169.254.")) || /^fe[89ab][\da-f]:/.test(address),
    () => "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
  ],
  [
    (address) => (isIpv4(address) && address.startsWith("224.0.0.")) || /^ff[\da-f]2:/.test(address),
    () => "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
  ],
];

/**
 * The address of an endpoint: none that means nobody, or this wire. A cluster refuses loopback too; on one machine that is where endpoints are, this server's
 * first of all. What is no address is not looked at.
 */
export function validateLocalOrReachable(text: string, field: string): FieldProblem[] {
  return refusals(special, text, field);
}

/** An address that others can reach: an endpoint's, and not this machine's own. What is no address is not looked at. */
export function validateReachable(text: string, field: string): FieldProblem[] {
  return refusals([...special, loopback], text, field);
}

function refusals(ranges: readonly Special[], text: string, field: string): FieldProblem[] {
  if (ipFamily(text) === undefined) return [];
  const address = text.toLowerCase();
  return ranges.filter(([test]) => test(address)).map(([, why]) => invalidValue(field, text, why(text)));
}

interface Range {
  readonly address: string;
  readonly bits: number;
}

function rangeOf(text: string): Range | undefined {
  const [address = "", length = "", ...rest] = text.split("/");
  const family = ipFamily(address);
  const bits = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  return family !== undefined && rest.length === 0 && bits <= (family === "IPv4" ? 32 : 128) ? { address, bits } : undefined;
}

/** A range as `10.9.8.0/24`. */
export function validateRange(text: string, field: string): FieldProblem[] {
  return rangeOf(text) === undefined ? [invalidValue(field, text, rangeComplaint)] : [];
}

/** Whether a range lies within another and is smaller. */
export function isWithin(inner: string, outer: string): boolean {
  const [one, other] = [rangeOf(inner), rangeOf(outer)];
  if (!one || !other || one.bits <= other.bits || ipFamily(one.address) !== ipFamily(other.address)) return false;
  return prefix(one.address, other.bits) === prefix(other.address, other.bits);
}

/** The first bits of an address, as text of 0 and 1. */
function prefix(address: string, bits: number): string {
  const all = isIpv4(address) ? ipv4Number(address).toString(2).padStart(32, "0") : ipv6Bits(address);
  return all.slice(0, bits);
}

function ipv6Bits(address: string): string {
  const plain = address.replace(/(\d+\.\d+\.\d+\.\d+)$/, (four) => {
    const number = ipv4Number(four);
    return `${Math.floor(number / 65_536).toString(16)}:${(number % 65_536).toString(16)}`;
  });
  const [head = [], tail = []] = plain.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => "0");
  return [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16).toString(2).padStart(16, "0")).join("");
}
