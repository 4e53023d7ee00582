export { anyFromJson, anyToExactJson } from "./from-json.ts";
export { anyToJson, type ReadablePayload } from "./json.ts";
export {
  jsonPrefix,
  messagePrefix,
  messageTypeName,
  messageTypeUrl,
  packJson,
  packMessage,
  packPrimitive,
  type Primitive,
  primitivePrefix,
  type TypedPayload,
  unpackJson,
  unpackMessage,
  unpackPrimitive,
} from "./payload.ts";
