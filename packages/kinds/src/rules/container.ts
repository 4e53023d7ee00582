/** Rules of one container of a pod: image, ports, environment, mounts, probes, resources. */
import { isObject, listAt, numberAt, objectAt, objectsAt, textAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { duplicateValue, forbiddenValue, invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { validateResources } from "./container-resources.ts";
import { validateEnvironment } from "./env.ts";
import { validateDevices, validateMounts } from "./mounts.ts";
import { dns1123Label, headerName, portName, portNumber } from "./names.ts";
import { validateSecurity } from "./security.ts";

const protocols = ["SCTP", "TCP", "UDP"];
const pullPolicies = ["Always", "IfNotPresent", "Never"];
/** Of a container of its own. */
const restartPolicies = ["Always", "Never", "OnFailure"];
const messagePolicies = ["File", "FallbackToLogsOnError"];

/** Everything wrong with a container at `field`. `volumes`: what its pod declares, by name. `taken`: names of the containers before it. */
export function validateContainer(
  container: JsonObject,
  volumes: ReadonlyMap<string, JsonObject>,
  taken: ReadonlySet<string>,
  field: string,
  init: boolean,
): FieldProblem[] {
  const name = textAt(container, "name");
  const privileged = objectAt(container, "securityContext")["privileged"] === true;
  const problems = name === "" ? [requiredValue(`${field}.name`)] : problemsOf(`${field}.name`, name, dns1123Label(name));
  if (textAt(container, "image") === "") problems.push(requiredValue(`${field}.image`));
  problems.push(
    ...supported(textAt(container, "terminationMessagePolicy"), messagePolicies, `${field}.terminationMessagePolicy`),
    ...validatePorts(objectsAt(container, "ports"), `${field}.ports`),
    ...validateEnvironment(container, field),
    ...validateMounts(objectsAt(container, "volumeMounts"), volumes, privileged, `${field}.volumeMounts`),
    ...validateDevices(objectsAt(container, "volumeDevices"), volumes, `${field}.volumeDevices`),
    ...supported(textAt(container, "imagePullPolicy"), pullPolicies, `${field}.imagePullPolicy`),
    ...validateResources(objectAt(container, "resources"), `${field}.resources`),
    ...validateSecurity(objectAt(container, "securityContext"), `${field}.securityContext`),
  );
  if (taken.has(name)) problems.push(duplicateValue(`${field}.name`, name));
  const sidecar = textAt(container, "restartPolicy") === "Always";
  if (!init || sidecar) problems.push(...validateLifecycle(objectAt(container, "lifecycle"), `${field}.lifecycle`));
  for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    if (!isObject(container[probe])) continue;
    if (init && !sidecar)
      problems.push(forbiddenValue(`${field}.${probe}`, "may not be set for init containers without restartPolicy=Always"));
    else problems.push(...validateProbe(container[probe], `${field}.${probe}`, probe !== "readinessProbe"));
  }
  return [...problems, ...supported(textAt(container, "restartPolicy"), restartPolicies, `${field}.restartPolicy`)];
}

/** What runs after the start and before the end. */
function validateLifecycle(lifecycle: JsonObject, field: string): FieldProblem[] {
  return ["postStart", "preStop"].flatMap((name) => {
    const hook = lifecycle[name];
    return isObject(hook) ? validateHandler(hook, ["exec", "httpGet", "tcpSocket", "sleep"], `${field}.${name}`) : [];
  });
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

const counts = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];

/** What a probe or hook does: one of `kinds`. */
function validateHandler(handler: JsonObject, kinds: readonly string[], field: string): FieldProblem[] {
  const [used, ...others] = kinds.filter((name) => isObject(handler[name]));
  if (used === undefined) return [requiredValue(field, "must specify a handler type")];
  return [
    ...validateAction(used, objectAt(handler, used), `${field}.${used}`),
    ...others.map((name) => forbiddenValue(`${field}.${name}`, "may not specify more than 1 handler type")),
  ];
}

function validateAction(kind: string, action: JsonObject, field: string): FieldProblem[] {
  switch (kind) {
    case "exec":
      return listAt(action, "command").length === 0 ? [requiredValue(`${field}.command`)] : [];
    case "httpGet":
      return [
        ...validatePortRef(action["port"], `${field}.port`),
        ...supported(textAt(action, "scheme"), ["HTTP", "HTTPS"], `${field}.scheme`),
        ...objectsAt(action, "httpHeaders").flatMap((header) =>
          problemsOf(`${field}.httpHeaders`, textAt(header, "name"), headerName(textAt(header, "name"))),
        ),
      ];
    case "tcpSocket":
      return validatePortRef(action["port"], `${field}.port`);
    case "grpc":
      return problemsOf(`${field}.port`, action["port"], portNumber(numberAt(action, "port")));
    default:
      return [];
  }
}

/** A probe; liveness and startup probes need exactly one success. */
function validateProbe(probe: JsonObject, field: string, oneSuccess: boolean): FieldProblem[] {
  const problems = validateHandler(probe, ["exec", "httpGet", "tcpSocket", "grpc"], field);
  for (const name of counts) {
    if (numberAt(probe, name) < 0) problems.push(invalidValue(`${field}.${name}`, probe[name], "must be greater than or equal to 0"));
  }
  const grace = probe["terminationGracePeriodSeconds"];
  if (typeof grace === "number" && grace <= 0)
    problems.push(invalidValue(`${field}.terminationGracePeriodSeconds`, grace, "must be greater than 0"));
  if (typeof grace === "number" && !oneSuccess)
    problems.push(invalidValue(`${field}.terminationGracePeriodSeconds`, grace, "must not be set for readinessProbes"));
  if (oneSuccess && numberAt(probe, "successThreshold") !== 1)
    problems.push(invalidValue(`${field}.successThreshold`, probe["successThreshold"], "must be 1"));
  return problems;
}

/** A port by number or name. */
export function validatePortRef(port: unknown, field: string): FieldProblem[] {
  if (typeof port === "string") return problemsOf(field, port, portName(port));
  return problemsOf(field, port ?? 0, portNumber(typeof port === "number" ? port : 0));
}
