/** PodDisruptionBudget: how many pods may be missing on purpose. */
import { numberAt, objectAt, textAt, valueAt } from "../access.ts";
import { ageColumn, nameColumn, numberColumn, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import { invalidValue, unsupportedValue } from "../problem.ts";
import { validateSelector } from "../rules/selector.ts";
import { validateNotOverAll, validateShare } from "../rules/workload.ts";

const policies = ["AlwaysAllow", "IfHealthyBudget"];
const share = (value: unknown): string => (typeof value === "number" || typeof value === "string" ? String(value) : "N/A");

export const podDisruptionBudget = definer(
  "policy",
  "v1",
)({
  kind: "PodDisruptionBudget",
  plural: "poddisruptionbudgets",
  nameRule: "path",
  versionedUpdate: true,
  shortNames: ["pdb"],
  status: true,
  generation: true,
  columns: [
    nameColumn,
    textColumn("Min Available", "Pods that must stay.", (object) => share(valueAt(object, "spec.minAvailable"))),
    textColumn("Max Unavailable", "Pods that may be missing.", (object) => share(valueAt(object, "spec.maxUnavailable"))),
    numberColumn("Allowed Disruptions", "Pods that may be taken away now.", (object) => numberAt(object, "status.disruptionsAllowed")),
    ageColumn,
  ],
  validate(object) {
    const spec = objectAt(object, "spec");
    const { minAvailable, maxUnavailable } = spec;
    const both = minAvailable !== undefined && maxUnavailable !== undefined;
    const policy = textAt(spec, "unhealthyPodEvictionPolicy");
    // As the server shows its own form of a spec.
    const shown = {
      MinAvailable: minAvailable,
      Selector: spec["selector"] ?? null,
      MaxUnavailable: maxUnavailable,
      UnhealthyPodEvictionPolicy: spec["unhealthyPodEvictionPolicy"] ?? null,
    };
    return [
      ...(both ? [invalidValue("spec", shown, "minAvailable and maxUnavailable cannot be both set")] : []),
      ...validateShare(minAvailable, "spec.minAvailable"),
      ...validateNotOverAll(minAvailable, "spec.minAvailable"),
      ...validateShare(maxUnavailable, "spec.maxUnavailable"),
      ...validateNotOverAll(maxUnavailable, "spec.maxUnavailable"),
      ...(policy === "" || policies.includes(policy) ? [] : [unsupportedValue("spec.unhealthyPodEvictionPolicy", policy, policies)]),
      ...validateSelector(spec["selector"], "spec.selector"),
    ];
  },
});
