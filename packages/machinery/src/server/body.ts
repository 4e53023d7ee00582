/**
 * Bodies of requests to JSON values: JSON, YAML, and Protobuf through the decoder the server was given.
 *
 * B1 fields named twice are found in the text, as a parsed value has forgotten them
 */
import type { JsonObject } from "@mecha/kinds";
import { isObject } from "../json.ts";
import { StatusError } from "../status.ts";
import { duplicateTexts } from "./duplicates.ts";
import { badRequest } from "./options.ts";
import { parseYaml } from "./yaml.ts";

/** Largest body, bytes: the limit of the API server. */
export const bodyMaxBytes = 3 << 20;

export const protobufMedia = "application/vnd.kubernetes.protobuf";

/** Turns a Protobuf body (runtime.Unknown around the object) into JSON. @throws StatusError BadRequest */
export type ProtobufDecoder = (body: Uint8Array) => JsonObject;

/** What stands twice in a body (B1). */
export interface Twice {
  /** `duplicate field "spec.replicas"`, of JSON. */
  readonly duplicates: readonly string[];
  /** `line 3: key "a" already set in map`, of YAML. */
  readonly repeated: readonly string[];
}

export const nothingTwice: Twice = { duplicates: [], repeated: [] };

export interface ParsedBody extends Twice {
  readonly value: JsonObject;
}

/**
 * @returns `undefined` when there is no body.
 * @throws StatusError BadRequest, UnsupportedMediaType, RequestEntityTooLarge
 */
export function parseBody(
  body: Uint8Array | undefined,
  contentType: string | undefined,
  protobuf?: ProtobufDecoder,
): ParsedBody | undefined {
  if (!body || body.length === 0) return undefined;
  checkBodySize(body.length);
  const media = mediaType(contentType) || "application/json";
  if (media === protobufMedia && protobuf) return { ...nothingTwice, value: protobuf(body) };
  if (media === "application/json") return parseJson(utf8(body));
  if (media === "application/yaml" || media === "text/yaml") return yamlBody(utf8(body));
  const types = ["application/json", "application/yaml", ...(protobuf ? [protobufMedia] : [])];
  throw new StatusError(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${types.join(", ")}`,
  );
}

/** Without parameters, lower case. */
export function mediaType(contentType: string | undefined): string {
  return (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/** @throws StatusError RequestEntityTooLarge */
export function checkBodySize(bytes: number): void {
  if (bytes > bodyMaxBytes) throw new StatusError("RequestEntityTooLarge", `Request entity too large: limit is ${bodyMaxBytes}`);
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** @throws StatusError BadRequest when it is not UTF-8. */
export function utf8(body: Uint8Array): string {
  try {
    return decoder.decode(body);
  } catch {
    throw badRequest("the body of the request is not UTF-8 text");
  }
}

function parseJson(text: string): ParsedBody {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badRequest(`error decoding JSON: ${(error as Error).message}`);
  }
  return { value: mustBeObject(value), duplicates: duplicateTexts(text), repeated: [] };
}

function yamlBody(text: string): ParsedBody {
  try {
    const { value, repeated } = parseYaml(text);
    return { value: mustBeObject(value), duplicates: [], repeated };
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw badRequest(`error converting YAML to JSON: ${(error as Error).message}`);
  }
}

function mustBeObject(value: unknown): JsonObject {
  if (!isObject(value))
    throw badRequest("couldn't get version/kind; json parse error: the body must be an object with apiVersion and kind");
  return value;
}
