/**
 * JSON values straight to protobuf bytes: one closure for each field, compiled from the descriptors.
 *
 * Invariants
 * J1 for every input it takes, the bytes decode to the message that protobuf-es's `fromJson` makes (property test)
 * J2 what it refuses is a JsonProblem that knows the place in the document
 * J3 64-bit numbers keep every digit: a JSON number beyond ±(2^53 − 1) is refused, because JSON.parse has already rounded it
 * J4 fields are written by ascending number, whatever their order in the document: equal requests are equal bytes
 *
 * Stricter than protobuf-es on purpose: integers in strings are decimal (no hexadecimal, no blanks), map keys are canonical, durations end
 * after their "s".
 */
import { type DescField, type DescMessage, fromJson, type JsonValue, type Registry, ScalarType, toBinary } from "@bufbuild/protobuf";
import { explain } from "@mecha/kit";
import { nestingMax, wireType } from "../descriptors/reader.ts";
import { JsonProblem, shown } from "./json-problem.ts";
import { enumWriter, high32, mapKeyWriter, scalarWire, scalarWriter, type WriteValue } from "./json-scalars.ts";
import { isImplicit, styleOf } from "./plain.ts";
import { durationOfText, timestampOfText } from "./time.ts";
import type { ProtoWriter } from "./writer.ts";

/** Writes the content of a message (no tag, no length). */
export type WriteMessage = (json: unknown, writer: ProtoWriter, depth: number) => void;
/** Writes a whole field, tag included. Nothing for null. */
export type WriteField = (json: unknown, writer: ProtoWriter, depth: number) => void;
interface CompiledField {
  readonly field: DescField;
  readonly write: WriteField;
  /** Bit of its oneof, 0 = none. */
  readonly oneofBit: number;
}

/** Compiles writers, each message type once. One for each registry: Any needs it. */
export class JsonWriters {
  readonly #registry: Registry;
  readonly #messages = new Map<DescMessage, WriteMessage>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  message(message: DescMessage): WriteMessage {
    let compiled = this.#messages.get(message);
    if (!compiled) {
      compiled = this.#compile(message);
      this.#messages.set(message, compiled);
    }
    return compiled;
  }

  field(field: DescField): WriteField {
    switch (field.fieldKind) {
      case "list":
        return this.#list(field);
      case "map":
        return this.#map(field);
      default:
        return this.#singular(field);
    }
  }

  #compile(message: DescMessage): WriteMessage {
    switch (styleOf(message)) {
      case "fields":
        return this.#fields(message);
      case "wrapper":
        return this.#wrapper(message);
      case "timestamp":
        return writeTime(timestampOfText);
      case "duration":
        return writeTime(durationOfText);
      case "library":
        return this.#library(message);
    }
  }

  #fields(message: DescMessage): WriteMessage {
    const byName = new Map<string, CompiledField>();
    const compiled = message.fields.map((field) => ({
      field,
      write: this.field(field),
      oneofBit: field.oneof ? 1 << message.oneofs.indexOf(field.oneof) : 0,
    }));
    for (const entry of compiled) byName.set(entry.field.name, entry);
    for (const entry of compiled) byName.set(entry.field.jsonName, entry);
    const keysOf = keysInFieldOrder(message, byName);
    return (json, writer, depth) => {
      if (typeof json !== "object" || json === null || Array.isArray(json)) throw new JsonProblem(`expected an object, got ${shown(json)}`);
      if (depth > nestingMax) throw new JsonProblem(`is nested deeper than ${nestingMax} messages`);
      const object = json as Record<string, unknown>;
      const keys = keysOf(object);
      let key = "";
      try {
        for (key of keys) (byName.get(key) as CompiledField).write(object[key], writer, depth);
      } catch (problem) {
        throw placed(problem, key);
      }
    };
  }

  #singular(field: DescField & { fieldKind: "scalar" | "enum" | "message" }): WriteField {
    const tag = tagOf(field, wireOf(field));
    const takesNull = nullIsAValue(field);
    const write = this.#value(field);
    if (field.fieldKind !== "message" && isImplicit(field)) {
      const isDefault = defaultTest(field);
      return (json, writer, depth) => {
        if ((json === null && !takesNull) || isDefault(json)) return;
        writer.uint32(tag);
        write(json, writer, depth);
      };
    }
    return (json, writer, depth) => {
      if (json === null && !takesNull) return;
      writer.uint32(tag);
      write(json, writer, depth);
    };
  }

  #list(field: DescField & { fieldKind: "list" }): WriteField {
    const write = this.#value(field);
    const takesNull = nullIsAValue(field);
    const tag = tagOf(field, field.packed ? wireType.bytes : wireOf(field));
    const writeItems = (items: readonly unknown[], writer: ProtoWriter, depth: number): void => {
      let index = 0;
      try {
        for (; index < items.length; index++) {
          if (items[index] === null && !takesNull) throw new JsonProblem("must not be null");
          if (!field.packed) writer.uint32(tag);
          write(items[index], writer, depth);
        }
      } catch (problem) {
        throw placed(problem, `[${index}]`);
      }
    };
    return (json, writer, depth) => {
      if (json === null) return;
      if (!Array.isArray(json)) throw new JsonProblem(`expected an array, got ${shown(json)}`);
      if (!field.packed) writeItems(json, writer, depth);
      else if (json.length > 0) {
        writer.uint32(tag);
        const mark = writer.begin();
        writeItems(json, writer, depth);
        writer.finish(mark);
      }
    };
  }

  #map(field: DescField & { fieldKind: "map" }): WriteField {
    const tag = tagOf(field, wireType.bytes);
    const writeKey = mapKeyWriter(field.mapKey);
    const keyTag = (1 << 3) | scalarWire(field.mapKey);
    const valueTag = (2 << 3) | wireOf(field);
    const write = this.#value(field);
    const takesNull = nullIsAValue(field);
    return (json, writer, depth) => {
      if (json === null) return;
      if (typeof json !== "object" || Array.isArray(json)) throw new JsonProblem(`expected an object, got ${shown(json)}`);
      const object = json as Record<string, unknown>;
      let key = "";
      try {
        for (key in object) {
          const value = object[key];
          if (value === null && !takesNull) throw new JsonProblem("must not be null");
          writer.uint32(tag);
          const mark = writer.begin();
          writer.uint32(keyTag);
          writeKey(key, writer);
          writer.uint32(valueTag);
          write(value, writer, depth);
          writer.finish(mark);
        }
      } catch (problem) {
        throw placed(problem, `[${JSON.stringify(key)}]`);
      }
    };
  }

  /** The value of a singular field, of a list's item or of a map's value. */
  #value(field: DescField): WriteValue {
    if (field.enum) return enumWriter(field.enum);
    if (field.scalar !== undefined) return scalarWriter(field.scalar);
    const message = field.message;
    // On first use: a set may hold thousands of types, recursive ones among them, of which few are met.
    let content: WriteMessage | undefined;
    return (json, writer, depth) => {
      content ??= this.message(message);
      const mark = writer.begin();
      content(json, writer, depth + 1);
      writer.finish(mark);
    };
  }

  #wrapper(message: DescMessage): WriteMessage {
    const write = this.#singular(message.fields[0] as DescField & { fieldKind: "scalar" });
    return (json, writer, depth) => {
      write(json, writer, depth);
    };
  }

  #library(message: DescMessage): WriteMessage {
    const options = { registry: this.#registry };
    return (json, writer) => {
      let bytes;
      try {
        bytes = toBinary(message, fromJson(message, json as JsonValue, options));
      } catch (problem) {
        throw new JsonProblem(explain(problem));
      }
      writer.raw(bytes);
    };
  }
}

/** Compiles the check of an object's keys. They come in the order of field numbers (keeps J4), which most senders have anyway. */
function keysInFieldOrder(
  { typeName }: DescMessage,
  byName: ReadonlyMap<string, CompiledField>,
): (object: Readonly<Record<string, unknown>>) => string[] {
  const numberOf = (key: string): number => (byName.get(key) as CompiledField).field.number;
  return (object) => {
    const keys: string[] = [];
    let oneofs = 0;
    let last = 0;
    let ordered = true;
    for (const key in object) {
      const entry = byName.get(key);
      if (entry === undefined) throw new JsonProblem(`is no field of ${typeName}`).within(key);
      const { field, oneofBit } = entry;
      if (key !== field.jsonName && Object.hasOwn(object, field.jsonName)) {
        throw new JsonProblem(`is given twice, also as ${field.jsonName}`).within(key);
      }
      if (oneofBit !== 0 && object[key] !== null) {
        if ((oneofs & oneofBit) !== 0) throw new JsonProblem(`only one field of ${field.oneof?.name} may be given`).within(key);
        oneofs |= oneofBit;
      }
      ordered &&= field.number > last;
      last = field.number;
      keys.push(key);
    }
    return ordered ? keys : keys.sort((a, b) => numberOf(a) - numberOf(b));
  };
}

/** `problem` with its place, when it is one of ours; a Fault of the writer (text without UTF-8) becomes one. */
function placed(problem: unknown, step: string): unknown {
  if (problem instanceof JsonProblem) return problem.within(step);
  return problem instanceof Error && problem.name === "Fault" ? new JsonProblem(problem.message).within(step) : problem;
}

function tagOf(field: DescField, wire: number): number {
  return ((field.number << 3) | wire) >>> 0;
}

function wireOf(field: DescField): number {
  if (field.enum) return wireType.varint;
  return field.scalar === undefined ? wireType.bytes : scalarWire(field.scalar);
}

/** JSON null is a value of its own for these two; for everything else it means "absent". */
function nullIsAValue(field: DescField): boolean {
  return field.enum?.typeName === "google.protobuf.NullValue" || field.message?.typeName === "google.protobuf.Value";
}

/** Whether a JSON value is the default of a field without presence, in the spellings that occur; others are written out, which is legal too. */
function defaultTest(field: DescField & { fieldKind: "scalar" | "enum" }): (json: unknown) => boolean {
  if (field.fieldKind === "enum") {
    const [zero] = field.enum.values;
    return (json) => json === zero?.name || json === zero?.number;
  }
  switch (field.scalar) {
    case ScalarType.BOOL:
      return (json) => json === false;
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return (json) => json === "";
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return (json) => Object.is(json, 0);
    default:
      return (json) => json === 0 || json === "0";
  }
}

function writeTime(parse: (text: string) => { seconds: number; nanos: number } | string): WriteMessage {
  return (json, writer) => {
    if (typeof json !== "string") throw new JsonProblem(`expected a string, got ${shown(json)}`);
    const time = parse(json);
    if (typeof time === "string") throw new JsonProblem(time);
    if (time.seconds !== 0) {
      writer.uint32((1 << 3) | wireType.varint);
      writer.varint64(time.seconds >>> 0, Math.floor(time.seconds / high32));
    }
    if (time.nanos !== 0) {
      writer.uint32((2 << 3) | wireType.varint);
      writer.int32(time.nanos);
    }
  };
}
