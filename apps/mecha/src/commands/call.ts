/** `mecha call`: one gRPC call with JSON in and out. */
import { type DescMethod, fromJson, type JsonValue, type Registry, toBinary, fromBinary, toJson } from "@bufbuild/protobuf";
import { explain, Fault, faultCodeOfGrpc, nearest } from "@mecha/kit";
import { resolve } from "node:path";
import { type ClientTls, connect } from "@mecha/net";
import type { StatusJson } from "../admin/model.ts";
import { type Channel, type DescriptorSet, Metadata, type RpcStatus } from "@mecha/wire";
import { UsageError } from "../exit.ts";
import { type Given, loadTls, readPem } from "../up/tls.ts";
import { type Io, withProgress } from "../io.ts";
import { describe, listServices } from "../reflection-client.ts";
import { type ClientOptions, openClient } from "./client-options.ts";

interface CallOptions extends ClientOptions {
  readonly address?: string;
  readonly header: readonly string[];
  /** Seconds. */
  readonly timeout: number;
  /** PEM files, for an ingress that speaks TLS. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Where to call when nothing says otherwise: the default ingress. */
const defaultAddress = "127.0.0.1:9000";

export async function callCommand(io: Io, options: CallOptions, method: string, json: readonly string[]): Promise<void> {
  const name = methodName(method);
  const metadata = metadataOf(options.header);
  const requests = json.map(parseJson);
  const { host, port, tls: needsTls } = await addressOf(io, options);
  const tls = await tlsOf(options, io.cwd, needsTls === true);
  await using channel = connect({ host, port, clock: io.clock, ...(tls && { tls }) });
  await withProgress(
    io,
    `calling ${method} at ${channel.target}`,
    call(io, { channel, ...name, metadata, requests, timeoutMs: options.timeout * 1_000 }),
  );
}

interface Call {
  readonly channel: Channel;
  readonly service: string;
  readonly method: string;
  readonly metadata: Metadata;
  readonly requests: readonly JsonValue[];
  readonly timeoutMs: number;
}

async function call(io: Io, request: Call): Promise<void> {
  const { channel, service, timeoutMs } = request;
  const types = await describe(channel, service, timeoutMs);
  const method = await findMethod(types, request);
  const registry = (types as DescriptorSet).registry;
  const messages = encode(method, request.requests, registry);
  const status = await exchange(request, messages, (bytes) => io.out(`${JSON.stringify(decode(method, bytes, registry), undefined, 2)}\n`));
  if (status.code === 0) return;
  throw new Fault(
    faultCodeOfGrpc(status.code),
    `${service}/${method.name} failed with ${grpcName(status.code)}: ${status.message || "(no message)"}`,
  );
}

/** @throws UsageError naming what there is instead. */
async function findMethod(types: DescriptorSet | undefined, { channel, service, method, timeoutMs }: Call): Promise<DescMethod> {
  const found = types?.service(service);
  if (!found) {
    const names = await listServices(channel, timeoutMs);
    throw new UsageError(
      `${channel.target} has no service ${JSON.stringify(service)}${meant(service, names)}; it has ${names.join(", ") || "none"}`,
    );
  }
  const names = found.methods.map((m) => m.name);
  const known = found.methods.find((m) => m.name === method);
  if (known) return known;
  throw new UsageError(`${service} has no method ${JSON.stringify(method)}${meant(method, names)}; it has ${names.join(", ")}`);
}

function meant(word: string, names: readonly string[]): string {
  const near = nearest(word, names);
  return near === undefined ? "" : `; did you mean ${near}?`;
}

/** @throws UsageError naming the field that does not fit. */
function encode(method: DescMethod, requests: readonly JsonValue[], registry: Registry): Uint8Array[] {
  const streamed = method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
  if (!streamed && requests.length > 1) throw new UsageError(`${method.name} takes one request, got ${requests.length}`);
  const values = requests.length === 0 && !streamed ? [{}] : requests;
  return values.map((value) => {
    try {
      return toBinary(method.input, fromJson(method.input, value, { registry }));
    } catch (error) {
      const fields = method.input.fields.map((field) => field.jsonName).join(", ");
      throw new UsageError(`the request does not fit ${method.input.typeName}: ${explain(error)}; its fields: ${fields || "none"}`);
    }
  });
}

function decode(method: DescMethod, bytes: Uint8Array, registry: Registry): JsonValue {
  return toJson(method.output, fromBinary(method.output, bytes), { registry, alwaysEmitImplicit: true });
}

function exchange(
  { channel, service, method, metadata, timeoutMs }: Call,
  messages: readonly Uint8Array[],
  take: (bytes: Uint8Array) => void,
): Promise<RpcStatus> {
  return new Promise((resolve) => {
    const open = channel.open(`/${service}/${method}`, { metadata, timeoutMs }, { message: take, end: resolve });
    for (const message of messages) open.send(message);
    open.halfClose();
  });
}

/** `pkg.Service/Method`, also with a leading slash or a dot before the method, as other tools write it. */
function methodName(text: string): { readonly service: string; readonly method: string } {
  const match = /^\/?([\w.]+)[/.](\w+)$/u.exec(text);
  if (!match?.[1] || !match[2])
    throw new UsageError(`expected package.Service/Method, got ${JSON.stringify(text)}; \`mecha functions\` lists them`);
  return { service: match[1], method: match[2] };
}

function metadataOf(headers: readonly string[]): Metadata {
  return new Metadata(
    headers.map((header) => {
      const match = /^\s*([-\w.]+)\s*:\s*(.*)$/u.exec(header);
      if (!match?.[1]) throw new UsageError(`--header: expected "name: value", got ${JSON.stringify(header)}`);
      const name = match[1].toLowerCase();
      const value = match[2] ?? "";
      return [name, name.endsWith("-bin") ? Buffer.from(value, "base64") : value] as const;
    }),
  );
}

function parseJson(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    throw new UsageError(`the request is not JSON: ${explain(error)}; quote it for the shell: '{"id":"7"}'`);
  }
}

/** @throws UsageError when it is needed and not there, or cannot be used. */
async function tlsOf({ ca, cert, key }: CallOptions, cwd: string, needed: boolean): Promise<ClientTls | undefined> {
  const file = (field: string, path: string): Given<string> => ({ field, value: resolve(cwd, path) });
  if (ca === undefined) {
    if (needed || cert !== undefined || key !== undefined)
      throw new UsageError("TLS needs --ca FILE: who signs for the ingress; and --cert and --key where it asks callers who they are");
    return undefined;
  }
  const serverAuthorities = await readPem(file("--ca", ca));
  if (cert === undefined && key === undefined) return { serverAuthorities };
  if (cert === undefined || key === undefined) throw new UsageError("--cert and --key are given together");
  return {
    serverAuthorities,
    identity: await loadTls({ certificate: file("--cert", cert), key: file("--key", key), authorities: undefined }),
  };
}

async function addressOf(io: Io, options: CallOptions): Promise<StatusJson["ingress"]> {
  if (options.address !== undefined) return parseAddress(options.address);
  const client = await openClient(io, options).catch(() => undefined);
  const status = await client?.status().catch(() => undefined);
  return status?.ingress ?? parseAddress(defaultAddress);
}

function parseAddress(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:https?:\/\/)?(\[[\da-f:]+\]|[^:/\s]+):(\d{1,5})\/?$/iu.exec(text);
  const port = Number(match?.[2]);
  if (!match?.[1] || port < 1 || port > 65_535) throw new UsageError(`--address: expected host:port, got ${JSON.stringify(text)}`);
  return { host: match[1].replace(/^\[|\]$/gu, ""), port };
}

const grpcNames = [
  "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
]; // prettier-ignore

function grpcName(code: number): string {
  return grpcNames[code] ?? `status ${code}`;
}
