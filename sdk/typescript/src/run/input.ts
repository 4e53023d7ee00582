/** What a handler gets of the bytes that came. */
import type { Method } from "../define/method.ts";
import { Writer } from "../protocol/common.ts";

const anyName = "google.protobuf.Any";
const noBytes = new Uint8Array(0);

/**
 * Decodes a command's input. A command that takes a google.protobuf.Any gets events of any type as they are; a caller's Any comes wrapped in one.
 * @throws Fault("invalid") when the bytes are no such message.
 */
export function decodeInput({ input: { codec } }: Method, typeUrl: string, payload: Uint8Array = noBytes): unknown {
  if (codec.desc.typeName !== anyName || typeUrl.endsWith(`/${anyName}`)) return codec.decode(payload);
  return codec.decode(new Writer().text(1, typeUrl).bytes(2, payload).finish());
}
