/** IP addresses and CIDR ranges in CEL: `isIP(x)`, `ip(x).family()`, `cidr("10.0.0.0/8").containsIP("10.1.2.3")`. */
import type { Environment } from "@marcbachmann/cel-js";
import { isIpv4, isIpv6 } from "@mecha/kinds";
import { isCidr } from "../crd/format.ts";

const ipType = "net.IP";
const cidrType = "net.CIDR";

class Ip {
  readonly family: 4 | 6;
  readonly value: bigint;
  constructor(family: 4 | 6, value: bigint) {
    this.family = family;
    this.value = value;
  }
}

class Cidr {
  readonly ip: Ip;
  readonly bits: number;
  constructor(ip: Ip, bits: number) {
    this.ip = ip;
    this.bits = bits;
  }
}

const widthOf = ({ family }: Ip): number => (family === 4 ? 32 : 128);

function parseIp(text: string): Ip {
  if (isIpv4(text))
    return new Ip(
      4,
      text.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n),
    );
  if (!isIpv6(text) || text.includes(".")) throw new Error(`IP Address ${JSON.stringify(text)} parse error during conversion from string`);
  const [head = [], tail] = text.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const groups = tail === undefined ? head : [...head, ...Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
  return new Ip(
    6,
    groups.reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n),
  );
}

/** The shortest form (RFC 5952). */
function ipText({ family, value }: Ip): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  const zeros = [...groups.join(":").matchAll(/(?:^|(?<=:))0(?::0)+(?=:|$)/g)].sort((a, b) => b[0].length - a[0].length)[0];
  if (!zeros) return groups.join(":");
  const text = groups.join(":");
  return `${text.slice(0, zeros.index).replace(/:$/, "")}::${text.slice(zeros.index + zeros[0].length).replace(/^:/, "")}`;
}

function parseCidr(text: string): Cidr {
  if (!isCidr(text)) throw new Error(`network address parse error during conversion from string: ${JSON.stringify(text)}`);
  const [address = "", bits = ""] = text.split("/");
  return new Cidr(parseIp(address), Number(bits));
}

const networkOf = (ip: Ip, bits: number): bigint => ip.value >> BigInt(widthOf(ip) - bits);

function contains(range: Cidr, ip: Ip, bits = widthOf(ip)): boolean {
  return range.ip.family === ip.family && bits >= range.bits && networkOf(range.ip, range.bits) === networkOf(ip, range.bits);
}

const within =
  (range: string) =>
  (ip: Ip): boolean =>
    contains(parseCidr(range), ip);
const any =
  (...tests: readonly ((ip: Ip) => boolean)[]) =>
  (ip: Ip): boolean =>
    tests.some((test) => test(ip));
const isLoopback = any(within("127.0.0.0/8"), within("::1/128"));
const isUnspecified = any(within("0.0.0.0/32"), within("::/128"));
const isLinkLocalUnicast = any(within("169.254.0.0/16"), within("fe80::/10"));
const isLinkLocalMulticast = any(within("224.0.0.0/24"), within("ff02::/16"));
const isMulticast = any(within("224.0.0.0/4"), within("ff00::/8"), within("255.255.255.255/32"));

export function registerNetwork(env: Environment): void {
  env.registerType(ipType, { ctor: Ip, fields: {} });
  env.registerType(cidrType, { ctor: Cidr, fields: {} });
  const attempt = (parse: (text: string) => unknown) => (text: string) => {
    try {
      parse(text);
      return true;
    } catch {
      return false;
    }
  };
  env.registerFunction(`ip(string): ${ipType}`, parseIp);
  env.registerFunction("isIP(string): bool", attempt(parseIp));
  env.registerFunction(`string(${ipType}): string`, ipText);
  env.registerOperator(`${ipType} == ${ipType}`, (a: Ip, b: Ip) => a.family === b.family && a.value === b.value);
  env.registerFunction(`${ipType}.family(): int`, (ip: Ip) => BigInt(ip.family));
  const properties = { isLoopback, isUnspecified, isLinkLocalUnicast, isLinkLocalMulticast };
  for (const [name, has] of Object.entries(properties)) env.registerFunction(`${ipType}.${name}(): bool`, has);
  env.registerFunction(
    `${ipType}.isGlobalUnicast(): bool`,
    (ip: Ip) => !any(isLoopback, isUnspecified, isLinkLocalUnicast, isMulticast)(ip),
  );
  env.registerFunction(`cidr(string): ${cidrType}`, parseCidr);
  env.registerFunction("isCIDR(string): bool", attempt(parseCidr));
  env.registerFunction(`string(${cidrType}): string`, (range: Cidr) => `${ipText(range.ip)}/${String(range.bits)}`);
  env.registerOperator(
    `${cidrType} == ${cidrType}`,
    (a: Cidr, b: Cidr) => a.bits === b.bits && a.ip.family === b.ip.family && a.ip.value === b.ip.value,
  );
  env.registerFunction(`${cidrType}.containsIP(${ipType}): bool`, (range: Cidr, ip: Ip) => contains(range, ip));
  env.registerFunction(`${cidrType}.containsIP(string): bool`, (range: Cidr, ip: string) => contains(range, parseIp(ip)));
  env.registerFunction(`${cidrType}.containsCIDR(${cidrType}): bool`, (range: Cidr, inner: Cidr) => contains(range, inner.ip, inner.bits));
  env.registerFunction(`${cidrType}.containsCIDR(string): bool`, (range: Cidr, inner: string) =>
    contains(range, parseCidr(inner).ip, parseCidr(inner).bits),
  );
  env.registerFunction(`${cidrType}.ip(): ${ipType}`, (range: Cidr) => range.ip);
  env.registerFunction(`${cidrType}.prefixLength(): int`, (range: Cidr) => BigInt(range.bits));
  env.registerFunction(`${cidrType}.masked(): ${cidrType}`, ({ ip, bits }: Cidr) => {
    const free = BigInt(widthOf(ip) - bits);
    return new Cidr(new Ip(ip.family, (ip.value >> free) << free), bits);
  });
}
