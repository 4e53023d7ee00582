import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JsonObject, KubeObject } from "../object.ts";
import type { ResourceDefinition } from "../resource.ts";
import { localSubjectAccessReview, selfSubjectAccessReview, subjectAccessReview } from "./reviews.ts";

const told = ({ validate }: ResourceDefinition, spec: JsonObject, metadata: JsonObject = {}): string[] =>
  (validate?.({ apiVersion: "authorization.k8s.io/v1", kind: "x", metadata, spec } as unknown as KubeObject, undefined) ?? []).map(
    ({ field, message }) => `${field}: ${message}`,
  );

const resource = { resourceAttributes: { namespace: "shop", verb: "get", resource: "pods" } };
const path = { nonResourceAttributes: { path: "/", verb: "get" } };
const selecting = (fieldSelector: JsonObject): JsonObject => ({ resourceAttributes: { fieldSelector } });
const at = "spec.resourceAttributes.fieldSelector";

const table: readonly (readonly [ResourceDefinition, JsonObject, JsonObject, readonly string[]])[] = [
  [selfSubjectAccessReview, resource, {}, []],
  [selfSubjectAccessReview, path, { managedFields: [] }, []],
  [
    selfSubjectAccessReview,
    { ...resource, nonResourceAttributes: { path: "/x" } },
    {},
    ['spec.nonResourceAttributes: Invalid value: {"Path":"/x","Verb":""}: cannot be specified in combination with resourceAttributes'],
  ],
  [selfSubjectAccessReview, resource, { name: "a" }, ['metadata: Invalid value: {"name":"a"}: must be empty']],
  [selfSubjectAccessReview, selecting({ rawSelector: "a=b" }), {}, []],
  [selfSubjectAccessReview, selecting({ requirements: [{ key: "a", operator: "Newer" }] }), {}, []],
  [
    selfSubjectAccessReview,
    selecting({}),
    {},
    [`${at}.requirements: Required value: when ${at} is specified, requirements or rawSelector is required`],
  ],
  [
    selfSubjectAccessReview,
    selecting({ requirements: [{ operator: "In" }, { key: "a", operator: "Exists", values: ["b"] }] }),
    {},
    [
      `${at}.requirements[0].key: Required value: must be specified`,
      `${at}.requirements[0].values: Required value: must be specified when \`operator\` is 'In' or 'NotIn'`,
      `${at}.requirements[1].values: Forbidden: may not be specified when \`operator\` is 'Exists' or 'DoesNotExist'`,
    ],
  ],
  [subjectAccessReview, { ...resource, groups: ["g"] }, {}, []],
  [subjectAccessReview, { ...resource, groups: [] }, {}, ['spec.user: Invalid value: "": at least one of user or group must be specified']],
  [localSubjectAccessReview, { ...resource, user: "ada" }, { namespace: "shop" }, []],
  [
    localSubjectAccessReview,
    { ...resource, user: "ada" },
    { namespace: "bank" },
    ['spec.resourceAttributes.namespace: Invalid value: "shop": must match metadata.namespace'],
  ],
  [
    localSubjectAccessReview,
    { ...path, user: "ada" },
    { namespace: "bank" },
    ['spec.nonResourceAttributes: Invalid value: {"Path":"/","Verb":"get"}: disallowed on this kind of request'],
  ],
];
for (const [definition, spec, metadata, problems] of table)
  test(`${definition.kind} ${JSON.stringify(spec)} ${JSON.stringify(metadata)}`, () =>
    assert.deepEqual(told(definition, spec, metadata), problems));

test("whatever stands in a review is answered", () => {
  const odd = fc.dictionary(
    fc.constantFrom("resourceAttributes", "nonResourceAttributes", "fieldSelector", "requirements", "groups", "user"),
    fc.jsonValue() as fc.Arbitrary<JsonObject>,
  );
  fc.assert(
    fc.property(odd, odd, (spec, inner) => {
      for (const definition of [selfSubjectAccessReview, subjectAccessReview, localSubjectAccessReview])
        told(definition, { ...spec, resourceAttributes: inner });
    }),
    { numRuns: 50 },
  );
});
