/**
 * gRPC-Web on the wire, without I/O (grpc/grpc, doc/PROTOCOL-WEB.md): gRPC's frames in the body of a plain HTTP answer, the trailers as a last
 * frame whose flag has the highest bit set, everything in base64 where the content type says `-text`.
 */
import { Fault } from "@mecha/kit";
import type { AnswerForm } from "../exchange-call/index.ts";
import { encodeFrames, FrameDecoder, framePrefixBytes, writeFramePrefix } from "../grpc/frames.ts";
import { type HeaderFields, putMetadata, putStatus } from "../grpc/headers.ts";
import type { Metadata } from "../metadata.ts";
import type { RpcStatus } from "../rpc.ts";

/** Flag of the frame that holds the trailers. */
const trailersFlag = 0x80;

/** What a gRPC-Web content type says. */
export interface WebEncoding {
  /** Bodies are base64, for clients that can only read text (XMLHttpRequest). */
  readonly text: boolean;
  /** To answer with. */
  readonly contentType: string;
}

const webType = /^application\/grpc-web(-text)?(\+proto)?[ \t]*(;.*)?$/i;

/** The encoding a content type names; `undefined` when it is not gRPC-Web with protobuf. */
export function webEncodingOf(contentType: string | undefined): WebEncoding | undefined {
  const match = contentType === undefined ? null : webType.exec(contentType);
  if (!match) return undefined;
  const text = match[1] !== undefined;
  return { text, contentType: text ? "application/grpc-web-text+proto" : "application/grpc-web+proto" };
}

/** How large a body may be that holds one message of `messageMaxBytes`. */
export function webBodyMaxBytes(encoding: WebEncoding, messageMaxBytes: number): number {
  const framed = messageMaxBytes + framePrefixBytes;
  // base64 is 4 for 3; clients may pad each piece they encode, so one frame's padding is allowed for twice.
  return encoding.text ? Math.ceil(framed / 3) * 4 + 8 : framed;
}

/**
 * The messages of a request's body.
 * @throws (on being asked for a message) Fault("internal") when the body is no gRPC-Web, Fault("exhausted") when a message is larger than
 *   `messageMaxBytes`, Fault("unimplemented") for compressed ones.
 */
export function webMessages(encoding: WebEncoding, body: Uint8Array, messageMaxBytes: number): () => Uint8Array | undefined {
  const decoder = new FrameDecoder(messageMaxBytes);
  decoder.push(encoding.text ? bytesOfBase64(body) : body);
  return () => {
    const message = decoder.next();
    if (message === undefined) {
      const fault = decoder.finish();
      if (fault) throw fault;
    } else if (decoder.compressed)
      throw new Fault("unimplemented", "compressed messages are not taken over gRPC-Web; send them as they are");
    return message;
  };
}

/** Several pieces may stand one behind the other, each padded on its own. */
function bytesOfBase64(body: Uint8Array): Uint8Array {
  const text = Buffer.from(body).toString("latin1");
  const pieces = text.split(/(?<==)(?=[^=])/);
  if (/[^A-Za-z0-9+/=]/.test(text) || pieces.some(isNoBase64)) {
    throw new Fault("internal", "the body is not base64, which application/grpc-web-text asks for");
  }
  return pieces.length === 1 ? Buffer.from(text, "base64") : Buffer.concat(pieces.map((piece) => Buffer.from(piece, "base64")));
}

/** Of a piece whose only `=` are at its end. */
function isNoBase64(piece: string): boolean {
  return piece.length % 4 !== 0 || piece.endsWith("===");
}

/** Answers as gRPC-Web: HTTP status 200 throughout, the call's status in the last frame. */
export class WebForm implements AnswerForm {
  readonly #encoding: WebEncoding;

  constructor(encoding: WebEncoding) {
    this.#encoding = encoding;
  }

  headers(metadata: Metadata): Record<string, string> {
    const headers: Record<string, string> = { "content-type": this.#encoding.contentType };
    for (const [name, value] of Object.entries(putMetadata({}, metadata))) headers[name] = Array.isArray(value) ? value.join(",") : value;
    return headers;
  }

  message(bytes: Uint8Array): Uint8Array | string {
    return this.#encoded(encodeFrames([bytes], (length) => Buffer.allocUnsafe(length)));
  }

  end(status: RpcStatus, trailers: Metadata): Uint8Array | string {
    return this.#encoded(trailersFrame(putStatus(putMetadata({}, trailers), status)));
  }

  #encoded(frame: Buffer): Uint8Array | string {
    return this.#encoding.text ? frame.toString("base64") : frame;
  }
}

/** HTTP/1.1 header lines, names in lower case, without the empty line at the end. */
function trailersFrame(fields: HeaderFields): Buffer {
  let lines = "";
  for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) lines += `${name}:${one}\r\n`;
  const frame = Buffer.allocUnsafe(framePrefixBytes + lines.length);
  writeFramePrefix(frame, 0, lines.length);
  frame[0] = trailersFlag;
  frame.write(lines, framePrefixBytes, "latin1");
  return frame;
}
