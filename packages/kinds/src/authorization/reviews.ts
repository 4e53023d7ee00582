/** Questions about who may do what. Asked by create, answered in the status, never stored. */
import { objectAt, textAt } from "../access.ts";
import { definer } from "../define.ts";
import type { KubeObject } from "../object.ts";
import { invalidValue, requiredValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";

const define = definer("authorization.k8s.io", "v1");
const verbs = ["create"];

/** Exactly one of a resource and a path is asked about; of somebody else the user or a group is named. */
const validate =
  (self: boolean) =>
  (object: KubeObject): FieldProblem[] => {
    const spec = objectAt(object, "spec");
    const { resourceAttributes, nonResourceAttributes, groups } = spec;
    const problems: FieldProblem[] = [];
    if (resourceAttributes !== undefined && nonResourceAttributes !== undefined)
      problems.push(
        invalidValue("spec.nonResourceAttributes", nonResourceAttributes, "cannot be specified in combination with resourceAttributes"),
      );
    if (resourceAttributes === undefined && nonResourceAttributes === undefined)
      problems.push(
        invalidValue("spec.resourceAttributes", null, "exactly one of nonResourceAttributes or resourceAttributes must be specified"),
      );
    if (!self && textAt(spec, "user") === "" && groups === undefined)
      problems.push(invalidValue("spec.user", "", "at least one of user or group must be specified"));
    return problems;
  };

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
    const namespace = textAt(object, "spec.resourceAttributes.namespace");
    const elsewhere =
      namespace !== (object.metadata.namespace ?? "")
        ? [invalidValue("spec.resourceAttributes.namespace", namespace, "must match metadata.namespace")]
        : [];
    return [...validate(false)(object), ...elsewhere];
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
  validate: (object) => (textAt(object, "spec.namespace") === "" ? [requiredValue("spec.namespace")] : []),
});
