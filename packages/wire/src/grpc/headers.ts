/** Metadata as HTTP/2 headers and back (gRPC over HTTP/2, "Custom-Metadata"). */
import { Fault } from "@mecha/kit";
import { Metadata, type MetadataValue } from "../metadata.ts";
import type { RpcStatus } from "../rpc.ts";
import { decodeStatusMessage, encodeStatusMessage, parseStatusCode } from "./status.ts";

/** Header object as node:http2 takes it; a name sent more than once has an array. */
export type HeaderFields = Record<string, string | string[]>;
/** Names and values in turn, in the order they came. */
export type RawHeaders = readonly string[];

/** Ours to say, or the transport's: never taken from or shown as metadata. `grpc-…` and pseudo headers are treated alike. */
const protocolHeaders = new Set([
  "connection",
  "content-length",
  "content-type",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

function isReserved(name: string): boolean {
  return name.charCodeAt(0) === 0x3a || name.startsWith("grpc-") || protocolHeaders.has(name);
}

/** Adds metadata to `into`. Reserved names are left out; `user-agent` is the sender's own.
 *  @throws Fault("internal") naming the key, when a key or a value cannot be an HTTP header. */
export function putMetadata(into: HeaderFields, metadata: Metadata): HeaderFields {
  for (const [name, value] of metadata.entries) {
    if (isReserved(name) || name === "user-agent") continue;
    const text = headerText(name, value);
    const present = into[name];
    if (present === undefined) into[name] = text;
    else if (Array.isArray(present)) present.push(text);
    else into[name] = [present, text];
  }
  return into;
}

function headerText(name: string, value: MetadataValue): string {
  if (!/^[0-9a-z_.-]+$/.test(name)) throw new Fault("internal", `metadata key ${JSON.stringify(name)}: use a-z 0-9 _ - . only`);
  if (name.endsWith("-bin"))
    return Buffer.from(value as Uint8Array)
      .toString("base64")
      .replaceAll("=", "");
  if (typeof value !== "string") throw new Fault("internal", `metadata ${name}: bytes need a key that ends in -bin`);
  if (!/^[ -~]*$/.test(value)) throw new Fault("internal", `metadata ${name}: only printable ASCII; put other values under ${name}-bin`);
  return value;
}

/** The metadata among `raw`. Values of `-bin` keys may be joined by commas and padded or not. */
export function metadataOf(raw: RawHeaders): Metadata {
  let entries: [string, MetadataValue][] | undefined;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] as string;
    if (isReserved(name)) continue;
    const value = raw[at + 1] as string;
    entries ??= [];
    if (!name.endsWith("-bin")) entries.push([name, value]);
    else for (const part of value.split(",")) entries.push([name, bytesOfBase64(part)]);
  }
  return entries === undefined ? Metadata.empty : new Metadata(entries);
}

/** Standard or URL alphabet, padded or not; other characters are skipped, as gRPC implementations do. A copy of its own, no pool. */
function bytesOfBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.trim(), "base64"));
}

/** Adds a status to trailers. */
export function putStatus(into: HeaderFields, status: RpcStatus): HeaderFields {
  into["grpc-status"] = String(status.code);
  if (status.message !== "") into["grpc-message"] = encodeStatusMessage(status.message);
  if (status.details !== undefined) into["grpc-status-details-bin"] = Buffer.from(status.details).toString("base64").replaceAll("=", "");
  return into;
}

/** The status in trailers; undefined when there is none. */
export function statusIn(headers: Readonly<Record<string, string | string[] | undefined>>): RpcStatus | undefined {
  const code = textOf(headers["grpc-status"]);
  if (code === undefined) return undefined;
  const details = textOf(headers["grpc-status-details-bin"]);
  return {
    code: parseStatusCode(code),
    message: decodeStatusMessage(textOf(headers["grpc-message"]) ?? ""),
    ...(details === undefined ? {} : { details: bytesOfBase64(details) }),
  };
}

function textOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** `application/grpc`, alone or with a message format or parameters; not gRPC-Web. */
export function isGrpcContentType(contentType: string | undefined): boolean {
  if (contentType === undefined || !contentType.startsWith("application/grpc")) return false;
  const next = contentType.charAt("application/grpc".length);
  return next === "" || next === "+" || next === ";" || next === " ";
}
