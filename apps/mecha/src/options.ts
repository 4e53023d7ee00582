/** Environment variables of the command line tool. docs/reference/configuration.md is generated from this table. */
import { addressExpected, addressPattern } from "./up/address.ts";
import { nodeExpected, nodePattern } from "./up/cluster.ts";
import { topicAgeRange, topicBytesRange } from "./up/retention.ts";
import { bytes, durationMs, integer, minute, oneOf, port, second, secret, text } from "@mecha/kit";

export const title = "mecha";

/** A PEM file. */
const file = (env: string, doc: string) =>
  text({ env, default: undefined, doc: `${doc} A PEM file.`, pattern: /^.{1,4096}$/su, expected: "a path" });

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
  topicAgeMs: durationMs({
    env: "MECHA_TOPIC_AGE",
    default: undefined,
    ...topicAgeRange,
    doc: "How long messages of topics are kept: `7d` unless `spec.topics.maxAgeSeconds` says otherwise. A consumer group that is further behind loses what is gone (docs/guides/eventing.md).",
  }),
  topicBytes: bytes({
    env: "MECHA_TOPIC_BYTES",
    default: undefined,
    ...topicBytesRange,
    doc: "How much all topics keep together: `1GiB` unless `spec.topics.maxBytes` says otherwise; past it the oldest messages go first.",
  }),
  eventAttempts: integer({
    env: "MECHA_EVENT_ATTEMPTS",
    default: 10,
    min: 1,
    max: 1_000,
    doc: "Deliveries of an event that fail before it is parked: 10 take about 80 s. `mecha events parked` shows what was parked.",
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
  tlsCertificate: file(
    "MECHA_TLS_CERT",
    "The ingress's certificate and, behind it, those between it and the root: callers speak TLS. Read again when it changes, as the two below are.",
  ),
  tlsKey: file("MECHA_TLS_KEY", "Its private key, without a passphrase."),
  tlsClientAuthorities: file(
    "MECHA_TLS_CLIENT_CA",
    "Those who sign for callers: who has no certificate of theirs is not let in (mutual TLS), so that the ingress may listen beyond loopback.",
  ),
  clusterNode: text({
    env: "MECHA_CLUSTER_NODE",
    default: undefined,
    doc: "Which member of the cluster this process is; its name stays when it starts anew.",
    pattern: nodePattern,
    expected: nodeExpected,
  }),
  clusterMembers: text({
    env: "MECHA_CLUSTER_MEMBERS",
    default: undefined,
    doc: "All processes that hold the same CRDTs, this one among them, separated by commas: `a=10.0.0.7:9003,b=10.0.0.8:9003`. They replicate to each other (docs/guides/crdts.md).",
    pattern: /^[^=,]+=[^=,]+(,[^=,]+=[^=,]+)*$/u,
    expected: "members like a=10.0.0.7:9003,b=10.0.0.8:9003",
  }),
  clusterListen: text({
    env: "MECHA_CLUSTER_LISTEN",
    default: undefined,
    doc: "Where this member listens for the others, like `0.0.0.0:9003`, when that is not its address.",
    pattern: addressPattern,
    expected: addressExpected,
  }),
  clusterTlsCertificate: file(
    "MECHA_CLUSTER_TLS_CERT",
    "This member's certificate; its subjectAltName has the member's name as a DNS name.",
  ),
  clusterTlsKey: file("MECHA_CLUSTER_TLS_KEY", "Its private key, without a passphrase."),
  clusterTlsAuthorities: file("MECHA_CLUSTER_TLS_CA", "Those who sign for members. Nobody else gets in."),
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
