export {
  actionOf,
  clocks,
  commandInit,
  consistencies,
  type CrdtCodec,
  type CrdtOut,
  effectOf,
  failureOf,
  idOf,
  known,
  payloadOf,
  unsayable,
} from "./crdt/codec.ts";
export { crdtPort, type CrdtPortOptions } from "./crdt/stream.ts";
export { timersExtension } from "./codec/timers.ts";
export { accepted, ask, type Discovered, type DiscoveryOptions, discoverTimeoutMs } from "./discovery.ts";
export { remoteFunction, type RemoteFunctionOptions } from "./function.ts";
export { type ActionShape, actionShape, type RemoteProtocol } from "./protocol.ts";
export { reporter, reportsOpenMax, reportTextMax, reportTimeoutMs } from "./report.ts";
export {
  checkSpec,
  type Declared,
  type DeclaredService,
  type FunctionInfo,
  functionInfo,
  parseAnswer,
  type ProtocolCompatibility,
  type ServiceSpec,
  type Spec,
  type SpecRules,
} from "./spec.ts";
