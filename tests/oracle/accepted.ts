/**
 * Differences between the real kube-apiserver and ours that are meant to stay, each with its reason. `npm run oracle:kube` fails for a difference that is not
 * here, and for a line nothing fits any more. docs/reference/kubernetes-differences.md is made from it.
 */
import type { Accepted } from "./diff.ts";
import { notServed } from "./not-served.ts";

/** A caller the real server knows and refuses, and ours does not know. */
const refusedOrUnknown = (user: string): RegExp =>
  new RegExp(String.raw`^(?:403 → 401|".*User \\"${user}\\" cannot .*" → "Unauthorized"|"Forbidden" → "Unauthorized"|\{.*\} → –)$`, "u");

export const accepted: readonly Accepted[] = [
  ...notServed,
  {
    // Both say something.
    where: /(?:\.columnDefinitions\[[^\]]*\]|^crd\/columns › \d+ columns › \[Name\])\.description$/u,
    what: /^"[^]+" → "[^]+"$/u,
    reason: "Descriptions of columns are our own sentences; those of the real server come from its Go comments.",
  },
  {
    where: / › body\.message$/u,
    what: /^"(.*?)(?:, application\/vnd\.kubernetes\.protobuf)?((?:, application\/json;stream=watch)?)(?:, application\/vnd\.kubernetes\.protobuf;stream=watch)?" → "\1\2"$/u,
    reason: "Protobuf is read, not written: answers are JSON or YAML, and lists of what can be had do not name it.",
  },
  {
    where: /^watch\/errors › \d+ to come › \[\]$/u,
    what: /^– → \{"type":"","object":\{"kind":"Status",.*"message":"Too large resource version: 999999999, current: <rv>".*"code":504\}\}$/u,
    reason:
      "A watch from a version that was never given out is refused, so that clients of a server that lost its state begin anew; the real one lets them wait.",
  },
  {
    where:
      /^(access\/(refusals › \d+ nobody[^›]*|review-errors › \d+ by nobody)|discovery\/health › \d+ discovery by nobody) › (?:status|body\.(?:message|reason|details|code))$/u,
    what: refusedOrUnknown("system:anonymous"),
    reason: "Who shows neither a certificate nor a token gets 401, but for health and version: there are no anonymous callers.",
  },
  {
    where:
      /^users\/bookmarks › \d+ (?:(?:deployments|replicasets|statefulsets)\.apps › \[0\]\.object\.spec\.replicas|daemonsets\.apps › \[0\]\.object\.metadata\.annotations\.deprecated\.daemonset\.template\.generation)$/u,
    what: /^"?0"? → –$/u,
    reason:
      "The object of a bookmark says nothing but its revision; that of workloads has gone through the real server's inner types, and says of no replicas that they are 0.",
  },
  {
    where: /^crud\/(jobs\.batch|persistentvolumeclaims) › \d+ update with nothing new › body\.metadata\.resourceVersion$/u,
    what: /^"<rv \+1>" → "<rv \+0>"$/u,
    reason:
      "A Job or PersistentVolumeClaim that is sent back as it was created is written once more by the real server, which keeps an updated one in other bytes; " +
      "here nothing is written.",
  },
  {
    where:
      /^crd\/life › \d+ (?:create › body\.(?:status\.(?:conditions|acceptedNames)|metadata\.managedFields\[\+\])|other names › body\.status\.acceptedNames\.shortNames\[0\])$/u,
    what: /^(?:null → \[\{"type":"NamesAccepted",.*\]|\{"plural":"","kind":""\} → \{"plural":"gizmos",.*\}|– → \{"manager":"<server>".*"f:status".*\}|"gz" → "gzz")$/u,
    reason:
      "A CRD has its names, and is served, in the answer to its creation or change; the real server's controllers see to it a moment later, and clients have to wait.",
  },
  {
    where: /^crd\/invalid › \d+ webhook for two versions › headers\.warning$/u,
    what: /^– → .*this server calls no webhooks: only v1 is served, and not v2/u,
    reason:
      "No webhook is called: a CRD whose versions only a webhook can convert is served in its storage version alone, and a warning says so.",
  },
  {
    where: /^access\/tokens › \d+ after the account is gone › (?:status|body\.(?:message|reason|details|code))$/u,
    what: refusedOrUnknown("system:serviceaccount:[^ ]+"),
    reason: "The real server takes a token for ten seconds more once it was good; here it ends with its account.",
  },
  {
    where: /^invalid\/(endpoints|endpointslices\.discovery\.k8s\.io) › \d+ addresses › body\.(?:message|details\.causes\[\d\])$/u,
    what: /^(?:"(.*) \S+: Invalid value: \\"127\.0\.0\.1\\": may not be in the loopback range \(127\.0\.0\.0\/8, ::1\/128\),(.*)" → "\1\2"|\{.*127\.0\.0\.1.*loopback.*\} → –)$/u,
    reason: "Endpoints may be on loopback: on one machine that is where they are, this server's first of all.",
  },
  {
    where: /^(errors\/bodies › \d+ bad YAML|apply\/ownership › \d+ no YAML) › body\.message$/u,
    what: /yaml: line 1: did not find expected node content.* → .*yaml: line 1, column 5: /u,
    reason:
      "What is wrong with a text that is no YAML is told in the words of our reader, with line and column; the real server has those of a Go library.",
  },
  {
    where: /^errors\/identity › \d+ update of another uid › body\.message$/u,
    what: /StorageError: invalid object, Code: 4, Key: \/registry\/.* AdditionalErrorMsg: (Precondition failed: .*)" → ".*\1"$/u,
    reason: "A conflict about the uid does not name a key of etcd and its error before the reason: there is no etcd.",
  },
  {
    where: /^errors\/names › \d+ service (|a\/b|%|\.) › body\.(message|details\.causes\[0\]\.(reason|message|field))$/u,
    what: /^(?:".*failed to allocate IP: IPAddress\.networking\.k8s\.io.*spec\.parentRef\.name.*" → "(?:Service .* is invalid: metadata\.name: )?(?:Required|Invalid) value.*"|"spec\.clusterIPs" → "metadata\.name"|"FieldValueInvalid" → "FieldValueRequired")$/u,
    reason:
      "A Service without a good name is refused for its name. The real server keeps addresses of Services as objects that refer to them, and says first what is wrong with " +
      "the reference.",
  },
  {
    where: /^odd\/horizontalpodautoscalers\.autoscaling › \d+ behavior of nothing › body\.(message|details\.causes\[2\])$/u,
    what: /^(?:"(.*), spec\.behavior\.scaleDown\.policies: Required value: must specify at least one Policy\]" → "\1\]"|\{.*"field":"spec\.behavior\.scaleDown\.policies"\} → –)$/u,
    reason: "An empty list of scaling policies is filled in, as one that is not there; the real server refuses it.",
  },
  {
    where: /^warnings\/names › \d+ jobs\.batch too long › body\.(message|details\.causes\[\+\])$/u,
    what: /^(?:"(.* is invalid: )(spec\.template\.labels: .*)" → "\1\[metadata\.labels: Invalid value: [^,]* must be no more than 63 bytes, \2\]"|– → \{.*must be no more than 63 bytes","field":"metadata\.labels"\})$/u,
    reason: "A Job whose name is longer than a label may be is refused for the labels it would get, and not only for those of its pods.",
  },
  {
    where: /^invalid\/pods › \d+ token of no account › (?:status|body)$/u,
    what: /^(?:422 → 201|\{"kind":"Status".*is invalid: spec\.volumes\[0\]\.projected\.sources\[0\]\.serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set","reason".*\} → \{.*"kind":"Pod".*\})$/u,
    reason:
      "A pod may have a token of its account without naming the account: on a cluster a plugin of the server, which is not compared, fills in the name " +
      "before the rule is asked.",
  },
  {
    where:
      /^(?:crud\/horizontalpodautoscalers\.autoscaling\/v1 › \d+ .*|users\/subresources › \d+ horizontalpodautoscalers\.autoscaling\/v1 \w+) › body.*\.(annotations(?:\.autoscaling\.alpha\.kubernetes\.io\/current-metrics)?|f:metadata(?:\.f:annotations)?)$/u,
    what: /autoscaling\.alpha\.kubernetes\.io\/current-metrics|currentAverageUtilization/u,
    reason:
      "autoscaling/v1 shows in annotations what it has no fields for, as autoscaling/v2 has it. A CPU's use, for which it has a field, is not said there again.",
  },
  {
    where: /^access\/default-roles › \d+ (?:admin|edit|view) › body\.(?:rules|metadata\.managedFields\[0\]\.fieldsV1\.f:rules)$/u,
    what: /^(?:null → \[.*\]|– → \{\})$/u,
    reason:
      "The roles admin, edit and view have their rules, for the kinds that are served, from the server's first answer on. The real ones are empty until a controller " +
      "puts them together.",
  },
];
