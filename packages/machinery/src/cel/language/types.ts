/**
 * Types of CEL and how they go together: what the checker asks.
 *
 * Invariants
 * T1 a type is plain data; two types are the same when `sameType` says so, never by identity
 * T2 bindings of type parameters are copied before they are tried, so that a failed attempt leaves nothing behind
 * @see CEL language definition, section "Gradual type checking"
 */

export type Kind =
  | "bool"
  | "bytes"
  | "double"
  | "duration"
  | "dyn"
  | "error"
  | "int"
  | "list"
  | "map"
  | "null"
  | "opaque"
  | "param"
  | "string"
  | "struct"
  | "timestamp"
  | "type"
  | "uint";

export interface Type {
  readonly kind: Kind;
  /** As `type(x)` and error messages name it. */
  readonly name: string;
  readonly params: readonly Type[];
}

const simple = (kind: Kind, name: string = kind): Type => ({ kind, name, params: [] });

export const boolType = simple("bool");
export const bytesType = simple("bytes");
export const doubleType = simple("double");
export const durationType = simple("duration", "google.protobuf.Duration");
export const dynType = simple("dyn");
export const errorType = simple("error", "!error!");
export const intType = simple("int");
export const nullType = simple("null", "null_type");
export const stringType = simple("string");
export const timestampType = simple("timestamp", "google.protobuf.Timestamp");
export const uintType = simple("uint");
export const param = (name: string): Type => simple("param", name);
export const structType = (name: string): Type => simple("struct", name);
export const listType = (element: Type): Type => ({ kind: "list", name: "list", params: [element] });
export const mapType = (key: Type, value: Type): Type => ({ kind: "map", name: "map", params: [key, value] });
export const opaqueType = (name: string, ...params: readonly Type[]): Type => ({ kind: "opaque", name, params });
export const optionalType = (value: Type): Type => opaqueType("optional_type", value);
export const typeType = (of?: Type): Type => ({ kind: "type", name: "type", params: of ? [of] : [] });

/** The element, key or value type; `dyn` where a type has none. */
export const paramOf = (type: Type, index: number): Type => type.params[index] ?? dynType;

/** What an optional holds; `undefined` for any other type. */
export const heldBy = (type: Type): Type | undefined =>
  type.kind === "opaque" && type.name === "optional_type" ? paramOf(type, 0) : undefined;

const spoken: Partial<Record<Kind, string>> = { duration: "duration", timestamp: "timestamp", null: "null" };

/** As messages show it: `list(int)`, `map(string, dyn)`. */
export function typeText(type: Type): string {
  const name = spoken[type.kind] ?? type.name;
  return type.params.length === 0 ? name : `${name}(${type.params.map(typeText).join(", ")})`;
}

export function sameType(a: Type, b: Type): boolean {
  return (
    a.kind === b.kind && a.name === b.name && a.params.length === b.params.length && a.params.every((p, i) => sameType(p, paramOf(b, i)))
  );
}

/** What type parameters stand for. */
export type Bindings = Map<string, Type>;

/** Bindings under which `to` takes a value of type `from`, for each pair; `undefined` when there are none (keeps T2). */
export function assignable(bindings: Bindings, from: readonly Type[], to: readonly Type[]): Bindings | undefined {
  if (from.length !== to.length) return undefined;
  const tried = new Map(bindings);
  return from.every((type, i) => agree(tried, type, paramOf({ kind: "dyn", name: "", params: to }, i))) ? tried : undefined;
}

function agree(bindings: Bindings, a: Type, b: Type): boolean {
  if (b.kind === "param") {
    const { fits, bound } = bind(bindings, a, b);
    if (fits) return true;
    if (bound) return false;
  }
  if (a.kind === "param") return bind(bindings, b, a).fits;
  if (isLoose(a) || isLoose(b)) return true;
  if (a.kind === "null") return isNullable(b);
  if (b.kind === "null") return isNullable(a);
  if (a.kind === "type") return b.kind === "type";
  if (a.kind !== b.kind || a.name !== b.name || a.params.length !== b.params.length) return false;
  return a.params.every((inner, i) => agree(bindings, inner, paramOf(b, i)));
}

const isLoose = ({ kind }: Type): boolean => kind === "dyn" || kind === "error";
const isNullable = ({ kind }: Type): boolean => ["null", "opaque", "struct", "duration", "timestamp"].includes(kind);

/** Lets `parameter` stand for `type`, or for the more general of `type` and what it stands for. */
function bind(bindings: Bindings, type: Type, parameter: Type): { readonly fits: boolean; readonly bound: boolean } {
  if (sameType(type, parameter)) return { fits: true, bound: true };
  const known = bindings.get(parameter.name);
  if (!known) {
    const fits = !occursIn(bindings, parameter, type);
    if (fits) bindings.set(parameter.name, type);
    return { fits, bound: false };
  }
  if (sameType(type, known)) return { fits: true, bound: true };
  if (!agree(bindings, type, known)) return { fits: false, bound: true };
  const wider = moreGeneral(type, known);
  if (!occursIn(bindings, parameter, wider)) bindings.set(parameter.name, wider);
  return { fits: true, bound: true };
}

function occursIn(bindings: Bindings, parameter: Type, within: Type): boolean {
  if (sameType(parameter, within)) return true;
  const known = within.kind === "param" ? bindings.get(within.name) : undefined;
  if (known) return occursIn(bindings, parameter, known);
  return within.params.some((inner) => occursIn(bindings, parameter, inner));
}

/** The more general of two types that agree. */
export const moreGeneral = (a: Type, b: Type): Type => (isAtLeastAsGeneral(a, b) ? a : b);

function isAtLeastAsGeneral(a: Type, b: Type): boolean {
  if (a.kind === "dyn" || a.kind === "param") return true;
  if (b.kind === "dyn" || b.kind === "param" || a.kind !== b.kind) return false;
  if (a.kind === "type") return true;
  return a.name === b.name && a.params.length === b.params.length && a.params.every((inner, i) => isAtLeastAsGeneral(inner, paramOf(b, i)));
}

/** The type with its parameters replaced by what they stand for; those that stand for nothing become `dyn` when `rest` says so. */
export function substitute(bindings: Bindings, type: Type, rest: "keep" | "dyn"): Type {
  if (type.kind === "param") {
    const known = bindings.get(type.name);
    if (known) return substitute(bindings, known, rest);
    return rest === "dyn" ? dynType : type;
  }
  return type.params.length === 0 ? type : { ...type, params: type.params.map((inner) => substitute(bindings, inner, rest)) };
}

/** Names of the parameters in a type. */
export function paramsIn(type: Type): string[] {
  return type.kind === "param" ? [type.name] : type.params.flatMap(paramsIn);
}
