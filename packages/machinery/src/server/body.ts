/**
 * Bodies of requests to JSON values: JSON, YAML, and Protobuf through the decoder the server was given.
 *
 * B1 fields named twice are found in the text, as a parsed value has forgotten them
 */
import type { JsonObject } from "@mecha/kinds";
import { jsonProblem } from "../go-json.ts";
import { cannotUnmarshal, isObject } from "../json.ts";
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
  refuse: Unreadable = (why) => badRequest(why),
): ParsedBody | undefined {
  if (!body || body.length === 0) return undefined;
  checkBodySize(body.length);
  const media = mediaType(contentType) || "application/json";
  if (media === protobufMedia && protobuf) return { ...nothingTwice, value: protobuf(body) };
  if (media === "application/json") return parseJson(utf8(body), refuse);
  if (media === "application/yaml" || media === "text/yaml") return yamlBody(utf8(body), refuse);
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

/** How a body that cannot be read is refused. */
type Unreadable = (why: string, text: string) => StatusError;

/** Bytes of a body that a refusal shows. */
const shownBytes = 30;

/** Of a body that says in no readable way what it is. @param kind What it should have been. */
export function unrecognized(kind: string): Unreadable {
  return (why, text) => {
    const bytes = new TextEncoder().encode(text);
    const start = bytes.slice(0, shownBytes);
    const shown = text.startsWith("{")
      ? new TextDecoder().decode(start)
      : Array.from(start, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const summary = bytes.length === 0 ? "<empty>" : `${shown}${bytes.length > shownBytes ? " ..." : ""}`;
    return badRequest(`the object provided is unrecognized (must be of type ${kind}): ${why} (${summary})`);
  };
}

/** @param problem As Go's reader says it. */
export const noJson = (problem: string): string => `couldn't get version/kind; json parse error: ${problem}`;

function parseJson(text: string, refuse: Unreadable): ParsedBody {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refuse(noJson(jsonProblem(text)), text);
  }
  return { value: mustBeObject(value, text, refuse), duplicates: duplicatesOf(text, refuse), repeated: [] };
}

function duplicatesOf(text: string, refuse: Unreadable): readonly string[] {
  try {
    return duplicateTexts(text);
  } catch (error) {
    throw refuse(noJson((error as Error).message), text);
  }
}

function yamlBody(text: string, refuse: Unreadable): ParsedBody {
  try {
    const { value, repeated } = parseYaml(text);
    return { value: mustBeObject(value, text, refuse), duplicates: [], repeated };
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw refuse((error as Error).message, text);
  }
}

/** What Go reads version and kind into, as it names it. */
const typeMeta = String.raw`struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }`;

/** Null is an object that says nothing. */
function mustBeObject(value: unknown, text: string, refuse: Unreadable): JsonObject {
  if (value === null) return {};
  if (!isObject(value)) throw refuse(noJson(cannotUnmarshal(value, typeMeta)), text);
  return value;
}
