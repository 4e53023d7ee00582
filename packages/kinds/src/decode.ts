/**
 * Reading a JSON body as its type has it, as the server's decoder does: values are checked against the table, quantities and durations get their
 * canonical form, null counts as absent, what is empty is left out or written as the type says, and what the type does not know is dropped and told.
 */
import { Fault } from "@mecha/kit";
import { isObject } from "./access.ts";
import type { JsonObject } from "./object.ts";
import { embeddedPathsOf, type FieldRow, fieldsOf, type ScalarName, type TypeRef, type TypeRow, type TypeTable } from "./type-table.ts";
import { formatDuration, parseDuration } from "./values/duration.ts";
import { parseQuantity } from "./values/quantity.ts";
import { canonicalTime } from "./values/time.ts";

/** What came of a body. */
export interface Decoded {
  readonly object: JsonObject;
  /** Paths of fields the type does not have, in the body's order: `spec.template.spec.containers[0].foo`. */
  readonly unknown: readonly string[];
}

/** Deepest nesting taken; the deepest type of the API (a CRD's schema) is recursive, so a body must not decide. */
const depthMax = 200;

/**
 * Reads `value` as the type named `type` of `types`.
 * @throws Fault("invalid") worded as the server's decoder: `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`.
 */
export function decodeByType(types: TypeTable, type: string, value: unknown): Decoded {
  const row = types.get(type);
  if (!row) throw new Error(`type table: no type ${type}`);
  const unknown: string[] = [];
  const object = new Decoder(types, unknown).message(row, value, { path: "", plain: "", holder: shortName(type), depth: 0 });
  return { object, unknown };
}

/** Where the decoder is. */
interface Place {
  /** With indexes and keys, for people. */
  readonly path: string;
  /** Without, as Go's decoder says it: with the names of structs embedded in others. */
  readonly plain: string;
  /** Go's name of the type that has the field. */
  readonly holder: string;
  readonly depth: number;
}

class Decoder {
  readonly #types: TypeTable;
  readonly #unknown: string[];

  constructor(types: TypeTable, unknown: string[]) {
    this.#types = types;
    this.#unknown = unknown;
  }

  message(row: TypeRow, value: unknown, place: Place): JsonObject {
    if (!isObject(value)) throw mismatch(value, place, goNameOf(row.name));
    if (place.depth > depthMax) throw new Fault("invalid", "json: exceeded max depth");
    const fields = fieldsOf(this.#types, row);
    const object: JsonObject = {};
    for (const field of fields.values()) {
      const read = this.#field(field, value[field.name], row, place);
      if (read !== undefined) object[field.name] = read;
    }
    this.#rest(row, fields, value, object, place);
    return object;
  }

  /** `undefined` = left out. */
  #field(field: FieldRow, value: unknown, row: TypeRow, place: Place): unknown {
    const goName = embeddedPathsOf(this.#types, row).get(field.name) ?? field.name;
    const inside = {
      path: place.path === "" ? field.name : `${place.path}.${field.name}`,
      plain: place.plain === "" ? goName : `${place.plain}.${goName}`,
      holder: shortName(row.name),
      depth: place.depth + 1,
    };
    const read = value === undefined || value === null ? undefined : this.value(field.ref, value, inside);
    if (read !== undefined) return field.omitEmpty && isEmpty(read) ? undefined : read;
    if (field.writeEmpty === "null") return null;
    return field.writeEmpty ? this.#empty(field.ref, inside) : undefined;
  }

  #rest(row: TypeRow, fields: ReadonlyMap<string, FieldRow>, value: JsonObject, object: JsonObject, place: Place): void {
    for (const name of Object.keys(value)) {
      if (fields.has(name)) continue;
      if (row.preserveUnknown) object[name] = value[name];
      else this.#unknown.push(place.path === "" ? name : `${place.path}.${name}`);
    }
  }

  value(ref: TypeRef, value: unknown, place: Place): unknown {
    if ("scalar" in ref) return scalar(ref.scalar, value, place);
    if ("type" in ref) {
      const row = this.#types.get(ref.type);
      if (!row) throw new Error(`type table: no type ${ref.type}`);
      return this.message(row, value, place);
    }
    if ("list" in ref) {
      if (!Array.isArray(value)) throw mismatch(value, place, goTypeOf(ref));
      return value.map((element, i) => this.#element(ref.list, element, { ...place, path: `${place.path}[${i}]` }));
    }
    if (!isObject(value)) throw mismatch(value, place, goTypeOf(ref));
    return Object.fromEntries(
      Object.entries(value).map(([key, element]) => [key, this.#element(ref.map, element, { ...place, path: `${place.path}.${key}` })]),
    );
  }

  /** Null in a list or map is the element's empty value. */
  #element(ref: TypeRef, value: unknown, place: Place): unknown {
    return value === null ? this.#empty(ref, place) : this.value(ref, value, place);
  }

  #empty(ref: TypeRef, place: Place): unknown {
    if ("scalar" in ref) return emptyScalars[ref.scalar];
    return "type" in ref ? this.value(ref, {}, place) : null;
  }
}

const emptyScalars: Readonly<Record<ScalarName, unknown>> = {
  string: "",
  bool: false,
  int32: 0,
  int64: 0,
  double: 0,
  bytes: null,
  time: null,
  microTime: null,
  duration: "0s",
  intOrString: 0,
  quantity: "0",
  any: null,
  fieldsV1: {},
};

function isEmpty(value: unknown): boolean {
  if (value === "" || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

function scalar(name: ScalarName, value: unknown, place: Place): unknown {
  switch (name) {
    case "string":
    case "bool":
      return typeof value === (name === "bool" ? "boolean" : "string") ? value : fail(value, place, name);
    case "int32":
    case "int64":
      return integer(name, value, place);
    case "double":
      return typeof value === "number" ? value : fail(value, place, "float64");
    case "bytes":
      return base64(value, place);
    case "time":
      return typeof value === "string" ? canonicalTime(value, 0) : fail(value, place, "string");
    case "microTime":
      return typeof value === "string" ? canonicalTime(value, 6) : fail(value, place, "string");
    case "duration":
      return typeof value === "string" ? formatDuration(parseDuration(value)) : fail(value, place, "string");
    case "intOrString":
      return typeof value === "string" ? value : integer("int32", value, place);
    case "quantity":
      return quantity(value);
    case "fieldsV1":
    case "any":
      return value;
  }
}

const int32Max = 2_147_483_647;

function integer(name: "int32" | "int64", value: unknown, place: Place): number {
  const fits = typeof value === "number" && Number.isInteger(value) && (name === "int64" || (value <= int32Max && value >= -int32Max - 1));
  if (fits) return value;
  throw mismatch(value, place, name, typeof value === "number" ? `number ${value}` : undefined); // which one, when it is the amount that is wrong
}

const base64Pattern = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function base64(value: unknown, place: Place): string {
  if (typeof value !== "string") return fail(value, place, "[]uint8");
  const text = value.replaceAll(/[\r\n]/g, ""); // Go's decoder skips them
  if (base64Pattern.test(text)) return text;
  throw new Fault("invalid", `illegal base64 data at input byte ${badByte(new TextEncoder().encode(value))}`);
}

const padding = "=".charCodeAt(0);

/** Where Go's reader of base64 stops: at what is no digit, or where the last group began when it is not whole. */
function badByte(bytes: Uint8Array): number {
  const isBlank = (at: number): boolean => bytes[at] === 10 || bytes[at] === 13;
  const pastBlanks = (from: number): number => {
    let at = from;
    while (isBlank(at)) at++;
    return at;
  };
  let digits = 0; // of the group it is in
  for (let at = 0; at < bytes.length; at++) {
    if (isBlank(at)) continue;
    const byte = bytes[at] ?? 0;
    if (/[A-Za-z0-9+/]/.test(String.fromCharCode(byte))) digits = (digits + 1) % 4;
    else if (byte !== padding || digits < 2) return at;
    else {
      const second = pastBlanks(at + 1);
      if (digits === 3) return second; // more follows, else it were whole
      if (second === bytes.length) return second;
      return bytes[second] === padding ? pastBlanks(second + 1) : second - 1;
    }
  }
  return bytes.length - digits;
}

function quantity(value: unknown): string {
  if (typeof value === "number") return parseQuantity(String(value)).text;
  if (typeof value === "string") return parseQuantity(value.trim()).text;
  return parseQuantity("").text; // refuses
}

function fail(value: unknown, place: Place, goType: string): never {
  throw mismatch(value, place, goType);
}

function mismatch(value: unknown, { plain, holder }: Place, goType: string, what = jsonTypeOf(value)): Fault {
  const where = plain === "" ? "Go value" : `Go struct field ${holder}.${plain}`;
  return new Fault("invalid", `json: cannot unmarshal ${what} into ${where} of type ${goType}`);
}

function jsonTypeOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  return typeof value;
}

const shortName = (name: string): string => name.slice(name.lastIndexOf(".") + 1);
/** `v1.PodSpec`. */
const goNameOf = (name: string): string => name.split(".").slice(-2).join(".");

function goTypeOf(ref: TypeRef): string {
  if ("type" in ref) return goNameOf(ref.type);
  if ("list" in ref) return `[]${goTypeOf(ref.list)}`;
  if ("map" in ref) return `map[string]${goTypeOf(ref.map)}`;
  return { double: "float64", bytes: "[]uint8", quantity: "resource.Quantity", time: "v1.Time" }[ref.scalar as string] ?? ref.scalar;
}
