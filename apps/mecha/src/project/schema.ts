/** The project file's fields: type, check and reference page (docs/reference/project-file.md) come from this table. */
import { second } from "@mecha/kit";
import { functionProtocols } from "@mecha/sidecar";
import { bodyRange, hostNameExpected, hostNamePattern, originExpected, originPattern, topicExpected, topicPattern } from "../up/access.ts";
import { addressExpected, addressPattern } from "../up/address.ts";
import { topicAgeRange, topicBytesRange } from "../up/retention.ts";
import { membersMax, nodeExpected, nodePattern } from "../up/cluster.ts";
import { choice, flag, list, listOr, map, optional, required, text, type ValueOf, whole } from "./shape.ts";

/** Ends up in paths, prefixes and messages: a DNS label as Kubernetes names are (RFC 1123). */
const name = text({
  expected: "a name of lower-case letters, digits and -, at most 63, that begins and ends with a letter or digit",
  maxChars: 63,
  pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/u,
});
const path = text({ expected: "a path", maxChars: 4_096 });
const portNumber = whole({ expected: "a port from 1 to 65535", min: 1, max: 65_535 });

/** Functions in one project; each is a process. */
const functionsMax = 100;

const variableFields = {
  name: required(
    text({ expected: "a variable name of letters, digits and _", maxChars: 256, pattern: /^[A-Za-z_][A-Za-z0-9_]*$/u }),
    "Name of the variable. `PORT` and `HOST` are set by Mecha.",
  ),
  value: optional(
    text({ expected: "text", maxChars: 32_768, allowEmpty: true }),
    "Its value, as text: numbers and `true` need quotes.",
    "",
    '`""`',
  ),
};

const functionFields = {
  name: required(name, "Name of the function, unique in the project: the prefix of its output and its name in the admin API."),
  directory: optional(path, "Folder it runs in, relative to the project file.", ".", "`.`"),
  command: required(
    listOr(
      list(text({ expected: "text", maxChars: 32_768, allowEmpty: true }), { min: 1, max: 1_000 }),
      text({ expected: "a shell line", maxChars: 32_768 }),
    ),
    "What starts it: a line for `/bin/sh`, or a list of program and arguments. It must listen with gRPC (h2c) on `HOST:PORT`. `node` is the Node that runs Mecha.",
  ),
  env: optional(list(map(variableFields), { max: 1_000 }), "Environment variables, added to Mecha's own.", [], "`[]`"),
  protocol: optional(
    choice(functionProtocols),
    "What it speaks: `cloudstate` (0.2), `kalix` (1.x), `auto` asks it which, `any` takes every version, Cloudstate's 0.0 among them.",
    "auto" as const,
    "`auto`",
  ),
  port: optional(portNumber, "Port the function listens on, passed to it as `PORT`.", undefined, "a free one"),
};

const storeFields = {
  kind: optional(
    choice(["sqlite", "memory"]),
    "`sqlite` keeps state in a file; `memory` forgets it when Mecha ends.",
    "sqlite" as const,
    "`sqlite`",
  ),
  directory: optional(path, "State folder, relative to the project file. Made with mode 0700.", ".mecha", "`.mecha`"),
  durability: optional(
    choice(["full", "relaxed"]),
    "`full` answers after the disk has the data (fsync); `relaxed` answers before: a power failure may lose the last moments, a crash of Mecha does not.",
    "full" as const,
    "`full`",
  ),
};

const pemFile = (doc: string) => required(path, `${doc} A PEM file, relative to the project file.`);

const ingressTlsFields = {
  certificate: pemFile("The ingress's certificate and, behind it, those between it and the root."),
  key: pemFile("Its private key, without a passphrase."),
  clientAuthorities: optional(
    path,
    "Those who sign for callers: who has no certificate of theirs is not let in (mutual TLS). A PEM file, relative to the project file.",
    undefined,
    "anybody may call",
  ),
};

const ingressFields = {
  host: optional(
    text({ expected: "a host name or address", maxChars: 255 }),
    "Address callers reach. Beyond loopback only with `--insecure`.",
    "127.0.0.1",
    "`127.0.0.1`",
  ),
  port: optional(portNumber, "Port for gRPC and HTTP callers.", 9_000, "`9000`"),
  tls: optional(map(ingressTlsFields), "Callers speak TLS. With `clientAuthorities` `host` may be beyond loopback.", undefined, "no TLS"),
  hosts: optional(
    list(text({ expected: hostNameExpected, maxChars: 255, pattern: hostNamePattern }), { max: 100 }),
    "Names callers may have for this machine over HTTP (the Host header), beside its loopback names. This keeps web pages from reaching it by a name they control.",
    [],
    "`[]`; any name when `host` is beyond loopback",
  ),
  allowedOrigins: optional(
    list(text({ expected: originExpected, maxChars: 255, pattern: originPattern }), { max: 100 }),
    "Web origins whose pages may call (CORS).",
    [],
    "`[]`: calls from web pages are refused",
  ),
  topics: optional(
    list(text({ expected: topicExpected, maxChars: 255, pattern: topicPattern }), { max: 1_000 }),
    "Topics callers may publish CloudEvents to, at `/_mecha/topics/<name>` (docs/guides/eventing.md).",
    [],
    "`[]`: none; an event is a command to whoever consumes it",
  ),
  bodyMaxBytes: optional(
    whole({ expected: "a number of bytes from 1024 to 67108864", ...bodyRange }),
    "Largest HTTP body, and largest message over gRPC-Web.",
    undefined,
    "`4194304`",
  ),
};

const ingressDefault = {
  host: "127.0.0.1",
  port: 9_000,
  tls: undefined,
  hosts: [],
  allowedOrigins: [],
  topics: [],
  bodyMaxBytes: undefined,
};

const adminFields = {
  port: optional(portNumber, "Port of the admin page and API, on loopback.", 9_001, "`9001`"),
};

const topicsFields = {
  maxAgeSeconds: optional(
    whole({
      expected: "a number of seconds from 60 to 31536000 (a year)",
      min: topicAgeRange.min / second,
      max: topicAgeRange.max / second,
    }),
    "How long messages of topics are kept; the environment (MECHA_TOPIC_AGE) wins.",
    undefined,
    "`604800`: seven days",
  ),
  maxBytes: optional(
    whole({ expected: "a number of bytes from 1048576 to 1099511627776", ...topicBytesRange }),
    "How much all topics keep together: past it the oldest messages go first; the environment (MECHA_TOPIC_BYTES) wins.",
    undefined,
    "`1073741824`",
  ),
};

const kubernetesFields = {
  enabled: optional(
    flag,
    "Serve the Kubernetes API on this machine, for kubectl and operators (docs/guides/kubernetes.md).",
    true,
    "`true`",
  ),
  port: optional(portNumber, "Its port, on loopback, always TLS.", undefined, "that of the last run, or a free one"),
};

const metricsFields = {
  port: optional(portNumber, "Port of the metrics listener (Prometheus), on loopback.", undefined, "no listener"),
};

const nodeName = text({ expected: nodeExpected, maxChars: 63, pattern: nodePattern });
const address = text({ expected: addressExpected, maxChars: 260, pattern: addressPattern });

const memberFields = {
  name: required(nodeName, "The member's name. It stays when it starts anew, and no other has it."),
  address: required(address, "Where the others reach it; it listens there itself."),
};

const clusterTlsFields = {
  certificate: pemFile("This member's certificate. Its subjectAltName must have the member's name as a DNS name."),
  key: pemFile("Its private key, without a passphrase."),
  authorities: pemFile("Those who sign for members. Nobody else gets in."),
};

const clusterFields = {
  node: optional(nodeName, "Which member this process is. Where several share this file, say it with `--node`.", undefined, "`--node`"),
  members: optional(
    list(map(memberFields), { max: membersMax }),
    "All processes that hold the same CRDTs, this one among them. They replicate to each other (docs/guides/crdts.md).",
    [],
    "`[]`: this process is alone",
  ),
  listen: optional(address, "Where this member listens, when that is not its address.", undefined, "its address"),
  tls: optional(
    map(clusterTlsFields),
    "Members speak mutual TLS. Beyond loopback there is no other way but `--insecure`.",
    undefined,
    "no TLS",
  ),
};

const clusterDefault = { node: undefined, members: [], listen: undefined, tls: undefined };

const tryFields = {
  title: required(text({ expected: "text", maxChars: 200 }), "What the line does."),
  command: required(
    text({ expected: "a shell line", maxChars: 2_000 }),
    "A line to type. `$INGRESS` becomes host and port of the ingress, `$MECHA` the command line tool as it can be called here.",
  ),
};

const specFields = {
  functions: optional(
    list(map(functionFields), { max: functionsMax }),
    "User functions to run, beside those of StatefulService objects (docs/guides/deploy-with-kubectl.md).",
    [],
    "`[]`",
  ),
  store: optional(
    map(storeFields),
    "Where state lives.",
    { kind: "sqlite", directory: ".mecha", durability: "full" } as const,
    "sqlite in `.mecha`",
  ),
  ingress: optional(map(ingressFields), "Where callers come in.", ingressDefault, "`127.0.0.1:9000`"),
  admin: optional(map(adminFields), "The admin listener.", { port: 9_001 }, "port 9001"),
  kubernetes: optional(map(kubernetesFields), "The Kubernetes API.", { enabled: true, port: undefined }, "on"),
  metrics: optional(map(metricsFields), "Where metrics can be read.", { port: undefined }, "nowhere"),
  topics: optional(
    map(topicsFields),
    "What topics keep (docs/guides/eventing.md).",
    { maxAgeSeconds: undefined, maxBytes: undefined },
    "seven days, 1 GiB",
  ),
  cluster: optional(map(clusterFields), "The other processes that hold the same CRDTs.", clusterDefault, "none"),
  try: optional(list(map(tryFields), { max: 9 }), "Lines `mecha up` prints for a person to try.", [], "`[]`"),
};

const projectFields = {
  apiVersion: required(choice(["mecha.dev/v1alpha1"]), "Version of this format."),
  kind: required(choice(["Project"]), "Always `Project`."),
  metadata: required(map({ name: required(name, "Name of the project.") }), "Who this is."),
  spec: required(map(specFields), "What runs."),
};

export const projectShape = map(projectFields);

/** A checked project file, defaults filled in. Paths are as written. */
export type Project = ValueOf<typeof projectFields>;
export type ProjectFunction = Project["spec"]["functions"][number];
