/** The Kalix protocol, major version 1, in the words of `RemoteProtocol` (facts: Cloudstate §5). */
import type { ComponentKind } from "@mecha/state";
import type { RemoteProtocol } from "@mecha/state/remote";

/** What we say we speak. A function's minor version may differ: minor versions add fields, which protobuf passes over. */
export const protocolVersion = { major: 1, minor: 1 } as const;

export const discoverPath = "/kalix.protocol.Discovery/Discover";
export const reportErrorPath = "/kalix.protocol.Discovery/ReportError";
export const healthCheckPath = "/kalix.protocol.Discovery/HealthCheck";
export const proxyTerminatedPath = "/kalix.protocol.Discovery/ProxyTerminated";

const eventSourced = "kalix.component.eventsourcedentity.EventSourcedEntities";
const value = "kalix.component.valueentity.ValueEntities";
const replicated = "kalix.component.replicatedentity.ReplicatedEntities";
const action = "kalix.component.action.Actions";

/** `component_type` of each kind: the full name of the protocol service that runs it. */
export const componentTypes = {
  [eventSourced]: "eventSourced",
  [value]: "value",
  [replicated]: "crdt",
  [action]: "action",
} as const satisfies Record<string, ComponentKind>;

export const replicatedPath = `/${replicated}/Handle`;

export const kalixProtocol: RemoteProtocol = {
  entityPaths: { eventSourced: `/${eventSourced}/Handle`, value: `/${value}/Handle` },
  actionPaths: {
    unary: `/${action}/HandleUnary`,
    streamedIn: `/${action}/HandleStreamedIn`,
    streamedOut: `/${action}/HandleStreamedOut`,
    streamed: `/${action}/HandleStreamed`,
  },
  reportPath: reportErrorPath,
  streamedNames: "first",
  valueFailuresRestart: true,
  metadata: true,
};
