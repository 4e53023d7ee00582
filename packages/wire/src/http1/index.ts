/** HTTP/1.1 without sockets: heads and bodies of requests. */
export { BodyReader, overheadMaxBytes } from "./body.ts";
export { headerLinesMax, type HeadRefusal, parseHead, type RequestHead } from "./head.ts";
