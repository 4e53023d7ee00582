/** Rules of one container of a pod: image, ports, environment, mounts, probes, resources. */
import { isObject, mapAt, numberAt, objectAt, objectsAt, textAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { duplicateValue, forbiddenValue, invalidValue, notFoundValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { compareQuantities, parseQuantity, type Quantity } from "../values/quantity.ts";
import { dataKey, dns1123Label, envName, portName, portNumber, qualifiedName } from "./names.ts";

const protocols = ["SCTP", "TCP", "UDP"];
const pullPolicies = ["Always", "IfNotPresent", "Never"];
const messagePolicies = ["File", "FallbackToLogsOnError"];

/** Everything wrong with a container at `field`. `volumes`: names its pod declares. */
export function validateContainer(container: JsonObject, volumes: ReadonlySet<string>, field: string, init: boolean): FieldProblem[] {
  const name = textAt(container, "name");
  const problems = name === "" ? [requiredValue(`${field}.name`)] : problemsOf(`${field}.name`, name, dns1123Label(name));
  if (textAt(container, "image") === "") problems.push(requiredValue(`${field}.image`));
  problems.push(
    ...supported(textAt(container, "terminationMessagePolicy"), messagePolicies, `${field}.terminationMessagePolicy`),
    ...validatePorts(objectsAt(container, "ports"), `${field}.ports`),
    ...validateEnv(objectsAt(container, "env"), `${field}.env`),
    ...validateMounts(objectsAt(container, "volumeMounts"), volumes, `${field}.volumeMounts`),
    ...supported(textAt(container, "imagePullPolicy"), pullPolicies, `${field}.imagePullPolicy`),
    ...validateResources(objectAt(container, "resources"), `${field}.resources`),
  );
  const sidecar = textAt(container, "restartPolicy") === "Always";
  for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    if (!isObject(container[probe])) continue;
    if (init && !sidecar)
      problems.push(forbiddenValue(`${field}.${probe}`, "may not be set for init containers without restartPolicy=Always"));
    else problems.push(...validateProbe(container[probe], `${field}.${probe}`, probe !== "readinessProbe"));
  }
  return problems;
}

const supported = (value: string, values: readonly string[], field: string): FieldProblem[] =>
  value === "" || values.includes(value) ? [] : [unsupportedValue(field, value, values)];

function validatePorts(ports: readonly JsonObject[], field: string): FieldProblem[] {
  const names = new Set<string>();
  return ports.flatMap((port, i) => {
    const place = `${field}[${i}]`;
    const name = textAt(port, "name");
    const problems: FieldProblem[] = [];
    const complaints = name === "" ? [] : portName(name);
    problems.push(...problemsOf(`${place}.name`, name, complaints));
    if (name !== "" && complaints.length === 0 && names.has(name)) problems.push(duplicateValue(`${place}.name`, name));
    names.add(name);
    const number = numberAt(port, "containerPort");
    if (number === 0) problems.push(requiredValue(`${place}.containerPort`));
    else problems.push(...problemsOf(`${place}.containerPort`, number, portNumber(number)));
    const hostPort = numberAt(port, "hostPort");
    if (hostPort !== 0) problems.push(...problemsOf(`${place}.hostPort`, hostPort, portNumber(hostPort)));
    return [...problems, ...supported(textAt(port, "protocol"), protocols, `${place}.protocol`)];
  });
}

function validateEnv(vars: readonly JsonObject[], field: string): FieldProblem[] {
  return vars.flatMap((variable, i) => {
    const place = `${field}[${i}]`;
    const name = textAt(variable, "name");
    const problems = name === "" ? [requiredValue(`${place}.name`)] : problemsOf(`${place}.name`, name, envName(name));
    const from = variable["valueFrom"];
    return isObject(from) ? [...problems, ...validateValueFrom(variable, from, `${place}.valueFrom`)] : problems;
  });
}

function validateValueFrom(variable: JsonObject, from: JsonObject, field: string): FieldProblem[] {
  const sources = Object.keys(from).filter((name) => isObject(from[name]));
  if (sources.length === 0)
    return [
      invalidValue(field, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"),
    ];
  const problems: FieldProblem[] = [];
  if (textAt(variable, "value") !== "") problems.push(invalidValue(field, "", "may not be specified when `value` is not empty"));
  else if (sources.length > 1) problems.push(invalidValue(field, "", "may not have more than one field specified at a time"));
  for (const source of ["configMapKeyRef", "secretKeyRef"]) {
    const ref = from[source];
    if (!isObject(ref)) continue;
    if (textAt(ref, "name") === "") problems.push(requiredValue(`${field}.${source}.name`));
    const key = textAt(ref, "key");
    problems.push(...(key === "" ? [requiredValue(`${field}.${source}.key`)] : problemsOf(`${field}.${source}.key`, key, dataKey(key))));
  }
  if (isObject(from["fieldRef"]) && textAt(from["fieldRef"], "fieldPath") === "")
    problems.push(requiredValue(`${field}.fieldRef.fieldPath`));
  return problems;
}

function validateMounts(mounts: readonly JsonObject[], volumes: ReadonlySet<string>, field: string): FieldProblem[] {
  const paths = new Set<string>();
  return mounts.flatMap((mount, i) => {
    const place = `${field}[${i}]`;
    const name = textAt(mount, "name");
    const path = textAt(mount, "mountPath");
    const problems: FieldProblem[] = [];
    if (name === "") problems.push(requiredValue(`${place}.name`));
    if (!volumes.has(name)) problems.push(notFoundValue(`${place}.name`, name));
    if (path === "") problems.push(requiredValue(`${place}.mountPath`));
    if (paths.has(path)) problems.push(invalidValue(`${place}.mountPath`, path, "must be unique"));
    paths.add(path);
    return problems;
  });
}

const counts = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];
const handlers = ["exec", "httpGet", "tcpSocket", "grpc"];

/** A probe; liveness and startup probes need exactly one success. */
function validateProbe(probe: JsonObject, field: string, oneSuccess: boolean): FieldProblem[] {
  const used = handlers.filter((name) => isObject(probe[name]));
  const problems: FieldProblem[] = used.length === 0 ? [requiredValue(field, "must specify a handler type")] : [];
  for (const name of used.slice(1)) problems.push(forbiddenValue(`${field}.${name}`, "may not specify more than 1 handler type"));
  const [handler = ""] = used;
  const action = objectAt(probe, handler || "exec");
  if (handler === "exec" && !Array.isArray(action["command"])) problems.push(requiredValue(`${field}.exec.command`));
  if (handler === "httpGet") problems.push(...supported(textAt(action, "scheme"), ["HTTP", "HTTPS"], `${field}.httpGet.scheme`));
  if (handler === "httpGet" || handler === "tcpSocket") problems.push(...validatePortRef(action["port"], `${field}.${handler}.port`));
  if (handler === "grpc") problems.push(...problemsOf(`${field}.grpc.port`, action["port"], portNumber(numberAt(action, "port"))));
  for (const name of counts) {
    if (numberAt(probe, name) < 0) problems.push(invalidValue(`${field}.${name}`, probe[name], "must be greater than or equal to 0"));
  }
  if (oneSuccess && numberAt(probe, "successThreshold") !== 1)
    problems.push(invalidValue(`${field}.successThreshold`, probe["successThreshold"], "must be 1"));
  return problems;
}

/** A port by number or name. */
export function validatePortRef(port: unknown, field: string): FieldProblem[] {
  if (typeof port === "string") return problemsOf(field, port, portName(port));
  return problemsOf(field, port ?? 0, portNumber(typeof port === "number" ? port : 0));
}

const plainResources = ["cpu", "memory", "ephemeral-storage"];

function validateResources(resources: JsonObject, field: string): FieldProblem[] {
  const limits = quantitiesOf(mapAt(resources, "limits"), `${field}.limits`);
  const requests = quantitiesOf(mapAt(resources, "requests"), `${field}.requests`);
  const problems = [...limits.problems, ...requests.problems];
  for (const [name, request] of requests.values) {
    const limit = limits.values.get(name);
    if (limit && compareQuantities(request, limit) > 0)
      problems.push(invalidValue(`${field}.requests`, request.text, `must be less than or equal to ${name} limit of ${limit.text}`));
  }
  return problems;
}

function quantitiesOf(
  map: Readonly<Record<string, string>>,
  field: string,
): { readonly values: Map<string, Quantity>; readonly problems: FieldProblem[] } {
  const values = new Map<string, Quantity>();
  const problems: FieldProblem[] = [];
  for (const [name, text] of Object.entries(map)) {
    const place = `${field}[${name}]`;
    problems.push(...problemsOf(place, name, qualifiedName(name)));
    if (!name.includes("/") && !plainResources.includes(name) && !name.startsWith("hugepages-"))
      problems.push(invalidValue(place, name, "must be a standard resource for containers"));
    const quantity = parseQuantity(text);
    if (quantity.nanos < 0n) problems.push(invalidValue(place, text, "must be greater than or equal to 0"));
    values.set(name, quantity);
  }
  return { values, problems };
}
