/**
 * Tracing as a port: W3C Trace Context in and out, spans to a sink. Off unless somebody opens a tracer, and then code that traces pays one
 * comparison.
 *
 * R1 the caller's word is kept: a trace it does not sample is passed on as it came, and nothing of it is recorded
 * R2 what is recorded has a parent that is recorded, or none: the decision is made once, at the root, and travels in the flags
 */
import type { Clock } from "./clock.ts";
import type { Fault } from "./fault.ts";
import type { Random } from "./random.ts";

/** What a span is about: a request served, a request made, something inside. */
export type SpanKind = "server" | "client" | "internal";

/** Values of attributes. */
export type SpanValue = string | number | boolean;

/** Something that took time. */
export interface Span {
  /** For whoever comes next: their parent. */
  readonly traceparent: string;
  /** Only the first call counts. */
  end(fault?: Pick<Fault, "code" | "message">): void;
}

export interface Tracer {
  /** `parent`: a valid traceparent, or none for a root. */
  start(name: string, kind: SpanKind, parent: string | undefined, attributes?: Readonly<Record<string, SpanValue>>): Span;
}

/** A span that ended. Times are wall clock, ms with fractions. */
export interface FinishedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, SpanValue>>;
  readonly fault: Pick<Fault, "code" | "message"> | undefined;
}

const traceparentText = /^([0-9a-f]{2})-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The parts of a traceparent; `undefined` when it is none: W3C Trace Context §3.2 has receivers ignore malformed ones. */
export function parseTraceparent(
  text: string | undefined,
): { readonly traceId: string; readonly spanId: string; readonly sampled: boolean } | undefined {
  const match = text === undefined ? null : traceparentText.exec(text);
  if (!match) return undefined;
  const [, version = "", traceId = "", spanId = "", flags = "", more] = match;
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export interface TracerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Part of the roots that are recorded, 0 to 1. Callers who bring a traceparent have decided already (R1). */
  readonly sampleRatio: number;
  /** Must be quick and must not throw. */
  readonly sink: (span: FinishedSpan) => void;
}

/** Resolution of `sampleRatio`. */
const ratioSteps = 1_000_000;

export function openTracer({ clock, random, sampleRatio, sink }: TracerOptions): Tracer {
  const id = (bytes: number): string => {
    const hex = Array.from(random.bytes(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
    return /[^0]/.test(hex) ? hex : id(bytes);
  };
  return {
    start(name, kind, parentText, attributes = {}) {
      const parent = parseTraceparent(parentText);
      const sampled = parent ? parent.sampled : random.below(ratioSteps) < sampleRatio * ratioSteps;
      if (!sampled) return unrecorded(parent && parentText !== undefined ? parentText : `00-${id(16)}-${id(8)}-00`); // keeps R1
      const traceId = parent?.traceId ?? id(16);
      const spanId = id(8);
      const startMs = clock.wall();
      const fromMs = clock.monotonic();
      let ended = false;
      return {
        traceparent: `00-${traceId}-${spanId}-01`,
        end(fault) {
          if (ended) return;
          ended = true;
          const endMs = startMs + (clock.monotonic() - fromMs);
          sink({ traceId, spanId, parentSpanId: parent?.spanId, name, kind, startMs, endMs, attributes, fault });
        },
      };
    },
  };
}

function unrecorded(traceparent: string): Span {
  return { traceparent, end() {} };
}
