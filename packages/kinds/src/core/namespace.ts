/** Namespace: the room other names live in. Its content is removed by the namespace controller before it goes. */
import { objectAt, textAt, textsAt } from "../access.ts";
import { ageColumn, nameColumn, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { KubeObject } from "../object.ts";
import { validateFinalizer } from "../rules/object-meta.ts";

const define = definer("", "v1");
/** Keeps a namespace until its content is gone; removed through `/finalize`. */
const contentFinalizer = "kubernetes";

export const namespace = define({
  kind: "Namespace",
  plural: "namespaces",
  shortNames: ["ns"],
  namespaced: false,
  verbs: ["create", "delete", "get", "list", "patch", "update", "watch"],
  nameRule: "label",
  status: true,
  columns: [
    nameColumn,
    textColumn("Status", "Active, or Terminating while its content is removed.", (object) => textAt(object, "status.phase")),
    ageColumn,
  ],
  selectableFields: new Map([["status.phase", (object: KubeObject) => textAt(object, "status.phase")]]),
  beginDeletion(object) {
    object["status"] = { ...objectAt(object, "status"), phase: "Terminating" };
  },
  validate: (object, old) => (old ? [] : textsAt(object, "spec.finalizers").flatMap((name) => validateFinalizer(name, "spec.finalizers"))),
  prepare(object, old, { subresource }) {
    if (old) {
      if (subresource !== "finalize") object["spec"] = old["spec"]; // its finalizers change through /finalize only
      return;
    }
    const said = textsAt(object, "spec.finalizers");
    object["spec"] = { finalizers: said.includes(contentFinalizer) ? said : [...said, contentFinalizer] };
    object["status"] = { phase: "Active" };
  },
});
