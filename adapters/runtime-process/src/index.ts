export { type FunctionCommand, type OrphanGuard, orphanGuard } from "./command.ts";
export {
  type FunctionPorts,
  type FunctionProcess,
  type FunctionSpec,
  type FunctionState,
  openFunctionProcess,
  type OutputStream,
} from "./function-process.ts";
export { startIdentity } from "./identity.ts";
export { endLeftovers, findLeftovers, type RunRecord } from "./leftovers.ts";
export { freePort, portIsFree, releasePort } from "./ports.ts";
export { planRestart, type RestartHistory, type RestartPolicy, restartPolicy } from "./restart.ts";
