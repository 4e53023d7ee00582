/** Roles and bindings: who may do what, in a namespace or everywhere. */
import { isObject, listAt, objectsAt, sameJson, textAt } from "../access.ts";
import { ageColumn, createdColumn, nameColumn, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { immutable, invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { dns1123Subdomain } from "../rules/names.ts";
import { validateSelector } from "../rules/selector.ts";

const group = "rbac.authorization.k8s.io";
const define = definer(group, "v1");

/** A rule names verbs and resources of groups; only cluster-wide ones may name paths, and then nothing else. */
function validateRules(object: KubeObject, namespaced: boolean): FieldProblem[] {
  return objectsAt(object, "rules").flatMap((rule, i) => {
    const field = `rules[${i}]`;
    const has = (name: string): boolean => listAt(rule, name).length > 0;
    const problems: FieldProblem[] = has("verbs") ? [] : [requiredValue(`${field}.verbs`, "verbs must contain at least one value")];
    if (has("nonResourceURLs")) {
      if (namespaced)
        problems.push(
          invalidValue(`${field}.nonResourceURLs`, rule["nonResourceURLs"], "namespaced rules cannot apply to non-resource URLs"),
        );
      if (has("apiGroups") || has("resources") || has("resourceNames"))
        problems.push(
          invalidValue(
            `${field}.nonResourceURLs`,
            rule["nonResourceURLs"],
            "rules cannot apply to both regular resources and non-resource URLs",
          ),
        );
      return problems;
    }
    if (!has("apiGroups")) problems.push(requiredValue(`${field}.apiGroups`, "resource rules must supply at least one api group"));
    if (!has("resources")) problems.push(requiredValue(`${field}.resources`, "resource rules must supply at least one resource"));
    return problems;
  });
}

export const role = define({
  kind: "Role",
  plural: "roles",
  createOnUpdate: true,
  nameRule: "path",
  columns: [nameColumn, createdColumn],
  validate: (object) => validateRules(object, true),
});

export const clusterRole = define({
  kind: "ClusterRole",
  plural: "clusterroles",
  createOnUpdate: true,
  namespaced: false,
  nameRule: "path",
  columns: [nameColumn, createdColumn],
  validate(object) {
    const field = "aggregationRule.clusterRoleSelectors";
    const selectors = objectsAt(object, field).flatMap((selector, i) => {
      const problems = validateSelector(selector, `${field}[${i}]`);
      return problems.length === 0 ? [] : [...problems, invalidValue(`${field}[${i}]`, null, "invalid label selector.")];
    });
    if (isObject(object["aggregationRule"]) && listAt(object, field).length === 0)
      selectors.push(requiredValue(field, "at least one clusterRoleSelector required if aggregationRule is non-nil"));
    return [...validateRules(object, false), ...selectors];
  },
});

const subjectKinds: Readonly<Record<string, string>> = { ServiceAccount: "", User: group, Group: group };

function validateSubject(subject: JsonObject, field: string, namespaced: boolean): FieldProblem[] {
  const kind = textAt(subject, "kind");
  const problems: FieldProblem[] = textAt(subject, "name") === "" ? [requiredValue(`${field}.name`)] : [];
  const wanted = subjectKinds[kind];
  if (wanted === undefined) return [...problems, unsupportedValue(`${field}.kind`, kind, Object.keys(subjectKinds))];
  if (textAt(subject, "apiGroup") !== wanted) problems.push(unsupportedValue(`${field}.apiGroup`, textAt(subject, "apiGroup"), [wanted]));
  const name = textAt(subject, "name");
  if (kind === "ServiceAccount" && name !== "") problems.push(...problemsOf(`${field}.name`, name, dns1123Subdomain(name)));
  if (kind === "ServiceAccount" && !namespaced && textAt(subject, "namespace") === "") problems.push(requiredValue(`${field}.namespace`));
  return problems;
}

const validateBinding =
  (namespaced: boolean) =>
  (object: KubeObject, old?: KubeObject): FieldProblem[] => {
    const kinds = namespaced ? ["Role", "ClusterRole"] : ["ClusterRole"];
    const kind = textAt(object, "roleRef.kind");
    const problems: FieldProblem[] = [];
    if (textAt(object, "roleRef.apiGroup") !== group)
      problems.push(unsupportedValue("roleRef.apiGroup", textAt(object, "roleRef.apiGroup"), [group]));
    if (!kinds.includes(kind)) problems.push(unsupportedValue("roleRef.kind", kind, kinds));
    if (textAt(object, "roleRef.name") === "") problems.push(requiredValue("roleRef.name"));
    problems.push(...objectsAt(object, "subjects").flatMap((subject, i) => validateSubject(subject, `subjects[${i}]`, namespaced)));
    if (!old || sameJson(object["roleRef"], old["roleRef"])) return problems;
    return [
      ...problems,
      ...immutable("roleRef", object["roleRef"], false).map((problem) => ({ ...problem, message: cannotChange(object) })),
    ];
  };

function cannotChange(object: KubeObject): string {
  const of = (name: string): string => textAt(object, `roleRef.${name}`);
  const shown = { APIGroup: of("apiGroup"), Kind: of("kind"), Name: of("name") }; // as the server shows it
  return `Invalid value: ${JSON.stringify(shown)}: cannot change roleRef`;
}

const subjects = (object: KubeObject, kind: string): string =>
  objectsAt(object, "subjects")
    .filter((subject) => textAt(subject, "kind") === kind)
    .map((subject) => (kind === "ServiceAccount" ? `${textAt(subject, "namespace")}/` : "") + textAt(subject, "name"))
    .join(", ");

const bindingColumns = [
  nameColumn,
  textColumn("Role", "What is granted.", (object) => `${textAt(object, "roleRef.kind")}/${textAt(object, "roleRef.name")}`),
  ageColumn,
  textColumn("Users", "Users it is granted to.", (object) => subjects(object, "User"), 1),
  textColumn("Groups", "Groups it is granted to.", (object) => subjects(object, "Group"), 1),
  textColumn("ServiceAccounts", "Service accounts it is granted to.", (object) => subjects(object, "ServiceAccount"), 1),
];

export const roleBinding = define({
  kind: "RoleBinding",
  plural: "rolebindings",
  createOnUpdate: true,
  nameRule: "path",
  columns: bindingColumns,
  validate: validateBinding(true),
});

export const clusterRoleBinding = define({
  kind: "ClusterRoleBinding",
  plural: "clusterrolebindings",
  createOnUpdate: true,
  namespaced: false,
  nameRule: "path",
  columns: bindingColumns,
  validate: validateBinding(false),
});
