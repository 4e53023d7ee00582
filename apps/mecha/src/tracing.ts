/** Opens tracing when the environment names a receiver. Variables as OpenTelemetry's own programs read them. */
import { type Clock, type Config, Fault, type Log, type Metrics, openTracer, type Random, type Secret, type Tracer } from "@mecha/kit";
import { openOtlpExporter, tracesUrl } from "@mecha/otlp";
import type { options } from "./options.ts";
import { version } from "./version.ts";

export interface Tracing extends AsyncDisposable {
  readonly tracer: Tracer;
}

export interface TracingPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** `undefined` without a receiver: then nothing is traced. @throws Fault("invalid") naming the variable to mend. */
export function openTracing(config: Config<typeof options>, projectName: string, ports: TracingPorts): Tracing | undefined {
  const { otlpEndpoint, otlpHeaders, traceRatio, serviceName = projectName } = config;
  if (otlpEndpoint === undefined) return undefined;
  const { clock, random, log, metrics } = ports;
  const resource = { serviceName, version };
  const exporter = openOtlpExporter({ url: tracesUrl(otlpEndpoint), headers: headersOf(otlpHeaders), resource, clock, log, metrics });
  const tracer = openTracer({ clock, random, sampleRatio: Number(traceRatio), sink: (span) => exporter.add(span) });
  return { tracer, [Symbol.asyncDispose]: () => exporter[Symbol.asyncDispose]() };
}

/** `a=1,b=2%20` (OpenTelemetry, "Specifying headers via environment variables"). Its text is never repeated: it is a secret. */
export function headersOf(text: Secret | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const pair of (text?.reveal() ?? "").split(",")) {
    if (pair.trim() === "") continue;
    const [name, value] = split(pair);
    const decoded = value === undefined ? undefined : decode(value);
    if (decoded === undefined || !/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/u.test(name))
      throw new Fault("invalid", "OTEL_EXPORTER_OTLP_HEADERS: expected key=value separated by commas, values percent-encoded");
    headers[name.toLowerCase()] = decoded;
  }
  return headers;
}

function split(pair: string): readonly [name: string, value: string | undefined] {
  const at = pair.indexOf("=");
  return at < 0 ? [pair.trim(), undefined] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
}

function decode(value: string): string | undefined {
  try {
    const text = decodeURIComponent(value);
    return /^[\x20-\x7e]*$/u.test(text) ? text : undefined;
  } catch {
    return undefined; // a lone %
  }
}
