export type { HttpBody, HttpExchange, HttpHandler } from "./http.ts";
export { Metadata, type MetadataValue } from "./metadata.ts";
export {
  type CallHandler,
  type CallOptions,
  type CallRouter,
  type Channel,
  type ClientCall,
  type ClientCallEvents,
  type RpcStatus,
  type ServerCall,
  type ServerCallEvents,
  statusOk,
} from "./rpc.ts";
