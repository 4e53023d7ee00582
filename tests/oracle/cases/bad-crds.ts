/** CustomResourceDefinitions that are wrong, one way each. */
import { definition } from "./crd-definition.ts";

type Make = (group: string) => unknown;

const schema =
  (openAPIV3Schema: object): Make =>
  (group) =>
    definition(group, { schema: openAPIV3Schema });
const spec =
  (field: object): Make =>
  (group) =>
    definition(group, { schema: { type: "object", properties: { spec: { type: "object", properties: { f: field } } } } });
const version =
  (more: object): Make =>
  (group) =>
    definition(group, { schema: { type: "object" }, more });
const changed =
  (more: object): Make =>
  (group) => {
    const made = definition(group, { schema: { type: "object" } });
    return { ...made, spec: { ...made.spec, ...more } };
  };
const rule = (validation: object, field: object = { type: "string" }): Make => spec({ ...field, "x-kubernetes-validations": [validation] });

const webhook = (clientConfig: object, conversionReviewVersions = ["v1"]): Make =>
  changed({ conversion: { strategy: "Webhook", webhook: { clientConfig, conversionReviewVersions } } });

export const badCrds: Readonly<Record<string, Make>> = {
  "no schema": version({ schema: null }),
  "no type": schema({ properties: {} }),
  "root is no object": schema({ type: "string" }),
  "field without type": spec({}),
  "unknown type": spec({ type: "texty" }),
  "array without items": spec({ type: "array" }),
  "items as a list": spec({ type: "array", items: [{ type: "string" }] }),
  "properties and additional": spec({ type: "object", properties: { a: { type: "string" } }, additionalProperties: { type: "string" } }),
  "additional false": spec({ type: "object", additionalProperties: false }),
  reference: spec({ $ref: "#/definitions/x" }),
  "unique items": spec({ type: "array", uniqueItems: true, items: { type: "string" } }),
  "nullable with preserve": spec({ type: "object", nullable: true, "x-kubernetes-preserve-unknown-fields": false }),
  "int or string with type": spec({ type: "string", "x-kubernetes-int-or-string": true }),
  "default of another type": spec({ type: "string", default: 5 }),
  "default that breaks a rule": spec({ type: "integer", minimum: 5, default: 1 }),
  "default that is pruned": spec({ type: "object", properties: { a: { type: "string" } }, default: { b: 1 } }),
  "default null": spec({ type: "string", default: null }),
  pattern: spec({ type: "string", pattern: "(" }),
  "enum empty": spec({ type: "string", enum: [] }),
  "type in anyOf": spec({ type: "object", anyOf: [{ type: "string" }] }),
  "description in not": spec({ type: "object", not: { description: "x" } }),
  "property only in allOf": spec({ type: "object", allOf: [{ properties: { a: { minimum: 1 } } }] }),
  "metadata with rules": schema({
    type: "object",
    properties: { metadata: { type: "object", properties: { labels: { type: "object" } } } },
  }),
  "metadata name": schema({
    type: "object",
    properties: { metadata: { type: "object", properties: { name: { type: "string", maxLength: 5 } } } },
  }),
  "list map without keys": spec({
    type: "array",
    "x-kubernetes-list-type": "map",
    items: { type: "object", properties: { a: { type: "string" } } },
  }),
  "list map of texts": spec({
    type: "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["a"],
    items: { type: "string" },
  }),
  "list map key missing": spec({
    type: "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["b"],
    items: { type: "object", required: ["a"], properties: { a: { type: "string" } } },
  }),
  "list map key optional": spec({
    type: "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["a"],
    items: { type: "object", properties: { a: { type: "string" } } },
  }),
  "list type": spec({ type: "array", "x-kubernetes-list-type": "x", items: { type: "string" } }),
  "list type of a text": spec({ type: "string", "x-kubernetes-list-type": "set" }),
  "set of objects": spec({ type: "array", "x-kubernetes-list-type": "set", items: { type: "object", properties: {} } }),
  "map type": spec({ type: "object", "x-kubernetes-map-type": "x" }),
  "embedded without type": spec({ "x-kubernetes-embedded-resource": true }),
  "embedded without properties": spec({ type: "object", "x-kubernetes-embedded-resource": true }),
  "rule that does not compile": rule({ rule: "self +" }),
  "rule of another type": rule({ rule: "self" }),
  "rule of an unknown field": rule({ rule: "self.x == 1" }, { type: "object", properties: { y: { type: "integer" } } }),
  "rule empty": rule({ rule: " " }),
  "rule with a bad reason": rule({ rule: "self == 'a'", reason: "Because" }),
  "rule with a bad path": rule({ rule: "true", fieldPath: ".none" }, { type: "object", properties: { y: { type: "integer" } } }),
  "message with lines": rule({ rule: "true", message: "a\nb" }),
  "message empty": rule({ rule: "true", message: " " }),
  "message expression": rule({ rule: "true", messageExpression: "5" }),
  "message expression that does not compile": rule({ rule: "true", messageExpression: "self +" }),
  "rule too dear": spec({
    type: "array",
    items: {
      type: "array",
      items: { type: "array", items: { type: "string", "x-kubernetes-validations": [{ rule: "self.matches('^a.*b.*c$')" }] } },
    },
  }),
  "old self in a set": spec({ type: "array", items: { type: "string", "x-kubernetes-validations": [{ rule: "self == oldSelf" }] } }),
  "optional old self unused": rule({ rule: "self == 'a'", optionalOldSelf: true }),
  "unknown function": rule({ rule: "self.nothing()" }),
  "unknown variable": rule({ rule: "that == 'a'" }),
  "no versions": changed({ versions: [] }),
  "no storage": version({ storage: false }),
  "two storages": changed({
    versions: [
      { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } },
      { name: "v2", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } },
    ],
  }),
  "versions twice": changed({
    versions: [
      { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } },
      { name: "v1", served: true, storage: false, schema: { openAPIV3Schema: { type: "object" } } },
    ],
  }),
  "version name": version({ name: "V_1" }),
  scope: changed({ scope: "Galaxy" }),
  "no scope": changed({ scope: null }),
  "no group": changed({ group: "" }),
  group: changed({ group: "a_b" }),
  "group without dot": changed({ group: "short" }),
  names: changed({
    names: { plural: "Gizmos_", singular: "Gizmo_", kind: "gizmo kind", shortNames: ["G_"], categories: ["A b"], listKind: "Gizmo kind" },
  }),
  "no names": changed({ names: {} }),
  "list kind is kind": changed({ names: { plural: "gizmos", kind: "Gizmo", listKind: "Gizmo" } }),
  "name of the object": (group) => ({ ...definition(group, { schema: { type: "object" } }), metadata: { name: "other" } }),
  "preserve unknown fields": changed({ preserveUnknownFields: true }),
  webhook: changed({ conversion: { strategy: "Webhook" } }),
  "webhook nowhere": webhook({}),
  "webhook at two places": webhook({ url: "https://a.dev", service: { name: "a", namespace: "b" } }),
  "webhook in the clear": webhook({ url: "http://a.dev/x" }),
  "webhook with more in its URL": webhook({ url: "https://u:p@a.dev/x?y=z#w" }),
  "webhook without a host": webhook({ url: "https:///x" }),
  "webhook at a relative URL": webhook({ url: "a.dev/x" }),
  "webhook at no URL": webhook({ url: "" }),
  "webhook service without names": webhook({ service: {} }),
  "webhook service with a bad port": webhook({ service: { name: "a", namespace: "b", port: 70_000, path: "x" } }),
  "webhook service with a bad path": webhook({ service: { name: "a", namespace: "b", path: "/x//y/_z" } }),
  "webhook with another review": webhook({ url: "https://a.dev" }, ["v9", "V_1"]),
  "webhook with reviews twice": webhook({ url: "https://a.dev" }, ["v1", "v1"]),
  "webhook with a bad authority": webhook({ url: "https://a.dev", caBundle: "bm9uc2Vuc2U=" }),
  "webhook for two versions": (group) => {
    const made = webhook({ service: { name: "a", namespace: "b" } })(group) as { spec: { versions: object[] } };
    const [version] = made.spec.versions;
    return { ...made, spec: { ...made.spec, versions: [version, { ...version, name: "v2", storage: false }] } };
  },
  webhooks: webhook({ service: { name: "a", namespace: "b" } }, ["v2", "v1"]),
  conversion: changed({ conversion: { strategy: "Magic" } }),
  columns: version({
    additionalPrinterColumns: [
      { name: "", type: "x", jsonPath: "spec" },
      { name: "a", type: "string", jsonPath: ".spec[" },
      { name: "b", type: "string", format: "x", jsonPath: "" },
    ],
  }),
  scale: version({ subresources: { scale: { specReplicasPath: "spec.replicas", statusReplicasPath: ".spec.replicas" } } }),
  "scale without paths": version({ subresources: { scale: {} } }),
  "selectable fields": version({ selectableFields: [{ jsonPath: ".spec.none" }, { jsonPath: "spec" }, { jsonPath: "" }] }),
  "selectable twice": (group) =>
    definition(group, {
      schema: { type: "object", properties: { spec: { type: "object", properties: { a: { type: "string" } } } } },
      more: { selectableFields: [{ jsonPath: ".spec.a" }, { jsonPath: ".spec.a" }] },
    }),
  "deprecation without deprecated": version({ deprecationWarning: "x" }),
  "no spec": (group) => ({ ...definition(group, { schema: { type: "object" } }), spec: null }),
  "protected group": (group) => ({
    ...definition("a.k8s.io", { schema: { type: "object" } }),
    metadata: { name: "gizmos.a.k8s.io", labels: { group: group.slice(0, 20) } },
  }),
  "forbidden word in the root": schema({ type: "object", title: "x", example: {}, externalDocs: { url: "x" }, definitions: {} }),
  "exclusive without bound": spec({ type: "integer", exclusiveMinimum: true }),
  "bounds the wrong way": spec({ type: "integer", minimum: 5, maximum: 1 }),
  "unknown format": spec({ type: "string", format: "soup" }),
  good: schema({ type: "object" }),
};
