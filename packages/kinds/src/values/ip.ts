/** IP addresses as texts. */

const octet = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const ipv4 = new RegExp(`^${octet}(\\.${octet}){3}$`);

/** `10.9.8.7`; no leading zeros. */
export const isIpv4 = (text: string): boolean => ipv4.test(text);

/** An IPv6 address in any of its forms (RFC 4291 §2.2). */
export function isIpv6(text: string): boolean {
  const mapped = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (mapped) return isIpv4(mapped[2] ?? "") && isIpv6(`${mapped[1] ?? ""}0:0`);
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}

export type IpFamily = "IPv4" | "IPv6";

/** @returns `undefined` for what is no address. */
export function ipFamily(text: string): IpFamily | undefined {
  if (isIpv4(text)) return "IPv4";
  return isIpv6(text) ? "IPv6" : undefined;
}

/** An IPv4 address as a number, so that ranges can be counted. */
export const ipv4Number = (text: string): number => text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);

export const ipv4Text = (number: number): string => [24, 16, 8, 0].map((shift) => String(Math.floor(number / 2 ** shift) % 256)).join(".");
