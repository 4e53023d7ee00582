/**
 * The functions Kubernetes adds to CEL: regular expressions (RE2, linear time), lists, strings, sets, URLs, quantities, IP addresses and CIDR ranges,
 * named formats, format(). What the library has already is not repeated.
 * @see Kubernetes, "Common Expression Language in Kubernetes", section "CEL options, language features and libraries"
 */
import { type ASTNode, Environment, Optional } from "@marcbachmann/cel-js";
import { dns1035Label, dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from "@mecha/kinds";
import { compiled } from "../crd/check-value.ts";
import { hasFormat } from "../crd/format.ts";
import { registerNetwork } from "./network.ts";
import { registerQuantities } from "./quantity.ts";
import { registerUrls } from "./url.ts";

/** The name `has` gets in a rule's text: the library's own takes no field of an element, `has(self[0].x)`, and does not tell of fields that are not declared. */
export const safeHas = "hasField";
/** The name `matches` gets in a rule's text: the library's own goes through JavaScript's expressions, which backtrack. */
export const safeMatches = "matchesRe2";

/** An environment with all functions and no variables. Make it once: it takes about a millisecond. */
export function kubernetesEnvironment(): Environment {
  const env = new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false });
  registerHas(env);
  registerExpressions(env);
  registerLists(env);
  registerStrings(env);
  registerSets(env);
  registerUrls(env);
  registerQuantities(env);
  registerNetwork(env);
  registerFormats(env);
  return env;
}

interface Checker {
  readonly boolType: unknown;
  readonly check: (node: ASTNode, scope: unknown) => unknown;
}
interface Evaluator {
  readonly run: (node: ASTNode, scope: unknown) => unknown;
}

function registerHas(env: Environment): void {
  env.registerFunction(`${safeHas}(ast): bool`, ({ args: [operand] }: { args: [ASTNode] }) => {
    if (operand.op !== ".") throw new Error("invalid argument to has() macro");
    const [holder, field] = operand.args;
    return {
      typeCheck: (checker: Checker, _: unknown, scope: unknown): unknown => {
        checker.check(operand, scope);
        return checker.boolType;
      },
      evaluate: (evaluator: Evaluator, _: unknown, scope: unknown): boolean => {
        const value = evaluator.run(holder, scope);
        return value instanceof Map ? value.has(field) : typeof value === "object" && value !== null && Object.hasOwn(value, field);
      },
    };
  });
}

/** A named format: what is wrong with a text. */
class Format {
  readonly complaints: (text: string) => readonly string[];
  constructor(complaints: (text: string) => readonly string[]) {
    this.complaints = complaints;
  }
}

/** `format` is a namespace in CEL; here it is a value with methods. */
class Formats {
  readonly namespace = "format";
}

const schemaFormat = (name: string, complaint: string): Format => new Format((text) => (hasFormat(name, text) ? [] : [complaint]));
/** A name that more is put behind, as generateName does: its last character may be a dash. */
const prefixOf = (rule: (text: string) => string[]): Format =>
  new Format((text) => rule(text.endsWith("-") ? `${text.slice(0, -1)}a` : text));
const formats: Readonly<Record<string, Format>> = {
  dns1123Label: new Format(dns1123Label),
  dns1123Subdomain: new Format(dns1123Subdomain),
  dns1035Label: new Format(dns1035Label),
  dns1123LabelPrefix: prefixOf(dns1123Label),
  dns1123SubdomainPrefix: prefixOf(dns1123Subdomain),
  dns1035LabelPrefix: prefixOf(dns1035Label),
  qualifiedName: new Format(qualifiedName),
  labelValue: new Format(labelValue),
  uri: schemaFormat("uri", "invalid URI"),
  uuid: schemaFormat("uuid", "does not match the UUID format"),
  byte: schemaFormat("byte", "invalid base64"),
  date: schemaFormat("date", "invalid date"),
  datetime: schemaFormat("date-time", "invalid datetime"),
};

function registerFormats(env: Environment): void {
  env.registerType("kubernetes.NamedFormat", { ctor: Format, fields: {} });
  env.registerType("kubernetes.Formats", { ctor: Formats, fields: {} });
  env.registerConstant("format", "kubernetes.Formats", new Formats());
  for (const [name, known] of Object.entries(formats))
    env.registerFunction(`kubernetes.Formats.${name}(): kubernetes.NamedFormat`, () => known);
  env.registerFunction("kubernetes.Formats.named(string): optional<kubernetes.NamedFormat>", (_: Formats, name: string) => {
    const known = Object.hasOwn(formats, name) ? formats[name] : undefined;
    return known ? Optional.of(known) : Optional.none();
  });
  env.registerFunction("kubernetes.NamedFormat.validate(string): optional<list<string>>", ({ complaints }: Format, text: string) => {
    const found = complaints(text);
    return found.length > 0 ? Optional.of(found) : Optional.none();
  });
}

function registerExpressions(env: Environment): void {
  const expression = (pattern: string): NonNullable<ReturnType<typeof compiled>> => {
    const found = compiled(pattern);
    if (!found) throw new Error(`error parsing regexp: ${pattern}`);
    return found;
  };
  const findAll = (text: string, pattern: string, limit: number): string[] => {
    const matcher = expression(pattern).matcher(text);
    const found: string[] = [];
    while (found.length < limit && matcher.find()) found.push(matcher.group() ?? "");
    return found;
  };
  env.registerFunction(`string.${safeMatches}(string): bool`, (text: string, pattern: string) => expression(pattern).matcher(text).find());
  env.registerFunction("matches(string, string): bool", (text: string, pattern: string) => expression(pattern).matcher(text).find());
  env.registerFunction("string.find(string): string", (text: string, pattern: string) => findAll(text, pattern, 1)[0] ?? "");
  env.registerFunction("string.findAll(string): list<string>", (text: string, pattern: string) => findAll(text, pattern, Infinity));
  env.registerFunction("string.findAll(string, int): list<string>", (text: string, pattern: string, limit: bigint) =>
    findAll(text, pattern, limit < 0n ? Infinity : Number(limit)),
  );
}

type Comparable = bigint | number | string | boolean | Date;

function registerLists(env: Environment): void {
  const least = (list: readonly Comparable[], sign: 1 | -1): Comparable => {
    const [first] = list;
    if (first === undefined) throw new Error(`${sign === 1 ? "min" : "max"} called on empty list`);
    return list.reduce((best, item) => ((sign === 1 ? item < best : item > best) ? item : best), first);
  };
  for (const type of ["int", "double", "string", "bool", "google.protobuf.Timestamp", "google.protobuf.Duration"]) {
    const list = `list<${type}>`;
    env.registerFunction(`${list}.isSorted(): bool`, (items: Comparable[]) =>
      items.every((item, index) => index === 0 || (items[index - 1] ?? item) <= item),
    );
    env.registerFunction(`${list}.min(): ${type}`, (items: Comparable[]) => least(items, 1));
    env.registerFunction(`${list}.max(): ${type}`, (items: Comparable[]) => least(items, -1));
  }
  env.registerFunction("list<int>.sum(): int", (items: bigint[]) => items.reduce((a, b) => a + b, 0n));
  env.registerFunction("list<double>.sum(): double", (items: number[]) => items.reduce((a, b) => a + b, 0));
  for (const type of ["int", "double", "string", "bool"]) {
    env.registerFunction(`list<${type}>.indexOf(${type}): int`, (items: unknown[], item: unknown) => BigInt(items.indexOf(item)));
    env.registerFunction(`list<${type}>.lastIndexOf(${type}): int`, (items: unknown[], item: unknown) => BigInt(items.lastIndexOf(item)));
    env.registerFunction(`list<${type}>.distinct(): list<${type}>`, (items: unknown[]) => [...new Set(items)]);
    env.registerFunction(`list<${type}>.sort(): list<${type}>`, (items: Comparable[]) =>
      [...items].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
    );
  }
}

/** Characters of one format or replace result; the server's cost limit stops far below. */
const maxTextLength = 10_000_000;

function registerStrings(env: Environment): void {
  env.registerFunction("string.charAt(int): string", (text: string, at: bigint) => {
    const characters = Array.from(text);
    if (at < 0n || at > BigInt(characters.length)) throw new Error(`index out of range: ${String(at)}`);
    return characters[Number(at)] ?? "";
  });
  env.registerFunction("string.replace(string, string): string", (text: string, from: string, to: string) =>
    replaced(text, from, to, Infinity),
  );
  env.registerFunction("string.replace(string, string, int): string", (text: string, from: string, to: string, limit: bigint) =>
    replaced(text, from, to, limit < 0n ? Infinity : Number(limit)),
  );
  env.registerFunction("string.reverse(): string", (text: string) => Array.from(text).reverse().join(""));
  env.registerFunction("string.format(list): string", (text: string, values: unknown[]) => formatted(text, values));
  env.registerFunction("isInf(double): bool", (value: number) => !Number.isFinite(value) && !Number.isNaN(value));
}

function replaced(text: string, from: string, to: string, limit: number): string {
  const parts = text.split(from);
  const count = Math.min(parts.length - 1, limit);
  if (text.length + count * to.length > maxTextLength) throw new Error("operation cancelled: actual cost limit exceeded");
  return (
    parts.slice(0, count + 1).join(to) +
    parts
      .slice(count + 1)
      .map((part) => from + part)
      .join("")
  );
}

/** `%s`, `%d`, `%f`, `%.2f`, `%e`, `%b`, `%x`, `%X`, `%o` and `%%`. */
function formatted(text: string, values: readonly unknown[]): string {
  let next = 0;
  return text.replace(/%(?:\.(\d{1,2}))?([sdfebxXo%])/g, (_, digits: string | undefined, verb: string) => {
    if (verb === "%") return "%";
    if (next >= values.length) throw new Error(`index ${String(next)} out of range`);
    return verbText(verb, values[next++], digits === undefined ? 6 : Number(digits));
  });
}

function verbText(verb: string, value: unknown, digits: number): string {
  switch (verb) {
    case "s":
      return plainText(value);
    case "f":
      return Number(value).toFixed(digits);
    case "e":
      return Number(value).toExponential(digits);
    case "b":
      return typeof value === "boolean" ? String(Number(value)) : (value as bigint).toString(2);
    case "x":
    case "X": {
      const hex =
        typeof value === "string"
          ? [...new TextEncoder().encode(value)].map((byte) => byte.toString(16).padStart(2, "0")).join("")
          : (value as bigint).toString(16);
      return verb === "X" ? hex.toUpperCase() : hex;
    }
    case "o":
      return (value as bigint).toString(8);
    default:
      return plainText(value);
  }
}

function plainText(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `[${value.map(plainText).join(", ")}]`;
  if (value instanceof Map) return `{${[...value].map(([key, item]) => `${plainText(key)}: ${plainText(item)}`).join(", ")}}`;
  if (value instanceof Date) return value.toISOString().replace(".000Z", "Z");
  return typeof value === "object" ? JSON.stringify(value) : (value as { toString(): string }).toString();
}

function registerSets(env: Environment): void {
  // `sets` is a namespace in CEL; here it is a value with methods.
  env.registerType("kubernetes.Sets", { ctor: Sets, fields: {} });
  env.registerConstant("sets", "kubernetes.Sets", new Sets());
  const within = (list: readonly unknown[], item: unknown): boolean => list.includes(item);
  for (const type of ["int", "double", "string", "bool"]) {
    const pair = `(list<${type}>, list<${type}>): bool`;
    env.registerFunction(`kubernetes.Sets.contains${pair}`, (_: Sets, a: unknown[], b: unknown[]) => b.every((item) => within(a, item)));
    env.registerFunction(
      `kubernetes.Sets.equivalent${pair}`,
      (_: Sets, a: unknown[], b: unknown[]) => b.every((item) => within(a, item)) && a.every((item) => within(b, item)),
    );
    env.registerFunction(`kubernetes.Sets.intersects${pair}`, (_: Sets, a: unknown[], b: unknown[]) => a.some((item) => within(b, item)));
  }
}

class Sets {
  readonly namespace = "sets";
}
