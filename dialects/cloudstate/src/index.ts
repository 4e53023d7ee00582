export { discover } from "./discovery.ts";
export { cloudstateFunction, type CloudstateFunctionOptions } from "./function.ts";
export { crdtPath, discoverPath, eventSourcedPath, protocol02, reportErrorPath, valueEntityPath } from "./protocol.ts";
export { entityTypes, protocolVersion, readSpec } from "./spec.ts";
