export type { FunctionAddress, LinkState } from "./function-link.ts";
export { type FunctionProtocol, functionProtocols } from "./function-protocol.ts";
export type { FunctionOptions, FunctionStatus, HostedFunction } from "./hosting.ts";
export { openSidecar, type Sidecar, type SidecarConfig, type SidecarPorts } from "./sidecar.ts";
export type { ClusterConfig, ClusterTls } from "./cluster.ts";
export { options as sidecarOptions, strictNames } from "./options.ts";
export type { Eventing, GroupStatus } from "./eventing/eventing.ts";
export type { GroupRetention } from "./eventing/retention.ts";
export type { ParkedPage, ParkedShown } from "./eventing/parked.ts";
