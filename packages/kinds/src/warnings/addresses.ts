/**
 * What is told of addresses that are taken all the same: other programs may read them otherwise, or compare them as texts. Only objects stored by an older
 * server have some of these; a new one is refused (rules/addresses.ts).
 */
import { ipNumber, ipv4Text, ipv6Text, isIpv4, isMappedIpv4, withoutZeros } from "../values/ip.ts";

const shortest = (address: string, number: bigint): string => (isIpv4(address) ? ipv4Text(Number(number)) : ipv6Text(number));

/** The form in which an address should be written: an IPv4 address in IPv6 form is one all the same. */
function wanted(address: string): string | undefined {
  const number = ipNumber(withoutZeros(address));
  if (number === undefined) return undefined;
  return isMappedIpv4(withoutZeros(address)) ? ipv4Text(Number(number & 0xffffffffn)) : shortest(withoutZeros(address), number);
}

/** What is no address is not looked at. */
export function addressWarnings(text: string, field: string): string[] {
  const form = wanted(text);
  if (form === undefined || form === text) return [];
  const standard = ipNumber(text) !== undefined && !isMappedIpv4(text);
  return [
    standard
      ? `${field}: IPv6 address ${JSON.stringify(text)} should be in RFC 5952 canonical format (${JSON.stringify(form)})`
      : `${field}: non-standard IP address ${JSON.stringify(text)} is invalid: use ${JSON.stringify(form)}`,
  ];
}

/** A range as `10.9.8.0/24`. What is no range is not looked at. */
export function rangeWarnings(text: string, field: string): string[] {
  const [written = "", length = ""] = text.split("/");
  const address = withoutZeros(written);
  const number = ipNumber(address);
  if (number === undefined || !/^\d{1,3}$/u.test(length)) return [];
  const width = isIpv4(address) ? 32 : 128;
  const bits = Math.min(Number(length), width);
  const first = (number >> BigInt(width - bits)) << BigInt(width - bits);
  const mapped = isMappedIpv4(address) && bits >= width - 32;
  const range = mapped ? `${ipv4Text(Number(first & 0xffffffffn))}/${bits - (width - 32)}` : `${shortest(address, first)}/${bits}`;
  const warnings: string[] = [];
  if (first !== number) {
    const single = `${shortest(address, number)}/${width}`;
    warnings.push(
      `${field}: CIDR value ${JSON.stringify(text)} is ambiguous in this context (should be ${JSON.stringify(range)} or ${JSON.stringify(single)}?)`,
    );
  }
  if (address !== written || length !== String(bits) || isMappedIpv4(address))
    warnings.push(`${field}: non-standard CIDR value ${JSON.stringify(text)} is invalid: use ${JSON.stringify(range)}`);
  if (warnings.length > 0 || range === text) return warnings;
  return [`${field}: IPv6 CIDR value ${JSON.stringify(text)} should be in RFC 5952 canonical format (${JSON.stringify(range)})`];
}
