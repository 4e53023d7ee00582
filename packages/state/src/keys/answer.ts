/**
 * How the answer to a key is recorded: the client action as bytes (E9).
 *
 *     u8 form (1), u32 length of the head, head (JSON: everything but the payload), payload
 *
 * Numbers are big-endian. Bytes in metadata are arrays of numbers in the head: they are rare.
 */
import { Fault } from "@mecha/kit";
import type { ClientAction, CommandMetadata } from "../model.ts";

const form = 1;
const headAt = 5;
const utf8 = new TextEncoder();
const text = new TextDecoder();
const none = new Uint8Array(0);

/** Metadata with bytes as arrays. */
type PlainMetadata = readonly (readonly [key: string, value: string | readonly number[]])[];

interface Head {
  readonly do: ClientAction["do"];
  readonly typeUrl?: string;
  readonly metadata?: PlainMetadata;
  readonly service?: string;
  readonly command?: string;
  readonly description?: string;
  readonly restart?: boolean;
  readonly grpcCode?: number;
}

export function encodeAnswer(action: ClientAction): Uint8Array {
  const payload = "payload" in action ? action.payload.value : none;
  const head = utf8.encode(JSON.stringify(headOf(action)));
  const bytes = new Uint8Array(headAt + head.length + payload.length);
  bytes[0] = form;
  new DataView(bytes.buffer).setUint32(1, head.length);
  bytes.set(head, headAt);
  bytes.set(payload, headAt + head.length);
  return bytes;
}

/** @throws Fault("dataLoss") when the bytes are none of ours. */
export function decodeAnswer(bytes: Uint8Array): ClientAction {
  try {
    if (bytes[0] !== form) throw new Error(`form ${bytes[0]}`);
    const end = headAt + new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(1);
    return actionOf(JSON.parse(text.decode(bytes.subarray(headAt, end))) as Head, bytes.subarray(end));
  } catch (cause) {
    throw new Fault("dataLoss", "read the recorded answer of an idempotency key", { cause });
  }
}

function headOf(action: ClientAction): Head {
  switch (action.do) {
    case "reply":
      return { do: "reply", typeUrl: action.payload.typeUrl, ...plain(action.metadata) };
    case "forward": {
      const { service, command, payload, metadata } = action;
      return { do: "forward", service, command, typeUrl: payload.typeUrl, ...plain(metadata) };
    }
    case "fail":
    case "nothing":
      return action;
  }
}

function actionOf(head: Head, value: Uint8Array): ClientAction {
  const { service = "", command = "", typeUrl = "", description = "", restart = false, grpcCode } = head;
  const metadata = head.metadata && { metadata: bytesAgain(head.metadata) };
  switch (head.do) {
    case "reply":
      return { do: "reply", payload: { typeUrl, value }, ...metadata };
    case "forward":
      return { do: "forward", service, command, payload: { typeUrl, value }, ...metadata };
    case "fail":
      return { do: "fail", description, restart, ...(grpcCode !== undefined && { grpcCode }) };
    case "nothing":
      return { do: "nothing" };
  }
}

function plain(metadata: CommandMetadata | undefined): { readonly metadata?: PlainMetadata } {
  if (metadata === undefined) return {};
  return { metadata: metadata.map(([key, value]) => [key, typeof value === "string" ? value : [...value]]) };
}

function bytesAgain(metadata: PlainMetadata): CommandMetadata {
  return metadata.map(([key, value]) => [key, typeof value === "string" ? value : Uint8Array.from(value)]);
}
