export { type CancelTimer, type Clock, sleep } from "./clock.ts";
export { assert, explain, Fault, type FaultCode, faultCodeOfGrpc, faultCodes, type FaultFacts } from "./fault.ts";
export { type Log, type LogFields, type LogLevel, noLog, Secret } from "./log.ts";
export { type Counter, type Gauge, type Histogram, type Metrics, noMetrics } from "./metrics.ts";
export { type Random, uuid } from "./random.ts";
export { Scope } from "./scope.ts";
