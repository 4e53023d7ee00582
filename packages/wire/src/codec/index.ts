export type { Codec, CodecOptions } from "./codec.ts";
export { compileCodec } from "./compile.ts";
export { explainMismatch, nearest, shown } from "./mismatch.ts";
