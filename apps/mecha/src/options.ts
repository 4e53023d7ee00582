/** Environment variables of the command line tool. docs/reference/configuration.md is generated from this table. */
import { durationMs, minute, oneOf, port, second, secret, text } from "@mecha/kit";

export const title = "mecha";

export const options = {
  shutdownGraceMs: durationMs({
    env: "MECHA_SHUTDOWN_GRACE",
    default: 10 * second,
    min: 0,
    max: 5 * minute,
    doc: "How long calls under way may finish after SIGTERM or Ctrl-C. Keep it 5 s below a pod's terminationGracePeriodSeconds: functions get those to end.",
  }),
  log: oneOf({
    env: "MECHA_LOG",
    values: ["text", "json"],
    default: "text",
    doc: "Log lines for people, or one JSON object a line. Logs go to standard error.",
  }),
  logLevel: oneOf({
    env: "MECHA_LOG_LEVEL",
    values: ["debug", "info", "warn", "error"],
    default: "warn",
    doc: "Entries below it are left out. What a person has to know is printed anyway.",
  }),
  metricsHost: text({
    env: "METRICS_HOST",
    default: undefined,
    doc: "Address of the metrics listener (Prometheus). Setting it opens the listener; beyond loopback only with `--insecure`. `127.0.0.1` when only the port is set.",
    pattern: /^\S{1,255}$/u,
    expected: "a host name or address",
  }),
  metricsPort: port({
    env: "METRICS_PORT",
    default: undefined,
    doc: "Port of the metrics listener. Setting it opens the listener; `9090` when only the address is set.",
  }),
  otlpEndpoint: text({
    env: "OTEL_EXPORTER_OTLP_ENDPOINT",
    default: undefined,
    doc: "Where spans are sent: an OTLP receiver over HTTP, like `http://127.0.0.1:4318`. Not set: nothing is traced, and callers' traces pass through.",
    pattern: /^https?:\/\/\S{1,2000}$/u,
    expected: "an address like http://127.0.0.1:4318",
  }),
  otlpHeaders: secret({
    env: "OTEL_EXPORTER_OTLP_HEADERS",
    doc: "Headers for the receiver, `key=value` separated by commas, values percent-encoded: authentication.",
  }),
  traceRatio: text({
    env: "OTEL_TRACES_SAMPLER_ARG",
    default: "1",
    doc: "Part of the requests without a `traceparent` that are traced, 0 to 1. Requests that bring one are traced when it says so.",
    pattern: /^(0(\.\d{1,6})?|1(\.0+)?)$/u,
    expected: "a number from 0 to 1",
  }),
  serviceName: text({
    env: "OTEL_SERVICE_NAME",
    default: undefined,
    doc: "Name of this service in traces. Default: the project's name.",
    pattern: /^[^\s]{1,200}$/u,
    expected: "a name without blanks",
  }),
};
