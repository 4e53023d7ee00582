/** Rules of NetworkPolicies and IngressClasses. */
import { isObject, numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from "../access.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { forbiddenValue, invalidValue, problemsOf, requiredValue, tooLongValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { isWithin, validateRange } from "../rules/addresses.ts";
import { dns1123Subdomain, domainPath, pathSegment, portName, portNumber } from "../rules/names.ts";
import { validateSelector } from "../rules/selector.ts";

const protocols = ["TCP", "UDP", "SCTP"];
const policyTypes = ["Ingress", "Egress"];

export function validateNetworkPolicy(object: KubeObject): FieldProblem[] {
  const spec = objectAt(object, "spec");
  const directions = [
    ["ingress", "from"],
    ["egress", "to"],
  ] as const;
  const rules = directions.flatMap(([direction, peers]) =>
    objectsAt(spec, direction).flatMap((rule, i) => {
      const field = `spec.${direction}[${i}]`;
      return [
        ...objectsAt(rule, "ports").flatMap((port, j) => validatePort(port, `${field}.ports[${j}]`)),
        ...objectsAt(rule, peers).flatMap((peer, j) => validatePeer(peer, `${field}.${peers}[${j}]`)),
      ];
    }),
  );
  return [...validateSelector(spec["podSelector"], "spec.podSelector"), ...rules, ...validateTypes(textsAt(spec, "policyTypes"))];
}

function validateTypes(types: readonly string[]): FieldProblem[] {
  if (types.length > policyTypes.length) return [invalidValue("spec.policyTypes", types, "may not specify more than two policyTypes")];
  return types.flatMap((type, i) => (policyTypes.includes(type) ? [] : [unsupportedValue(`spec.policyTypes[${i}]`, type, policyTypes)]));
}

function validatePort(item: JsonObject, field: string): FieldProblem[] {
  const { port, endPort } = item;
  const protocol = textAt(item, "protocol");
  const problems = protocol === "" || protocols.includes(protocol) ? [] : [unsupportedValue(`${field}.protocol`, protocol, protocols)];
  const last = typeof endPort === "number" ? endPort : undefined;
  const end = (shown: number, why: string): number => problems.push(invalidValue(`${field}.endPort`, shown, why));
  if (typeof port === "string") {
    if (last !== undefined) end(last, "may not be specified when `port` is non-numeric");
    problems.push(...problemsOf(`${field}.port`, port, portName(port)));
  } else if (typeof port === "number") {
    problems.push(...problemsOf(`${field}.port`, port, portNumber(port)));
    if (last === undefined) return problems;
    if (last < port) end(port, "must be greater than or equal to `port`");
    problems.push(...problemsOf(`${field}.endPort`, last, portNumber(last)));
  } else if (last !== undefined) end(last, "may not be specified when `port` is not specified");
  return problems;
}

function validatePeer(peer: JsonObject, field: string): FieldProblem[] {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  const selects = isObject(podSelector) || isObject(namespaceSelector);
  if (!selects && !isObject(ipBlock)) return [requiredValue(field, "must specify a peer")];
  if (selects && isObject(ipBlock)) return [forbiddenValue(field, "may not specify both ipBlock and another peer")];
  return [
    ...validateSelector(podSelector, `${field}.podSelector`),
    ...validateSelector(namespaceSelector, `${field}.namespaceSelector`),
    ...(isObject(ipBlock) ? validateBlock(ipBlock, `${field}.ipBlock`) : []),
  ];
}

function validateBlock(block: JsonObject, field: string): FieldProblem[] {
  const range = textAt(block, "cidr");
  if (range === "") return [requiredValue(`${field}.cidr`)];
  const wrong = validateRange(range, `${field}.cidr`);
  if (wrong.length > 0) return wrong;
  return textsAt(block, "except").flatMap((text, i) => {
    const at = `${field}.except[${i}]`;
    const problems = validateRange(text, at);
    if (problems.length > 0 || isWithin(text, range)) return problems;
    return [invalidValue(at, text, "must be a strict subset of `cidr`")];
  });
}

/** Bytes of a controller's name. */
const controllerMaxBytes = 250;

export function validateIngressClass(object: KubeObject): FieldProblem[] {
  const controller = textAt(object, "spec.controller");
  const field = "spec.controller";
  const parameters = valueAt(object, "spec.parameters");
  return [
    ...(controller.length > controllerMaxBytes ? [tooLongValue(field, controllerMaxBytes)] : []),
    ...(controller === "" ? [requiredValue(field)] : problemsOf(field, controller, domainPath(controller))),
    ...(isObject(parameters) ? validateParameters(parameters, "spec.parameters") : []),
  ];
}

/** An object of some kind, by name. */
export function validateReference(reference: JsonObject, field: string): FieldProblem[] {
  const group = reference["apiGroup"];
  const problems = typeof group === "string" ? problemsOf(`${field}.apiGroup`, group, dns1123Subdomain(group)) : [];
  for (const name of ["kind", "name"]) {
    const value = textAt(reference, name);
    problems.push(...(value === "" ? [requiredValue(`${field}.${name}`)] : problemsOf(`${field}.${name}`, value, pathSegment(value))));
  }
  return problems;
}

function validateParameters(parameters: JsonObject, field: string): FieldProblem[] {
  const [scope, namespace] = ["scope", "namespace"].map((name) => textAt(parameters, name));
  const problems = validateReference(parameters, field);
  if (scope !== "Cluster" && scope !== "Namespace")
    problems.push(unsupportedValue(`${field}.scope`, scope ?? "", ["Cluster", "Namespace"]));
  if (scope === "Namespace" && !namespace) problems.push(requiredValue(`${field}.namespace`, "`parameters.scope` is set to 'Namespace'"));
  if (scope === "Cluster" && namespace) problems.push(forbiddenValue(`${field}.namespace`, "`parameters.scope` is set to 'Cluster'"));
  return problems;
}

/** Number or name of a backend's port, never both. */
export function validateBackendPort(port: JsonObject, field: string, backend: string): FieldProblem[] {
  const name = textAt(port, "name");
  const number = numberAt(port, "number");
  if (name !== "" && number !== 0) return [invalidValue(backend, "", "cannot set both port name & port number")];
  if (name !== "") return problemsOf(`${field}.name`, name, portName(name));
  if (number !== 0) return problemsOf(`${field}.number`, number, portNumber(number));
  return [requiredValue(backend, "port name or number is required")];
}
