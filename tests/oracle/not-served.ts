/** Decisions on what discovery and OpenAPI name: everything that is served, as the real server does, and nothing that is not. */
import type { Accepted } from "./diff.ts";

/** Only where ours has nothing: what ours has otherwise is a difference of its own. */
const absent = /→ –$/u;
/** Groups that are not served. */
const groupsAway = String.raw`(?:admissionregistration|apiregistration|certificates|flowcontrol\.apiserver|node|resource|storage)\.k8s\.io`;
/** Kinds that are not served though their groups are. */
const pluralsAway = "(?:bindings|componentstatuses|podtemplates|ipaddresses|servicecidrs)";
/** Subresources that are not served though their kinds are. */
const belowPods = "(?:attach|binding|ephemeralcontainers|exec|log|portforward|proxy|resize)";
/** Types only those are made of. */
const typesAway = String.raw`io\.k8s\.(?:api\.(?:admissionregistration|certificates|flowcontrol|node|resource|storage)\.v1\.\w+|kube-aggregator\.[\w.]+|api\.core\.v1\.(?:Binding|ComponentCondition|ComponentStatus|ComponentStatusList|PodTemplate|PodTemplateList|TopologySelectorLabelRequirement|TopologySelectorTerm)|api\.networking\.v1\.(?:IPAddress|ServiceCIDR)(?:List|Spec|Status)?|api\.networking\.v1\.ParentReference)`;
/** A document of OpenAPI; one of a group or version or of no resource, or that of version 2. */
const documents = String.raw`(?:openapi\/\S+ › \d+ document(?: of \S+)?|crd\/openapi › \d+ v1(?:beta1)?) › `;
/** The types every group is named in. */
const marked = String.raw`(?:components\.schemas|definitions)\.io\.k8s\.apimachinery\.pkg\.apis\.meta\.v1\.(?:DeleteOptions|WatchEvent)`;

export const notServed: readonly Accepted[] = [
  {
    where: new RegExp(
      String.raw`^(?:discovery\/groups › 2 \/apis › groups\.${groupsAway}|discovery\/aggregated › \d+ \/apis v2 › groups\.${groupsAway}|` +
        String.raw`openapi\/index › \d+ paths › apis\/${groupsAway}(?:\/v1)?|openapi\/v2 › \d+ document › paths\.\/apis\/${groupsAway}\/\S*)$`,
      "u",
    ),
    what: absent,
    reason:
      "Seven groups of a cluster are not served: admission webhooks and policies, API aggregation, certificate requests, flow control, runtime classes, " +
      "device resources, storage drivers and classes. Nothing here would read them.",
  },
  {
    where: new RegExp(
      String.raw`^(?:discovery\/resources › \d+ \/(?:api\/v1|apis\/networking\.k8s\.io\/v1) › \[1\]\.resources\.${pluralsAway}(?:\/status)?|` +
        String.raw`discovery\/aggregated › \d+ \/apis? v2 › groups\.(?:networking\.k8s\.io)?\[0\]\.resources\.${pluralsAway}|` +
        String.raw`${documents}paths\.\/apis?\/\S*\/${pluralsAway}(?:\/\{name\}(?:\/status)?)?)$`,
      "u",
    ),
    what: absent,
    reason:
      "Five kinds of served groups are not: bindings (no scheduler puts pods on nodes), component statuses (deprecated since 1.19), pod templates " +
      "(no controller of Kubernetes reads them), IP addresses and service CIDRs (services share one fixed range).",
  },
  {
    where: new RegExp(
      String.raw`^(?:discovery\/resources › \d+ \/api\/v1 › \[1\]\.resources\.(?:pods\/${belowPods}|nodes\/proxy|services\/proxy)|` +
        String.raw`discovery\/aggregated › \d+ \/api v2 › groups\.\[0\]\.resources\.(?:pods\.subresources\.${belowPods}|(?:nodes|services)\.subresources(?:\.proxy)?)|` +
        String.raw`${documents}paths\.\/api\/v1(?:\/namespaces\/\{namespace\})?\/(?:pods\/\{name\}\/${belowPods}|(?:nodes|services)\/\{name\}\/proxy)(?:\/\{path\})?)$`,
      "u",
    ),
    what: absent,
    reason:
      "What leads to where a pod or node runs, and what changes a pod there (log, exec, attach, port forwarding, proxies, resizing, ephemeral containers, " +
      "binding), needs a kubelet; the server has none and says so.",
  },
  {
    where: new RegExp(String.raw`^${documents}(?:components\.schemas|definitions)\.${typesAway}$`, "u"),
    what: absent,
    reason: "Documents hold no types that only kinds lead to which are not served.",
  },
  {
    where: new RegExp(
      String.raw`^openapi\/apis\/networking\.k8s\.io\/v1 › \d+ document › components\.schemas\.io\.k8s\.apimachinery\.pkg\.apis\.meta\.v1\.Condition$`,
      "u",
    ),
    what: absent,
    reason: "Of networking.k8s.io only service CIDRs, which are not served, have conditions of this type.",
  },
  {
    where: new RegExp(
      String.raw`^${documents}.*\.(?:content|consumes|produces)\.application\/vnd\.kubernetes\.protobuf(?:;stream=watch)?$`,
      "u",
    ),
    what: absent,
    reason: "Answers are JSON or YAML, so that documents offer no Protobuf. Bodies in Protobuf are read.",
  },
  {
    where: new RegExp(
      String.raw`^${documents}.*\.parameters\.(?:shardSelector|ignoreStoreReadErrorWithClusterBreakingPotential) in query$`,
      "u",
    ),
    what: absent,
    reason:
      "Two parameters of features that are off by default are not taken, and not offered: shards of lists, and deleting what storage cannot read.",
  },
  {
    where: new RegExp(
      String.raw`^(?:openapi\/v2 › \d+ \S+ › ${marked}\.kinds\.(?:(?:${groupsAway}|admission\.k8s\.io)\/v1|\S+\/v\d+(?:alpha|beta)\d+)|crd\/openapi › \d+ \S+ › ${marked}\.kinds\.\S+) (?:DeleteOptions|WatchEvent)$`,
      "u",
    ),
    what: /^true → –$/u,
    reason:
      "DeleteOptions and events of watches are marked as those of the groups that are served (in a CRD's document: its own), not of every group there ever was.",
  },
  {
    where: new RegExp(
      String.raw`^(?:openapi\/v2 › \d+ \S+ › ${marked}\.kinds\.cloudstate\.io\/v1alpha1|crd\/openapi › \d+ \S+ › ${marked}\.kinds\.openapi-\S+\.dev\/v1(?:beta1)?) (?:DeleteOptions|WatchEvent)$`,
      "u",
    ),
    what: /^– → true$/u,
    reason: "DeleteOptions and events of watches are marked as those of a CRD's group too.",
  },
  {
    where:
      /^openapi\/(?:index › \d+ paths › (?:\.well-known\/openid-configuration|openid\/v1\/jwks)|v2 › \d+ document › paths\.\/(?:\.well-known\/openid-configuration|openid\/v1\/jwks)\/)$/u,
    what: absent,
    reason: "The keys tokens are signed with are not published: who has to check one asks for a TokenReview.",
  },
  {
    where: /^discovery\/health › \d+ version by nobody › body\.(?:gitCommit|buildDate|goVersion|compiler|platform)$/u,
    what: /→ ""$/u,
    reason: "The version says which Kubernetes is served; from which commit and with which Go it was built there is nothing to say.",
  },
];
