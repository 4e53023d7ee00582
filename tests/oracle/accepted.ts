/**
 * Differences between the real kube-apiserver and ours that are meant, each with its reason. `npm run oracle:kube` fails for a difference that is not here,
 * and for a line here that nothing fits any more. docs/reference/kubernetes-differences.md is made from this table.
 */
import type { Accepted } from "./diff.ts";

export const accepted: readonly Accepted[] = [
  {
    where: /columnDefinitions\[[^\]]*\]\.description$/u,
    reason: "Descriptions of columns are our own sentences; those of the real server come from its Go comments.",
  },
];
