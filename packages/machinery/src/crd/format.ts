/** Formats of strings that the API server checks; all others are only descriptions. */

const dateTime = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const hostname = /^(?=.{1,253}$)[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
const uuidForm = (version: string): RegExp =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, "i");
const octet = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const ipv4 = new RegExp(`^${octet}(\\.${octet}){3}$`);

/** An IPv6 address in any of its forms (RFC 4291 §2.2). */
export function isIpv6(text: string): boolean {
  const mapped = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (mapped) return ipv4.test(mapped[2] ?? "") && isIpv6(`${mapped[1] ?? ""}0:0`);
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}

export const isIpv4 = (text: string): boolean => ipv4.test(text);

export function isCidr(text: string): boolean {
  const [address = "", bits = "", ...rest] = text.split("/");
  if (rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(bits)) return false;
  return (isIpv4(address) && Number(bits) <= 32) || (isIpv6(address) && Number(bits) <= 128);
}

const checks: Readonly<Record<string, (text: string) => boolean>> = {
  "date-time": (text) => dateTime.test(text) && !Number.isNaN(Date.parse(text)),
  datetime: (text) => dateTime.test(text) && !Number.isNaN(Date.parse(text)),
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)),
  duration: (text) => /^-?(\d+(\.\d+)?\s*(ns|us|µs|ms|s|m|h|d|w|hours?|minutes?|seconds?|days?|weeks?))+$/.test(text) || text === "0",
  email: (text) => /^[^\s@<>]+@[^\s@<>]+$/.test(text),
  ipv4: isIpv4,
  ipv6: isIpv6,
  cidr: isCidr,
  hostname: (text) => hostname.test(text),
  uri: (text) => /^[a-zA-Z][a-zA-Z0-9+.-]*:\S*$/.test(text) || /^\/\S*$/.test(text),
  mac: (text) => /^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(text),
  uuid: (text) => uuidForm("[0-9a-f]").test(text),
  uuid3: (text) => uuidForm("3").test(text),
  uuid4: (text) => uuidForm("4").test(text),
  uuid5: (text) => uuidForm("5").test(text),
  byte: (text) => /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text),
  hexcolor: (text) => /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i.test(text),
};

/** False only for a text that is known not to have the format. */
export function hasFormat(format: string, text: string): boolean {
  return !Object.hasOwn(checks, format) || checks[format]?.(text) !== false;
}
