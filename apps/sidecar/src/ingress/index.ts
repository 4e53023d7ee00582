export { type Ingress, openIngress } from "./ingress.ts";
export type { IngressOptions } from "./options.ts";
