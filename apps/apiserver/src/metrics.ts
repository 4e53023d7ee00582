/** `/metrics` of the API server, in Prometheus' text format under the names Kubernetes has for them. */
import { latencyBuckets, MetricsRegistry } from "@mecha/kit";
import { type ApiAnswer, type ApiRequest, type FixedPaths, type KubeServer, textAnswer } from "@mecha/machinery";

export interface ServerMetrics {
  /** Answers `/metrics`. */
  readonly paths: FixedPaths;
  /** One request, answered. @param seconds From its arrival to the end of its answer. */
  answered(method: string, status: number, seconds: number): void;
}

const contentType = "text/plain; version=0.0.4; charset=utf-8";

/** @param server Asked when somebody scrapes, for the number of its objects. */
export function openMetrics(server: () => KubeServer): ServerMetrics {
  const registry = new MetricsRegistry();
  const requests = registry.counter("apiserver_request_total", "Requests answered.", ["method", "code"]);
  const durations = registry.histogram(
    "apiserver_request_duration_seconds",
    "From arrival to the end of the answer; watches live long.",
    latencyBuckets,
    ["method"],
  );
  const objects = registry.gauge("apiserver_storage_objects", "Objects stored.", ["resource"]);
  return {
    paths: ({ method, path }: ApiRequest): ApiAnswer | undefined => {
      if (path !== "/metrics" || method !== "GET") return undefined;
      for (const [resource, count] of server().counts()) objects.set(count, resourceName(resource));
      return textAnswer(200, registry.expose(), { "content-type": contentType });
    },
    answered(method, status, seconds) {
      requests.add(1, method, String(status));
      durations.observe(seconds, method);
    },
  };
}

/** `apps/deployments` → `deployments.apps` */
function resourceName(resource: string): string {
  const [group = "", plural = ""] = resource.split("/");
  return group === "" ? plural : `${plural}.${group}`;
}
