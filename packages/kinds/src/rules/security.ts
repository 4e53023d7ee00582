/** Rules of security contexts, of a pod and of a container. */
import { isObject, listAt, objectsAt, textAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { invalidValue, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";

const idMax = 2_147_483_647;
const profileTypes = ["Localhost", "RuntimeDefault", "Unconfined"];
const procMounts = ["Default", "Unmasked"];
const sysctlSegment = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const sysctlFormat = `^(${sysctlSegment}[\\./])*${sysctlSegment}$`;
const sysctlPattern = new RegExp(sysctlFormat);
const sysctlLengthMax = 253;

function validateId(value: unknown, field: string): FieldProblem[] {
  if (typeof value !== "number" || (value >= 0 && value <= idMax)) return [];
  return [invalidValue(field, value, `must be between 0 and ${idMax}, inclusive`)];
}

function validateProfile(profile: unknown, field: string): FieldProblem[] {
  if (!isObject(profile)) return [];
  const type = textAt(profile, "type");
  const place = `${field}.localhostProfile`;
  const file = profile["localhostProfile"];
  const problems: FieldProblem[] = [];
  if (type === "Localhost" && (file === undefined || file === ""))
    problems.push(requiredValue(place, "must be set when seccomp type is Localhost"));
  if (type !== "Localhost" && file !== undefined)
    problems.push(invalidValue(place, file, "can only be set when seccomp type is Localhost"));
  return profileTypes.includes(type) ? problems : [...problems, unsupportedValue(`${field}.type`, type, profileTypes)];
}

/** A pod's. `spec`: the pod's, whose namespaces belong to it. */
export function validatePodSecurity(context: JsonObject, spec: JsonObject, field: string): FieldProblem[] {
  const problems = ["fsGroup", "runAsUser", "runAsGroup"].flatMap((name) => validateId(context[name], `${field}.${name}`));
  problems.push(...listAt(context, "supplementalGroups").flatMap((id, i) => validateId(id, `${field}.supplementalGroups[${i}]`)));
  if (spec["shareProcessNamespace"] === true && spec["hostPID"] === true)
    problems.push(invalidValue(`${field}.shareProcessNamespace`, true, "ShareProcessNamespace and HostPID cannot both be enabled"));
  problems.push(...validateSysctls(objectsAt(context, "sysctls"), `${field}.sysctls`));
  return [...problems, ...validateProfile(context["seccompProfile"], `${field}.seccompProfile`)];
}

function validateSysctls(sysctls: readonly JsonObject[], field: string): FieldProblem[] {
  return sysctls.flatMap((sysctl, i) => {
    const name = textAt(sysctl, "name");
    const place = `${field}[${i}].name`;
    if (name === "") return [requiredValue(place)];
    if (name.length <= sysctlLengthMax && sysctlPattern.test(name)) return [];
    return [invalidValue(place, name, `must have at most ${sysctlLengthMax} characters and match regex ${sysctlFormat}`)];
  });
}

/** A container's. */
export function validateSecurity(context: JsonObject, field: string): FieldProblem[] {
  const problems = ["runAsUser", "runAsGroup"].flatMap((name) => validateId(context[name], `${field}.${name}`));
  const mount = context["procMount"];
  if (typeof mount === "string" && !procMounts.includes(mount)) problems.push(unsupportedValue(`${field}.procMount`, mount, procMounts));
  problems.push(...validateProfile(context["seccompProfile"], `${field}.seccompProfile`));
  if (context["allowPrivilegeEscalation"] !== false) return problems;
  if (context["privileged"] === true)
    problems.push(invalidValue(field, goContext(context), "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
  if (listAt(context, "capabilities.add").some((name) => name === "CAP_SYS_ADMIN"))
    problems.push(
      invalidValue(field, goContext(context), "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"),
    );
  return problems;
}

const contextFields = [
  ["Capabilities", "capabilities"],
  ["Privileged", "privileged"],
  ["SELinuxOptions", "seLinuxOptions"],
  ["WindowsOptions", "windowsOptions"],
  ["RunAsUser", "runAsUser"],
  ["RunAsGroup", "runAsGroup"],
  ["RunAsNonRoot", "runAsNonRoot"],
  ["ReadOnlyRootFilesystem", "readOnlyRootFilesystem"],
  ["AllowPrivilegeEscalation", "allowPrivilegeEscalation"],
  ["ProcMount", "procMount"],
  ["SeccompProfile", "seccompProfile"],
  ["AppArmorProfile", "appArmorProfile"],
] as const;

/** The context as the server shows it in this one message: with its fields' names inside the server. */
const goContext = (context: JsonObject): JsonObject =>
  Object.fromEntries(contextFields.map(([shown, name]) => [shown, context[name] ?? null]));
