export { carriedChannel, carrierPath } from "./client.ts";
export { type Carriers, serveCarriers } from "./server.ts";
