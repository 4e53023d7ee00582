/** The metrics listener: Prometheus' text format on a port of its own, as the reference proxy has it (facts/cloudstate.md §2.4). Read only. */
import type { Clock, Log, MetricsRegistry } from "@mecha/kit";
import { listen, type Listener } from "@mecha/net";
import type { HttpHandler } from "@mecha/wire";
import { portFault } from "./admin/listener.ts";
import { isLoopback } from "./up/address.ts";

export interface MetricsListenerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** A scraper or two; far below the defaults of callers. */
const limits = { connectionsMax: 64, headersTimeoutMs: 10_000 };

/** @throws Fault("alreadyExists") naming flag and variable when the port is taken. */
export async function openMetricsListener(metrics: Exposition, options: MetricsListenerOptions): Promise<Listener> {
  const { host, port, clock, log } = options;
  try {
    const http = metricsHandler(metrics, isLoopback(host) ? ["localhost", "127.0.0.1", "[::1]"] : "any");
    return await listen({ host, port, clock, log, limits }, { grpc: () => undefined, http });
  } catch (error) {
    throw portFault(error, port, "metrics port", "--metrics-port, METRICS_PORT, or spec.metrics.port in mecha.yaml");
  }
}

/** What a scrape reads. */
export interface Exposition {
  expose(names?: ReadonlySet<string>): string;
}

/** The metrics with those of this process, read when they are asked for. Names as every Prometheus client has them. */
export function processMetrics(metrics: MetricsRegistry, version: string): Exposition {
  metrics.gauge("mecha_build_info", "Always 1; the version is in the label.", ["version"]).set(1, version);
  const memory = metrics.gauge("process_resident_memory_bytes", "Resident memory of Mecha; functions are processes of their own.");
  const cpu = metrics.counter("process_cpu_seconds_total", "Processor time of Mecha, user and system.");
  let countedSeconds = 0;
  return {
    expose: (names) => {
      const { user, system } = process.cpuUsage();
      const seconds = (user + system) / 1e6;
      cpu.add(Math.max(0, seconds - countedSeconds));
      countedSeconds = Math.max(countedSeconds, seconds);
      memory.set(process.memoryUsage.rss());
      return metrics.expose(names);
    },
  };
}

/** `GET /metrics`, and `/` as the reference; `?name[]=…` asks for some. `hosts`: names a request's Host may have, against DNS rebinding. */
export function metricsHandler(metrics: Exposition, hosts: readonly string[] | "any"): HttpHandler {
  return (exchange) => {
    const { method, path, query, headers } = exchange;
    const refuse = (status: number, text: string): void => exchange.respond(status, { "content-type": "text/plain; charset=utf-8" }, text);
    const host = (headers["host"] ?? "").replace(/:\d+$/u, "").toLowerCase();
    if (hosts !== "any" && !hosts.includes(host)) refuse(403, "this host name is not served here\n");
    else if (headers["origin"] !== undefined) refuse(403, "web pages may not read metrics\n");
    else if (path !== "/metrics" && path !== "/") refuse(404, "metrics are at /metrics\n");
    else if (method !== "GET" && method !== "HEAD") refuse(405, "use GET\n");
    else {
      const names = new URLSearchParams(query).getAll("name[]");
      const text = metrics.expose(names.length === 0 ? undefined : new Set(names));
      exchange.respond(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" }, text);
    }
  };
}
