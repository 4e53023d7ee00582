/** Rules of IP addresses and of ranges of them. */
import { invalidValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { ipFamily, ipNumber, isIpv4, isMappedIpv4, withoutZeros } from "../values/ip.ts";

const addressComplaint = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const rangeComplaint = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/** An IP address of either family, in a form that all programs read alike. */
export function validateAddress(text: string, field: string): FieldProblem[] {
  const family = ipFamily(text);
  if (family === undefined && ipFamily(withoutZeros(text)) !== undefined) return [invalidValue(field, text, "must not have leading 0s")];
  if (family === undefined) return [invalidValue(field, text, addressComplaint)];
  return isMappedIpv4(text) ? [invalidValue(field, text, "must not be an IPv4-mapped IPv6 address")] : [];
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

/** A range as `10.9.8.0/24`, in a form that all programs read alike. */
export function validateRange(text: string, field: string): FieldProblem[] {
  const why = rangeProblem(text);
  return why === undefined ? [] : [invalidValue(field, text, why)];
}

function rangeProblem(text: string): string | undefined {
  const slash = text.indexOf("/");
  const plain = `${withoutZeros(text.slice(0, Math.max(slash, 0)))}/${text.slice(slash + 1).replace(/^0+(?=\d)/u, "")}`;
  const range = rangeOf(plain);
  if (slash < 0 || !range) return rangeComplaint;
  if (plain !== text) return "must not have leading 0s in IP or prefix length";
  if (isMappedIpv4(range.address)) return "must not have an IPv4-mapped IPv6 address";
  const free = BigInt((isIpv4(range.address) ? 32 : 128) - range.bits);
  const number = ipNumber(range.address) ?? 0n;
  return (number >> free) << free === number ? undefined : "must not have bits set beyond the prefix length";
}

/** Whether a range lies within another and is smaller. */
export function isWithin(inner: string, outer: string): boolean {
  const [one, other] = [rangeOf(inner), rangeOf(outer)];
  if (!one || !other || one.bits <= other.bits || ipFamily(one.address) !== ipFamily(other.address)) return false;
  const free = BigInt((isIpv4(one.address) ? 32 : 128) - other.bits);
  return (ipNumber(one.address) ?? 0n) >> free === (ipNumber(other.address) ?? 0n) >> free;
}
