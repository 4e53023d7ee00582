/** gRPC status on the wire: numbers, texts, and what other layers' failures mean in it. */
import { Fault, faultCodeOfGrpc, faultCodes } from "@mecha/kit";
import { type RpcStatus } from "../rpc.ts";

/** The status of a Fault: its code and message. Causes stay here; they are for the log. */
export function statusOfFault(fault: Fault): RpcStatus {
  return { code: faultCodes[fault.code].grpc, message: fault.message };
}

/** A Fault of a status that is not OK. */
export function faultOfStatus(status: RpcStatus): Fault {
  return new Fault(faultCodeOfGrpc(status.code), status.message === "" ? `status ${status.code} without a message` : status.message, {
    facts: { grpcStatus: status.code },
  });
}

/** Text as `grpc-message`: UTF-8, with everything but printable ASCII, and `%`, percent-encoded. */
export function encodeStatusMessage(text: string): string {
  if (/^[ -$&-~]*$/.test(text)) return text;
  let encoded = "";
  for (const byte of new TextEncoder().encode(text)) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** The text of a `grpc-message`. What is not properly encoded stays as it is, as gRPC asks: a status must never be lost for its text. */
export function decodeStatusMessage(encoded: string): string {
  if (!encoded.includes("%")) return encoded;
  const bytes: number[] = [];
  for (let at = 0; at < encoded.length; at++) {
    const hex = encoded.charAt(at) === "%" ? encoded.slice(at + 1, at + 3) : "";
    if (/^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16));
      at += 2;
    } else {
      bytes.push(...new TextEncoder().encode(encoded.charAt(at)));
    }
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** `grpc-status` as a number; unknown (2) when it is none. */
export function parseStatusCode(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : faultCodes.unknown.grpc;
}

/** What an HTTP answer without `grpc-status` means (grpc, "HTTP to gRPC Status Code Mapping"). */
export function statusOfHttp(httpStatus: number): number {
  switch (httpStatus) {
    case 400:
      return faultCodes.internal.grpc;
    case 401:
      return faultCodes.unauthenticated.grpc;
    case 403:
      return faultCodes.denied.grpc;
    case 404:
      return faultCodes.unimplemented.grpc;
    case 429:
    case 502:
    case 503:
    case 504:
      return faultCodes.unavailable.grpc;
    default:
      return faultCodes.unknown.grpc;
  }
}

/** What an HTTP/2 RST_STREAM or GOAWAY code means (gRPC over HTTP/2, "Errors"; RFC 9113 §7). */
export function statusOfReset(http2Code: number): RpcStatus {
  switch (http2Code) {
    case 0x7:
      return {
        code: faultCodes.unavailable.grpc,
        message: "the server refused the call before looking at it (REFUSED_STREAM)",
        unreached: true,
      };
    case 0x8:
      return { code: faultCodes.cancelled.grpc, message: "the server cancelled the call (CANCEL)" };
    case 0xb:
      return { code: faultCodes.exhausted.grpc, message: "the server asks for less load (ENHANCE_YOUR_CALM)" };
    case 0xc:
      return { code: faultCodes.denied.grpc, message: "the server asks for better security (INADEQUATE_SECURITY)" };
    default:
      return { code: faultCodes.internal.grpc, message: `the server reset the call (HTTP/2 error code ${http2Code})` };
  }
}
