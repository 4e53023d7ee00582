/** google.api.HttpBody: bodies that are no JSON. Over HTTP its bytes stand for themselves, under the content type it names. */
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { ProtoReader, utf8Text, wireType } from "../descriptors/reader.ts";
import type { ProtoWriter } from "./writer.ts";

/** A body as it goes over HTTP. */
export interface RawBody {
  readonly contentType: string;
  readonly data: Uint8Array;
}

const contentTypeNumber = 1;
const dataNumber = 2;
/** For an HttpBody that names no content type (RFC 9110 §8.3). */
const unknownType = "application/octet-stream";
/** As an HTTP header may be; anything else would be the component's mistake sent on to the caller's parser. */
const headerText = /^[\x20-\x7e]{1,256}$/;

/** Whether a message is HttpBody. Descriptor sets may bring their own idea of it; then it is a message like any other. */
export function isHttpBody(message: DescMessage | undefined): boolean {
  if (message?.typeName !== "google.api.HttpBody") return false;
  const fits = (number: number, name: string, scalar: ScalarType): boolean =>
    message.fields.some(
      (field) => field.number === number && field.name === name && field.fieldKind === "scalar" && field.scalar === scalar,
    );
  return fits(contentTypeNumber, "content_type", ScalarType.STRING) && fits(dataNumber, "data", ScalarType.BYTES);
}

/** Appends an HttpBody's content. */
export function writeRawBody(writer: ProtoWriter, contentType: string, data: Uint8Array): void {
  if (contentType !== "") {
    writer.uint32((contentTypeNumber << 3) | wireType.bytes);
    writer.text(contentType);
  }
  if (data.length === 0) return;
  writer.uint32((dataNumber << 3) | wireType.bytes);
  writer.bytes(data);
}

/** What an HttpBody holds. @throws Fault("invalid") when the bytes are malformed. */
export function readRawBody(message: Uint8Array): RawBody {
  const reader = new ProtoReader(message);
  let contentType = "";
  let data = message.subarray(0, 0);
  while (reader.more) {
    const tag = reader.tag();
    if (tag === ((contentTypeNumber << 3) | wireType.bytes)) {
      const length = reader.length();
      const start = reader.take(length);
      contentType = utf8Text(message, start, start + length);
    } else if (tag === ((dataNumber << 3) | wireType.bytes)) {
      const length = reader.length();
      const start = reader.take(length);
      data = message.subarray(start, start + length);
    } else reader.skip(tag);
  }
  return { contentType: headerText.test(contentType) ? contentType : unknownType, data };
}

/** The bytes of a message field, its occurrences joined (which is how parsers merge them); empty when absent. */
export function fieldContent(message: Uint8Array, field: DescField): Uint8Array {
  const reader = new ProtoReader(message);
  const parts: Uint8Array[] = [];
  while (reader.more) {
    const tag = reader.tag();
    if (tag === ((field.number << 3) | wireType.bytes)) {
      const length = reader.length();
      const start = reader.take(length);
      parts.push(message.subarray(start, start + length));
    } else reader.skip(tag);
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
}
