/** Lease: who leads, until when. */
import { numberAt, objectAt, textAt } from "../access.ts";
import { ageColumn, nameColumn, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import { invalidValue } from "../problem.ts";

export const lease = definer(
  "coordination.k8s.io",
  "v1",
)({
  kind: "Lease",
  plural: "leases",
  createOnUpdate: true,
  versionedUpdate: true,
  columns: [nameColumn, textColumn("Holder", "Who has the lease.", (object) => textAt(object, "spec.holderIdentity")), ageColumn],
  prepare(object) {
    // Fields of a coordinated election, which is not served.
    const spec = objectAt(object, "spec");
    delete spec["strategy"];
    delete spec["preferredHolder"];
  },
  validate(object) {
    const spec = objectAt(object, "spec");
    const seconds = spec["leaseDurationSeconds"];
    const problems = [];
    if (seconds !== undefined && numberAt(spec, "leaseDurationSeconds") <= 0)
      problems.push(invalidValue("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
    if (numberAt(spec, "leaseTransitions") < 0)
      problems.push(invalidValue("spec.leaseTransitions", spec["leaseTransitions"], "must be greater than or equal to 0"));
    return problems;
  },
});
