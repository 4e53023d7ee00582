export { type Codec, type CodecOptions, compileCodec } from "./compile.ts";
export { explainMismatch, nearest, shown } from "./mismatch.ts";
