/**
 * CloudEvents over HTTP: binary, structured (JSON) and batched requests (spec "HTTP Protocol Binding for CloudEvents", "JSON Event Format").
 *
 *     application/cloudevents+json         one event as JSON
 *     application/cloudevents-batch+json   a list of them
 *     anything else                        ce-… headers, the body is the data
 */
import { base64Decode } from "@bufbuild/protobuf/wire";
import { Fault } from "@mecha/kit";
import { type CloudEvent, eachOf, eventOf, quoted, wrong } from "./event.ts";

type Headers = Readonly<Record<string, string | undefined>>;

/** Events in one batch: as many as one commit of the log takes well. */
export const batchMax = 1_000;

const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { fatal: true });

/**
 * The events of a request.
 * @param headers Names in lower case.
 * @throws Fault("invalid") naming what is wrong.
 */
export function readHttpEvents(headers: Headers, body: Uint8Array): readonly CloudEvent[] {
  const contentType = headers["content-type"];
  const media = contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (media === "application/cloudevents+json") return [structured(parsed(body))];
  if (media === "application/cloudevents-batch+json") return batch(parsed(body));
  if (media.startsWith("application/cloudevents")) throw wrong(`is of type ${quoted(media)}; JSON is the only format taken`);
  return [binary(headers, contentType, body)];
}

function binary(headers: Headers, contentType: string | undefined, body: Uint8Array): CloudEvent {
  const attributes = new Map<string, string>();
  for (const [name, value] of Object.entries(headers))
    if (name.startsWith("ce-") && value !== undefined) attributes.set(name.slice(3), unescaped(value));
  if (attributes.size === 0) throw wrong("has no ce- headers, and its content-type is not application/cloudevents+json");
  if (contentType !== undefined) attributes.set("datacontenttype", contentType);
  return eventOf(attributes, body);
}

/** Header values are percent-encoded beyond ASCII (§3.1.3.2). What is not is taken as it is. */
function unescaped(value: string): string {
  try {
    return value.includes("%") ? decodeURIComponent(value) : value;
  } catch {
    return value;
  }
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(text.decode(body)) as unknown;
  } catch {
    throw wrong("is no JSON in UTF-8");
  }
}

function batch(value: unknown): readonly CloudEvent[] {
  if (!Array.isArray(value)) throw new Fault("invalid", "the body is announced as a batch of events, which is a JSON list");
  if (value.length > batchMax) throw new Fault("invalid", `the batch has ${value.length} events; the most is ${batchMax}`);
  return eachOf(value as readonly unknown[], structured);
}

function structured(value: unknown): CloudEvent {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong("is no JSON object");
  const attributes = new Map<string, string>();
  for (const [name, member] of Object.entries(value)) {
    if (name === "data" || name === "data_base64" || member === null) continue;
    attributes.set(name, attributeText(name, member));
  }
  const { data, data_base64: base64 } = value as { readonly data?: unknown; readonly data_base64?: unknown };
  if (data !== undefined && base64 !== undefined) throw wrong("has both data and data_base64");
  if (base64 !== undefined) return eventOf(attributes, bytesOf(base64));
  if (data !== undefined && !attributes.get("datacontenttype")) attributes.set("datacontenttype", "application/json");
  return eventOf(attributes, dataBytes(data, attributes.get("datacontenttype") ?? ""));
}

/** JSON has numbers and booleans too; as attributes they are text (§2.2 of the JSON format). */
function attributeText(name: string, value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "boolean" || (typeof value === "number" && Number.isInteger(value))) return String(value);
  throw wrong(
    `has ${typeof value === "number" ? `the number ${value}, which is not whole,` : "an object or a list"} as attribute ${quoted(name)}`,
  );
}

function bytesOf(base64: unknown): Uint8Array {
  if (typeof base64 === "string")
    try {
      return base64Decode(base64);
    } catch {
      // said below
    }
  throw wrong("has data_base64 that is no Base64");
}

/** JSON stays JSON; a text of another type is that text. */
function dataBytes(data: unknown, contentType: string): Uint8Array {
  if (data === undefined) return new Uint8Array(0);
  return utf8.encode(typeof data === "string" && !isJson(contentType) ? data : JSON.stringify(data));
}

/** Whether a content type is JSON, `application/…+json` included. */
export function isJson(contentType: string): boolean {
  const media = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  return media === "application/json" || media === "text/json" || media.endsWith("+json");
}
