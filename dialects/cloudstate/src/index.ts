export { actionPath } from "./action-call.ts";
export {
  backoffMs,
  discover,
  type Discovered,
  discoveryBackoff,
  type DiscoveryOptions,
  discoverPath,
  discoverTimeoutMs,
  discoverWithBackoff,
  type RetryOptions,
} from "./discovery.ts";
export { eventSourcedPath, valueEntityPath } from "./entity-stream.ts";
export { cloudstateFunction, type CloudstateFunctionOptions } from "./function.ts";
export { reportErrorPath, reportsOpenMax, reportTextMax, reportTimeoutMs } from "./report.ts";
export {
  entityTypes,
  type FunctionInfo,
  type ProtocolCompatibility,
  protocolVersion,
  readSpec,
  type ServiceSpec,
  type Spec,
} from "./spec.ts";
