/** Ingress, IngressClass and NetworkPolicy. They are kept and checked; the gateway is what follows them. */
import { isObject, listAt, mapAt, objectAt, objectsAt, textAt, valueAt } from "../access.ts";
import { ageColumn, nameColumn, none, selectorText, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { dns1123Subdomain } from "../rules/names.ts";
import { validateSelector } from "../rules/selector.ts";

const define = definer("networking.k8s.io", "v1");
const pathTypes = ["Exact", "ImplementationSpecific", "Prefix"];
const hostsShown = 3;

function validateBackend(backend: JsonObject, field: string): FieldProblem[] {
  const { service, resource } = backend;
  if (!isObject(service) && !isObject(resource)) return [invalidValue(field, "", "resource or service backend is required")];
  if (!isObject(service)) return [];
  const problems: FieldProblem[] = [];
  if (textAt(service, "name") === "") problems.push(requiredValue(`${field}.service.name`));
  const port = objectAt(service, "port");
  if (textAt(port, "name") === "" && port["number"] === undefined) problems.push(requiredValue(field, "port name or number is required"));
  return problems;
}

function validatePath(path: JsonObject, field: string): FieldProblem[] {
  const type = textAt(path, "pathType");
  const text = textAt(path, "path");
  const problems: FieldProblem[] = [];
  if (type === "") problems.push(requiredValue(`${field}.pathType`, "pathType must be specified"));
  else if (!pathTypes.includes(type)) problems.push(unsupportedValue(`${field}.pathType`, type, pathTypes));
  if ((type === "Exact" || type === "Prefix") && !text.startsWith("/"))
    problems.push(invalidValue(`${field}.path`, text, "must be an absolute path"));
  return [...problems, ...validateBackend(objectAt(path, "backend"), `${field}.backend`)];
}

function validateIngress(object: KubeObject): FieldProblem[] {
  const spec = objectAt(object, "spec");
  const rules = objectsAt(spec, "rules");
  const fallback = spec["defaultBackend"];
  if (rules.length === 0 && !isObject(fallback))
    return [invalidValue("spec", rules, "either `defaultBackend` or `rules` must be specified")];
  const problems = isObject(fallback) ? validateBackend(fallback, "spec.defaultBackend") : [];
  for (const [i, rule] of rules.entries()) {
    const host = textAt(rule, "host");
    const plain = host.replace(/^\*\./, "");
    if (host !== "") problems.push(...problemsOf(`spec.rules[${i}].host`, host, dns1123Subdomain(plain)));
    const http = rule["http"];
    if (!isObject(http)) continue;
    const field = `spec.rules[${i}].http.paths`;
    const paths = objectsAt(http, "paths");
    if (paths.length === 0) problems.push(requiredValue(field));
    problems.push(...paths.flatMap((path, j) => validatePath(path, `${field}[${j}]`)));
  }
  return problems;
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
  validate: (object) => (textAt(object, "spec.controller") === "" ? [requiredValue("spec.controller")] : []),
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
  validate: (object) => validateSelector(valueAt(object, "spec.podSelector"), "spec.podSelector"),
});
