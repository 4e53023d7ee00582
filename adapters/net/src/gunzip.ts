/** Decompression of gRPC messages. Synchronous: a message is at most a few MiB, and order among messages must hold. Loaded when first needed. */
import { Fault } from "@mecha/kit";

/** @throws Fault("exhausted") when the result is larger than `maxBytes`, Fault("internal") when the bytes are no gzip. */
export function gunzip(bytes: Uint8Array, maxBytes: number): Uint8Array {
  try {
    return process.getBuiltinModule("node:zlib").gunzipSync(bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new Fault("exhausted", `a compressed message is larger than the ${maxBytes} bytes allowed`, { cause });
    }
    throw new Fault("internal", "decompress a message", { cause });
  }
}
