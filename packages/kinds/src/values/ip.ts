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

/** Numbers of an IPv4 address, or of one in IPv6 form, without the zeros some write before them, and others read as octal. */
export function withoutZeros(text: string): string {
  const from = text.lastIndexOf(":") + 1;
  const four = text.slice(from);
  if (!/^\d+(?:\.\d+){3}$/u.test(four)) return text;
  const numbers = four.split(".").map((number) => number.replace(/^0+(?=\d)/u, ""));
  return text.slice(0, from) + numbers.join(".");
}

export type IpFamily = "IPv4" | "IPv6";

/** @returns `undefined` for what is no address. */
export function ipFamily(text: string): IpFamily | undefined {
  if (isIpv4(text)) return "IPv4";
  return isIpv6(text) ? "IPv6" : undefined;
}

/** An address of either family as the number it stands for; `undefined` for what is no address. */
export function ipNumber(text: string): bigint | undefined {
  if (isIpv4(text)) return BigInt(ipv4Number(text));
  if (!isIpv6(text)) return undefined;
  const plain = text.replace(/(\d+\.\d+\.\d+\.\d+)$/u, (four) => {
    const number = ipv4Number(four);
    return `${Math.floor(number / 65_536).toString(16)}:${(number % 65_536).toString(16)}`;
  });
  const [head = [], tail] = plain.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const groups = tail === undefined ? head : [...head, ...Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
  return groups.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}

/** An IPv6 address in its shortest form (RFC 5952). */
export function ipv6Text(number: bigint): string {
  const text = Array.from({ length: 8 }, (_, index) => ((number >> BigInt(112 - 16 * index)) & 0xffffn).toString(16)).join(":");
  const zeros = [...text.matchAll(/(?:^|(?<=:))0(?::0)+(?=:|$)/gu)].sort((a, b) => b[0].length - a[0].length)[0];
  if (!zeros) return text;
  return `${text.slice(0, zeros.index).replace(/:$/u, "")}::${text.slice(zeros.index + zeros[0].length).replace(/^:/u, "")}`;
}

/** An IPv4 address in the clothes of the other family: `::ffff:10.9.8.7`. */
export const isMappedIpv4 = (text: string): boolean => isIpv6(text) && (ipNumber(text) ?? 0n) >> 32n === 0xffffn;

/** An IPv4 address as a number, so that ranges can be counted. */
export const ipv4Number = (text: string): number => text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);

export const ipv4Text = (number: number): string => [24, 16, 8, 0].map((shift) => String(Math.floor(number / 2 ** shift) % 256)).join(".");
