/** IP addresses and CIDR ranges: `ip(x).family()`, `cidr("10.0.0.0/8").containsIP("10.1.2.3")`. Neither zones nor IPv4 addresses in IPv6 form. */
import { ipNumber, ipv6Text, isIpv4 } from "@mecha/kinds";
import {
  type Argument,
  type Cost,
  type Estimate,
  exactly,
  factor,
  perCharacter,
  plus,
  reading,
  sizeAt,
  traversal,
} from "../language/cost.ts";
import { type Library } from "../language/environment.ts";
import { boolType, intType, opaqueType, stringType } from "../language/types.ts";
import { CelError, Opaque, sizeOf } from "../language/values.ts";

export const ipType = opaqueType("net.IP");
export const cidrType = opaqueType("net.CIDR");

class Ip extends Opaque {
  readonly type = ipType;
  readonly family: 4 | 6;
  readonly value: bigint;
  override readonly size: number;
  constructor(family: 4 | 6, value: bigint) {
    super();
    this.family = family;
    this.value = value;
    this.size = family === 4 ? 4 : 16;
  }
  equals(other: Opaque): boolean {
    return other instanceof Ip && this.family === other.family && this.value === other.value;
  }
}

class Cidr extends Opaque {
  readonly type = cidrType;
  readonly ip: Ip;
  readonly bits: number;
  override readonly size: number;
  constructor(ip: Ip, bits: number) {
    super();
    this.ip = ip;
    this.bits = bits;
    this.size = Math.ceil(bits / 8);
  }
  equals(other: Opaque): boolean {
    return other instanceof Cidr && this.bits === other.bits && this.ip.equals(other.ip);
  }
}

const widthOf = ({ family }: Ip): number => (family === 4 ? 32 : 128);

/** The address a text stands for; `undefined` when it stands for none. */
function addressOf(text: string): Ip | undefined {
  const value = ipNumber(text);
  return value === undefined ? undefined : new Ip(isIpv4(text) ? 4 : 6, value);
}

const isMapped = ({ family, value }: Ip): boolean => family === 6 && value >> 32n === 0xffffn;

function parseIp(text: string): Ip {
  const zone = /^(.+)%(.+)$/su.exec(text);
  if (zone && addressOf(zone[1] ?? "")?.family === 6)
    throw new CelError(`IP address ${JSON.stringify(text)} with zone value is not allowed`);
  const ip = addressOf(text);
  if (!ip) throw new CelError(`IP Address ${JSON.stringify(text)} parse error during conversion from string: ${whyNoAddress(text)}`);
  if (isMapped(ip)) throw new CelError(`IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`);
  return ip;
}

/** What Go's parser says of the text. */
function whyNoAddress(text: string): string {
  const head = `ParseAddr(${JSON.stringify(text)})`;
  const sign = /[.:%]/u.exec(text)?.[0];
  if (sign === undefined) return `${head}: unable to parse IP`;
  if (sign === "%") return `${head}: missing IPv6 address`;
  if (sign === ":") return `${head}: ${whyNoIpv6(text)}`;
  return `${head}: ${whyNoIpv4(text)}`;
}

function whyNoIpv4(text: string): string {
  const parts = text.split(".");
  for (const [index, part] of parts.entries()) {
    if (/[^0-9]/u.test(part)) return `unexpected character (at ${JSON.stringify(parts.slice(index).join(".").replace(/^\d+/u, ""))})`;
    if (part === "")
      return `IPv4 field must have at least one digit${
        index > 0 || parts.length > 1
          ? ` (at ${JSON.stringify(
              parts
                .slice(index - 1)
                .join(".")
                .replace(/^[^.]*/u, "") || ".",
            )})`
          : ""
      }`;
    if (part.length > 1 && part.startsWith("0")) return "IPv4 field has octet with leading zero";
    if (Number(part) > 255) return "IPv4 field has value >255";
  }
  return parts.length > 4 ? "IPv4 address too long" : "IPv4 address too short";
}

function whyNoIpv6(text: string): string {
  const long = /[0-9a-fA-F]{5,}/u.exec(text);
  if (long) return `each group must have 4 or less digits (at ${JSON.stringify(text.slice(long.index))})`;
  if (text.split("::").length > 2) return `multiple :: in address (at ${JSON.stringify(text.slice(text.lastIndexOf("::") + 1))})`;
  const strange = /[^0-9a-fA-F:.]/u.exec(text);
  if (strange) return `unexpected character, want colon (at ${JSON.stringify(text.slice(strange.index))})`;
  if (!text.includes("::") && text.split(":").length < 8) return "address string too short";
  return "unable to parse IP";
}

/** The shortest form (RFC 5952). */
function ipText({ family, value }: Ip): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join(".");
  return ipv6Text(value);
}

function parseCidr(text: string): Cidr {
  const slash = text.lastIndexOf("/");
  const bits = text.slice(slash + 1);
  const ip = slash < 0 ? undefined : addressOf(text.slice(0, slash));
  const fails = (why: string): CelError =>
    new CelError(
      `network address parse error during conversion from string: network address parse error during conversion from string: netip.ParsePrefix(${JSON.stringify(text)}): ${why}`,
    );
  if (slash < 0) throw fails("no '/'");
  if (!ip) throw fails(whyNoAddress(text.slice(0, slash)));
  if (!/^(0|[1-9]\d{0,2})$/u.test(bits)) throw fails(`bad bits after slash: ${JSON.stringify(bits)}`);
  if (Number(bits) > widthOf(ip)) throw fails("prefix length out of range");
  if (isMapped(ip))
    throw new CelError(
      `network address parse error during conversion from string: IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`,
    );
  return new Cidr(ip, Number(bits));
}

const networkOf = (ip: Ip, bits: number): bigint => ip.value >> BigInt(widthOf(ip) - bits);

function contains(range: Cidr, ip: Ip, bits = widthOf(ip)): boolean {
  return range.ip.family === ip.family && bits >= range.bits && networkOf(range.ip, range.bits) === networkOf(ip, range.bits);
}

const within =
  (...ranges: readonly string[]) =>
  (ip: Ip): boolean =>
    ranges.some((range) => contains(parseCidr(range), ip));
const isLoopback = within("127.0.0.0/8", "::1/128");
const isUnspecified = within("0.0.0.0/32", "::/128");
const isLinkLocalUnicast = within("169.254.0.0/16", "fe80::/10");
const isLinkLocalMulticast = within("224.0.0.0/24", "ff02::/16");
const isMulticast = within("224.0.0.0/4", "ff00::/8", "255.255.255.255/32");
const isGlobalUnicast = (ip: Ip): boolean => ![isLoopback, isUnspecified, isLinkLocalUnicast, isMulticast].some((is) => is(ip));

function masked({ ip, bits }: Cidr): Cidr {
  const free = BigInt(widthOf(ip) - bits);
  return new Cidr(new Ip(ip.family, (ip.value >> free) << free), bits);
}

export function parses(parse: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      parse(text);
      return true;
    } catch {
      return false;
    }
  };
}

/** Bytes of an address. */
const addressSize = { min: 4, max: 16 };

/** @param text The other side is a text, which is read first. @param range It is a range, whose bits are compared as well. */
const containing = (text: boolean, range: boolean): Cost => ({
  actual: ([one, other]) => traversal(sizeOf(one) * 2) + (range ? traversal(sizeOf(one)) + 1 : 0) + (text ? traversal(sizeOf(other)) : 0),
  estimate: (args: readonly Argument[]): Estimate => {
    const compared = factor(plus(addressSize, addressSize), perCharacter);
    const bits = range ? plus(factor(addressSize, perCharacter), exactly(1)) : exactly(0);
    return { cost: plus(compared, bits, text ? factor(sizeAt(args, 1), perCharacter) : exactly(0)) };
  },
});

export function addNetwork(library: Library): void {
  const read = reading(0);
  library.global("ip", "string_to_ip", [stringType], ipType, parseIp, read);
  library.global("isIP", "is_ip", [stringType], boolType, parses(parseIp), read);
  library.global(
    "ip.isCanonical",
    "ip_is_canonical",
    [stringType],
    boolType,
    (text: string) => ipText(parseIp(text)) === text,
    reading(0, 2),
  );
  library.global("string", "ip_to_string", [ipType], stringType, ipText);
  library.member("family", "ip_family", [ipType], intType, ({ family }: Ip) => BigInt(family));
  const properties: readonly (readonly [string, string, (ip: Ip) => boolean])[] = [
    ["isUnspecified", "ip_is_unspecified", isUnspecified],
    ["isLoopback", "ip_is_loopback", isLoopback],
    ["isLinkLocalMulticast", "ip_is_link_local_multicast", isLinkLocalMulticast],
    ["isLinkLocalUnicast", "ip_is_link_local_unicast", isLinkLocalUnicast],
    ["isGlobalUnicast", "ip_is_global_unicast", isGlobalUnicast],
  ];
  for (const [name, id, has] of properties) library.member(name, id, [ipType], boolType, has);
  library.global("cidr", "string_to_cidr", [stringType], cidrType, parseCidr, read);
  library.global("isCIDR", "is_cidr", [stringType], boolType, parses(parseCidr), read);
  library.global("string", "cidr_to_string", [cidrType], stringType, (range: Cidr) => `${ipText(range.ip)}/${String(range.bits)}`);
  const holdsIp = (range: Cidr, ip: Ip): boolean => contains(range, ip);
  const holdsRange = (range: Cidr, inner: Cidr): boolean => contains(range, inner.ip, inner.bits);
  library.member(
    "containsIP",
    "cidr_contains_ip_string",
    [cidrType, stringType],
    boolType,
    (range: Cidr, ip: string) => holdsIp(range, parseIp(ip)),
    containing(true, false),
  );
  library.member("containsIP", "cidr_contains_ip_ip", [cidrType, ipType], boolType, holdsIp, containing(false, false));
  library.member(
    "containsCIDR",
    "cidr_contains_cidr_string",
    [cidrType, stringType],
    boolType,
    (range: Cidr, inner: string) => holdsRange(range, parseCidr(inner)),
    containing(true, true),
  );
  library.member("containsCIDR", "cidr_contains_cidr", [cidrType, cidrType], boolType, holdsRange, containing(false, true));
  library.member("ip", "cidr_ip", [cidrType], ipType, ({ ip }: Cidr) => ip);
  library.member("prefixLength", "cidr_prefix_length", [cidrType], intType, ({ bits }: Cidr) => BigInt(bits));
  library.member("masked", "cidr_masked", [cidrType], cidrType, masked);
}
