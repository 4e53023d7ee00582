/** The gRPC health protocol (grpc.health.v1): what is served now, and who wants to hear of changes. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as Serving,
  HealthCheckResponseSchema,
} from "../gen/grpc/health/v1/health_pb.ts";
import { unaryHandler } from "../grpc/helpers.ts";
import { statusOfFault } from "../grpc/status.ts";
import type { CallHandler, ServerCall } from "../rpc.ts";

export type HealthStatus = "serving" | "notServing";

/** Status per service; the empty name stands for the whole server. */
export class HealthState {
  readonly #statuses = new Map<string, HealthStatus>();
  readonly #watchers = new Map<string, Set<() => void>>();

  /** `undefined`: the service is not known. */
  get(service: string): HealthStatus | undefined {
    return this.#statuses.get(service);
  }

  /** Sets, or with `undefined` forgets, the status of a service. */
  set(service: string, status: HealthStatus | undefined): void {
    if (this.#statuses.get(service) === status) return;
    if (status === undefined) this.#statuses.delete(service);
    else this.#statuses.set(service, status);
    for (const changed of [...(this.#watchers.get(service) ?? [])]) changed();
  }

  /** Calls `changed` after each change of `service`, until the answer is called. */
  watch(service: string, changed: () => void): () => void {
    let watchers = this.#watchers.get(service);
    if (watchers === undefined) this.#watchers.set(service, (watchers = new Set()));
    const own = watchers;
    own.add(changed);
    return () => {
      own.delete(changed);
      if (own.size === 0 && this.#watchers.get(service) === own) this.#watchers.delete(service);
    };
  }
}

/** Handlers by path: Check and Watch. */
export function healthHandler(state: HealthState): ReadonlyMap<string, CallHandler> {
  return new Map([
    ["/grpc.health.v1.Health/Check", unaryHandler((request) => check(state, serviceIn(request)))],
    ["/grpc.health.v1.Health/Watch", watchHandler(state)],
  ]);
}

function check(state: HealthState, service: string): Uint8Array {
  const status = state.get(service);
  if (status === undefined) throw new Fault("notFound", `unknown service ${service}`);
  return response(status);
}

function watchHandler(state: HealthState): CallHandler {
  return (call) => {
    let watch: HealthWatch | undefined;
    return {
      message(bytes) {
        // The method takes one message; further ones change nothing.
        if (watch !== undefined) return;
        try {
          watch = new HealthWatch(call, state, serviceIn(bytes));
        } catch (error) {
          call.end(statusOfFault(Fault.from(error, "watch health")));
        }
      },
      drain: () => watch?.drained(),
      cancelled: () => watch?.stop(),
    };
  };
}

/** One Watch call. A client slow to read is owed the latest status only. */
class HealthWatch {
  readonly stop: () => void;
  readonly #call: ServerCall;
  readonly #status: () => HealthStatus | "unknown";
  #sent: HealthStatus | "unknown" | undefined;
  #room = true;

  constructor(call: ServerCall, state: HealthState, service: string) {
    this.#call = call;
    this.#status = () => state.get(service) ?? "unknown";
    this.stop = state.watch(service, () => this.#report());
    this.#report();
  }

  drained(): void {
    this.#room = true;
    this.#report();
  }

  #report(): void {
    const status = this.#status();
    if (!this.#room || status === this.#sent) return;
    this.#sent = status;
    this.#room = this.#call.send(response(status));
  }
}

function serviceIn(bytes: Uint8Array): string {
  try {
    return fromBinary(HealthCheckRequestSchema, bytes).service;
  } catch (cause) {
    throw new Fault("invalid", "the message is no HealthCheckRequest", { cause });
  }
}

function response(status: HealthStatus | "unknown"): Uint8Array {
  const wire = { serving: Serving.SERVING, notServing: Serving.NOT_SERVING, unknown: Serving.SERVICE_UNKNOWN };
  return toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status: wire[status] }));
}
