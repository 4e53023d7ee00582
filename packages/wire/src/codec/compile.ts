/**
 * Compiled binary ↔ plain-object codec of a message descriptor: what user code works with instead of protobuf-es message objects.
 *
 * Shape of the objects, by default the one protobuf-es documents, less its bookkeeping (`$typeName` on request, no `$unknown`):
 * properties are lowerCamel names, oneofs are `{ case, value }`, maps are plain objects, bytes are `Uint8Array`, 64-bit integers are
 * `bigint` (`number` with jstype = JS_NUMBER, `string` with JS_STRING), wrapper types are their bare value, Struct fields are JSON objects.
 *
 * Invariants
 * C1 `decode` owns what it returns: nothing in it points into the bytes given
 * C2 for every message, `encode` gives bytes that protobuf-es reads as the same message, and `decode` gives what protobuf-es reads
 *    (property-tested); unknown fields are skipped, not kept
 * C3 a wrong value never becomes wrong bytes: `encode` throws, naming the field, what it wants and what it got
 */
import { Fault } from "@mecha/kit";
import {
  create,
  type DescEnum,
  type DescField,
  type DescMessage,
  fromBinary,
  fromJson,
  type ScalarType,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FeatureSet_FieldPresence, FieldOptions_JSType, isWrapperDesc, StructSchema } from "@bufbuild/protobuf/wkt";
import type { Codec, CodecOptions } from "./codec.ts";
import { explainMismatch } from "./mismatch.ts";
import { type ScalarCodec, scalarCodec } from "./scalar.ts";

type Plain = Record<string, unknown>;
type FieldReader = (into: Plain, reader: BinaryReader, wireType: WireType) => void;
type FieldWriter = (from: Plain, writer: BinaryWriter) => void;

/** Deepest nesting that is read, as in protobuf-es and protobuf's C++ implementation. */
const depthMax = 100;

/** One message type, compiled. Fields are filled in after registration, so that a type may contain itself. */
class Compiled {
  readonly desc: DescMessage;
  readonly #typeName: string | undefined;
  readonly #readers = new Map<number, FieldReader>();
  /** Property names, when others are refused. */
  readonly #names: ReadonlySet<string> | undefined;
  #writers: FieldWriter[] = [];
  /** Sets the defaults of fields that are never absent. */
  #defaults: ((into: Plain) => void)[] = [];

  constructor(desc: DescMessage, options: CodecOptions) {
    this.desc = desc;
    this.#typeName = options.typeName === true ? desc.typeName : undefined;
    this.#names = options.exact === true ? new Set(desc.members.map((member) => member.localName)) : undefined;
  }

  add(number: number, read: FieldReader): void {
    this.#readers.set(number, read);
  }

  ready(writers: FieldWriter[], defaults: ((into: Plain) => void)[]): void {
    this.#writers = writers;
    this.#defaults = defaults;
  }

  empty(): Plain {
    const into: Plain = this.#typeName === undefined ? {} : { $typeName: this.#typeName };
    for (const set of this.#defaults) set(into);
    return into;
  }

  read(reader: BinaryReader, end: number, depth: number, into: Plain = this.empty()): Plain {
    if (depth > depthMax) throw new Error(`nested deeper than ${depthMax} messages`);
    while (reader.pos < end) {
      const [number, wireType] = reader.tag();
      const read = this.#readers.get(number);
      if (read === undefined) reader.skip(wireType, number);
      else readDepth(read, into, reader, wireType, depth);
    }
    if (reader.pos !== end) throw new Error("a field runs past the end of its message");
    return into;
  }

  write(value: unknown, writer: BinaryWriter): void {
    if (typeof value !== "object" || value === null) throw new Mismatch();
    if (this.#names !== undefined) {
      for (const name in value) if (!this.#names.has(name) && !name.startsWith("$")) throw new Mismatch();
    }
    for (const write of this.#writers) write(value as Plain, writer);
  }
}

/** Depth travels in a module variable, not through every scalar reader: reading is synchronous. */
let currentDepth = 0;
function readDepth(read: FieldReader, into: Plain, reader: BinaryReader, wireType: WireType, depth: number): void {
  currentDepth = depth;
  read(into, reader, wireType);
}

/** Thrown where a value does not fit; `encode` then walks the value again to say where and why. */
class Mismatch extends Error {}

/**
 * Compiles `desc`. Cheap enough to call at start for every message; keep the result.
 * Messages with proto2 groups, proto2 defaults or required fields, or extensions go through protobuf-es instead, at its speed.
 */
export function compileCodec<T = unknown>(desc: DescMessage, options: CodecOptions = {}): Codec<T> {
  if (needsLibrary(desc, new Set())) return libraryCodec<T>(desc, options);
  const compiled = compileMessage(desc, options, new Map());
  return codecOf<T>(desc, options, {
    write: (value, writer) => compiled.write(value, writer),
    read: (bytes) => compiled.read(new BinaryReader(bytes), bytes.length, 1),
  });
}

interface Raw {
  write(value: unknown, writer: BinaryWriter): void;
  read(bytes: Uint8Array): unknown;
}

/** The one writer of `encode`; a nested call (a getter that encodes) takes a fresh one. */
const shared = new BinaryWriter();
let sharedBusy = false;

function codecOf<T>(desc: DescMessage, options: CodecOptions, raw: Raw): Codec<T> {
  const explain = (value: unknown, error: unknown): Fault => {
    const why = explainMismatch(desc, value, options);
    return new Fault("invalid", why ?? `${desc.typeName} cannot be encoded`, why === undefined ? { cause: error } : {});
  };
  const write = (value: T, writer: BinaryWriter): void => {
    try {
      raw.write(value, writer);
    } catch (error) {
      throw explain(value, error);
    }
  };
  return {
    desc,
    write,
    encode(value) {
      if (sharedBusy) {
        const writer = new BinaryWriter();
        write(value, writer);
        return writer.finish();
      }
      sharedBusy = true;
      try {
        write(value, shared);
        return shared.finish();
      } catch (error) {
        shared.finish(); // empties it
        throw error;
      } finally {
        sharedBusy = false;
      }
    },
    decode(bytes) {
      try {
        return raw.read(bytes) as T;
      } catch (cause) {
        throw new Fault("invalid", `bytes are not a ${desc.typeName}`, { cause });
      }
    },
  };
}

function libraryCodec<T>(desc: DescMessage, options: CodecOptions): Codec<T> {
  return codecOf<T>(desc, options, {
    write: (value, writer) => void writer.raw(toBinary(desc, create(desc, value as never))),
    read: (bytes) => fromBinary(desc, bytes),
  });
}

/** Whether protobuf-es must do it, because the wire or the defaults are proto2's. */
function needsLibrary(desc: DescMessage, seen: Set<DescMessage>): boolean {
  if (seen.has(desc)) return false;
  seen.add(desc);
  if (desc.proto.extensionRange.length > 0) return true;
  return desc.fields.some((field) => {
    if (field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED) return true;
    if ("delimitedEncoding" in field && field.delimitedEncoding) return true;
    if (field.proto.defaultValue !== "") return true;
    // proto2 enums are closed: an unknown number is an unknown field
    if (field.enum !== undefined && !field.enum.open) return true;
    return field.message !== undefined && needsLibrary(field.message, seen);
  });
}

type Registry = Map<DescMessage, Compiled>;

function compileMessage(desc: DescMessage, options: CodecOptions, registry: Registry): Compiled {
  const known = registry.get(desc);
  if (known !== undefined) return known;
  const compiled = new Compiled(desc, options);
  registry.set(desc, compiled);
  const writers: FieldWriter[] = [];
  const defaults: ((into: Plain) => void)[] = [];
  for (const oneof of desc.oneofs) defaults.push((into) => void (into[oneof.localName] = { case: undefined }));
  for (const field of [...desc.fields].sort((a, b) => a.number - b.number)) {
    const part = compileField(field, options, registry);
    compiled.add(field.number, part.read);
    writers.push(part.write);
    if (part.setDefault !== undefined) defaults.push(part.setDefault);
  }
  compiled.ready(writers, defaults);
  return compiled;
}

interface FieldPart {
  read: FieldReader;
  write: FieldWriter;
  setDefault?: (into: Plain) => void;
}

function compileField(field: DescField, options: CodecOptions, registry: Registry): FieldPart {
  if (field.fieldKind === "list") return listPart(field, options, registry);
  if (field.fieldKind === "map") return mapPart(field, options, registry);
  const value = valueCodec(field, options, registry);
  if (field.oneof !== undefined) return oneofPart(field.oneof.localName, field, value);
  return singularPart(field, value, options);
}

/** One value of a field: its wire form without the tag. */
interface ValueCodec {
  readonly wireType: WireType;
  /** `previous`: a message that came before in the same field, which protobuf merges into. */
  read(reader: BinaryReader, previous?: unknown): unknown;
  write(writer: BinaryWriter, value: unknown): void;
  isZero(value: unknown): boolean;
  /** A fresh default. */
  zero(): unknown;
}

function valueCodec(field: DescField, options: CodecOptions, registry: Registry): ValueCodec {
  if (field.message !== undefined) {
    if (field.fieldKind === "message" && field.oneof === undefined && isWrapperDesc(field.message)) return wrapperValue(field.message);
    if (field.message.typeName === StructSchema.typeName && field.parent.typeName !== "google.protobuf.Value") return structValue();
    return messageValue(compileMessage(field.message, options, registry));
  }
  if (field.enum !== undefined) return enumValue(field.enum, options.enums ?? "number");
  return scalarValue(scalarCodec(field.scalar, jsType(field), field.utf8Validation));
}

function jsType(field: DescField): "bigint" | "number" | "string" {
  const declared = field.proto.options?.jstype;
  if (declared === FieldOptions_JSType.JS_NUMBER) return "number";
  return declared === FieldOptions_JSType.JS_STRING ? "string" : "bigint";
}

function scalarValue(scalar: ScalarCodec): ValueCodec {
  return {
    wireType: scalar.wireType,
    read: (reader) => scalar.read(reader),
    write(writer, value) {
      if (!scalar.fits(value)) throw new Mismatch();
      scalar.write(writer, value);
    },
    isZero: (value) => scalar.isZero(value),
    zero: () => scalar.zero,
  };
}

function enumValue(desc: DescEnum, as: "number" | "name"): ValueCodec {
  const zero = desc.values[0]?.number ?? 0;
  if (as === "number") {
    return {
      wireType: WireType.Varint,
      read: (reader) => reader.int32(),
      write(writer, value) {
        if (typeof value !== "number") throw new Mismatch();
        writer.int32(value);
      },
      isZero: (value) => value === zero,
      zero: () => zero,
    };
  }
  const nameOf = new Map(desc.values.map((value) => [value.number, value.localName]));
  const numberOf = new Map(desc.values.map((value) => [value.localName, value.number]));
  return {
    wireType: WireType.Varint,
    read(reader) {
      const number = reader.int32();
      const name = nameOf.get(number);
      if (name === undefined) throw new Error(`${number} is no value of enum ${desc.typeName}; is this code older than the message?`);
      return name;
    },
    write(writer, value) {
      const number = numberOf.get(value as string);
      if (number === undefined) throw new Mismatch();
      writer.int32(number);
    },
    isZero: (value) => value === nameOf.get(zero),
    zero: () => nameOf.get(zero),
  };
}

function messageValue(compiled: Compiled): ValueCodec {
  return {
    wireType: WireType.LengthDelimited,
    read(reader, previous) {
      const length = reader.uint32();
      const depth = currentDepth;
      const value = compiled.read(reader, endOf(reader, length), depth + 1, previous as Plain | undefined);
      currentDepth = depth;
      return value;
    },
    write(writer, value) {
      writer.fork();
      compiled.write(value, writer);
      writer.join();
    },
    isZero: () => false,
    zero: () => compiled.empty(),
  };
}

function endOf(reader: BinaryReader, length: number): number {
  const end = reader.pos + length;
  if (end > reader.len) throw new Error(`a length of ${length} bytes runs past the end of the message`);
  return end;
}

/** google.protobuf.*Value as its bare value. */
function wrapperValue(desc: DescMessage): ValueCodec {
  const inner = desc.fields[0] as DescField;
  const scalar = scalarCodec(inner.scalar as ScalarType, "bigint", inner.utf8Validation);
  return {
    wireType: WireType.LengthDelimited,
    read(reader, previous) {
      const end = endOf(reader, reader.uint32());
      let value = previous ?? scalar.zero;
      while (reader.pos < end) {
        const [number, wireType] = reader.tag();
        if (number === 1 && wireType === scalar.wireType) value = scalar.read(reader);
        else reader.skip(wireType, number);
      }
      return value;
    },
    write(writer, value) {
      if (!scalar.fits(value)) throw new Mismatch();
      writer.fork();
      if (!scalar.isZero(value)) scalar.write(writer.tag(1, scalar.wireType), value);
      writer.join();
    },
    isZero: () => false,
    zero: () => scalar.zero,
  };
}

/** google.protobuf.Struct as a JSON object, through the library. */
function structValue(): ValueCodec {
  return {
    wireType: WireType.LengthDelimited,
    read: (reader) => toJson(StructSchema, fromBinary(StructSchema, reader.bytes())),
    write: (writer, value) => void writer.bytes(toBinary(StructSchema, fromJson(StructSchema, value as never))),
    isZero: () => false,
    zero: () => ({}),
  };
}

/** Skips a field whose wire type is not the declared one, as protobuf-es and others do with unknown data. */
function matches(value: ValueCodec, reader: BinaryReader, wireType: WireType, number: number): boolean {
  if (wireType === value.wireType) return true;
  reader.skip(wireType, number);
  return false;
}

function singularPart(field: DescField, value: ValueCodec, options: CodecOptions): FieldPart {
  const { localName: name, number } = field;
  const implicit = field.presence === FeatureSet_FieldPresence.IMPLICIT;
  const demanded = isDemanded(field, options);
  const alwaysThere = implicit || demanded;
  const zero = value.zero();
  const fresh = typeof zero === "object"; // a message or bytes: each decoded object needs its own (C1)
  return {
    read(into, reader, wireType) {
      if (matches(value, reader, wireType, number)) into[name] = value.read(reader, field.message === undefined ? undefined : into[name]);
    },
    write(from, writer) {
      const given = from[name];
      if (given === undefined) {
        if (demanded) throw new Mismatch();
        return;
      }
      if (implicit && value.isZero(given)) return;
      value.write(writer.tag(number, value.wireType), given);
    },
    ...(alwaysThere ? { setDefault: (into: Plain) => void (into[name] = fresh ? value.zero() : zero) } : {}),
  };
}

/** Whether a value without this field is refused. */
export function isDemanded(field: DescField, options: CodecOptions): boolean {
  if (options.required !== true || field.fieldKind === "list" || field.fieldKind === "map" || field.oneof !== undefined) return false;
  return !field.proto.proto3Optional;
}

function oneofPart(oneof: string, field: DescField, value: ValueCodec): FieldPart {
  const { localName: name, number } = field;
  return {
    read(into, reader, wireType) {
      if (!matches(value, reader, wireType, number)) return;
      const before = into[oneof] as { case?: string; value?: unknown };
      const previous = field.message !== undefined && before.case === name ? before.value : undefined;
      into[oneof] = { case: name, value: value.read(reader, previous) };
    },
    write(from, writer) {
      const chosen = from[oneof] as { case?: string; value?: unknown } | undefined;
      if (chosen?.case !== name) return;
      value.write(writer.tag(number, value.wireType), chosen.value);
    },
  };
}

function listPart(field: DescField & { fieldKind: "list" }, options: CodecOptions, registry: Registry): FieldPart {
  const value = valueCodec(field, options, registry);
  const { localName: name, number, packed } = field;
  const packable = value.wireType !== WireType.LengthDelimited;
  return {
    read(into, reader, wireType) {
      const list = into[name] as unknown[];
      if (packable && wireType === WireType.LengthDelimited) {
        const end = endOf(reader, reader.uint32());
        while (reader.pos < end) list.push(value.read(reader));
      } else if (matches(value, reader, wireType, number)) list.push(value.read(reader));
    },
    write(from, writer) {
      const list = from[name];
      if (list === undefined) return;
      if (!Array.isArray(list)) throw new Mismatch();
      if (list.length === 0) return;
      if (packed && packable) {
        writer.tag(number, WireType.LengthDelimited).fork();
        for (const item of list) value.write(writer, item);
        writer.join();
      } else for (const item of list) value.write(writer.tag(number, value.wireType), item);
    },
    setDefault: (into) => void (into[name] = []),
  };
}

function mapPart(field: DescField & { fieldKind: "map" }, options: CodecOptions, registry: Registry): FieldPart {
  const value = valueCodec(field, options, registry);
  const key = scalarCodec(field.mapKey, "string", field.utf8Validation);
  const { localName: name, number } = field;
  return {
    read(into, reader, wireType) {
      if (wireType !== WireType.LengthDelimited) return void reader.skip(wireType, number);
      const [k, v] = readEntry(reader, key, value);
      Object.defineProperty(into[name], String(k), { value: v, writable: true, enumerable: true, configurable: true }); // "__proto__" is a key like any other
    },
    write(from, writer) {
      const map = from[name];
      if (map === undefined) return;
      if (typeof map !== "object" || map === null || Array.isArray(map)) throw new Mismatch();
      for (const [text, item] of Object.entries(map)) {
        writer.tag(number, WireType.LengthDelimited).fork();
        key.write(writer.tag(1, key.wireType), key.ofText(text));
        value.write(writer.tag(2, value.wireType), item);
        writer.join();
      }
    },
    setDefault: (into) => void (into[name] = {}),
  };
}

function readEntry(reader: BinaryReader, key: ScalarCodec, value: ValueCodec): [unknown, unknown] {
  const end = endOf(reader, reader.uint32());
  let k: unknown = key.zero;
  let v: unknown;
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    if (number === 1 && wireType === key.wireType) k = key.read(reader);
    else if (number === 2 && wireType === value.wireType) v = value.read(reader, v);
    else reader.skip(wireType, number);
  }
  return [k, v ?? value.zero()];
}
