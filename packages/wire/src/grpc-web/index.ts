export { isGrpcWeb, serveGrpcWeb, type WebOptions, webStatusHeaders } from "./handler.ts";
