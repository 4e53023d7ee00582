/** Which message types the compiled JSON codec takes, and which are left to protobuf-es. */
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";

/** Well-known types whose JSON differs from their fields and that are rare enough to leave to protobuf-es. */
const customJson = new Set([
  "google.protobuf.Any",
  "google.protobuf.FieldMask",
  "google.protobuf.ListValue",
  "google.protobuf.Struct",
  "google.protobuf.Value",
]);

const wrapperNames = new Set(
  ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"].map((name) => `google.protobuf.${name}Value`),
);

/** Presence of proto2 `required`. */
const presenceRequired = FeatureSet_FieldPresence.LEGACY_REQUIRED;
/** Presence of plain proto3 scalars: absent and default are the same. */
const presenceImplicit = FeatureSet_FieldPresence.IMPLICIT;

/** More oneofs than bits of a small number are left to protobuf-es. */
export const oneofsMax = 30;

/** A field without presence: its default is not written to bytes, and is written to JSON. */
export function isImplicit(field: DescField): boolean {
  return field.presence === presenceImplicit;
}

/** How a message is treated. */
export type MessageStyle = "fields" | "wrapper" | "timestamp" | "duration" | "library";

export function styleOf(message: DescMessage): MessageStyle {
  if (message.typeName === "google.protobuf.Timestamp" && hasSecondsAndNanos(message)) return "timestamp";
  if (message.typeName === "google.protobuf.Duration" && hasSecondsAndNanos(message)) return "duration";
  if (wrapperNames.has(message.typeName)) return isWrapper(message) ? "wrapper" : "library";
  if (message.typeName.startsWith("google.protobuf.") && customJson.has(message.typeName)) return "library";
  const plain =
    message.proto.extensionRange.length === 0 &&
    message.oneofs.length <= oneofsMax &&
    message.proto.options?.messageSetWireFormat !== true &&
    message.fields.every(isPlainField);
  return plain ? "fields" : "library";
}

/** A descriptor set may bring its own idea of a well-known type. */
function hasSecondsAndNanos(message: DescMessage): boolean {
  const [seconds, nanos] = message.fields;
  return (
    message.fields.length === 2 && isSingular(seconds, "seconds", 1, ScalarType.INT64) && isSingular(nanos, "nanos", 2, ScalarType.INT32)
  );
}

function isSingular(field: DescField | undefined, name: string, number: number, scalar: ScalarType): boolean {
  return field?.fieldKind === "scalar" && field.scalar === scalar && field.number === number && field.name === name;
}

function isWrapper(message: DescMessage): boolean {
  const [value] = message.fields;
  return (
    message.fields.length === 1 && value?.fieldKind === "scalar" && value.name === "value" && value.number === 1 && isPlainField(value)
  );
}

function isPlainField(field: DescField): boolean {
  const delimited =
    (field.fieldKind === "message" || (field.fieldKind === "list" && field.listKind === "message")) && field.delimitedEncoding;
  const closedEnum = field.enum !== undefined && !field.enum.open;
  const looseText = (field.scalar === ScalarType.STRING || field.fieldKind === "map") && !field.utf8Validation;
  return !delimited && !closedEnum && !looseText && field.presence !== presenceRequired && field.jsonName !== "__proto__";
}
