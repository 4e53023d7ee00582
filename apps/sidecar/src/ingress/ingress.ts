/**
 * The ingress: gRPC and HTTP/JSON in, commands to the state engine out. No sockets here: adapters/net calls `grpc` and `http`.
 *
 * Invariants
 * N1 a request sees one table, old or new, never a mixture: `update` builds the new one whole and then swaps it
 * N2 an update that fails changes nothing
 * N3 every answer of the engine ends its call exactly once
 */
import { type Clock, type Log, type Metrics, noMetrics, type Tracer } from "@mecha/kit";
import type { Component, StateEngine } from "@mecha/state";
import type { CallHandler, CallRouter, HttpHandler } from "@mecha/wire";
import { grpcHandler } from "./grpc.ts";
import { httpHandler } from "./http.ts";
import { IngressMeters, metered, type Way } from "./meters.ts";
import { ingressDefaults, type IngressOptions, type ResolvedOptions } from "./options.ts";
import type { Publish } from "./publish.ts";
import { buildTable, type Hosted, type IngressTable, type Target } from "./table.ts";
import { traced } from "./tracing.ts";

export interface IngressDeps {
  readonly engine: StateEngine;
  readonly clock: Clock;
  readonly log: Log;
  readonly options?: IngressOptions;
  readonly metrics?: Metrics;
  /** Records a span for each request. Absent: callers' traces pass through as they come. */
  readonly tracer?: Tracer | undefined;
  /** Appends to topics; absent: there are none. */
  readonly publish?: Publish | undefined;
  /** Handlers of paths no component has: reflection, health. */
  readonly otherGrpc?: CallRouter;
}

/** What a listener needs, and how to change what is served. Holds nothing open: there is nothing to close. */
export interface Ingress {
  /** For `listen`: handlers of the components' gRPC methods, then of the other paths. */
  readonly grpc: CallRouter;
  /** For `listen`: everything that is not gRPC over HTTP/2. gRPC-Web goes to the same handlers as gRPC. */
  readonly http: HttpHandler;
  /**
   * Serves these functions from now on, and no others. Calls under way go on.
   * @throws Fault("alreadyExists") naming both when two of them have one service or one HTTP route; Fault("invalid") for an illegal
   *   google.api.http annotation or a component its descriptors do not know. Then everything stays as it was.
   */
  update(hosted: readonly Hosted[]): void;
  /** Resolves when no call of a component, served no more, is under way. */
  idle(component: Component): Promise<void>;
}

/** Serves nothing until the first `update`. */
export function openIngress({
  engine,
  clock,
  log,
  options = {},
  metrics = noMetrics,
  tracer,
  publish,
  otherGrpc = () => undefined,
}: IngressDeps): Ingress {
  const meters = new IngressMeters(metrics, clock);
  const resolved: ResolvedOptions = { ...ingressDefaults, ...options };
  let table: IngressTable = buildTable([], resolved.strict);
  let handlers = new Map<string, Record<Way, CallHandler>>();
  const router =
    (way: Way): CallRouter =>
    (path) =>
      handlers.get(path)?.[way] ?? otherGrpc(path);
  const handlersOf = (target: Target): Record<Way, CallHandler> => {
    const handler = grpcHandler(target, engine, resolved);
    const by = (way: Way): CallHandler => {
      const counted = metered(handler, meters.of(target, way));
      return tracer ? traced(counted, tracer, target, way) : counted;
    };
    return { grpc: by("grpc"), "grpc-web": by("grpc-web"), http: by("http") };
  };
  return {
    grpc: router("grpc"),
    http: httpHandler({
      engine,
      clock,
      log,
      options: resolved,
      meters,
      tracer,
      web: router("grpc-web"),
      streams: router("http"),
      publish,
      table: () => table,
    }),
    update(hosted) {
      const next = buildTable(hosted, resolved.strict); // keeps N2: nothing is assigned when this throws
      handlers = new Map([...next.grpc].map(([path, target]) => [path, handlersOf(target)]));
      table = next; // keeps N1
    },
    idle: (component) => meters.idle(component),
  };
}
