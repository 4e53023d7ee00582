/**
 * The ingress: gRPC and HTTP/JSON in, commands to the state engine out. No sockets here: adapters/net calls `grpc` and `http`.
 *
 * Invariants
 * N1 a request sees one table, old or new, never a mixture: `update` builds the new one whole and then swaps it
 * N2 an update that fails changes nothing
 * N3 every answer of the engine ends its call exactly once
 */
import type { Clock, Log } from "@mecha/kit";
import type { StateEngine } from "@mecha/state";
import type { CallHandler, CallRouter, HttpHandler } from "@mecha/wire";
import { grpcHandler } from "./grpc.ts";
import { httpHandler } from "./http.ts";
import { ingressDefaults, type IngressOptions, type ResolvedOptions } from "./options.ts";
import { buildTable, type Hosted, type IngressTable } from "./table.ts";

export interface IngressDeps {
  readonly engine: StateEngine;
  readonly clock: Clock;
  readonly log: Log;
  readonly options?: IngressOptions;
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
}

/** Serves nothing until the first `update`. */
export function openIngress({ engine, clock, log, options = {}, otherGrpc = () => undefined }: IngressDeps): Ingress {
  const resolved: ResolvedOptions = { ...ingressDefaults, ...options };
  let table: IngressTable = buildTable([], resolved.strict);
  let handlers = new Map<string, CallHandler>();
  const grpc: CallRouter = (path) => handlers.get(path) ?? otherGrpc(path);
  return {
    grpc,
    http: httpHandler({ engine, clock, log, options: resolved, grpc, table: () => table }),
    update(hosted) {
      const next = buildTable(hosted, resolved.strict); // keeps N2: nothing is assigned when this throws
      handlers = new Map([...next.grpc].map(([path, target]) => [path, grpcHandler(target, engine, resolved)]));
      table = next; // keeps N1
    },
  };
}
