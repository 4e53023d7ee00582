/** Says where and why a value does not fit a message. Walks slowly: it runs when encoding failed, or in development. */
import type { DescField, DescMessage, ScalarType } from "@bufbuild/protobuf";
import { FieldOptions_JSType, isWrapperDesc } from "@bufbuild/protobuf/wkt";
import type { CodecOptions } from "./codec.ts";
import { scalarCodec } from "./scalar.ts";

/** The first mismatch in words ("shop.Item.quantity: expected …, got …"), or `undefined`. */
export function explainMismatch(desc: DescMessage, value: unknown, walk: CodecOptions): string | undefined {
  const found = inMessage(desc, value, desc.typeName, walk);
  return found === undefined ? undefined : `${found.path}: ${found.problem}`;
}

interface Found {
  readonly path: string;
  readonly problem: string;
}

function inMessage(desc: DescMessage, value: unknown, path: string, walk: CodecOptions): Found | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { path, problem: `expected an object with ${fieldNames(desc)}, got ${shown(value)}` };
  }
  const object = value as Record<string, unknown>;
  if (walk.exact === true) {
    const stranger = Object.keys(object).find((name) => !name.startsWith("$") && !hasProperty(desc, name));
    if (stranger !== undefined)
      return {
        path: `${path}.${stranger}`,
        problem: `no such field${nearest(stranger, propertyNames(desc))}; ${desc.typeName} has ${fieldNames(desc)}`,
      };
  }
  for (const field of desc.fields) {
    const found = inField(field, object, path, walk);
    if (found !== undefined) return found;
  }
  return undefined;
}

function inField(field: DescField, object: Record<string, unknown>, path: string, walk: CodecOptions): Found | undefined {
  if (field.oneof !== undefined) {
    const chosen = object[field.oneof.localName] as { case?: unknown; value?: unknown } | undefined;
    if (chosen === undefined || chosen === null || chosen.case !== field.localName) return undefined;
    return inValue(field, chosen.value, `${path}.${field.oneof.localName}.value`, walk);
  }
  const value = object[field.localName];
  const at = `${path}.${field.localName}`;
  if (value === undefined) {
    return demanded(field, walk) ? { path: at, problem: `missing; expected ${wants(field, walk)}` } : undefined;
  }
  if (field.fieldKind === "list") {
    if (!Array.isArray(value)) return { path: at, problem: `expected an array, got ${shown(value)}` };
    return first(value.map((item, index) => () => inValue(field, item, `${at}[${index}]`, walk)));
  }
  if (field.fieldKind === "map") {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return { path: at, problem: `expected an object used as a map, got ${shown(value)}` };
    return first(
      Object.entries(value).map(
        ([key, item]) =>
          () =>
            inKey(field, key, at) ?? inValue(field, item, `${at}[${JSON.stringify(key)}]`, walk),
      ),
    );
  }
  return inValue(field, value, at, walk);
}

function inKey(field: DescField & { fieldKind: "map" }, key: string, path: string): Found | undefined {
  const codec = scalarCodec(field.mapKey, "string", field.utf8Validation);
  return codec.fits(codec.ofText(key)) ? undefined : { path, problem: `expected ${codec.wants} as key, got ${JSON.stringify(key)}` };
}

function inValue(field: DescField, value: unknown, path: string, walk: CodecOptions): Found | undefined {
  if (field.message !== undefined && !isBare(field)) {
    if (field.message.typeName === "google.protobuf.Struct") return undefined;
    return inMessage(field.message, value, path, walk);
  }
  return fits(field, value, walk) ? undefined : { path, problem: `expected ${wants(field, walk)}, got ${shown(value)}` };
}

function fits(field: DescField, value: unknown, walk: CodecOptions): boolean {
  if (field.enum !== undefined) {
    if (walk.enums === "name") return field.enum.values.some((one) => one.localName === value);
    return typeof value === "number" && (value | 0) === value;
  }
  return scalarOf(field).fits(value);
}

function wants(field: DescField, walk: CodecOptions): string {
  if (field.enum !== undefined) {
    if (walk.enums !== "name") return `a number of enum ${field.enum.typeName}`;
    return `one of ${field.enum.values.map((one) => JSON.stringify(one.localName)).join(", ")}`;
  }
  if (field.message !== undefined && !isBare(field)) return `an object with ${fieldNames(field.message)}`;
  return scalarOf(field).wants;
}

/** A wrapper type, seen as its bare value. */
function isBare(field: DescField): boolean {
  return field.fieldKind === "message" && field.oneof === undefined && isWrapperDesc(field.message);
}

function scalarOf(field: DescField): ReturnType<typeof scalarCodec> {
  const inner = field.message === undefined ? field : (field.message.fields[0] as DescField);
  const declared = inner.proto.options?.jstype;
  const longAs = declared === FieldOptions_JSType.JS_NUMBER ? "number" : declared === FieldOptions_JSType.JS_STRING ? "string" : "bigint";
  return scalarCodec(inner.scalar as ScalarType, longAs, inner.utf8Validation);
}

/** As in compile.ts; here so that the two files need not import each other's code. */
function demanded(field: DescField, walk: CodecOptions): boolean {
  return walk.required === true && field.fieldKind !== "list" && field.fieldKind !== "map" && !field.proto.proto3Optional;
}

const propertyNames = (desc: DescMessage): string[] => desc.members.map((member) => member.localName);
const hasProperty = (desc: DescMessage, name: string): boolean => desc.members.some((member) => member.localName === name);

function fieldNames(desc: DescMessage): string {
  const names = propertyNames(desc);
  return names.length === 0 ? "no fields" : names.join(", ");
}

function first(checks: readonly (() => Found | undefined)[]): Found | undefined {
  for (const check of checks) {
    const found = check();
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Longest text shown of a wrong value. */
const shownMax = 60;

/** A wrong value as an error message shows it: `"3" (a string)`. */
export function shown(value: unknown): string {
  if (value === undefined) return "undefined";
  if (value === null) return "null";
  if (typeof value === "bigint") return `${value}n (a bigint)`;
  if (typeof value === "function") return "a function";
  if (value instanceof Promise) return "a Promise (is an await missing?)";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return value instanceof Uint8Array ? "a Uint8Array" : "an object";
  if (typeof value === "symbol") return "a symbol";
  const text = typeof value === "string" ? JSON.stringify(value) : (value as number | boolean).toString();
  return `${text.length > shownMax ? `${text.slice(0, shownMax)}…` : text} (a ${typeof value})`;
}

/** `; did you mean x?` when one of `names` is close to `name`, else nothing. */
export function nearest(name: string, names: readonly string[]): string {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best === undefined ? "" : `; did you mean ${best}?`;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
