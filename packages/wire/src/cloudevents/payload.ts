/**
 * An event's data as an Any, and an Any as an event's data: the content type decides (facts/cloudstate.md §1.7, §1.15).
 *
 *     application/protobuf                          type.googleapis.com/<ce-type>
 *     application/json, …+json                      json.cloudstate.io/<ce-type>
 *     text/…                                        p.cloudstate.io/string
 *     application/vnd.cloudstate.protobuf.any       the data is an Any itself
 *     anything else                                 p.cloudstate.io/bytes
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { AnySchema, BytesValueSchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { jsonPrefix, messagePrefix, messageTypeName, packPrimitive, primitivePrefix, type TypedPayload } from "../any/index.ts";
import type { CloudEvent } from "./event.ts";
import { wrong } from "./event.ts";
import { isJson } from "./http.ts";

/** Content type of data that is an Any. */
export const anyContentType = "application/vnd.cloudstate.protobuf.any";
const protobufTypes: ReadonlySet<string> = new Set(["application/protobuf", "application/x-protobuf", "application/vnd.google.protobuf"]);

const text = new TextDecoder("utf-8", { fatal: true });
const utf8 = new TextEncoder();

/** @throws Fault("invalid") when the data is not what the content type says. */
export function payloadOfEvent({ type, dataContentType = "", data }: CloudEvent): TypedPayload {
  const media = dataContentType.split(";")[0]?.trim().toLowerCase() ?? "";
  if (protobufTypes.has(media)) return { typeUrl: messagePrefix + (messageTypeName(type) ?? type), value: data };
  if (isJson(media)) return jsonPayload(type, data);
  if (media.startsWith("text/")) return packPrimitive({ type: "string", value: decoded(data, "text") });
  if (media === anyContentType) return anyOf(data);
  return packPrimitive({ type: "bytes", value: data });
}

/** @throws Fault("invalid") */
function jsonPayload(type: string, data: Uint8Array): TypedPayload {
  const value = decoded(data, "JSON");
  try {
    JSON.parse(value);
  } catch {
    throw wrong("has data that is not the JSON its content type says");
  }
  const name = type.startsWith(jsonPrefix) ? type.slice(jsonPrefix.length) : type;
  return { typeUrl: jsonPrefix + name, value: toBinary(StringValueSchema, create(StringValueSchema, { value })) };
}

function decoded(data: Uint8Array, what: string): string {
  try {
    return text.decode(data);
  } catch {
    throw wrong(`has data that is not UTF-8, though it is ${what}`);
  }
}

function anyOf(data: Uint8Array): TypedPayload {
  try {
    const { typeUrl, value } = fromBinary(AnySchema, data);
    return { typeUrl, value };
  } catch {
    throw wrong("has data that is no google.protobuf.Any");
  }
}

/** What an event made of a payload says about it. */
export interface EventContent {
  /** For `ce-type`. */
  readonly type: string;
  readonly dataContentType: string;
  readonly data: Uint8Array;
}

/** @throws Fault("invalid") when JSON or a primitive holds no such thing. */
export function contentOfPayload(payload: TypedPayload): EventContent {
  const { typeUrl, value } = payload;
  if (typeUrl.startsWith(jsonPrefix)) {
    const data = utf8.encode(fromBinary(StringValueSchema, value).value);
    return { type: typeUrl.slice(jsonPrefix.length), dataContentType: "application/json", data };
  }
  if (typeUrl === `${primitivePrefix}string`)
    return { type: "string", dataContentType: "text/plain; charset=utf-8", data: utf8.encode(fromBinary(StringValueSchema, value).value) };
  if (typeUrl === `${primitivePrefix}bytes`)
    return { type: "bytes", dataContentType: "application/octet-stream", data: fromBinary(BytesValueSchema, value).value };
  if (typeUrl.startsWith(primitivePrefix)) {
    const data = toBinary(AnySchema, create(AnySchema, { typeUrl, value }));
    return { type: typeUrl.slice(primitivePrefix.length), dataContentType: anyContentType, data };
  }
  return { type: messageTypeName(typeUrl) ?? typeUrl, dataContentType: "application/protobuf", data: value };
}
