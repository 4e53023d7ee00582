/**
 * Figures of the ingress: requests by method, way and status, and how long they took. Labels come from the descriptors, never from a caller, so
 * their number is that of the methods; the label look-ups are done once for each method and status.
 */
import { type BoundCounter, type Clock, type Counter, faultCodes, type Histogram, latencyBuckets, type Metrics } from "@mecha/kit";
import type { Component } from "@mecha/state";
import type { CallHandler, Metadata, RpcStatus, ServerCall } from "@mecha/wire";
import { topicsService } from "../eventing/publishing.ts";
import { ForwardedCall, ForwardedEvents } from "./forwarding.ts";
import type { Target } from "./table.ts";

/** How a request came. */
export type Way = "grpc" | "grpc-web" | "http";

export class IngressMeters {
  readonly #requests: Counter;
  readonly #seconds: Histogram;
  readonly #refused: Counter;
  readonly #clock: Clock;
  /** By topic; those somebody listed. */
  readonly #topics = new Map<string, MethodMeter>();
  /** Calls under way, by component. */
  readonly #open = new WeakMap<Component, OpenCalls>();
  /** Of what is reached over HTTP; gone with its table. */
  readonly #http = new WeakMap<Target, MethodMeter>();

  constructor(metrics: Metrics, clock: Clock) {
    this.#clock = clock;
    const labels = ["service", "method", "way", "code"];
    this.#requests = metrics.counter("mecha_ingress_requests_total", "Requests that ended, by gRPC status; 0 is OK.", labels);
    this.#seconds = metrics.histogram(
      "mecha_ingress_request_seconds",
      "From a request's headers to the end of its answer; streams are left out.",
      latencyBuckets,
      labels.slice(0, 3),
    );
    this.#refused = metrics.counter(
      "mecha_ingress_refused_total",
      "HTTP requests refused before they reached a component, by HTTP status.",
      ["status"],
    );
  }

  refused(status: number): void {
    this.#refused.add(1, String(status));
  }

  /** The meter of a unary method over HTTP, made once. */
  http(target: Target): MethodMeter {
    let meter = this.#http.get(target);
    if (meter === undefined) this.#http.set(target, (meter = this.of(target, "http")));
    return meter;
  }

  /** The meter of a topic that is published to, made once. */
  topic(topic: string): MethodMeter {
    let meter = this.#topics.get(topic);
    if (meter === undefined) this.#topics.set(topic, (meter = this.#meter(topicsService, topic, "http", false)));
    return meter;
  }

  /** Resolves when no call of the component is under way. One that is served no more gets no new ones. */
  idle(component: Component): Promise<void> {
    const open = this.#openOf(component);
    if (open.count === 0) return Promise.resolve();
    open.idle ??= Promise.withResolvers();
    return open.idle.promise;
  }

  #openOf(component: Component): OpenCalls {
    let open = this.#open.get(component);
    if (open === undefined) this.#open.set(component, (open = { count: 0, idle: undefined }));
    return open;
  }

  /** The meter of one method, as it is reached one way. */
  of({ component, method }: Target, way: Way): MethodMeter {
    const meter = this.#meter(component.service, method.name, way, method.streamedIn || method.streamedOut);
    const open = this.#openOf(component);
    return {
      start: () => {
        open.count++;
        return meter.start();
      },
      ended: (code, startMs) => {
        if (--open.count === 0) {
          open.idle?.resolve();
          open.idle = undefined;
        }
        meter.ended(code, startMs);
      },
    };
  }

  #meter(service: string, method: string, way: Way, isStream: boolean): MethodMeter {
    const seconds = this.#seconds.of(service, method, way);
    const counters: BoundCounter[] = [];
    const clock = this.#clock;
    return {
      start: () => clock.monotonic(),
      ended: (code, startMs) => {
        (counters[code] ??= this.#requests.of(service, method, way, String(code))).add();
        if (!isStream) seconds.observe((clock.monotonic() - startMs) / 1_000);
      },
    };
  }
}

/** Calls of one component that are under way. */
interface OpenCalls {
  count: number;
  /** Somebody waits for there to be none. */
  idle: PromiseWithResolvers<void> | undefined;
}

export interface MethodMeter {
  /** What `ended` wants to know. */
  start(): number;
  /** `code`: the gRPC status. */
  ended(code: number, startMs: number): void;
}

/** `handler` with its calls counted. */
export function metered(handler: CallHandler, meter: MethodMeter): CallHandler {
  return (call) => {
    const counted = new MeteredCall(call, meter);
    try {
      return new ForwardedEvents(handler(counted), (reason) => counted.count(faultCodes[reason].grpc));
    } catch (error) {
      counted.count(faultCodes.internal.grpc); // whoever waits for there to be no calls must not wait for this one
      throw error;
    }
  };
}

/** Notices the end. */
class MeteredCall extends ForwardedCall {
  readonly #meter: MethodMeter;
  readonly #startMs: number;
  #over = false;

  constructor(call: ServerCall, meter: MethodMeter) {
    super(call);
    this.#meter = meter;
    this.#startMs = meter.start();
  }

  override end(status?: RpcStatus, trailers?: Metadata): void {
    this.count(status?.code ?? 0);
    super.end(status, trailers);
  }

  /** The call is over, whoever ended it. */
  count(code: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#meter.ended(code, this.#startMs);
  }
}
