/**
 * Protobuf bytes straight to JSON text: one closure for each field, compiled from the descriptors. proto3 JSON with default values and
 * without blanks: lowerCamel names, 64-bit numbers as strings, enums by name, bytes in base64.
 *
 * Invariants
 * T1 the text parses to what protobuf-es's `toJson(…, {alwaysEmitImplicit: true})` gives for the same bytes (property test)
 * T2 fields come in order of their numbers
 * T3 malformed bytes are Fault("invalid"); a value that has no JSON form (a time after the year 9999) too
 */
import { type DescEnum, type DescField, type DescMessage, fromBinary, type Registry, ScalarType, toJsonString } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { explain, Fault } from "@mecha/kit";
import { int64Text, nestingMax, ProtoReader, sint64Text, uint64Text, utf8Text, wireType, zigzag32 } from "../descriptors/reader.ts";
import { scalarWire } from "./json-scalars.ts";
import { isImplicit, styleOf } from "./plain.ts";
import { durationText, type SecondsAndNanos, timestampText } from "./time.ts";

/** Reads a message from `reader.pos` to `reader.end`. */
export type ReadMessage = (reader: ProtoReader, depth: number) => string;
type ReadValue = (reader: ProtoReader, depth: number) => string;
/** Texts of the fields read so far, by position in the message; `undefined` = absent. A Map holds the entries of a map field. */
type Slots = (string | Map<string, string> | undefined)[];
/** Takes one occurrence of a field. `false`: a message field occurred twice and its parts would have to be merged. */
type TakeField = (reader: ProtoReader, wire: number, slots: Slots, depth: number) => boolean;

interface CompiledField {
  readonly take: TakeField;
  readonly absent: string | undefined;
  /** `"name":`, with the bracket a list or map opens with. */
  readonly before: string;
  readonly after: string;
}

/** Field numbers up to this are looked up in an array, which is fastest; larger ones in a Map. */
const denseNumbersMax = 256;

/** Compiles readers, each message type once. One for each registry: Any needs it. */
export class JsonReaders {
  readonly #registry: Registry;
  readonly #messages = new Map<DescMessage, ReadMessage>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  message(message: DescMessage): ReadMessage {
    let compiled = this.#messages.get(message);
    if (!compiled) {
      compiled = this.#compile(message);
      this.#messages.set(message, compiled);
    }
    return compiled;
  }

  /** Reads a message but gives only the JSON of one field: its default when absent, for messages that of an empty one. */
  field(field: DescField): ReadMessage {
    const { take, absent, before, after } = this.#field(field, 0, []);
    const whole = this.#library(field.parent);
    const empty = absent ?? (field.message && field.fieldKind === "message" ? "{}" : "null");
    const open = before.slice(before.indexOf(":", field.jsonName.length) + 1);
    return (reader, depth) => {
      const start = reader.pos;
      const slots: Slots = [absent];
      while (reader.more) {
        const tag = reader.tag();
        if (tag >>> 3 !== field.number) reader.skip(tag);
        else if (!take(reader, tag & 7, slots, depth)) {
          reader.pos = start;
          const all = JSON.parse(whole(reader, depth)) as Record<string, unknown>;
          return JSON.stringify(all[field.jsonName]);
        }
      }
      const slot = slots[0];
      return slot === undefined ? empty : open + slotText(slot) + after;
    };
  }

  #compile(message: DescMessage): ReadMessage {
    switch (styleOf(message)) {
      case "fields":
        return this.#fields(message);
      case "wrapper":
        return readWrapper(message.fields[0] as DescField & { fieldKind: "scalar" });
      case "timestamp":
        return readTime("a timestamp outside the years 1 to 9999", timestampText);
      case "duration":
        return readTime("a duration that is too long or mixes signs", durationText);
      case "library":
        return this.#library(message);
    }
  }

  #fields(message: DescMessage): ReadMessage {
    const fields = message.fields.toSorted((a, b) => a.number - b.number); // keeps T2
    const compiled = fields.map((field, index) => this.#field(field, index, rivalsOf(field, fields)));
    const takers = lookup(fields, compiled);
    const absent = compiled.map((field) => field.absent);
    const merged = this.#library(message);
    return (reader, depth) => {
      if (depth > nestingMax) throw reader.malformed(`messages nested deeper than ${nestingMax}`, reader.pos);
      const start = reader.pos;
      const slots: Slots = absent.slice();
      while (reader.more) {
        const tag = reader.tag();
        const take = takers(tag >>> 3);
        if (take === undefined) reader.skip(tag);
        else if (!take(reader, tag & 7, slots, depth)) {
          reader.pos = start;
          return merged(reader, depth);
        }
      }
      return objectText(compiled, slots);
    };
  }

  #field(field: DescField, index: number, rivals: readonly number[]): CompiledField {
    const name = `${JSON.stringify(field.jsonName)}:`;
    if (field.fieldKind === "list") return { take: this.#list(field, index), absent: "", before: `${name}[`, after: "]" };
    if (field.fieldKind === "map") return { take: this.#map(field, index), absent: "", before: `${name}{`, after: "}" };
    const absent = field.fieldKind !== "message" && isImplicit(field) ? defaultText(field) : undefined;
    return { take: clearing(this.#singular(field, index), rivals), absent, before: name, after: "" };
  }

  #singular(field: DescField & { fieldKind: "scalar" | "enum" | "message" }, index: number): TakeField {
    const read = this.#value(field);
    const expected = wireOf(field);
    const isMessage = field.fieldKind === "message";
    return (reader, wire, slots, depth) => {
      if (wire !== expected) return skipped(reader, field, wire);
      // Occurring again means merging, which only the library does; it is rare.
      if (isMessage && slots[index] !== undefined) return false;
      slots[index] = read(reader, depth);
      return true;
    };
  }

  #list(field: DescField & { fieldKind: "list" }, index: number): TakeField {
    const read = this.#value(field);
    const expected = wireOf(field);
    const packable = expected !== wireType.bytes;
    const add = (slots: Slots, text: string): void => {
      const items = slots[index] as string;
      slots[index] = items === "" ? text : `${items},${text}`;
    };
    return (reader, wire, slots, depth) => {
      if (wire === expected) add(slots, read(reader, depth));
      else if (packable && wire === wireType.bytes) {
        const end = reader.length() + reader.pos;
        const outerEnd = reader.end;
        reader.end = end;
        while (reader.more) add(slots, read(reader, depth));
        reader.end = outerEnd;
      } else return skipped(reader, field, wire);
      return true;
    };
  }

  #map(field: DescField & { fieldKind: "map" }, index: number): TakeField {
    const readKey = scalarReader(field.mapKey);
    const keyTag = (1 << 3) | scalarWire(field.mapKey);
    const readItem = this.#value(field);
    const valueTag = (2 << 3) | wireOf(field);
    const keyDefault = asKey(scalarDefault(field.mapKey));
    const absent = this.#absentItem(field);
    return (reader, wire, slots, depth) => {
      if (wire !== wireType.bytes) return skipped(reader, field, wire);
      const end = reader.length() + reader.pos;
      const outerEnd = reader.end;
      reader.end = end;
      let key = keyDefault;
      let value: string | undefined;
      while (reader.more) {
        const tag = reader.tag();
        if (tag === keyTag) key = asKey(readKey(reader, depth));
        else if (tag === valueTag) {
          if (value !== undefined && field.message) return false;
          value = readItem(reader, depth);
        } else reader.skip(tag);
      }
      reader.end = outerEnd;
      const entries = slots[index] instanceof Map ? slots[index] : new Map<string, string>();
      entries.set(key, value ?? absent());
      slots[index] = entries;
      return true;
    };
  }

  /** The value of a map entry that has none. */
  #absentItem(field: DescField & { fieldKind: "map" }): () => string {
    const { message } = field;
    if (message) return () => this.message(message)(new ProtoReader(new Uint8Array(0)), 0);
    const text = field.enum ? enumTexts(field.enum).first : scalarDefault(field.scalar);
    return () => text;
  }

  /** The value of a singular field, of a list's item or of a map's value. */
  #value(field: DescField): ReadValue {
    if (field.enum) return enumReader(field.enum);
    if (field.scalar !== undefined) return scalarReader(field.scalar);
    const message = field.message;
    // On first use, as in JsonWriters.
    let content: ReadMessage | undefined;
    return (reader, depth) => {
      content ??= this.message(message);
      const end = reader.length() + reader.pos;
      const outerEnd = reader.end;
      reader.end = end;
      const text = content(reader, depth + 1);
      reader.end = outerEnd;
      return text;
    };
  }

  #library(message: DescMessage): ReadMessage {
    const options = { alwaysEmitImplicit: true, registry: this.#registry };
    return (reader) => {
      const bytes = reader.bytes.subarray(reader.pos, reader.end);
      reader.pos = reader.end;
      try {
        return toJsonString(message, fromBinary(message, bytes), options);
      } catch (problem) {
        throw new Fault("invalid", `the bytes of ${message.typeName} have no JSON form: ${explain(problem)}`);
      }
    };
  }
}

/** A known number with another wire type is an unknown field, as protobuf's own libraries have it. */
function skipped(reader: ProtoReader, field: DescField, wire: number): true {
  reader.skip(((field.number << 3) | wire) >>> 0);
  return true;
}

function rivalsOf(field: DescField, fields: readonly DescField[]): number[] {
  const { oneof } = field;
  return oneof ? fields.flatMap((other, index) => (other.oneof === oneof && other !== field ? [index] : [])) : [];
}

/** Setting a member of a oneof clears the others. */
function clearing(take: TakeField, rivals: readonly number[]): TakeField {
  if (rivals.length === 0) return take;
  return (reader, wire, slots, depth) => {
    if (!take(reader, wire, slots, depth)) return false;
    for (const rival of rivals) slots[rival] = undefined;
    return true;
  };
}

function lookup(fields: readonly DescField[], compiled: readonly CompiledField[]): (number: number) => TakeField | undefined {
  const pairs = fields.map((field, index) => [field.number, (compiled[index] as CompiledField).take] as const);
  if (pairs.some(([number]) => number > denseNumbersMax)) {
    const sparse = new Map(pairs);
    return (number) => sparse.get(number);
  }
  const dense: (TakeField | undefined)[] = new Array<TakeField | undefined>((pairs.at(-1)?.[0] ?? 0) + 1).fill(undefined);
  for (const [number, take] of pairs) dense[number] = take;
  return (number) => (number < dense.length ? dense[number] : undefined);
}

function objectText(fields: readonly CompiledField[], slots: Slots): string {
  let text = "";
  for (let i = 0; i < fields.length; i++) {
    const slot = slots[i];
    if (slot === undefined) continue;
    const field = fields[i] as CompiledField;
    text += (text === "" ? field.before : `,${field.before}`) + slotText(slot) + field.after;
  }
  return `{${text}}`;
}

function slotText(slot: string | Map<string, string>): string {
  if (typeof slot === "string") return slot;
  let text = "";
  for (const [key, value] of slot) text += (text === "" ? key : `,${key}`) + `:${value}`;
  return text;
}

/** A scalar's JSON text as an object key. */
function asKey(text: string): string {
  return text.startsWith('"') ? text : `"${text}"`;
}

function wireOf(field: DescField): number {
  if (field.enum) return wireType.varint;
  return field.scalar === undefined ? wireType.bytes : scalarWire(field.scalar);
}

function defaultText(field: DescField & { fieldKind: "scalar" | "enum" }): string {
  return field.fieldKind === "enum" ? enumTexts(field.enum).first : scalarDefault(field.scalar);
}

function scalarDefault(scalar: ScalarType): string {
  switch (scalar) {
    case ScalarType.BOOL:
      return "false";
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return '""';
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return '"0"';
    default:
      return "0";
  }
}

function enumTexts(desc: DescEnum): { readonly first: string; readonly byNumber: ReadonlyMap<number, string> } {
  const isNull = desc.typeName === "google.protobuf.NullValue";
  const byNumber = new Map<number, string>();
  // The first of several names for a number counts.
  for (const value of desc.values)
    if (!byNumber.has(value.number)) byNumber.set(value.number, isNull ? "null" : JSON.stringify(value.jsonName));
  return { first: isNull ? "null" : JSON.stringify(desc.values[0]?.jsonName ?? 0), byNumber };
}

function enumReader(desc: DescEnum): ReadValue {
  const { byNumber } = enumTexts(desc);
  const isNull = desc.typeName === "google.protobuf.NullValue";
  return (reader) => {
    const number = reader.int32();
    return byNumber.get(number) ?? (isNull ? "null" : String(number));
  };
}

function scalarReader(scalar: ScalarType): ReadValue {
  switch (scalar) {
    case ScalarType.STRING:
      return (reader) => {
        const length = reader.length();
        const start = reader.take(length);
        return quotedText(reader.bytes, start, start + length);
      };
    case ScalarType.BOOL:
      return (reader) => {
        reader.varint();
        return reader.low === 0 && reader.high === 0 ? "false" : "true";
      };
    case ScalarType.BYTES:
      return (reader) => {
        const length = reader.length();
        const start = reader.take(length);
        return `"${base64Encode(reader.bytes.subarray(start, start + length))}"`;
      };
    case ScalarType.DOUBLE:
      return (reader) => floatText(reader.double());
    case ScalarType.FLOAT:
      return (reader) => floatText(reader.float());
    case ScalarType.INT32:
      return (reader) => String(reader.int32());
    case ScalarType.UINT32:
      return (reader) => String(reader.int32() >>> 0);
    case ScalarType.SINT32:
      return (reader) => String(zigzag32(reader.int32()));
    case ScalarType.FIXED32:
      return (reader) => String(reader.fixed32() >>> 0);
    case ScalarType.SFIXED32:
      return (reader) => String(reader.fixed32());
    case ScalarType.INT64:
      return wideVarint(int64Text);
    case ScalarType.UINT64:
      return wideVarint(uint64Text);
    case ScalarType.SINT64:
      return wideVarint(sint64Text);
    case ScalarType.FIXED64:
      return wideFixed(uint64Text);
    case ScalarType.SFIXED64:
      return wideFixed(int64Text);
  }
}

function wideVarint(text: (low: number, high: number) => string): ReadValue {
  return (reader) => {
    reader.varint();
    return `"${text(reader.low, reader.high)}"`;
  };
}

function wideFixed(text: (low: number, high: number) => string): ReadValue {
  return (reader) => {
    reader.fixed64();
    return `"${text(reader.low, reader.high)}"`;
  };
}

function floatText(n: number): string {
  if (Number.isFinite(n)) return String(n); // as JSON.stringify writes it, -0 included
  return `"${n}"`;
}

/** Up to this length one loop both reads and checks that nothing needs escaping. */
const plainTextMax = 48;
const quote = 0x22;
const backslash = 0x5c;

/** UTF-8 as a JSON string. */
function quotedText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= plainTextMax) {
    let text = '"';
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte < 0x20 || byte > 0x7e || byte === quote || byte === backslash) break;
      text += String.fromCharCode(byte);
    }
    if (at === end) return `${text}"`;
  }
  return JSON.stringify(utf8Text(bytes, start, end));
}

function readWrapper(field: DescField & { fieldKind: "scalar" }): ReadMessage {
  const read = scalarReader(field.scalar);
  const expected = (field.number << 3) | scalarWire(field.scalar);
  const absent = scalarDefault(field.scalar);
  return (reader, depth) => {
    let text = absent;
    while (reader.more) {
      const tag = reader.tag();
      if (tag === expected) text = read(reader, depth);
      else reader.skip(tag);
    }
    return text;
  };
}

/** 2^32. */
const high32 = 2 ** 32;

function readTime(problem: string, textOf: (time: SecondsAndNanos) => string | undefined): ReadMessage {
  return (reader) => {
    const start = reader.pos;
    let seconds = 0;
    let nanos = 0;
    while (reader.more) {
      const tag = reader.tag();
      if (tag === 8) {
        reader.varint();
        seconds = reader.high * high32 + (reader.low >>> 0);
      } else if (tag === 16) nanos = reader.int32();
      else reader.skip(tag);
    }
    const text = textOf({ seconds, nanos });
    if (text === undefined) throw new Fault("invalid", `the protobuf bytes hold ${problem} at byte ${start}`);
    return text;
  };
}
