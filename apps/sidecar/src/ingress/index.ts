export { type Ingress, type IngressDeps, openIngress } from "./ingress.ts";
export { ingressDefaults, type IngressOptions } from "./options.ts";
export type { Hosted } from "./table.ts";
