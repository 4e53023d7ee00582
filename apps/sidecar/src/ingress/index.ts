export { type Ingress, openIngress } from "./ingress.ts";
export { isTopicPath } from "./publish.ts";
export type { IngressOptions } from "./options.ts";
