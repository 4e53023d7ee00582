/** What every layer stands on: time, chance, failure, closing, configuration, logs and metrics. */
export { type CancelTimer, type Clock, sleep } from "./clock.ts";
export {
  bytes,
  type Config,
  durationMs,
  type Environment,
  flag,
  integer,
  nearest,
  oneOf,
  type Option,
  type Options,
  optionsTable,
  port,
  readConfig,
  required,
  secret,
  text,
  unknownVariables,
} from "./config.ts";
export { assert, explain, Fault, type FaultCode, faultCodeOfGrpc, faultCodes, type FaultFacts } from "./fault.ts";
export { type Log, type LogFields, type LogLevel, noLog, Secret } from "./log.ts";
export {
  type BoundCounter,
  type BoundHistogram,
  type Counter,
  type Gauge,
  type Histogram,
  latencyBuckets,
  type Metrics,
  noMetrics,
} from "./metrics.ts";
export { type Random, uuid } from "./random.ts";
export { MetricsRegistry } from "./registry.ts";
export { Scope } from "./scope.ts";
export { anySignal, type Deadline, deadlineSignal } from "./signal.ts";
export { day, formatBytes, formatDuration, gib, hour, kib, mib, minute, parseBytes, parseDuration, second } from "./units.ts";
export {
  type FinishedSpan,
  openTracer,
  parseTraceparent,
  type Span,
  type SpanKind,
  type SpanValue,
  type Tracer,
  type TracerOptions,
} from "./trace.ts";
