/** Transport headers on their way to a command and back from a reply. */
import { Fault } from "@mecha/kit";
import { type CommandMetadata, firingMetadata } from "@mecha/state";
import { type HttpExchange, Metadata } from "@mecha/wire";

/** Belong to one connection or to the body's form; they mean nothing to a command, and a reply must not set them. */
const hopHeaders = new Set([
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "date",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Request headers a component may echo (support libraries do); in an answer they would be noise or harm. */
const requestOnly =
  /^(accept|accept-.*|authorization|cookie|forwarded|idempotency-key|if-.*|origin|referer|sec-.*|traceparent|tracestate|user-agent|x-forwarded-.*|grpc-.*|access-control-.*)$/;

const headerName = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const headerValue = /^[\x20-\x7e]*$/;

/** Says which firing of a timer a command is; only Mecha does. */
function isFiring(name: string): boolean {
  return name === firingMetadata.timer || name.startsWith(`${firingMetadata.timer}-`);
}

/** A gRPC call's metadata as command metadata. */
export function metadataOfCall(metadata: Metadata): CommandMetadata {
  const { entries } = metadata;
  return entries.some(([name]) => isFiring(name)) ? entries.filter(([name]) => !isFiring(name)) : entries;
}

/** A request's headers as command metadata. `-bin` headers are gRPC's; over HTTP there is no such convention, so they stay behind. */
export function metadataOfHeaders(headers: HttpExchange["headers"]): CommandMetadata {
  const entries: [string, string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !hopHeaders.has(name) && !name.endsWith("-bin") && !isFiring(name)) entries.push([name, value]);
  }
  return entries;
}

/** A reply's text metadata that may become response headers; what could not is left out: it is the component's, and not to be trusted. */
function* fitForAnswer(metadata: CommandMetadata): Generator<readonly [string, string]> {
  for (const [key, value] of metadata) {
    const name = key.toLowerCase();
    const fits = typeof value === "string" && headerName.test(name) && headerValue.test(value) && !name.endsWith("-bin");
    if (fits && !hopHeaders.has(name) && !requestOnly.test(name)) yield [name, value];
  }
}

/** For an HTTP answer. A key that occurs more than once is joined with a comma. */
export function headersOfReply(metadata: CommandMetadata | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of fitForAnswer(metadata ?? []))
    headers[name] = Object.hasOwn(headers, name) ? `${headers[name]}, ${value}` : value;
  return headers;
}

/** For gRPC response headers; `undefined` when there is nothing to send. */
export function responseMetadata(metadata: CommandMetadata | undefined): Metadata | undefined {
  if (metadata === undefined || metadata.length === 0) return undefined;
  const entries = [...fitForAnswer(metadata)];
  return entries.length === 0 ? undefined : new Metadata(entries);
}

/** Longest command id, characters. */
export const commandIdMax = 256;
const commandIdText = /^[\x21-\x7e]+$/;

/**
 * The caller's id of its command: the header `idempotency-key`.
 * @throws Fault("invalid") when it is empty, too long or not visible ASCII.
 */
export function commandId(key: string | undefined): string | undefined {
  if (key === undefined) return undefined;
  if (key.length <= commandIdMax && commandIdText.test(key)) return key;
  throw new Fault("invalid", `the idempotency-key must be 1 to ${commandIdMax} visible ASCII characters`);
}

const traceparentText = /^[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** A valid traceparent, else nothing: W3C Trace Context §3.2 has receivers ignore malformed ones. */
export function traceOf(traceparent: string | undefined): string | undefined {
  return traceparent !== undefined && traceparentText.test(traceparent) ? traceparent : undefined;
}
