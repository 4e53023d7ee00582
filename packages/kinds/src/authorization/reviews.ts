/** Questions about who may do what. Asked by create, answered in the status, never stored. */
import { isObject, listAt, objectAt, objectsAt, textAt } from "../access.ts";
import { definer } from "../define.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { forbiddenValue, invalidValue, requiredValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";

const define = definer("authorization.k8s.io", "v1");
const verbs = ["create"];

/** A path as the server shows it. */
const shownPath = (attributes: unknown): JsonObject => {
  const asked = isObject(attributes) ? attributes : {};
  return { Path: textAt(asked, "path"), Verb: textAt(asked, "verb") };
};

/** A selector is a text or a list of requirements; operators that are not known here may be those of a newer client. */
function validateSelector(selector: JsonObject, field: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const raw = textAt(selector, "rawSelector");
  const some = listAt(selector, "requirements").length > 0;
  if (raw !== "" && some) problems.push(invalidValue(`${field}.rawSelector`, raw, "may not specified at the same time as requirements"));
  if (raw === "" && !some)
    problems.push(requiredValue(`${field}.requirements`, `when ${field} is specified, requirements or rawSelector is required`));
  for (const [i, requirement] of objectsAt(selector, "requirements").entries()) {
    const at = `${field}.requirements[${i}]`;
    const operator = textAt(requirement, "operator");
    const hasValues = listAt(requirement, "values").length > 0;
    if (textAt(requirement, "key") === "") problems.push(requiredValue(`${at}.key`, "must be specified"));
    if ((operator === "In" || operator === "NotIn") && !hasValues)
      problems.push(requiredValue(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    if ((operator === "Exists" || operator === "DoesNotExist") && hasValues)
      problems.push(forbiddenValue(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
  }
  return problems;
}

/** A question has no name and no labels: it is not kept. Who manages its fields is the server's. */
function mustBeEmpty({ metadata }: KubeObject, allowed: readonly string[], why: string): FieldProblem[] {
  const said = Object.keys(metadata).filter(
    (field) => field !== "managedFields" && field !== "creationTimestamp" && !allowed.includes(field),
  );
  return said.length > 0 ? [invalidValue("metadata", metadata, why)] : [];
}

/** Exactly one of a resource and a path is asked about; of somebody else the user or a group is named. */
const validateSpec =
  (self: boolean) =>
  (object: KubeObject): FieldProblem[] => {
    const spec = objectAt(object, "spec");
    const { resourceAttributes, nonResourceAttributes, groups } = spec;
    const problems: FieldProblem[] = [];
    if (resourceAttributes !== undefined && nonResourceAttributes !== undefined)
      problems.push(
        invalidValue(
          "spec.nonResourceAttributes",
          shownPath(nonResourceAttributes),
          "cannot be specified in combination with resourceAttributes",
        ),
      );
    if (resourceAttributes === undefined && nonResourceAttributes === undefined)
      problems.push(
        invalidValue("spec.resourceAttributes", null, "exactly one of nonResourceAttributes or resourceAttributes must be specified"),
      );
    if (isObject(resourceAttributes))
      for (const field of ["fieldSelector", "labelSelector"]) {
        const selector = resourceAttributes[field];
        if (isObject(selector)) problems.push(...validateSelector(selector, `spec.resourceAttributes.${field}`));
      }
    if (!self && textAt(spec, "user") === "" && (!Array.isArray(groups) || groups.length === 0))
      problems.push(invalidValue("spec.user", "", "at least one of user or group must be specified"));
    return problems;
  };

const validate =
  (self: boolean) =>
  (object: KubeObject): FieldProblem[] => [...validateSpec(self)(object), ...mustBeEmpty(object, [], "must be empty")];

export const subjectAccessReview = define({
  kind: "SubjectAccessReview",
  plural: "subjectaccessreviews",
  namespaced: false,
  verbs,
  validate: validate(false),
});
export const localSubjectAccessReview = define({
  kind: "LocalSubjectAccessReview",
  plural: "localsubjectaccessreviews",
  verbs,
  validate(object) {
    const { resourceAttributes, nonResourceAttributes } = objectAt(object, "spec");
    const problems = [...validateSpec(false)(object), ...mustBeEmpty(object, ["namespace"], "must be empty except for namespace")];
    const namespace = textAt(object, "spec.resourceAttributes.namespace");
    if (resourceAttributes !== undefined && namespace !== (object.metadata.namespace ?? ""))
      problems.push(invalidValue("spec.resourceAttributes.namespace", namespace, "must match metadata.namespace"));
    if (nonResourceAttributes !== undefined)
      problems.push(invalidValue("spec.nonResourceAttributes", shownPath(nonResourceAttributes), "disallowed on this kind of request"));
    return problems;
  },
});
export const selfSubjectAccessReview = define({
  kind: "SelfSubjectAccessReview",
  plural: "selfsubjectaccessreviews",
  namespaced: false,
  verbs,
  validate: validate(true),
});
export const selfSubjectRulesReview = define({
  kind: "SelfSubjectRulesReview",
  plural: "selfsubjectrulesreviews",
  namespaced: false,
  verbs,
});
