export { encodeFrames, FrameDecoder, framePrefixBytes, writeFramePrefix } from "./frames.ts";
export { type HeaderFields, isGrpcContentType, metadataOf, putMetadata, putStatus, type RawHeaders, statusIn } from "./headers.ts";
export { internalStatus, unary, type UnaryContext, unaryHandler, type UnaryOptions, type UnaryReply } from "./helpers.ts";
export {
  decodeStatusMessage,
  encodeStatusMessage,
  faultOfStatus,
  parseStatusCode,
  statusOfFault,
  statusOfHttp,
  statusOfReset,
} from "./status.ts";
export { formatTimeout, parseTimeout } from "./timeout.ts";
