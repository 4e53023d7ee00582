/** Semantic versions (2.0.0): `semver("1.2.3").isLessThan(semver("1.10.0"))`. `semver(text, true)` takes `v1.2` as 1.2.0. */
import { compareTexts } from "../language/compare.ts";
import { reading } from "../language/cost.ts";
import { type Library } from "../language/environment.ts";
import { boolType, intType, stringType, structType } from "../language/types.ts";
import { CelError, Opaque } from "../language/values.ts";
import { parses } from "./network.ts";

export const semverType = structType("kubernetes.Semver");

class Semver extends Opaque {
  readonly type = semverType;
  /** Major, minor, patch. */
  readonly numbers: readonly bigint[];
  readonly release: readonly string[];
  constructor(numbers: readonly bigint[], release: readonly string[]) {
    super();
    this.numbers = numbers;
    this.release = release;
  }
  equals(other: Opaque): boolean {
    return other instanceof Semver && compare(this, other) === 0;
  }
}

const part = String.raw`(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)`;
const form = new RegExp(
  String.raw`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-(${part}(?:\.${part})*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$`,
  "u",
);

function parse(text: string): Semver {
  const match = form.exec(text);
  if (!match) throw new CelError(whyNone(text));
  const [, major = "", minor = "", patch = "", release] = match;
  return new Semver([major, minor, patch].map(BigInt), release?.split(".") ?? []);
}

function whyNone(text: string): string {
  if (text === "") return "Version string empty";
  const parts = text.split(/\.(.*)/su, 2);
  const rest = parts[1]?.split(/\.(.*)/su, 2) ?? [];
  if (rest.length < 2) return "No Major.Minor.Patch elements found";
  const patch = /^[^-+]*/u.exec(rest[1] ?? "")?.[0] ?? "";
  for (const [name, value] of [
    ["major", parts[0] ?? ""],
    ["minor", rest[0] ?? ""],
    ["patch", patch],
  ] as const) {
    const shown = JSON.stringify(value);
    const Name = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    if (/[^0-9]/u.test(value)) return `Invalid character(s) found in ${name} number ${shown}`;
    if (value.length > 1 && value.startsWith("0")) return `${Name} number must not contain leading zeroes ${shown}`;
    if (value === "") return `strconv.ParseUint: parsing "": invalid syntax`;
  }
  return `Invalid character(s) found in prerelease ${JSON.stringify(text)}`;
}

/** What people write: `v1`, `1.02`. */
function parseLoose(text: string): Semver {
  const [major = "", minor, ...rest] = text.replace(/^v/u, "").split(".");
  const parts = [major, ...(minor === undefined ? [] : [minor]), ...(rest.length > 0 ? [rest.join(".")] : [])];
  if (parts.length < 3 && /[+-]/u.test(parts.at(-1) ?? "")) throw new CelError("short version cannot contain PreRelease/Build meta data");
  const plain = parts.map((value) => (value.length > 1 ? value.replace(/^0+(?=\d)/u, "").replace(/^0+(?=\D)/u, "0") : value));
  while (plain.length < 3) plain.push("0");
  return parse(plain.join("."));
}

function compare(a: Semver, b: Semver): number {
  for (const [index, x] of a.numbers.entries()) {
    const y = b.numbers[index] ?? 0n;
    if (x !== y) return x < y ? -1 : 1;
  }
  // A version without a release tag comes after those that have one.
  if (a.release.length === 0 || b.release.length === 0) return Math.sign(Number(a.release.length === 0) - Number(b.release.length === 0));
  for (const [index, x] of a.release.entries()) {
    const y = b.release[index];
    const order = y === undefined ? 1 : comparePart(x, y);
    if (order !== 0) return order;
  }
  return a.release.length < b.release.length ? -1 : 0;
}

function comparePart(x: string, y: string): number {
  const [xNumber, yNumber] = [/^\d+$/u.test(x), /^\d+$/u.test(y)];
  if (xNumber && yNumber) return BigInt(x) < BigInt(y) ? -1 : Number(BigInt(x) > BigInt(y));
  if (xNumber !== yNumber) return xNumber ? -1 : 1;
  return compareTexts(x, y);
}

export function addSemver(library: Library): void {
  const s = semverType;
  const either = (text: string, loose: boolean): Semver => (loose ? parseLoose(text) : parse(text));
  library.global("semver", "string_to_semver", [stringType], s, parse, reading(0));
  library.global("semver", "string_bool_to_semver", [stringType, boolType], s, either, reading(0));
  library.global("isSemver", "is_semver_string", [stringType], boolType, parses(parse), reading(0));
  library.global(
    "isSemver",
    "is_semver_string_bool",
    [stringType, boolType],
    boolType,
    (text: string, loose: boolean) => parses((t) => either(t, loose))(text),
    reading(0),
  );
  library.member("isGreaterThan", "semver_is_greater_than", [s, s], boolType, (a: Semver, b: Semver) => compare(a, b) > 0);
  library.member("isLessThan", "semver_is_less_than", [s, s], boolType, (a: Semver, b: Semver) => compare(a, b) < 0);
  library.member("compareTo", "semver_compare_to", [s, s], intType, (a: Semver, b: Semver) => BigInt(compare(a, b)));
  for (const [index, name] of ["major", "minor", "patch"].entries())
    library.member(name, `semver_${name}`, [s], intType, ({ numbers }: Semver) => numbers[index] ?? 0n);
}
