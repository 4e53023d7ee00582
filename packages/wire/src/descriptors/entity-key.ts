/**
 * The entity id inside a serialized command: read from the bytes without decoding the rest (DESIGN.md §4.1).
 *
 * Invariants
 * K1 the id equals the one read from the fully decoded message: last occurrence wins, a member of a oneof is cleared by another
 *    member, an absent field has its default
 * K2 an id is 1 to 512 bytes of UTF-8 without NUL (E1); everything else is a Fault naming the field
 */
import { type DescField, type DescMessage, fromBinary, getOption, ScalarType } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { Fault } from "@mecha/kit";
import { entity_key, legacy_entity_key } from "../gen/cloudstate/entity_key_pb.ts";
import { FieldOptionsSchema as KalixFieldOptionsSchema } from "../gen/kalix/annotations_pb.ts";
import { int64Text, ProtoReader, sint64Text, uint64Text, utf8Text, wireType, zigzag32 } from "./reader.ts";

/** Longest entity id in bytes of UTF-8 (E1). The state package's `entityIdMaxBytes` is the same number. */
export const entityKeyMaxBytes = 512;

/** Reads the entity id out of a serialized message. @throws Fault("invalid") naming the field. */
export type EntityKey = (message: Uint8Array) => string;

/** A key field, compiled: how to read it and what it is when absent. */
interface KeyPart {
  readonly field: DescField;
  readonly wire: number;
  readonly absent: string;
  readonly read: (reader: ProtoReader) => string;
}

/**
 * Compiles the reader of a message's entity id: its fields marked `entity_key` (Cloudstate's 1080, or 50002 as npm cloudstate 0.0 had it;
 * Kalix's `(kalix.field).entity_key`), joined with "-" in declaration order. `undefined`: no field is marked.
 * @throws Fault("invalid") when a marked field has a type that makes no stable id: repeated, message, enum, bytes, float, double.
 */
export function compileEntityKey(message: DescMessage): EntityKey | undefined {
  const parts = message.fields.filter(isKey).map(compilePart);
  const [first] = parts;
  if (!first) return undefined;
  const where = `${message.typeName}, ${parts.length === 1 ? "field" : "fields"} ${parts.map((part) => part.field.name).join(", ")}`;
  const actions = actionsByNumber(message, parts);
  const absent = parts.map((part) => part.absent);
  return (bytes) => {
    try {
      const values = readParts(bytes, actions, absent);
      return checked(values.length === 1 ? (values[0] as string) : values.join("-"));
    } catch (cause) {
      if (cause instanceof Fault) throw new Fault("invalid", `the entity id (${where}): ${cause.message}`);
      throw cause;
    }
  };
}

/** 1080 is a bool in Cloudstate and a message in Kalix; the wire type tells which. Read as the other, any Kalix option would look set. */
function isKey(field: DescField): boolean {
  const written = field.proto.options?.$unknown?.findLast(({ no }) => no === entity_key.number);
  if (written?.wireType === WireType.LengthDelimited)
    return fromBinary(KalixFieldOptionsSchema, new BinaryReader(written.data).bytes()).entityKey;
  return (written !== undefined && getOption(field, entity_key)) || getOption(field, legacy_entity_key);
}

/** What a field number means for the key: the parts it clears (its oneof's other members), and the part it sets, if it is a key itself. */
interface Action {
  readonly clears: readonly number[];
  readonly set: { readonly index: number; readonly part: KeyPart } | undefined;
}

function actionsByNumber(message: DescMessage, parts: readonly KeyPart[]): Map<number, Action> {
  const actions = new Map<number, Action>();
  for (const field of message.fields) {
    const clears = parts.flatMap((part, index) =>
      part.field !== field && part.field.oneof && part.field.oneof === field.oneof ? [index] : [],
    );
    const index = parts.findIndex((part) => part.field === field);
    const part = parts[index];
    if (part || clears.length > 0) actions.set(field.number, { clears, set: part && { index, part } });
  }
  return actions;
}

function readParts(bytes: Uint8Array, actions: ReadonlyMap<number, Action>, absent: readonly string[]): string[] {
  const values = absent.slice();
  const reader = new ProtoReader(bytes);
  while (reader.more) {
    const tag = reader.tag();
    const action = actions.get(tag >>> 3);
    // A key's number with another wire type is an unknown field, as protobuf's libraries have it.
    if (action === undefined || (action.set && action.set.part.wire !== (tag & 7))) reader.skip(tag);
    else {
      for (const index of action.clears) values[index] = absent[index] as string;
      if (action.set) values[action.set.index] = action.set.part.read(reader);
      else reader.skip(tag);
    }
  }
  return values;
}

function checked(id: string): string {
  if (id === "") throw new Fault("invalid", "is empty; it must be 1 to 512 bytes");
  // Four bytes is the most UTF-8 needs for a code unit pair, three for one: most ids need no count.
  if (id.length * 3 > entityKeyMaxBytes) {
    const size = new TextEncoder().encode(id).length;
    if (size > entityKeyMaxBytes) throw new Fault("invalid", `is ${size} bytes; at most ${entityKeyMaxBytes} are allowed`);
  }
  if (id.includes("\0")) throw new Fault("invalid", "holds a NUL character, which is not allowed");
  return id;
}

function compilePart(field: DescField): KeyPart {
  if (field.fieldKind !== "scalar") {
    const kind =
      field.fieldKind === "list" || field.fieldKind === "map" ? "repeated" : `a${field.fieldKind === "enum" ? "n enum" : " message"}`;
    throw unfit(field, kind);
  }
  const reading = readings[field.scalar];
  if (!reading) throw unfit(field, "of type bytes, float or double");
  const absent = String(field.getDefaultValue() ?? reading.absent);
  return { field, wire: reading.wire, absent, read: reading.read };
}

function unfit(field: DescField, kind: string): Fault {
  return new Fault(
    "invalid",
    `field ${field.name} of ${field.parent?.typeName ?? "?"} is marked as entity key but is ${kind}; use a string, an integer or a bool`,
  );
}

interface Reading {
  readonly wire: number;
  readonly absent: string;
  readonly read: (reader: ProtoReader) => string;
}

const varint = (read: (reader: ProtoReader) => string, absent = "0"): Reading => ({ wire: wireType.varint, absent, read });
const wide = (text: (low: number, high: number) => string) => (reader: ProtoReader) => {
  reader.varint();
  return text(reader.low, reader.high);
};
const fixed64 = (text: (low: number, high: number) => string): Reading => ({
  wire: wireType.fixed64,
  absent: "0",
  read: (reader) => {
    reader.fixed64();
    return text(reader.low, reader.high);
  },
});

/** By scalar type; bytes, float and double have no text that stays the same everywhere. */
const readings: Partial<Record<ScalarType, Reading>> = {
  [ScalarType.STRING]: {
    wire: wireType.bytes,
    absent: "",
    read: (reader) => {
      const length = reader.length();
      const start = reader.take(length);
      return utf8Text(reader.bytes, start, start + length);
    },
  },
  [ScalarType.BOOL]: varint((reader) => {
    reader.varint();
    return reader.low === 0 && reader.high === 0 ? "false" : "true";
  }, "false"),
  [ScalarType.INT32]: varint((reader) => String(reader.int32())),
  [ScalarType.UINT32]: varint((reader) => String(reader.int32() >>> 0)),
  [ScalarType.SINT32]: varint((reader) => String(zigzag32(reader.int32()))),
  [ScalarType.INT64]: varint(wide(int64Text)),
  [ScalarType.UINT64]: varint(wide(uint64Text)),
  [ScalarType.SINT64]: varint(wide(sint64Text)),
  [ScalarType.FIXED32]: { wire: wireType.fixed32, absent: "0", read: (reader) => String(reader.fixed32() >>> 0) },
  [ScalarType.SFIXED32]: { wire: wireType.fixed32, absent: "0", read: (reader) => String(reader.fixed32()) },
  [ScalarType.FIXED64]: fixed64(uint64Text),
  [ScalarType.SFIXED64]: fixed64(int64Text),
};
