/** Ingress, IngressClass and NetworkPolicy. They are kept and checked; the gateway is what follows them. */
import { isObject, listAt, mapAt, objectAt, objectsAt, textAt, textsAt, valueAt } from "../access.ts";
import { ageColumn, nameColumn, none, selectorText, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { dns1123Label, dns1123Subdomain, wildcardHost } from "../rules/names.ts";
import { ipFamily } from "../values/ip.ts";
import { ingressWarnings, networkPolicyWarnings } from "../warnings/cluster.ts";
import { validateBackendPort, validateIngressClass, validateReference, validateNetworkPolicy } from "./rules.ts";

const define = definer("networking.k8s.io", "v1");
const pathTypes = ["Exact", "ImplementationSpecific", "Prefix"];
/** What a path must not hold: a gateway and the service behind it may read it differently. */
const climbing = ["//", "/./", "/../", "%2f", "%2F"];
const climbingEnds = ["/..", "/."];
const classAnnotation = "kubernetes.io/ingress.class";
const hostsShown = 3;

function validateBackend(backend: JsonObject, field: string): FieldProblem[] {
  const { service, resource } = backend;
  if (!isObject(service) && !isObject(resource)) return [invalidValue(field, "", "resource or service backend is required")];
  if (isObject(service) && isObject(resource)) return [invalidValue(field, "", "cannot set both resource and service backends")];
  if (!isObject(service)) return validateReference(objectAt(backend, "resource"), `${field}.resource`);
  const name = textAt(service, "name");
  return [
    ...(name === "" ? [requiredValue(`${field}.service.name`)] : problemsOf(`${field}.service.name`, name, dns1123Label(name))),
    ...validateBackendPort(objectAt(service, "port"), `${field}.service.port`, field),
  ];
}

function validatePath(path: JsonObject, field: string): FieldProblem[] {
  const type = textAt(path, "pathType");
  const text = textAt(path, "path");
  const problems: FieldProblem[] = [];
  if (type === "") problems.push(requiredValue(`${field}.pathType`, "pathType must be specified"));
  else if (!pathTypes.includes(type)) problems.push(unsupportedValue(`${field}.pathType`, type, pathTypes));
  const asPattern = type === "ImplementationSpecific" && text === "";
  if (pathTypes.includes(type) && !asPattern && !text.startsWith("/"))
    problems.push(invalidValue(`${field}.path`, text, "must be an absolute path"));
  if (type === "Exact" || type === "Prefix") {
    for (const part of climbing) if (text.includes(part)) problems.push(invalidValue(`${field}.path`, text, `must not contain '${part}'`));
    for (const end of climbingEnds) if (text.endsWith(end)) problems.push(invalidValue(`${field}.path`, text, `cannot end with '${end}'`));
  }
  return [...problems, ...validateBackend(objectAt(path, "backend"), `${field}.backend`)];
}

function validateHost(host: string, field: string): FieldProblem[] {
  if (host === "") return [];
  if (ipFamily(host) !== undefined) return [invalidValue(field, host, "must be a DNS name, not an IP address")];
  return problemsOf(field, host, wildcardHost(host));
}

function validateTls(spec: JsonObject): FieldProblem[] {
  return objectsAt(spec, "tls").flatMap((tls, i) => {
    const secret = textAt(tls, "secretName");
    const field = `spec.tls[${i}]`;
    return [
      ...textsAt(tls, "hosts").flatMap((host, j) => problemsOf(`${field}.hosts[${j}]`, host, wildcardHost(host))),
      ...(secret === "" ? [] : problemsOf(`${field}.secretName`, secret, dns1123Subdomain(secret))),
    ];
  });
}

/** The class, in the field and in the older annotation, which only an older object may have otherwise. */
function validateClass(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const name = textAt(object, "spec.ingressClassName");
  const older = mapAt(object, "metadata.annotations")[classAnnotation] ?? "";
  const differ = !old && name !== "" && older !== "" && older !== name;
  const why = "must match `ingressClassName` when both are specified";
  return [
    ...(name === "" ? [] : problemsOf("spec.ingressClassName", name, dns1123Subdomain(name))),
    ...(differ ? [invalidValue(`annotations.${classAnnotation}`, older, why)] : []),
  ];
}

function validateIngress(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const spec = objectAt(object, "spec");
  const rules = objectsAt(spec, "rules");
  const fallback = spec["defaultBackend"];
  if (rules.length === 0 && !isObject(fallback))
    return [invalidValue("spec", null, "either `defaultBackend` or `rules` must be specified")];
  const problems = isObject(fallback) ? validateBackend(fallback, "spec.defaultBackend") : [];
  for (const [i, rule] of rules.entries()) {
    problems.push(...validateHost(textAt(rule, "host"), `spec.rules[${i}].host`));
    const http = rule["http"];
    if (!isObject(http)) continue;
    const field = `spec.rules[${i}].http.paths`;
    const paths = objectsAt(http, "paths");
    if (paths.length === 0) problems.push(requiredValue(field));
    problems.push(...paths.flatMap((path, j) => validatePath(path, `${field}[${j}]`)));
  }
  return [...problems, ...validateTls(spec), ...validateClass(object, old)];
}

function hosts(object: KubeObject): string {
  const rules = objectsAt(object, "spec.rules");
  const names = rules.slice(0, hostsShown).flatMap((rule) => textAt(rule, "host") || []);
  if (names.length === 0) return "*";
  return names.join(",") + (rules.length > hostsShown ? ` + ${rules.length - hostsShown} more...` : "");
}

export const ingress = define({
  kind: "Ingress",
  plural: "ingresses",
  shortNames: ["ing"],
  status: true,
  generation: true,
  columns: [
    nameColumn,
    textColumn("Class", "Which kind of gateway is meant.", (object) => textAt(object, "spec.ingressClassName") || none),
    textColumn("Hosts", "Hosts whose requests are taken.", hosts),
    textColumn("Address", "Where the gateway is reached.", (object) =>
      objectsAt(object, "status.loadBalancer.ingress")
        .map((entry) => textAt(entry, "ip") || textAt(entry, "hostname"))
        .join(","),
    ),
    textColumn("Ports", "Ports the gateway opens.", (object) => (listAt(object, "spec.tls").length > 0 ? "80, 443" : "80")),
    ageColumn,
  ],
  validate: validateIngress,
  warnings: ingressWarnings,
});

export const ingressClass = define({
  kind: "IngressClass",
  plural: "ingressclasses",
  namespaced: false,
  generation: true,
  columns: [
    {
      ...nameColumn,
      cell: (object) =>
        object.metadata.name +
        (mapAt(object, "metadata.annotations")["ingressclass.kubernetes.io/is-default-class"] === "true" ? " (default)" : ""),
    },
    textColumn("Controller", "Who follows ingresses of this class.", (object) => textAt(object, "spec.controller")),
    textColumn("Parameters", "Object with settings of the controller.", (object) => {
      const parameters = valueAt(object, "spec.parameters");
      if (!isObject(parameters)) return none;
      const group = textAt(parameters, "apiGroup");
      return `${textAt(parameters, "kind")}${group === "" ? "" : `.${group}`}/${textAt(parameters, "name")}`;
    }),
    ageColumn,
  ],
  validate: validateIngressClass,
});

export const networkPolicy = define({
  kind: "NetworkPolicy",
  plural: "networkpolicies",
  shortNames: ["netpol"],
  generation: true,
  columns: [
    nameColumn,
    textColumn("Pod-Selector", "Pods the policy is for.", (object) => selectorText(valueAt(object, "spec.podSelector"))),
    ageColumn,
  ],
  validate: validateNetworkPolicy,
  warnings: networkPolicyWarnings,
});
