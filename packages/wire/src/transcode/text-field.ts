/** Fields filled from text: path variables and query parameters. */
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { wireType } from "../descriptors/reader.ts";
import type { WriteField } from "./from-json.ts";
import { JsonProblem } from "./json-problem.ts";
import type { JsonCodecs } from "./json-codec.ts";
import { styleOf } from "./plain.ts";
import type { ProtoWriter } from "./writer.ts";

/** Writes the field, tags of the messages around it included. @throws JsonProblem */
export type WriteText = (text: string, writer: ProtoWriter) => void;

/** Messages whose JSON is a string or a scalar, and which therefore fit into text. */
const textMessages = new Set(["google.protobuf.FieldMask"]);

/** True when a field's value can be written as text. */
export function fitsText(field: DescField): boolean {
  if (field.fieldKind === "map") return false;
  return !field.message || isTextMessage(field.message);
}

function isTextMessage(message: DescMessage): boolean {
  const style = styleOf(message);
  return style === "wrapper" || style === "timestamp" || style === "duration" || textMessages.has(message.typeName);
}

/** Compiles a writer for the last of `path`, inside the messages before it. A list field gets one more item with each call. */
export function compileTextField(codecs: JsonCodecs, path: readonly DescField[]): WriteText {
  const last = path.at(-1) as DescField;
  const json = jsonOfText(last);
  const write = last.fieldKind === "list" ? itemWriter(codecs, last) : codecs.field(last);
  const tags = path.slice(0, -1).map((field) => ((field.number << 3) | wireType.bytes) >>> 0);
  const explicitDefault = explicitDefaultWriter(last);
  return (text, writer) => {
    const value = json(text);
    const marks = tags.map((tag) => {
      writer.uint32(tag);
      return writer.begin();
    });
    const before = writer.length;
    write(value, writer, 0);
    // A default must be written too: it overrides what the body gave.
    if (writer.length === before) explicitDefault(writer);
    for (const mark of marks.reverse()) writer.finish(mark);
  };
}

function itemWriter(codecs: JsonCodecs, field: DescField): WriteField {
  const write = codecs.field(field);
  // One item at a time: parsers join repeated occurrences, packed or not.
  return (json, writer, depth) => {
    write([json], writer, depth);
  };
}

/** Fields without presence skip their default; its bytes are a zero, whatever the type. */
function explicitDefaultWriter(field: DescField): (writer: ProtoWriter) => void {
  const wire = wireOf(field);
  const tag = ((field.number << 3) | wire) >>> 0;
  return (writer) => {
    writer.uint32(tag);
    if (wire === wireType.fixed32) writer.fixed32(0);
    else if (wire === wireType.fixed64) writer.fixed64(0, 0);
    else writer.uint32(0);
  };
}

function wireOf(field: DescField): number {
  switch (field.scalar) {
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return wireType.fixed32;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return wireType.fixed64;
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return wireType.bytes;
    default:
      return field.message ? wireType.bytes : wireType.varint;
  }
}

const wholeNumber = /^-?\d+$/;

/** The JSON value that a text stands for in a field of that type. */
function jsonOfText(field: DescField): (text: string) => unknown {
  const scalar = field.message ? wrappedScalar(field.message) : field.scalar;
  if (scalar === ScalarType.BOOL) {
    return (text) => {
      if (text === "true") return true;
      if (text === "false") return false;
      throw new JsonProblem(`expected true or false, got ${JSON.stringify(text)}`);
    };
  }
  if (field.enum) return (text) => (wholeNumber.test(text) ? Number(text) : text);
  return (text) => text;
}

function wrappedScalar(message: DescMessage): ScalarType | undefined {
  return styleOf(message) === "wrapper" ? message.fields[0]?.scalar : undefined;
}
