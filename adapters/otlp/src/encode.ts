/**
 * Spans as OTLP/JSON (opentelemetry-proto 1.x, "OTLP/HTTP": JSON Protobuf encoding, ids as hex, 64-bit numbers as text). Written by hand rather
 * than with the OpenTelemetry SDK: a tenth of its packages' code would be used, and that tenth is this file.
 */
import { faultCodes, type FinishedSpan, type SpanKind, type SpanValue } from "@mecha/kit";

const kinds: Record<SpanKind, number> = { internal: 1, server: 2, client: 3 };
/** Status code ERROR. */
const statusError = 2;

/** What the spans are of. */
export interface Resource {
  readonly serviceName: string;
  readonly version: string;
}

/** The body of one export request. */
export function encodeSpans({ serviceName, version }: Resource, spans: readonly FinishedSpan[]): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: attributesOf({ "service.name": serviceName, "service.version": version }) },
        scopeSpans: [{ scope: { name: "mecha", version }, spans: spans.map(encodeSpan) }],
      },
    ],
  });
}

function encodeSpan({ traceId, spanId, parentSpanId, name, kind, startMs, endMs, attributes, fault }: FinishedSpan): object {
  const status = fault && { code: statusError, message: fault.message };
  const code = { "rpc.grpc.status_code": fault ? faultCodes[fault.code].grpc : 0 };
  return {
    traceId,
    spanId,
    ...(parentSpanId !== undefined && { parentSpanId }),
    name,
    kind: kinds[kind],
    startTimeUnixNano: nanos(startMs),
    endTimeUnixNano: nanos(endMs),
    attributes: attributesOf({ ...attributes, ...code }),
    status: status ?? {},
  };
}

/** Whole nanoseconds as text; a millisecond number has fractions down to about 200 ns. */
function nanos(ms: number): string {
  return String(BigInt(Math.round(ms * 1_000)) * 1_000n);
}

function attributesOf(values: Readonly<Record<string, SpanValue>>): object[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: valueOf(value) }));
}

function valueOf(value: SpanValue): object {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
