/** Labels of nodes that have newer names, and names that make bad host names. */
import { objectsAt, textAt, textsAt } from "../access.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { dns1123Label, labelValue } from "../rules/names.ts";

const since = (version: string, instead: string): string => `deprecated since ${version}; use ${instead} instead`;
const deprecated: ReadonlyMap<string, string> = new Map([
  ["beta.kubernetes.io/arch", since("v1.14", '"kubernetes.io/arch"')],
  ["beta.kubernetes.io/os", since("v1.14", '"kubernetes.io/os"')],
  ["failure-domain.beta.kubernetes.io/region", since("v1.17", '"topology.kubernetes.io/region"')],
  ["failure-domain.beta.kubernetes.io/zone", since("v1.17", '"topology.kubernetes.io/zone"')],
  ["beta.kubernetes.io/instance-type", since("v1.17", '"node.kubernetes.io/instance-type"')],
  ["app.kubernetes.io/created-by", "deprecated since v1.9"],
  ["scheduler.alpha.kubernetes.io/preferAvoidPods", since("v1.22", "Taints and Tolerations")],
  ["node-role.kubernetes.io/master", 'use "node-role.kubernetes.io/control-plane" instead'],
]);

/** What to use instead of a node's label; `undefined` when it is fine. */
export const labelAdvice = (label: string): string | undefined => deprecated.get(label);

/** A term that selects nodes. @param checked Whether values that no label can have are told too: a preference with one is no mistake to the rules. */
export function nodeTermWarnings(term: JsonObject, field: string, checked = false): string[] {
  return objectsAt(term, "matchExpressions").flatMap((expression, i) => {
    const key = textAt(expression, "key");
    const place = `${field}.matchExpressions[${i}]`;
    const advice = labelAdvice(key);
    const values = checked ? textsAt(expression, "values") : [];
    return [
      ...(advice === undefined ? [] : [`${place}.key: ${key} is ${advice}`]),
      ...values.flatMap((value, j) => labelValue(value).map((why) => `${place}.values[${j}]: ${value} is invalid, ${why}`)),
    ];
  });
}

/** A name that its pods get as theirs, with an ending. @param what `Pod names and hostnames` */
export function hostNameWarnings({ metadata }: KubeObject, what = "Pod names and hostnames"): string[] {
  const complaints = dns1123Label(metadata.name);
  if (complaints.length === 0) return [];
  const why = "which can result in surprising behavior; a DNS label is recommended";
  return [`metadata.name: this is used in ${what}, ${why}: [${complaints.join(" ")}]`];
}
