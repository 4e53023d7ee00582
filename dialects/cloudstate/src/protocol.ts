/** The Cloudstate protocol in the words of `RemoteProtocol`: 0.2, and what 0.0 has otherwise (facts: Cloudstate §1, §1.16). */
import type { RemoteProtocol } from "@mecha/state/remote";

export const discoverPath = "/cloudstate.EntityDiscovery/discover";
export const reportErrorPath = "/cloudstate.EntityDiscovery/reportError";
export const eventSourcedPath = "/cloudstate.eventsourced.EventSourced/handle";
export const valueEntityPath = "/cloudstate.valueentity.ValueEntity/handle";
export const crdtPath = "/cloudstate.crdt.Crdt/handle";

/** The four RPCs of a service for stateless components. */
const actionPaths = (service: string): RemoteProtocol["actionPaths"] => ({
  unary: `/${service}/handleUnary`,
  streamedIn: `/${service}/handleStreamedIn`,
  streamedOut: `/${service}/handleStreamedOut`,
  streamed: `/${service}/handleStreamed`,
});

export const actionType = "cloudstate.action.ActionProtocol";
/** What actions are in 0.0. */
export const statelessType = "cloudstate.function.StatelessFunction";

export const protocol02: RemoteProtocol = {
  entityPaths: { eventSourced: eventSourcedPath, value: valueEntityPath },
  actionPaths: actionPaths(actionType),
  reportPath: reportErrorPath,
  streamedNames: "first",
  valueFailuresRestart: false,
  metadata: true,
};

/** 0.0: event sourced entities are the same on the wire; stateless functions name service and method in every message; no metadata. */
export const protocol00: RemoteProtocol = {
  ...protocol02,
  actionPaths: actionPaths(statelessType),
  streamedNames: "each",
  metadata: false,
};
