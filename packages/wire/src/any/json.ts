/** Payloads for people: the admin page and `mecha entities` show what is stored as JSON wherever its type is known. */
import { fromBinary, type JsonValue, type Registry, toJson } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { explain } from "@mecha/kit";
import { messageTypeName, type Primitive, type TypedPayload, unpackJson, unpackPrimitive } from "./payload.ts";

/** A payload as people read it. `json` when it could be decoded, else its bytes and why not. */
export type ReadablePayload =
  { readonly type: string; readonly json: JsonValue } | { readonly type: string; readonly base64: string; readonly problem: string };

/** The payload as JSON, or its bytes in base64 with the reason. Never throws: a damaged record must still be looked at. */
export function anyToJson(payload: TypedPayload, registry: Registry): ReadablePayload {
  try {
    return { type: payload.typeUrl, json: decoded(payload, registry) };
  } catch (problem) {
    return { type: payload.typeUrl, base64: base64Encode(payload.value), problem: explain(problem) };
  }
}

function decoded(payload: TypedPayload, registry: Registry): JsonValue {
  const primitive = unpackPrimitive(payload);
  if (primitive) return primitiveJson(primitive);
  const json = unpackJson(payload);
  if (json) return json.value as JsonValue;
  const typeName = messageTypeName(payload.typeUrl);
  const schema = typeName === undefined ? undefined : registry.getMessage(typeName);
  if (!schema) throw new Error(`no descriptor of ${JSON.stringify(payload.typeUrl)}`);
  return toJson(schema, fromBinary(schema, payload.value), { alwaysEmitImplicit: true, registry });
}

/** As proto3 JSON writes a field of that type. */
function primitiveJson(primitive: Primitive): JsonValue {
  switch (primitive.type) {
    case "bytes":
      return base64Encode(primitive.value);
    case "int64":
    case "uint64":
      return String(primitive.value);
    case "float":
    case "double":
      return Number.isFinite(primitive.value) ? primitive.value : String(primitive.value);
    default:
      return primitive.value;
  }
}
